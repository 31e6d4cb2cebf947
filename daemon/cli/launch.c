/* The daemon's life as the command line sees it.
 *
 * The happy path of a start: nobody answers /health; fork, setsid, exec of
 * parzend with its log as stdout and stderr; it answers /health.
 * Possible failures: it dies (its last words stand in the log behind where the
 * log ended before); another start was faster (its lock makes ours die, and
 * the other answers soon); it does neither within the deadline. */
#include "daemon/cli/launch.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/base/proc.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/client.h"
#include "daemon/cli/clock.h"
#include "daemon/cli/field.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    POLL_MS = 25,
    START_MS = 60000,  /* a large database loads in seconds */
    RIVAL_MS = 5000,   /* for the daemon that has the lock to answer */
    STOP_MS = 3700000, /* its own grace is at most an hour */
    EXIT_BUSY = 69,    /* parzend's: lock (or the port asked for) is taken */
    LAST_WORDS_MAX = 16 << 10,
    TOKEN_MAX = 4096,
};

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
}

char *launch_beside_us(const char *program)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0) {
        return mem_strdup(program);
    }
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    *slash = '\0';
    return mem_printf("%s/%s", self, program);
}

int launch_health(struct cli *c, struct json **health, struct err *err)
{
    int rc = cli_connect(c, err);
    return rc != 0 ? rc
                   : client_call(c->client, "GET", "/health", NULL, NULL,
                                 health, err);
}

/* The lock is an open-file-description lock: asking does not take it. */
bool launch_is_held(const char *state_dir)
{
    char *path = paths_in_state(state_dir, "lock");
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    bool is_held =
        fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    if (fd >= 0) {
        close(fd);
    }
    free(path);
    return is_held;
}

/* --- the process ---------------------------------------------------------- */

struct start {
    pid_t pid;
    char *log;     /* STATE/log */
    off_t log_end; /* before the start */
    bool is_dead;
    int status; /* of waitpid, when dead */
};

static NORETURN void become_daemon(const struct cli *c, int port, int n_workers,
                                   int log_fd)
{
    char port_text[32], workers_text[32];
    char *program = launch_beside_us("parzend");
    char *log = paths_in_state(c->state_dir, "log");
    const char *argv[10] = {program, "--state", c->state_dir, "--log", log};
    int n = 5;
    if (port >= 0) {
        snprintf(port_text, sizeof(port_text), "--port=%d", port);
        argv[n++] = port_text;
    }
    if (n_workers > 0) {
        snprintf(workers_text, sizeof(workers_text), "--workers=%d", n_workers);
        argv[n++] = workers_text;
    }
    setsid();
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null_fd, STDIN_FILENO);
    dup2(log_fd, STDOUT_FILENO);
    dup2(log_fd, STDERR_FILENO);
    execv(program, (char *const *)argv);
    dprintf(STDERR_FILENO, "parzend: %s: %s\n", program, strerror(errno));
    _exit(127);
}

static int spawn(struct cli *c, int port, int n_workers, struct start *s,
                 struct err *err)
{
    *s = (struct start){.log = paths_in_state(c->state_dir, "log")};
    int fd = open(s->log, /* a pipe without a reader: at once, ENXIO */
                  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW |
                      O_NONBLOCK,
                  0600);
    if (fd < 0 && errno == ENXIO) {
        return err_set(err, ERR_IO, "%s: is a pipe, not a regular file",
                       s->log);
    }
    if (fd < 0) {
        err_sys(err, errno, "%s", s->log);
        return err->code = ERR_IO;
    }
    s->log_end = lseek(fd, 0, SEEK_END);
    fflush(NULL);
    s->pid = fork();
    if (s->pid == 0) {
        become_daemon(c, port, n_workers, fd);
    }
    int errnum = errno;
    close(fd);
    return s->pid < 0 ? err_sys(err, errnum, "starting the daemon") : 0;
}

/* The last line that it wrote, without "parzend: ". */
static void last_words(const struct start *s, struct err *err)
{
    char text[LAST_WORDS_MAX];
    int fd = open(s->log, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd >= 0 ? pread(fd, text, sizeof(text) - 1, s->log_end) : 0;
    if (fd >= 0) {
        close(fd);
    }
    text[n > 0 ? n : 0] = '\0';
    const char *said = NULL;
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        bool is_sentence = strncmp(line, "parzend: ", 9) == 0;
        if (is_sentence || said == NULL) {
            said = is_sentence ? line + 9 : line;
        }
    }
    if (said != NULL) {
        err_set(err, ERR_IO, "the daemon did not start: %s", said);
    } else if (WIFSIGNALED(s->status)) {
        err_set(err, ERR_IO, "the daemon did not start: %s (log: %s)",
                strsignal(WTERMSIG(s->status)), s->log);
    } else {
        err_set(err, ERR_IO, "the daemon ended with code %d (log: %s)",
                WEXITSTATUS(s->status), s->log);
    }
}

/* Until it answers, or is dead and no rival of it answers either. */
static int await(struct cli *c, struct start *s, struct json **health,
                 struct err *err)
{
    int64_t deadline = clock_now_ms() + START_MS;
    do {
        int rc = launch_health(c, health, err);
        if (rc != ERR_UNREACHABLE) {
            return rc;
        }
        if (!s->is_dead && waitpid(s->pid, &s->status, WNOHANG) == s->pid) {
            s->is_dead = true;
            bool is_locked_out =
                WIFEXITED(s->status) && WEXITSTATUS(s->status) == EXIT_BUSY;
            deadline = is_locked_out ? clock_now_ms() + RIVAL_MS : 0;
        }
        nap();
    } while (clock_now_ms() < deadline);
    if (s->is_dead) {
        last_words(s, err);
        return err->code;
    }
    return err_set(err, ERR_UNREACHABLE,
                   "the daemon (process %d) has not answered for %d s; its log "
                   "is %s",
                   (int)s->pid, START_MS / 1000, s->log);
}

int launch_daemon(struct cli *c, const struct launch_options *o, bool *started,
                  struct json **health, struct err *err)
{
    *started = false;
    int rc = launch_health(c, health, err);
    if (rc != ERR_UNREACHABLE) {
        return rc;
    }
    rc = file_mkdirs(c->state_dir, 0700, err);
    if (rc != 0) {
        err_wrap(err, "state directory");
        return err->code = ERR_IO; /* a missing path is no missing study */
    }
    struct start s;
    rc = spawn(c, o->port, o->n_workers, &s, err);
    if (rc == 0) {
        rc = await(c, &s, health, err);
    }
    free(s.log);
    *started = rc == 0 && !s.is_dead;
    return rc;
}

/* --- the end -------------------------------------------------------------- */

int launch_ensure(struct cli *c, struct err *err)
{
    const struct launch_options options = {.port = -1};
    struct json *health;
    bool started;
    int rc = launch_daemon(c, &options, &started, &health, err);
    if (rc != 0) {
        return rc;
    }
    if (started) {
        cli_say(c, "started the daemon (process %" PRId64 ", state in %s)",
                field_int(health, "pid", 0), c->state_dir);
    }
    json_free(health);
    return 0;
}

/* One that is dead and not reaped by its parent has ended, too. */
static bool has_ended(int64_t pid)
{
    struct proc p;
    return !proc_read((pid_t)pid, &p) || p.state == 'Z';
}

int launch_stop(struct cli *c, int64_t *pid, struct err *err)
{
    struct json *reply;
    int rc = cli_connect(c, err);
    if (rc == 0) {
        rc = client_call(c->client, "POST", "/shutdown", NULL, NULL, &reply,
                         err);
    }
    if (rc != 0) {
        return rc;
    }
    *pid = field_int(reply, "pid", 0);
    json_free(reply);
    int64_t deadline = clock_now_ms() + STOP_MS;
    while (!has_ended(*pid)) {
        if (clock_now_ms() >= deadline) {
            return err_set(err, ERR_IO, "process %" PRId64 " does not end",
                           *pid);
        }
        nap();
    }
    return 0;
}

/* --- the page ------------------------------------------------------------- */

int launch_url(const struct cli *c, const struct json *health, char **out,
               struct err *err)
{
    struct buf token;
    buf_init(&token, TOKEN_MAX);
    char *path = paths_in_state(c->state_dir, "token");
    int rc = file_read(path, &token, err);
    free(path);
    if (rc == ERR_NOTFOUND) {
        rc = err->code = ERR_IO;
    }
    if (rc == 0) {
        const char *text = token.data != NULL ? token.data : "";
        *out = mem_printf("http://127.0.0.1:%" PRId64 "/#t=%.*s",
                          field_int(health, "port", 0),
                          (int)strcspn(text, "\r\n"), text);
    }
    buf_fini(&token);
    return rc;
}
