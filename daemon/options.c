#include "daemon/options.h"
#include "core/base/build.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/paths.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_WORKERS = 256, DEFAULT_PORT = 7373, DEFAULT_GRACE_S = 30 };
enum { DEFAULT_BACKUP_S = 3600 };
enum {
    KEY_WORKER = 256,
    KEY_LOG,
    KEY_GRACE,
    KEY_CHECK,
    KEY_BACKUP,
    KEY_DB,
    KEY_LOOK,
    KEY_REPLAY,
    KEY_EXPORT,
    KEY_TO,
    KEY_STAMP,
    KEY_OVERWRITE
};

static const struct argp_option argp_options[] = {
    {"state", 's', "DIR", 0,
     "state directory (default: $PARZEN_STATE, $XDG_STATE_HOME/parzen, "
     "~/.local/state/parzen)",
     0},
    {"port", 'p', "N", 0,
     "port of the page on 127.0.0.1 (default 7373; when that is taken the "
     "last one, or any free one; 0: any free one)",
     0},
    {"workers", 'w', "N", 0, "worker processes (default: number of cores)", 0},
    {"log", KEY_LOG, "FILE", 0, "write the log there instead of stderr", 0},
    {"grace", KEY_GRACE, "SECONDS", 0,
     "time for running trials to checkpoint at the end (default 30)", 0},
    {"backup-every", KEY_BACKUP, "SECONDS", 0,
     "time between backups of the database to STATE/backups (default 3600; "
     "0: none)",
     0},
    {"check", KEY_CHECK, NULL, 0,
     "look for damage in the database and the checkpoints, print what there "
     "is, exit with 1 when there is any; a daemon may run meanwhile",
     0},
    {"replay", KEY_REPLAY, "STUDY", 0,
     "recompute every suggestion of a study and print what differs, as JSON; "
     "a daemon may run meanwhile, as with the next two",
     0},
    {"look", KEY_LOOK, "PATH", 0,
     "print what the HTTP API has at PATH (/studies/NAME/trials)", 0},
    {"export", KEY_EXPORT, "STUDY", 0,
     "copy a study into a new database for Optuna (--to, --stamp, "
     "--overwrite)",
     0},
    {"db", KEY_DB, "FILE", 0,
     "with --replay, --look and --export: this database, ours or Optuna's, "
     "only read, instead of the state directory's",
     0},
    {"to", KEY_TO, "FILE", OPTION_HIDDEN, NULL, 0},
    {"stamp", KEY_STAMP, "VERSION", OPTION_HIDDEN, NULL, 0},
    {"overwrite", KEY_OVERWRITE, NULL, OPTION_HIDDEN, NULL, 0},
    {"worker", KEY_WORKER, "PROGRAM", 0,
     "worker program (default: parzen-worker beside parzend)", 0},
    {0},
};

static int number_in(struct argp_state *state, const char *what,
                     const char *text, long low, long high)
{
    char *end;
    errno = 0;
    long v = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || v < low || v > high) {
        argp_error(state,
                   "--%s: expected a whole number from %ld to %ld, "
                   "not '%s'",
                   what, low, high, text);
    }
    return (int)v;
}

static void replace(char **at, const char *text)
{
    free(*at);
    *at = mem_strdup(text);
}

static error_t parse_offline(int key, char *arg, struct offline_request *r)
{
    switch (key) {
    case KEY_DB:
        r->db = arg;
        return 0;
    case KEY_LOOK:
        r->look = arg;
        return 0;
    case KEY_REPLAY:
        r->replay = arg;
        return 0;
    case KEY_EXPORT:
        r->export = arg;
        return 0;
    case KEY_TO:
        r->to = arg;
        return 0;
    case KEY_STAMP:
        r->stamp = arg;
        return 0;
    case KEY_OVERWRITE:
        r->overwrite = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case 's':
        replace(&o->state_dir, arg);
        return 0;
    case 'p':
        o->port = number_in(state, "port", arg, 0, 65535);
        o->is_port_asked = true;
        return 0;
    case 'w':
        o->n_workers = number_in(state, "workers", arg, 1, MAX_WORKERS);
        return 0;
    case KEY_LOG:
        replace(&o->log_path, arg);
        return 0;
    case KEY_GRACE:
        o->grace_ms = 1000 * number_in(state, "grace", arg, 0, 3600);
        return 0;
    case KEY_WORKER:
        replace(&o->worker_path, arg);
        return 0;
    case KEY_BACKUP:
        o->backup_every_ms =
            1000 * (int64_t)number_in(state, "backup-every", arg, 0, 1000000);
        return 0;
    case KEY_CHECK:
        o->check = true;
        return 0;
    case ARGP_KEY_END:
        o->offline.state_dir = o->state_dir;
        if (o->offline.export != NULL && o->offline.to == NULL) {
            argp_error(state, "--export needs --to FILE");
        }
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", arg);
        return EINVAL;
    default:
        return parse_offline(key, arg, &o->offline);
    }
}

static char *worker_beside_us(void)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0) {
        return mem_strdup("parzen-worker");
    }
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    *slash = '\0';
    return mem_printf("%s/parzen-worker", self);
}

static void print_version(FILE *to, struct argp_state *state)
{
    (void)state;
    fprintf(to, "parzend %s\n", BUILD_ID);
}

void options_parse(struct options *o, int argc, char **argv)
{
    static const struct argp argp = {
        .options = argp_options,
        .parser = parse_one,
        .doc = "The coordinator of Parzen: keeps studies in one SQLite file "
               "and trains their trials in worker processes."
               "\vUsers talk to it through `parzen`; see `parzen --help`."};
    argp_program_version_hook = print_version;
    argp_err_exit_status = 2;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    *o = (struct options){
        .state_dir = paths_default_state(),
        .worker_path = worker_beside_us(),
        .port = DEFAULT_PORT,
        .n_workers = cores < 1             ? 1
                     : cores > MAX_WORKERS ? MAX_WORKERS
                                           : (int)cores,
        .grace_ms = 1000 * DEFAULT_GRACE_S,
        .backup_every_ms = 1000 * DEFAULT_BACKUP_S,
    };
    argp_parse(&argp, argc, argv, 0, NULL, o);
}

void options_fini(struct options *o)
{
    free(o->state_dir);
    free(o->worker_path);
    free(o->log_path);
}

static int check_folder(const char *dir, struct err *err)
{
    struct stat st;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        int errnum = errno;
        return lstat(dir, &st) == 0 && !S_ISDIR(st.st_mode)
                   ? err_set(err, ERR_INVALID,
                             "state directory %s is %s, not a folder: name the "
                             "folder itself",
                             dir, file_kind(st.st_mode))
                   : err_sys(err, errnum, "state directory %s", dir);
    }
    int rc = 0;
    if (fstat(fd, &st) != 0) {
        rc = err_sys(err, errno, "state directory %s", dir);
    } else if (st.st_uid != geteuid()) {
        rc = err_set(err, ERR_INVALID,
                     "state directory %s belongs to user %d, not to us", dir,
                     (int)st.st_uid);
    } else if ((st.st_mode & 077) != 0 && fchmod(fd, 0700) != 0) {
        rc = err_sys(err, errno, "state directory %s is open to others", dir);
    }
    close(fd);
    return rc;
}

int options_claim_state(struct options *o, struct err *err)
{
    if (o->state_dir == NULL || o->state_dir[0] == '\0') {
        return err_set(err, ERR_INVALID,
                       "no state directory: give --state, or set HOME");
    }
    int rc = file_mkdirs(o->state_dir, 0700, err);
    if (rc != 0) {
        return err_wrap(err, "state directory");
    }
    char *real = realpath(o->state_dir, NULL);
    if (real == NULL) {
        return err_sys(err, errno, "state directory %s", o->state_dir);
    }
    rc = check_folder(o->state_dir, err);
    free(o->state_dir);
    o->state_dir = real;
    return rc;
}
