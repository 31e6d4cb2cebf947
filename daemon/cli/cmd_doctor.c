/* doctor: is everything as it should be, and if not, what?
 *
 * The database is parzend's alone: `parzend --check` reads it and our findings
 * are its lines. */
#include "core/base/build.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/nn/model.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/cmd.h"
#include "daemon/cli/field.h"
#include "daemon/cli/format.h"
#include "daemon/cli/launch.h"
#include "daemon/cli/program.h"
#include "daemon/cli/table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    OUTPUT_MAX = 16 << 20,
    LOW_SPACE_MB = 500,
    TOKEN_CHARS = 43, /* of 32 bytes */
    TOKEN_MAX = 4096
};

/* What was looked at, and what was found wrong. */
struct doctor {
    struct cli *c;
    struct table *facts;
    struct json_out findings; /* a list of strings */
    struct buf findings_text;
    int n_findings;
    int n_left; /* files that the next start of the daemon removes */
};

static void fact(struct doctor *d, const char *what, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
static void finding(struct doctor *d, const char *what, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

static void fact(struct doctor *d, const char *what, const char *fmt, ...)
{
    char text[4096];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    table_cell(d->facts, TERM_GOOD, "ok");
    table_cell(d->facts, TERM_DIM, what);
    table_cell(d->facts, TERM_PLAIN, text);
}

static void finding(struct doctor *d, const char *what, const char *fmt, ...)
{
    char text[4096];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    table_cell(d->facts, TERM_BAD, "wrong");
    table_cell(d->facts, TERM_DIM, what);
    table_cell(d->facts, TERM_PLAIN, text);
    char *line = mem_printf("%s: %s", what, text);
    json_put_string(&d->findings, line);
    free(line);
    d->n_findings++;
}

/* --- programs beside ours ------------------------------------------------- */

/* What a program says of itself ends with its build. Cut in place. */
static const char *last_word(char *said)
{
    char *end = said + strlen(said);
    while (end > said && (end[-1] == '\n' || end[-1] == ' ')) {
        *--end = '\0';
    }
    while (end > said && end[-1] != '\n' && end[-1] != ' ') {
        end--;
    }
    return end;
}

static void check_program(struct doctor *d, const char *name)
{
    char *path = launch_beside_us(name);
    const char *const argv[] = {path, "--version", NULL};
    struct buf out;
    buf_init(&out, OUTPUT_MAX);
    int code = program_run(path, argv, true, &out);
    const char *build = out.data != NULL ? last_word(out.data) : "";
    if (code != 0) {
        finding(d, name, "%s cannot be run: %s", path,
                access(path, X_OK) != 0 ? strerror(errno) : "it fails");
    } else if (strcmp(build, BUILD_ID) != 0) {
        finding(d, name, "%s is of another build (%s) than parzen (%s)", path,
                build, BUILD_ID);
    } else {
        fact(d, name, "%s, version %s", path, BUILD_ID);
    }
    buf_fini(&out);
    free(path);
}

static void check_installation(struct doctor *d)
{
    fact(d, "parzen", "version %s", BUILD_ID);
    check_program(d, "parzend");
    check_program(d, "parzen-worker");
    fact(d, "kernels", "%s", model_kernels(MODEL_PRECISION_BF16_MIXED));
    fact(d, "BLAS", "%s", model_blas());
}

/* --- the state directory -------------------------------------------------- */

static void check_space(struct doctor *d)
{
    struct statvfs fs;
    char text[FORMAT_SIZE];
    if (statvfs(d->c->state_dir, &fs) != 0) {
        finding(d, "free space", "%s: %s", d->c->state_dir, strerror(errno));
        return;
    }
    uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    format_bytes(free_bytes, text);
    if (free_bytes < (uint64_t)LOW_SPACE_MB * 1000000) {
        finding(d, "free space", "only %s are left", text);
    } else {
        fact(d, "free space", "%s", text);
    }
}

/* Is it there, ours and closed? */
static bool check_folder(struct doctor *d)
{
    const char *dir = d->c->state_dir;
    struct stat st;
    if (lstat(dir, &st) != 0 && errno == ENOENT) {
        fact(d, "state", "%s is not there yet; the daemon makes it", dir);
        return false;
    }
    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode)) {
        finding(d, "state", "%s is not a folder that can be read", dir);
        return false;
    }
    if (st.st_uid != geteuid()) {
        finding(d, "state", "%s belongs to user %d, not to us", dir,
                (int)st.st_uid);
    } else if ((st.st_mode & 0777) != 0700) {
        finding(d, "state", "%s has mode %03o, not 700", dir,
                (unsigned)st.st_mode & 0777);
    } else {
        fact(d, "state", "%s", dir);
    }
    return true;
}

/* --- the files beside the database ---------------------------------------- */

/* Is it what it should be, ours, and closed to others? Missing is no fault
 * here. */
static bool file_is_right(struct doctor *d, const char *name, mode_t type)
{
    char *path = paths_in_state(d->c->state_dir, name);
    struct stat st;
    bool is_right = false;
    if (lstat(path, &st) != 0) {
        is_right = errno == ENOENT;
        if (!is_right) {
            finding(d, name, "%s: %s", path, strerror(errno));
        }
    } else if ((st.st_mode & S_IFMT) != type) {
        finding(d, name, "%s is not a %s", path,
                type == S_IFSOCK ? "socket" : "regular file");
    } else if (st.st_uid != geteuid()) {
        finding(d, name, "%s belongs to user %d, not to us", path,
                (int)st.st_uid);
    } else if ((st.st_mode & 07777) != 0600) {
        finding(d, name, "%s has mode %03o, not 600", path,
                (unsigned)st.st_mode & 07777);
    } else {
        is_right = true;
    }
    free(path);
    return is_right;
}

/* Never shown. */
static void check_token(struct doctor *d)
{
    static const char BASE64URL[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char *path = paths_in_state(d->c->state_dir, "token");
    struct buf text;
    struct err err;
    buf_init(&text, TOKEN_MAX);
    int rc = file_exists(path) ? file_read(path, &text, &err) : ERR_NOTFOUND;
    if (rc != 0 && rc != ERR_NOTFOUND) {
        finding(d, "token", "%s", err.msg);
    } else if (rc == 0 && (text.len != TOKEN_CHARS ||
                           strspn(text.data, BASE64URL) != TOKEN_CHARS)) {
        finding(d, "token",
                "%s is not %d characters of base64url; remove it and start the "
                "daemon anew, which makes another",
                path, TOKEN_CHARS);
    }
    buf_fini(&text);
    free(path);
}

/* Who holds the lock writes its number in it. */
static void check_holder(struct doctor *d, int64_t pid)
{
    char *path = paths_in_state(d->c->state_dir, "lock");
    struct buf text;
    struct err err;
    buf_init(&text, TOKEN_MAX);
    int rc = file_read(path, &text, &err);
    if (rc != 0) {
        finding(d, "lock", "process %" PRId64 " runs without it: %s", pid,
                err.msg);
    } else if (text.len == 0 || strtoll(text.data, NULL, 10) != pid) {
        finding(d, "lock",
                "%s does not name process %" PRId64 ", which answers", path,
                pid);
    }
    buf_fini(&text);
    free(path);
}

static void check_files(struct doctor *d)
{
    int before = d->n_findings;
    bool are_right = file_is_right(d, "token", S_IFREG);
    if (are_right) {
        check_token(d);
    }
    are_right &= file_is_right(d, "lock", S_IFREG);
    are_right &= file_is_right(d, "sock", S_IFSOCK);
    if (are_right && d->n_findings == before) {
        fact(d, "files", "token, lock and sock are closed to others");
    }
}

/* No daemon is no fault, but studies may be waiting for one. */
static void say_none(struct doctor *d)
{
    struct json *reply;
    struct err err;
    struct buf names;
    buf_init(&names, OUTPUT_MAX);
    if (cli_ask_parzend(d->c, "--look", "/studies", NULL, &reply, &err) == 0) {
        for (const struct json *s = field_first(reply, "studies"); s != NULL;
             s = json_next(s)) {
            if (strcmp(field_text(s, "state"), "running") == 0) {
                buf_printf(&names, "%s'%s'", names.len > 0 ? ", " : "",
                           field_text(s, "name"));
            }
        }
        json_free(reply);
    } /* else the database is not there yet, or check_database says why */
    char *start = cli_command(d->c, "daemon start", NULL);
    if (names.len > 0) {
        fact(d, "daemon",
             "none runs; these studies go on when one is started (%s): %s",
             start, names.data);
    } else {
        fact(d, "daemon", "none runs");
    }
    free(start);
    buf_fini(&names);
}

static void check_daemon(struct doctor *d)
{
    struct json *health;
    struct err err;
    bool is_held = launch_is_held(d->c->state_dir);
    int rc = launch_health(d->c, &health, &err);
    if (rc != 0 && is_held) {
        finding(d, "daemon", "a process holds the lock but does not answer: %s",
                err.msg);
    } else if (rc == ERR_UNREACHABLE) {
        say_none(d);
    } else if (rc != 0) {
        finding(d, "daemon", "%s", err.msg);
    }
    if (rc != 0) {
        return;
    }
    check_holder(d, field_int(health, "pid", 0));
    const char *trouble = field_string(health, "trouble");
    const char *version = field_text(health, "version");
    if (trouble != NULL) {
        finding(d, "daemon", "%s", trouble);
    } else if (strcmp(version, BUILD_ID) != 0) {
        finding(d, "daemon",
                "version %s runs; parzen daemon stop and start bring %s",
                version, BUILD_ID);
    } else {
        fact(d, "daemon", "process %" PRId64 ", page on port %" PRId64,
             field_int(health, "pid", 0), field_int(health, "port", 0));
    }
    json_free(health);
}

/* --- database and checkpoints --------------------------------------------- */

static void relay(struct doctor *d, struct buf *said)
{
    static const char left[] = "left: ";
    char *save = NULL;
    for (char *line = strtok_r(said->data, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, left, strlen(left)) == 0) {
            d->n_left++;
        } else {
            finding(d, "database", "%s", line);
        }
    }
}

static void check_database(struct doctor *d)
{
    char *program = launch_beside_us("parzend");
    const char *const argv[] = {program, "--check", "--state", d->c->state_dir,
                                NULL};
    struct buf out;
    buf_init(&out, OUTPUT_MAX);
    int before = d->n_findings, code = program_run(program, argv, true, &out);
    if (out.len > 0) {
        relay(d, &out);
    }
    if (code == 0) {
        fact(d, "database", "it and every checkpoint are whole");
    }
    if (d->n_left > 0) {
        fact(d, "checkpoints",
             "%d file%s of no trial will be removed at the daemon's next start",
             d->n_left, d->n_left == 1 ? "" : "s");
    }
    if (code != 0 && d->n_findings == before) {
        finding(d, "database", "it could not be checked (parzend --check)");
    }
    buf_fini(&out);
    free(program);
}

/* Of a file that --db names: can it be read? Its daemon and its checkpoints may
 * be anywhere. */
static void check_file(struct doctor *d)
{
    struct json *reply;
    struct err err;
    if (cli_call(d->c, "GET", "/studies", NULL, &reply, &err) != 0) {
        finding(d, "database", "%s", err.msg);
        return;
    }
    int n = json_size(field_get(reply, "studies"));
    fact(d, "database", "%s can be read: %d stud%s", d->c->db, n,
         n == 1 ? "y" : "ies");
    json_free(reply);
}

static void check_state(struct doctor *d)
{
    check_installation(d);
    if (d->c->state_dir == NULL) {
        finding(d, "state", "there is none: give --state, or set HOME");
    } else if (check_folder(d)) {
        check_space(d);
        check_files(d);
        check_daemon(d);
        check_database(d);
    }
}

/* --- the report ----------------------------------------------------------- */

static void report(struct doctor *d)
{
    if (d->c->json) {
        printf("{\"ok\":%s,\"findings\":%s}\n",
               d->n_findings == 0 ? "true" : "false", d->findings_text.data);
        return;
    }
    table_print(d->facts, &d->c->out);
    if (d->n_findings == 0) {
        cli_say(d->c, "Nothing is wrong.");
    } else {
        cli_say(d->c, "%d thing%s wrong.", d->n_findings,
                d->n_findings == 1 ? " is" : "s are");
    }
}

int cmd_doctor(struct cli *c, int argc, char **argv)
{
    static const struct cli_command command = {
        .name = "doctor",
        .args = "",
        .doc = "Checks the installation, the state directory, the database "
               "and every checkpoint, and names what is wrong. A daemon may "
               "run meanwhile. With --db FILE: only whether that database can "
               "be read.",
        .n_max = 0};
    struct doctor d = {.c = c};
    struct err err;
    cli_parse(c, &command, argc, argv, NULL);
    if (cli_check_db(c, &err) != 0) {
        return cli_fail(c, &err);
    }
    d.facts = table_new();
    table_left(d.facts, "");
    table_left(d.facts, "");
    table_left(d.facts, "");
    buf_init(&d.findings_text, OUTPUT_MAX);
    json_out_init(&d.findings, &d.findings_text, JSON_COMPACT);
    json_open(&d.findings, '[');
    if (c->db != NULL) {
        check_file(&d);
    } else {
        check_state(&d);
    }
    json_close(&d.findings, ']');
    report(&d);
    table_free(d.facts);
    buf_fini(&d.findings_text);
    return d.n_findings == 0 ? CLI_OK : CLI_FAILED;
}
