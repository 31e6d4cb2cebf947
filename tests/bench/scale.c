/* scale: one study of many trials in a real parzend, as one JSON object.
 *
 * n=100000 params=10: writes a paused study of n COMPLETE trials through the
 * store's own functions into a new folder, starts parzend (../bin's or
 * $PARZEN_BIN's) on it, lets it do MORE trials, and tells
 *   db_mb        the database
 *   start_ms     from exec to the first answer over HTTP; start_cpu_ms of the
 *                processor's time
 *   rss_mb       resident memory then; rss_after_mb after MORE trials, of which
 *                each is one suggestion; rss_peak_mb the largest at any time
 *   trial_ms     median of a whole trial: the suggestion, the commits, the
 *                worker
 *   export_ms    `parzen export --csv` of all; export_health_ms the longest
 *                answer of the daemon to GET /health meanwhile;
 *                export_peak_mb its largest resident memory then
 *   suggest_ms   median CPU time of the suggestion alone, in this process, from
 *                the study as store_load gives it */
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/spec/spec_json.h"
#include "daemon/cli/client.h"
#include "daemon/history.h"
#include "daemon/mirror.h"
#include "daemon/search/sampler.h"
#include "daemon/search/sampler_random.h"
#include "daemon/store.h"
#include "tests/lib/bench_args.h"
#include "tests/lib/bench_place.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    N_MAX = 900000,
    PARAMS_MAX = 200,
    BATCH = 1000, /* trials of one transaction */
    MORE = 21,
    START_MS = 60000
};
static const int64_t BEGIN_MS = 1767225600000; /* 2026-01-01 */

static double clock_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof(*v), compare);
    return v[n / 2];
}

/* --- the database ----------------------------------------------------------
 */

/* Numbers all, because the function takes nothing else. */
static int make_spec(long n, long n_params, struct spec *out, struct err *err)
{
    static const char *const kinds[] = {
        "{\"float\":[1e-5,1e-1],\"log\":true}", "{\"float\":[0,1]}",
        "{\"int\":[1,1000]}", "{\"choice\":[0,1,2,3]}",
        "{\"float\":[-5,5],\"step\":0.1}"};
    struct buf text;
    buf_init(&text, BUF_MAX_CONFIG);
    buf_printf(&text,
               "{\"study\":\"scale\",\"n_trials\":%ld,\"objective\":{\"type\":"
               "\"function\",\"function\":\"sphere\"},\"params\":{",
               n + MORE);
    for (long i = 0; i < n_params; i++) {
        buf_printf(&text, "%s\"p%ld\":%s", i > 0 ? "," : "", i,
                   kinds[(size_t)i % ARRAY_LEN(kinds)]);
    }
    buf_str(&text, "}}");
    int rc = spec_parse(text.data, text.len, out, err);
    buf_fini(&text);
    return rc;
}

struct making {
    struct store *store;
    struct mirror *mirror;
    struct spec spec;
    struct actions actions;
    struct rng rng;
    int64_t seq;
};

static struct action *add(struct making *m, enum action_kind kind,
                          int64_t number)
{
    m->seq++;
    return actions_add(&m->actions, (struct action){.kind = kind,
                                                    .seq = m->seq,
                                                    .at_ms = BEGIN_MS + m->seq,
                                                    .study = 1,
                                                    .number = number,
                                                    .attempt = number >= 0,
                                                    .slot = -1});
}

static void add_trial(struct making *m, int64_t number)
{
    size_t n = m->spec.space.n;
    double *values = mem_alloc(n, sizeof(*values));
    for (size_t i = 0; i < n; i++) {
        values[i] = random_param(&m->rng, &m->spec.space.params[i].dist);
    }
    add(m, ACTION_ADD_TRIAL, number)->add_trial.trial_id = number + 1;
    add(m, ACTION_START_TRIAL, number)->start_trial.values = values;
    struct action *a = add(m, ACTION_FINISH_TRIAL, number);
    a->end.state = TRIAL_COMPLETE;
    a->end.value = rng_double(&m->rng);
    a->end.best_epoch = -1;
    a->end.place = -1;
    a->end.ended_ms = a->at_ms;
}

/* Each action before the next: it sees the mirror after those before it. */
static int commit(struct making *m, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < m->actions.n; i++) {
        const struct actions one = {.items = &m->actions.items[i], .n = 1};
        rc = store_put(m->store, m->mirror, &one, err);
        if (rc == 0) {
            mirror_apply(m->mirror, &m->actions.items[i]);
        }
    }
    rc = rc == 0 ? store_flush(m->store, err) : rc;
    actions_fini(&m->actions);
    actions_init(&m->actions);
    return rc;
}

static int make_trials(struct making *m, long n, struct err *err)
{
    struct spec *spec = mem_alloc(1, sizeof(*spec));
    spec_copy(spec, &m->spec);
    add(m, ACTION_ADD_STUDY, -1)->add_study.spec = spec;
    int rc = commit(m, err);
    for (long i = 0; rc == 0 && i < n; i++) {
        add_trial(m, i);
        if (i % BATCH == BATCH - 1 || i == n - 1) {
            rc = commit(m, err);
        }
    }
    if (rc == 0) {
        add(m, ACTION_SET_STUDY, -1)->set_study.state = STUDY_PAUSED;
        rc = commit(m, err);
    }
    return rc;
}

static int make_database(const char *path, long n, long n_params,
                         struct err *err)
{
    struct making m = {.mirror = mirror_new(1)};
    actions_init(&m.actions);
    rng_stream(&m.rng, 1, 0, RNG_STARTUP, 0);
    int rc = make_spec(n, n_params, &m.spec, err);
    if (rc == 0) {
        rc = store_open(path, &m.store, err);
        rc = rc == 0 ? make_trials(&m, n, err) : rc;
        store_close(m.store);
        spec_fini(&m.spec);
    }
    actions_fini(&m.actions);
    mirror_free(m.mirror);
    return rc;
}

/* --- in this process -------------------------------------------------------
 */

static int measure_suggestion(const char *path, double *ms, struct err *err)
{
    struct store *store;
    int rc = store_open(path, &store, err);
    if (rc != 0) {
        return rc;
    }
    struct mirror *m = mirror_new(1);
    rc = store_load(store, m, err);
    if (rc == 0) {
        const struct study *s = m->studies[0];
        double values[PARAMS_MAX], took[MORE];
        for (int i = 0; i < MORE; i++) {
            double start = clock_ms(CLOCK_THREAD_CPUTIME_ID);
            sampler_suggest(&s->spec, s->history, (int64_t)s->n_trials + i,
                            NULL, values);
            took[i] = clock_ms(CLOCK_THREAD_CPUTIME_ID) - start;
        }
        *ms = median(took, MORE);
    }
    mirror_free(m);
    store_close(store);
    return rc;
}

/* --- the daemon ----------------------------------------------------------- */

static pid_t start_daemon(const char *state)
{
    char *program = bench_program("parzend");
    char *log = mem_printf("%s.log", state);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        execl(program, program, "--state", state, "--port", "0", "--workers",
              "1", "--log", log, (char *)NULL);
        perror(program);
        _exit(127);
    }
    free(program);
    free(log);
    return pid;
}

static int call(struct client *c, const char *method, const char *path,
                struct json **reply, struct err *err)
{
    struct json *ignored;
    int rc = client_call(c, method, path, NULL, NULL,
                         reply != NULL ? reply : &ignored, err);
    if (rc == 0 && reply == NULL) {
        json_free(ignored);
    }
    return rc;
}

static double memory_mb(pid_t pid, const char *key)
{
    char path[64], line[256];
    double kb = NAN;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "re");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0) {
            kb = strtod(line + strlen(key) + 1, NULL);
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    return kb / 1024.0;
}

static double cpu_ms(pid_t pid)
{
    clockid_t clock;
    return clock_getcpuclockid(pid, &clock) == 0 ? clock_ms(clock)
                                                 : (double)NAN;
}

/* Resumes the study; milliseconds of its MORE trials, once it has ended. */
static int run_more(struct client *c, double *ms, struct err *err)
{
    int rc = call(c, "POST", "/studies/scale/resume", NULL, err);
    double start = clock_ms(CLOCK_MONOTONIC);
    bool runs = rc == 0;
    while (runs) {
        struct json *study;
        rc = call(c, "GET", "/studies/scale", &study, err);
        runs = rc == 0 &&
               strcmp(json_string(json_get(study, "state")), "running") == 0;
        if (rc == 0) {
            json_free(study);
            nap();
        }
    }
    *ms = (clock_ms(CLOCK_MONOTONIC) - start) / MORE;
    return rc;
}

static pid_t start_export(const char *state)
{
    char *program = bench_program("parzen");
    char *file = mem_printf("%s.csv", state);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        execl(program, program, "--state", state, "export", "scale", "--csv",
              file, (char *)NULL);
        perror(program);
        _exit(127);
    }
    free(program);
    free(file);
    return pid;
}

/* Milliseconds of an export, and of the longest of the answers meanwhile. */
static int run_export(struct client *c, const char *state, double *ms,
                      double *health_ms, struct err *err)
{
    int rc = 0, status = -1;
    double start = clock_ms(CLOCK_MONOTONIC);
    pid_t pid = start_export(state);
    *health_ms = 0;
    while (rc == 0 && waitpid(pid, &status, WNOHANG) == 0) {
        double asked = clock_ms(CLOCK_MONOTONIC);
        rc = call(c, "GET", "/health", NULL, err);
        *health_ms = fmax(*health_ms, clock_ms(CLOCK_MONOTONIC) - asked);
        nap();
    }
    *ms = clock_ms(CLOCK_MONOTONIC) - start;
    return rc != 0 || status == 0
               ? rc
               : err_set(err, ERR_IO, "parzen export: status %d", status);
}

static void put(struct json_out *w, const char *key, double value)
{
    json_put_key(w, key);
    json_put_double(w, rint(100.0 * value) / 100.0);
}

static int measure_daemon(const char *state, struct json_out *w,
                          struct err *err)
{
    struct client *c;
    int rc = client_new(state, "parzen daemon start", &c, err);
    if (rc != 0) {
        return rc;
    }
    double start = clock_ms(CLOCK_MONOTONIC), trial_ms = NAN;
    double export_ms = NAN, health_ms = NAN;
    pid_t pid = start_daemon(state);
    do {
        nap();
        rc = call(c, "GET", "/health", NULL, err);
    } while (rc != 0 && clock_ms(CLOCK_MONOTONIC) - start < START_MS);
    put(w, "start_ms", clock_ms(CLOCK_MONOTONIC) - start);
    put(w, "start_cpu_ms", cpu_ms(pid));
    put(w, "rss_mb", memory_mb(pid, "VmRSS:"));
    rc = rc == 0 ? run_more(c, &trial_ms, err) : rc;
    put(w, "rss_after_mb", memory_mb(pid, "VmRSS:"));
    put(w, "rss_peak_mb", memory_mb(pid, "VmHWM:"));
    put(w, "trial_ms", trial_ms);
    rc = rc == 0 ? run_export(c, state, &export_ms, &health_ms, err) : rc;
    put(w, "export_ms", export_ms);
    put(w, "export_health_ms", health_ms);
    put(w, "export_peak_mb", memory_mb(pid, "VmHWM:"));
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    client_free(c);
    return rc;
}

/* --- all ------------------------------------------------------------------ */

static int measure(const char *state, long n, long n_params, struct err *err)
{
    struct buf line;
    struct json_out w;
    struct stat st = {0};
    double suggest_ms = NAN;
    char *path = mem_printf("%s/parzen.db", state);
    buf_init(&line, BUF_MAX_FRAME);
    json_out_init(&w, &line, JSON_PYTHON);
    json_open(&w, '{');
    put(&w, "n", (double)n);
    put(&w, "params", (double)n_params);
    int rc = file_mkdirs(state, 0700, err);
    rc = rc == 0 ? make_database(path, n, n_params, err) : rc;
    if (rc == 0 && stat(path, &st) == 0) {
        put(&w, "db_mb", (double)st.st_size / 1048576.0);
        rc = measure_daemon(state, &w, err);
    }
    rc = rc == 0 ? measure_suggestion(path, &suggest_ms, err) : rc;
    put(&w, "suggest_ms", suggest_ms);
    json_close(&w, '}');
    if (rc == 0) {
        puts(line.data);
    }
    buf_fini(&line);
    free(path);
    return rc;
}

int main(int argc, char **argv)
{
    long n = 100000, n_params = 10;
    for (int i = 1; i < argc; i++) {
        if (!bench_number(argv[i], "n", N_MAX, &n) &&
            !bench_number(argv[i], "params", PARAMS_MAX, &n_params)) {
            fprintf(stderr, "scale: %s: expected n=N or params=P\n", argv[i]);
            return 2;
        }
    }
    struct err err;
    char *root = bench_folder("scale");
    if (root == NULL) {
        perror("a new folder");
        return 1;
    }
    char *state = mem_printf("%s/state", root);
    int rc = measure(state, n, n_params, &err);
    if (rc != 0) {
        fprintf(stderr, "scale: %s\n", err.msg);
    }
    if (file_remove_tree(root, NULL) != 0) {
        fprintf(stderr, "scale: %s is left\n", root);
    }
    free(state);
    free(root);
    return rc == 0 ? 0 : 1;
}
