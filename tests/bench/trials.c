/* trials: trials per second of an instant objective through a real parzend,
 * each result durable, as one JSON object.
 *
 * workers=2 n=2000: this program starts parzend (../bin's or $PARZEN_BIN's) in
 * a new folder and is its workers too: it answers PREPARE at once, and ASSIGN
 * by one epoch and DONE with a value that depends on the parameter. Measured
 * from the first trial's start to the study's end, as the database tells. */
#include "core/base/build.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/wire/frame.h"
#include "core/wire/msg.h"
#include "daemon/cli/client.h"
#include "tests/lib/bench_place.h"

#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHANNEL = 3, START_MS = 20000, WORKERS_MAX = 64, N_MAX = 100000 };

#define WORKER_ENV "PARZEN_BENCH_WORKER"

/* --- the worker ----------------------------------------------------------- */

static void say(const struct msg *m)
{
    struct buf out;
    struct err err;
    buf_init(&out, BUF_MAX_FRAME);
    if (frame_encode(m, &out, &err) != 0 ||
        write(CHANNEL, out.data, out.len) != (ssize_t)out.len) {
        _exit(1);
    }
    buf_fini(&out);
}

static void answer(const struct msg *m)
{
    struct msg reply = {.type = MSG_DONE};
    if (m->type == MSG_PREPARE) {
        reply.type = MSG_PREPARED;
        reply.prepared =
            (struct msg_prepared){.study = m->prepare.study,
                                  .sha256 = (char *)"0123456789abcdef"
                                                    "0123456789abcdef"
                                                    "0123456789abcdef"
                                                    "0123456789abcdef",
                                  .n_classes = 2,
                                  .n_train = 8,
                                  .n_val = 1,
                                  .n_test = 1};
    } else if (m->type == MSG_ASSIGN) {
        struct msg report = {.type = MSG_REPORT, .report.id = m->assign.id};
        double value = -fabs(log10(m->assign.run.lr) + 3);
        report.report.metrics.value[RUN_VAL_ACC] = value;
        say(&report);
        reply.done = (struct msg_done){
            .id = m->assign.id, .value = value, .n_epochs = 1};
    } else {
        _exit(0); /* QUIT */
    }
    say(&reply);
}

static void work(void)
{
    struct frame_reader reader;
    struct err err;
    struct msg m;
    char bytes[4096];
    ssize_t n;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    say(&(struct msg){.type = MSG_HELLO,
                      .hello = {.protocol = MSG_PROTOCOL,
                                .build_id = (char *)BUILD_ID,
                                .pid = getpid()}});
    frame_reader_init(&reader);
    while ((n = read(CHANNEL, bytes, sizeof(bytes))) > 0) {
        if (frame_reader_feed(&reader, bytes, (size_t)n, &err) != 0) {
            _exit(1);
        }
        while (frame_reader_next(&reader, &m, &err) == 1) {
            answer(&m);
            msg_fini(&m);
        }
    }
    _exit(0);
}

/* --- the daemon ----------------------------------------------------------- */

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
}

static pid_t start_daemon(const char *state, int n_workers)
{
    char self[PATH_MAX], workers[16];
    char *program = bench_program("parzend");
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n > 0 ? n : 0] = '\0';
    snprintf(workers, sizeof(workers), "%d", n_workers);
    char *log = mem_printf("%s.log", state);
    pid_t pid = fork();
    if (pid == 0) {
        setenv(WORKER_ENV, "1", 1);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        execl(program, program, "--state", state, "--port", "0", "--worker",
              self, "--workers", workers, "--log", log, (char *)NULL);
        perror(program);
        _exit(127);
    }
    free(program);
    free(log);
    return pid;
}

static bool is_ready(struct client *c)
{
    struct json *health;
    struct err err;
    for (int waited = 0; waited < START_MS; waited += 20) {
        if (client_call(c, "GET", "/health", NULL, NULL, &health, &err) == 0) {
            json_free(health);
            return true;
        }
        nap();
    }
    fprintf(stderr, "trials: %s\n", err.msg);
    return false;
}

/* --- the study ------------------------------------------------------------ */

static int post_study(struct client *c, int n, struct err *err)
{
    struct json *reply;
    char *config = mem_printf(
        "{\"study\": \"bench\", \"n_trials\": %d, \"data\": {\"source\": "
        "\"/nowhere.jsonl\", \"text\": \"t\", \"label\": \"l\"},"
        " \"training\": {\"lr\": {\"float\": [1e-5, 1e-1], \"log\": true},"
        " \"weight_decay\": {\"float\": [1e-6, 1e-2], \"log\": true}}}",
        n);
    int rc = client_call(c, "POST", "/studies", config, NULL, &reply, err);
    free(config);
    if (rc == 0) {
        json_free(reply);
    }
    return rc;
}

/* Milliseconds that the study was active, once it has ended. */
static int wait_for_end(struct client *c, double *active_ms, struct err *err)
{
    for (;;) {
        struct json *study;
        int rc =
            client_call(c, "GET", "/studies/bench", NULL, NULL, &study, err);
        if (rc != 0) {
            return rc;
        }
        char state[16];
        snprintf(state, sizeof(state), "%s",
                 json_string(json_get(study, "state")));
        *active_ms = json_number(json_get(study, "active_ms"));
        json_free(study);
        if (strcmp(state, "running") != 0) {
            return strcmp(state, "finished") == 0
                       ? 0
                       : err_set(err, ERR_INVALID, "the study is %s", state);
        }
        nap();
    }
}

static int measure(const char *state, int n_workers, int n, struct err *err)
{
    struct client *c;
    double ms;
    int rc = client_new(state, "parzen daemon start", &c, err);
    if (rc != 0) {
        return rc;
    }
    if (!is_ready(c)) {
        rc = err_set(err, ERR_UNREACHABLE, "parzend does not answer");
    }
    rc = rc == 0 ? post_study(c, n, err) : rc;
    rc = rc == 0 ? wait_for_end(c, &ms, err) : rc;
    client_free(c);
    if (rc == 0) {
        printf("{\"workers\": %d, \"n\": %d, \"trials_per_s\": %.1f}\n",
               n_workers, n, 1000 * n / ms);
    }
    return rc;
}

static int argument(const char *text, const char *key, int high, int *out)
{
    size_t n = strlen(key);
    if (strncmp(text, key, n) != 0) {
        return 0;
    }
    *out = atoi(text + n);
    return *out >= 1 && *out <= high;
}

int main(int argc, char **argv)
{
    int n_workers = 2, n = 2000;
    if (getenv(WORKER_ENV) != NULL) {
        work();
    }
    for (int i = 1; i < argc; i++) {
        if (!argument(argv[i], "workers=", WORKERS_MAX, &n_workers) &&
            !argument(argv[i], "n=", N_MAX, &n)) {
            fprintf(stderr, "usage: trials [workers=2] [n=2000]\n");
            return 2;
        }
    }
    struct err err;
    char *root = bench_folder("bench");
    if (root == NULL) {
        perror("a new folder");
        return 1;
    }
    char *state = mem_printf("%s/state", root);
    pid_t pid = start_daemon(state, n_workers);
    int rc = measure(state, n_workers, n, &err);
    if (rc != 0) {
        fprintf(stderr, "trials: %s\n", err.msg);
    }
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    if (file_remove_tree(root, NULL) != 0) {
        fprintf(stderr, "trials: %s is left\n", root);
    }
    free(state);
    free(root);
    return rc == 0 ? 0 : 1;
}
