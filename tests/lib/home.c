#include "tests/lib/home.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/rng.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ARGS = 32, START_MS = 20000 };

void home_sleep_ms(int ms)
{
    struct timespec t = {ms / 1000, (ms % 1000) * 1000000L};
    while (nanosleep(&t, &t) != 0 && errno == EINTR) {
    }
}

static long long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* A slow machine must not decide a test: as libcheck's own timeouts. */
static long long patience(long long ms)
{
    const char *text = getenv("CK_TIMEOUT_MULTIPLIER");
    long factor = text != NULL ? strtol(text, NULL, 10) : 1;
    return ms * (factor > 1 ? factor : 1);
}

static const char *program(const char *name)
{
    static char path[512];
    const char *bin = getenv("PARZEN_BIN");
    snprintf(path, sizeof(path), "%s/%s", bin != NULL ? bin : "build/bin",
             name);
    return path;
}

void home_init(struct home *h)
{
    const char *tmp = getenv("TMPDIR");
    *h = (struct home){0};
    snprintf(h->dir, sizeof(h->dir), "%s/parzen-XXXXXX",
             tmp != NULL ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(h->dir));
    snprintf(h->state, sizeof(h->state), "%s/state", h->dir);
}

void home_fini(struct home *h)
{
    struct err err;
    home_kill_daemon(h);
    ck_assert_int_eq(file_remove_tree(h->dir, &err), 0);
}

/* --- processes --- */

/* Fork and exec with stdin null and the given stdout and stderr. */
static pid_t start(char *const *argv, int out, int err)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(out >= 0 ? out : null, 1);
        dup2(err >= 0 ? err : null, 2);
        execv(argv[0], argv);
        _exit(127);
    }
    return pid;
}

static int exit_code(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* By an answer: a killed daemon's socket still takes connections while a child
 * that it was about to start has a copy of it. */
bool home_answers(const struct home *h)
{
    static const char ask[] = "GET /api/v1/health HTTP/1.1\r\nHost: localhost"
                              "\r\nConnection: close\r\n\r\n";
    const struct timeval patient = {.tv_sec = 10};
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    char first;
    snprintf(to.sun_path, sizeof(to.sun_path), "%.90s/sock", h->state);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patient, sizeof(patient));
    bool ok = connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
              send(fd, ask, sizeof(ask) - 1, MSG_NOSIGNAL) > 0 &&
              recv(fd, &first, 1, 0) == 1;
    close(fd);
    return ok;
}

static void daemon_argv(const struct home *h, const char *const *args,
                        char *argv[MAX_ARGS])
{
    static char path[512];
    int n = 0;
    snprintf(path, sizeof(path), "%s", program("parzend"));
    argv[n++] = path;
    argv[n++] = (char *)"--state";
    argv[n++] = (char *)h->state;
    argv[n++] = (char *)"--port";
    argv[n++] = (char *)"0";
    for (; args != NULL && *args != NULL; args++) {
        argv[n++] = (char *)*args;
    }
    argv[n] = NULL;
}

void home_start(struct home *h, const char *const *args)
{
    char *argv[MAX_ARGS], log[512];
    daemon_argv(h, args, argv);
    snprintf(log, sizeof(log), "%s/daemon.log", h->dir);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    h->daemon = start(argv, fd, fd);
    close(fd);
    long long until = now_ms() + patience(START_MS);
    while (!home_answers(h)) {
        int status;
        ck_assert_msg(waitpid(h->daemon, &status, WNOHANG) == 0,
                      "parzend ended at once; see %s", log);
        ck_assert_msg(now_ms() < until, "parzend does not answer");
        home_sleep_ms(10);
    }
}

static char *read_all(int fd)
{
    struct buf b;
    char piece[4096];
    ssize_t n;
    buf_init(&b, 64 << 20);
    lseek(fd, 0, SEEK_SET);
    while ((n = read(fd, piece, sizeof(piece))) > 0) {
        buf_add(&b, piece, (size_t)n);
    }
    return buf_take(&b);
}

/* A file without a name: what a program prints never blocks it. */
static int scratch(void)
{
    FILE *f = tmpfile();
    ck_assert_ptr_nonnull(f);
    int fd = fcntl(fileno(f), F_DUPFD_CLOEXEC, 3);
    fclose(f);
    return fd;
}

int home_start_fails(struct home *h, const char *const *args, char **err)
{
    char *argv[MAX_ARGS];
    daemon_argv(h, args, argv);
    int fd = scratch(), status;
    pid_t pid = start(argv, -1, fd);
    waitpid(pid, &status, 0);
    *err = read_all(fd);
    close(fd);
    return exit_code(status);
}

void home_kill_daemon(struct home *h)
{
    if (h->daemon > 0) {
        kill(h->daemon, SIGKILL);
        waitpid(h->daemon, NULL, 0);
        h->daemon = 0;
    }
}

int home_stop_daemon(struct home *h)
{
    int status;
    kill(h->daemon, SIGTERM);
    waitpid(h->daemon, &status, 0);
    h->daemon = 0;
    return exit_code(status);
}

/* State letter and parent of a process; false when there is none. */
static bool process_stat(pid_t pid, char *state, pid_t *parent)
{
    char path[64], line[512];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return false;
    }
    const char *got = fgets(line, sizeof(line), f);
    fclose(f);
    const char *after = got != NULL ? strrchr(line, ')') : NULL;
    int ppid;
    if (after == NULL || sscanf(after + 1, " %c %d", state, &ppid) != 2) {
        return false;
    }
    *parent = ppid;
    return true;
}

bool home_is_alive(pid_t pid)
{
    char state;
    pid_t parent;
    return process_stat(pid, &state, &parent) && state != 'Z';
}

int home_workers(const struct home *h, pid_t pids[HOME_MAX_WORKERS])
{
    int n = 0;
    DIR *d = opendir("/proc");
    const struct dirent *e;
    while (h->daemon > 0 && (e = readdir(d)) != NULL) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10), parent;
        char state;
        if (pid > 0 && n < HOME_MAX_WORKERS &&
            process_stat(pid, &state, &parent) && parent == h->daemon &&
            state != 'Z') {
            pids[n++] = pid;
        }
    }
    closedir(d);
    return n;
}

static void signal_workers(const struct home *h, int signum)
{
    pid_t pids[HOME_MAX_WORKERS];
    int n = home_workers(h, pids);
    for (int i = 0; i < n; i++) {
        kill(pids[i], signum);
    }
}

void home_hold(const struct home *h)
{
    signal_workers(h, SIGSTOP);
}

void home_go_on(const struct home *h)
{
    signal_workers(h, SIGCONT);
}

struct outcome home_cli(const struct home *h, int timeout_s,
                        const char *const *args)
{
    char *argv[MAX_ARGS], path[512];
    int n = 0, status = 0;
    snprintf(path, sizeof(path), "%s", program("parzen"));
    argv[n++] = path;
    argv[n++] = (char *)"--state";
    argv[n++] = (char *)h->state;
    for (; *args != NULL; args++) {
        argv[n++] = (char *)*args;
    }
    argv[n] = NULL;
    int out = scratch(), err = scratch();
    pid_t pid = start(argv, out, err);
    long long until = now_ms() + patience(1000LL * timeout_s);
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (now_ms() > until) {
            kill(pid, SIGKILL);
        }
        home_sleep_ms(5);
    }
    struct outcome o = {
        .code = exit_code(status), .out = read_all(out), .err = read_all(err)};
    close(out);
    close(err);
    return o;
}

void outcome_fini(struct outcome *o)
{
    free(o->out);
    free(o->err);
}

/* --- files --- */

const char *home_file(const struct home *h, const char *name, const char *text)
{
    static char path[600];
    struct err err;
    snprintf(path, sizeof(path), "%s/%s", h->dir, name);
    ck_assert_msg(file_write_atomic(path, text, strlen(text), 0600, &err) == 0,
                  "%s", err.msg);
    return path;
}

const char *home_data(const struct home *h, int n, int n_classes)
{
    static const char *const words[] = {"red",  "blue", "salt", "iron",
                                        "moon", "tree", "fish", "song"};
    struct buf b;
    struct rng r;
    buf_init(&b, 16 << 20);
    rng_stream(&r, 1, 0, RNG_SPLIT, 99);
    for (int i = 0; i < n; i++) {
        int label = i % n_classes;
        buf_str(&b, "{\"text\": \"");
        for (int w = 0; w < 6; w++) {
            bool own = rng_below(&r, 3) != 0;
            unsigned at = own ? (unsigned)label : rng_below(&r, 8);
            buf_printf(&b, "%s ", words[at % 8]);
        }
        buf_printf(&b, "%d\", \"label\": \"class %d\"}\n", i % 7, label);
    }
    const char *path = home_file(h, "data.jsonl", b.data);
    buf_fini(&b);
    return path;
}

const char *home_config(const struct home *h, const char *name,
                        const char *members, const char *training)
{
    char *text = mem_printf(
        "{\"study\": \"%s\", %s\n"
        " \"data\": {\"source\": \"%s/data.jsonl\", \"text\": \"text\","
        " \"label\": \"label\"},\n"
        " \"tokenizer\": {\"tokenizer_length\": {\"int\": [20, 100],"
        " \"step\": 20}, \"vocab_size\": 300},\n"
        " \"model\": {\"max_len\": 16, \"emb_dim\": {\"choice\": [8, 16]},"
        " \"num_heads\": 2, \"ffn_dim\": 16, \"head1_dim\": 16,"
        " \"head2_dim\": 8,"
        " \"residual\": \"none\", \"norm\": \"post\", \"activation\":"
        " \"relu\", \"pooling\": \"flatten\", \"position\": \"sinusoid\","
        " \"token_dropout\": 0, \"embedding_dropout\": 0, \"embedding_std\": "
        "1},\n"
        " \"training\": {%s \"lr\": {\"float\": [1e-4, 1e-2],"
        " \"log\": true}}}\n",
        name, members, h->dir, training);
    char file[128];
    snprintf(file, sizeof(file), "%s.json", name);
    const char *path = home_file(h, file, text);
    free(text);
    return path;
}

/* --- the database --- */

static void put_column(struct buf *b, sqlite3_stmt *q, int column)
{
    switch (sqlite3_column_type(q, column)) {
    case SQLITE_NULL:
        buf_str(b, "NULL");
        break;
    case SQLITE_FLOAT:
        buf_printf(b, "%a", sqlite3_column_double(q, column));
        break;
    default:
        buf_str(b, (const char *)sqlite3_column_text(q, column));
    }
}

char *home_sql(const struct home *h, const char *sql)
{
    char path[400];
    sqlite3 *db;
    sqlite3_stmt *q;
    struct buf b;
    buf_init(&b, 64 << 20);
    snprintf(path, sizeof(path), "%s/parzen.db", h->state);
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(db, 5000);
        rc = sqlite3_prepare_v2(db, sql, -1, &q, NULL);
    }
    if (rc == SQLITE_OK) {
        while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
            for (int i = 0; i < sqlite3_column_count(q); i++) {
                buf_str(&b, i > 0 ? "|" : "");
                put_column(&b, q, i);
            }
            buf_char(&b, '\n');
        }
        sqlite3_finalize(q);
    }
    ck_assert_msg(rc == SQLITE_DONE, "%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
    return buf_take(&b);
}

void home_exec(const struct home *h, const char *sql)
{
    char path[400];
    sqlite3 *db;
    snprintf(path, sizeof(path), "%s/parzen.db", h->state);
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
    sqlite3_busy_timeout(db, 5000);
    ck_assert_msg(rc == SQLITE_OK &&
                      sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK,
                  "%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

long long home_count(const struct home *h, const char *sql)
{
    char *text = home_sql(h, sql);
    long long n = strtoll(text, NULL, 10);
    free(text);
    return n;
}

bool home_wait(const struct home *h, const char *sql, long long n,
               int timeout_ms)
{
    long long until = now_ms() + patience(timeout_ms);
    while (home_count(h, sql) < n) {
        if (now_ms() > until) {
            return false;
        }
        home_sleep_ms(20);
    }
    return true;
}
