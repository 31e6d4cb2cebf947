/* What a study's stream brings to its reader: all that happens, once, at a cost
 * that does not grow with what happened before. */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    N_TRIALS = 2,
    N_STEPS = 1000,
    N_PARTS = 10,
    MOST_BYTES = 100 * N_TRIALS * N_STEPS, /* 100 a step: it has some 30 */
    READ_MS = 20000,
    QUIET_MS = 500,
    PART_MS = 200
};

static struct home h;

/* A client that keeps what it was told over all its connections. */
struct reader {
    int fd;
    struct buf text;     /* of this connection, from its head on */
    size_t at;           /* of the first event not taken yet */
    size_t n_bytes;      /* of all connections */
    int64_t last_id;     /* -1: none yet */
    int n_events;        /* of this connection, of trials */
    bool is_finished;    /* the study */
    int64_t n[N_TRIALS]; /* steps known */
    double value[N_TRIALS][N_STEPS];
};

static struct reader r;

/* --- the client --- */

static void reader_connect(void)
{
    char request[256];
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int n = snprintf(request, sizeof(request),
                     "GET /api/v1/studies/steps/events HTTP/1.0\r\n"
                     "Host: localhost\r\nLast-Event-ID: %lld\r\n\r\n",
                     (long long)r.last_id);
    snprintf(to.sun_path, sizeof(to.sun_path), "%.90s/sock", h.state);
    r.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(r.fd, (struct sockaddr *)&to, sizeof(to)), 0);
    ck_assert_int_eq(write(r.fd, request, (size_t)n), n);
    buf_init(&r.text, 64 << 20);
    r.at = 0;
    r.n_events = 0;
}

static void reader_leave(void)
{
    close(r.fd);
    buf_fini(&r.text);
}

static int64_t whole(const struct json *object, const char *key)
{
    int64_t v = -1;
    const struct json *node = json_get(object, key);
    ck_assert_msg(node != NULL && json_integer(node, &v), "no %s", key);
    return v;
}

/* Put the epochs that came behind those that are known. */
static void take_epochs(const struct json *trial)
{
    int64_t number = whole(trial, "number"), n = whole(trial, "n_epochs");
    const struct json *epochs = json_get(trial, "epochs");
    int64_t from = n - json_size(epochs);
    ck_assert_msg(from >= 0 && from <= r.n[number] && n <= N_STEPS,
                  "trial %lld: %lld of %lld, %lld known", (long long)number,
                  (long long)from, (long long)n, (long long)r.n[number]);
    for (const struct json *e = json_first(epochs); e != NULL;
         e = json_next(e)) {
        ck_assert_int_eq(whole(e, "step"), from);
        r.value[number][from++] = json_number(json_get(e, "f"));
    }
    r.n[number] = n;
}

static void take_event(const char *event)
{
    struct json *data;
    long long id = -1;
    char name[16] = "";
    const char *at = strstr(event, "data: ");
    if (at == NULL) {
        return; /* a ping, the delay, the head */
    }
    (void)sscanf(strstr(event, "event: "), "event: %15s", name);
    ck_assert_int_eq(json_parse(at + 6, strlen(at + 6), &data, NULL), 0);
    if (strcmp(name, "trial") == 0) {
        ck_assert_int_eq(sscanf(event, "id: %lld", &id), 1);
        ck_assert_int_eq(id, whole(data, "seq"));
        ck_assert_msg(id > r.last_id, "id %lld after %lld", id,
                      (long long)r.last_id);
        r.last_id = id;
        r.n_events++;
        take_epochs(data);
    } else if (strcmp(name, "study") == 0) {
        r.is_finished =
            strcmp(json_string(json_get(data, "state")), "finished") == 0;
    }
    json_free(data);
}

/* Take what comes; false: nothing does for so long. */
static bool reader_read(int within_ms)
{
    char bytes[4096], *end;
    struct pollfd p = {.fd = r.fd, .events = POLLIN};
    if (poll(&p, 1, within_ms) <= 0) {
        return false;
    }
    ssize_t n = read(r.fd, bytes, sizeof(bytes));
    ck_assert_msg(n > 0, "the stream was cut after %zu bytes", r.n_bytes);
    r.n_bytes += (size_t)n;
    buf_add(&r.text, bytes, (size_t)n);
    while ((end = strstr(r.text.data + r.at, "\n\n")) != NULL) {
        *end = '\0';
        take_event(r.text.data + r.at);
        r.at = (size_t)(end + 2 - r.text.data);
    }
    return true;
}

/* --- tests --- */

/* Let the trials go on with their k-th part. */
static void release(int k)
{
    char *path = mem_printf("%s/go%d", h.dir, k);
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    fclose(f);
    free(path);
}

/* Trials in N_PARTS parts, of which the first n may be done. */
static void start(int n)
{
    memset(&r, 0, sizeof(r));
    r.last_id = -1;
    home_init(&h);
    for (int k = 0; k < n; k++) {
        release(k);
    }
    home_start(&h, (const char *const[]){"--workers", "2", NULL});
    char *script =
        mem_printf("for k in $(seq 0 %d); do\n"
                   "until [ -e %s/go$k ]; do sleep 0.01; done\n"
                   "for i in $(seq $((k * %d)) $((k * %d + %d))); do\n"
                   "echo \"parzen: {\\\"step\\\": $i, \\\"value\\\": $i.5}\"\n"
                   "done\ndone\n",
                   N_PARTS - 1, h.dir, N_STEPS / N_PARTS, N_STEPS / N_PARTS,
                   N_STEPS / N_PARTS - 1);
    home_post(&h,
              home_command(
                  &h, "steps", "\"n_trials\": 2, \"workers\": 2, \"seed\": 1,",
                  "\"metric\": \"f\", \"direction\": \"maximize\",", script));
    free(script);
}

static void stop(void)
{
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    home_fini(&h);
}

static void check_all_is_known(void)
{
    for (int t = 0; t < N_TRIALS; t++) {
        ck_assert_int_eq(r.n[t], N_STEPS);
        for (int i = 0; i < N_STEPS; i++) {
            ck_assert_double_eq(r.value[t][i], i + 0.5);
        }
    }
}

START_TEST(every_step_arrives_and_costs_the_same)
{
    start(N_PARTS);
    reader_connect();
    while (!r.is_finished) {
        ck_assert(reader_read(READ_MS));
    }
    check_all_is_known();
    ck_assert_uint_lt(r.n_bytes, MOST_BYTES);
    reader_leave();
    stop();
}
END_TEST

/* Each connection is left after a few events, often within the next one. */
START_TEST(who_comes_back_gets_what_it_missed)
{
    unsigned seed = (unsigned)home_env("STREAM_SEED", getpid());
    printf("STREAM_SEED=%u\n", seed);
    srand(seed);
    start(0);
    for (int k = 0; !r.is_finished; k++) {
        int n_events = 1 + rand() % 4;
        reader_connect();
        if (k < N_PARTS) { /* so each part has a connection of its own */
            release(k);
        }
        while (!r.is_finished && r.n_events < n_events) {
            if (!reader_read(k < N_PARTS ? PART_MS : READ_MS)) {
                ck_assert_int_lt(k, N_PARTS); /* no more of this part */
                break;
            }
        }
        reader_leave();
        home_sleep_ms(rand() % 60);
    }
    /* What was left untold, and then nothing more. */
    reader_connect();
    while (reader_read(QUIET_MS)) {
    }
    reader_leave();
    check_all_is_known();
    reader_connect();
    while (reader_read(QUIET_MS)) {
    }
    ck_assert_int_eq(r.n_events, 0);
    reader_leave();
    stop();
}
END_TEST

/* --- what other programs write beside the daemon --- */

enum {
    NEWS_MS = 15000 /* for three of them; an idle daemon wakes every 10 s */
};

/* A stream as it came. */
struct tap {
    int fd;
    struct buf text;
    bool is_over;
};

static void tap_open(struct tap *t, const char *study, int64_t last_id)
{
    char request[256];
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int n = snprintf(request, sizeof(request),
                     "GET /api/v1/studies/%s/events HTTP/1.0\r\n"
                     "Host: localhost\r\nLast-Event-ID: %lld\r\n\r\n",
                     study, (long long)last_id);
    *t = (struct tap){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    snprintf(to.sun_path, sizeof(to.sun_path), "%.90s/sock", h.state);
    ck_assert_int_eq(connect(t->fd, (struct sockaddr *)&to, sizeof(to)), 0);
    ck_assert_int_eq(write(t->fd, request, (size_t)n), n);
    buf_init(&t->text, 16 << 20);
    buf_str(&t->text, "");
}

static void tap_close(struct tap *t)
{
    close(t->fd);
    buf_fini(&t->text);
}

static bool tap_read(struct tap *t, int within_ms)
{
    char bytes[4096];
    struct pollfd p = {.fd = t->fd, .events = POLLIN};
    if (t->is_over || poll(&p, 1, within_ms) <= 0) {
        return false;
    }
    ssize_t n = read(t->fd, bytes, sizeof(bytes));
    ck_assert_int_ge(n, 0);
    t->is_over = n == 0;
    buf_add(&t->text, bytes, (size_t)n);
    return true;
}

static int tap_count(const struct tap *t, const char *text)
{
    int n = 0;
    for (const char *at = t->text.data; (at = strstr(at, text)) != NULL; at++) {
        n++;
    }
    return n;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until it has said so many of these; NULL: until it is over. */
static void tap_hear(struct tap *t, const char *text, int n)
{
    int64_t until = now_ms() + READ_MS;
    while (text != NULL ? tap_count(t, text) < n : !t->is_over) {
        bool is_late = now_ms() > until; /* it is pinged all the time */
        ck_assert_msg(tap_read(t, READ_MS) && !is_late, "no %s: %.2000s",
                      text != NULL ? text : "end", t->text.data);
    }
}

/* Its last id; each is larger than the one before. */
static int64_t tap_last_id(const struct tap *t)
{
    int64_t last = -1;
    const char *at = t->text.data;
    while ((at = strstr(at, "\nid: ")) != NULL) {
        int64_t id = strtoll(at + 5, NULL, 10);
        ck_assert_msg(id > last, "%lld after %lld", (long long)id,
                      (long long)last);
        last = id;
        at++;
    }
    return last;
}

#define TRIAL(number, study, state, end)                                       \
    "INSERT INTO trials SELECT max(trial_id) + 1, " number ", " study          \
    ", '" state "', '2026-01-01 00:00:00.000000', " end " FROM trials;"
#define ENDED "'2026-01-01 00:00:01.000000'"
#define VALUE                                                                  \
    "INSERT INTO trial_values (trial_id, objective, value, value_type)"        \
    " SELECT max(trial_id), 0, 0.0009765625, 'FINITE' FROM trials;"
#define DELETE(study)                                                          \
    "DELETE FROM trial_values WHERE trial_id IN (SELECT trial_id FROM trials"  \
    " WHERE study_id = " study ");"                                            \
    "DELETE FROM trial_intermediate_values WHERE trial_id IN (SELECT trial_id" \
    " FROM trials WHERE study_id = " study ");"                                \
    "DELETE FROM trial_params WHERE trial_id IN (SELECT trial_id FROM trials"  \
    " WHERE study_id = " study ");"                                            \
    "DELETE FROM trial_user_attributes WHERE trial_id IN (SELECT trial_id"     \
    " FROM trials WHERE study_id = " study ");"                                \
    "DELETE FROM trial_system_attributes WHERE trial_id IN (SELECT trial_id"   \
    " FROM trials WHERE study_id = " study ");"                                \
    "DELETE FROM trials WHERE study_id = " study ";"                           \
    "DELETE FROM study_user_attributes WHERE study_id = " study ";"            \
    "DELETE FROM study_system_attributes WHERE study_id = " study ";"          \
    "DELETE FROM study_directions WHERE study_id = " study ";"                 \
    "DELETE FROM studies WHERE study_id = " study ";"

/* Whoever asks sees it; but looks are spaced. */
static void wait_listed(const char *study)
{
    bool is_there = false;
    for (int i = 0; i < 200 && !is_there; i++) {
        char *list;
        ck_assert_int_eq(home_http(&h, "GET", "/studies", NULL, &list), 200);
        is_there = strstr(list, study) != NULL;
        free(list);
        home_sleep_ms(is_there ? 0 : 50);
    }
    ck_assert_msg(is_there, "%s is not listed", study);
}

/* A study of ours that has ended, and one in Optuna's tables alone. */
static void start_both(void)
{
    home_init(&h);
    home_start(&h, (const char *const[]){"--workers", "1", NULL});
    home_post(&h,
              home_command(
                  &h, "ours", "\"n_trials\": 2,",
                  "\"metric\": \"f\", \"direction\": \"minimize\",",
                  "echo \"parzen: {\\\"step\\\": 0, \\\"value\\\": 0.5}\"\n"));
    home_wait_state(&h, "ours", "finished", 60);
    home_exec(&h, "INSERT INTO studies VALUES (2, 'theirs');"
                  "INSERT INTO study_directions (direction, study_id,"
                  " objective) VALUES ('MINIMIZE', 2, 0);" TRIAL(
                      "0", "2", "COMPLETE", ENDED) VALUE);
    wait_listed("\"theirs\"");
}

/* Nobody asks the daemon for anything meanwhile. */
START_TEST(what_others_write_arrives)
{
    struct tap ours, theirs, again;
    start_both();
    tap_open(&ours, "ours", -1);
    tap_open(&theirs, "theirs", -1);
    tap_hear(&ours, "event: trial", 2);
    tap_hear(&theirs, "event: trial", 1);
    int64_t last = tap_last_id(&ours);
    int64_t began = now_ms();
    home_exec(&h, TRIAL("2", "1", "COMPLETE", ENDED) VALUE);
    tap_hear(&ours, "event: trial", 3);
    home_exec(&h, TRIAL("1", "2", "RUNNING", "NULL"));
    tap_hear(&theirs, "event: trial", 2);
    home_exec(&h, "UPDATE trials SET state = 'COMPLETE', datetime_complete ="
                  " " ENDED " WHERE study_id = 2 AND number = 1;" VALUE);
    tap_hear(&theirs, "event: trial", 3);
    ck_assert_int_lt(now_ms() - began, NEWS_MS);
    home_exec(&h, "INSERT INTO studies VALUES (9, 'of neither')");
    wait_listed("\"of neither\"");
    while (tap_read(&ours, QUIET_MS) || tap_read(&theirs, QUIET_MS)) {
    }
    ck_assert_int_eq(tap_count(&ours, "event: trial"), 3);
    ck_assert_int_eq(tap_count(&theirs, "event: trial"), 3);
    ck_assert_int_eq(tap_count(&theirs, "\nid: "), 0);
    ck_assert_int_gt(tap_last_id(&ours), last);
    tap_open(&again, "ours", last);
    tap_hear(&again, "\nevent: trial\ndata: {\"number\":2,", 1);
    while (tap_read(&again, QUIET_MS)) {
    }
    ck_assert_int_eq(tap_count(&again, "event: trial"), 1);
    tap_close(&again);
    tap_close(&ours);
    tap_close(&theirs);
    stop();
}
END_TEST

START_TEST(a_study_that_others_delete_ends_its_streams)
{
    struct tap ours, theirs;
    start_both();
    tap_open(&ours, "ours", -1);
    tap_open(&theirs, "theirs", -1);
    tap_hear(&ours, "event: trial", 2);
    tap_hear(&theirs, "event: trial", 1);
    home_exec(&h, DELETE("1"));
    tap_hear(&ours, NULL, 0);
    /* Its id is taken at once. */
    home_exec(&h, DELETE("2") "INSERT INTO studies VALUES (2, 'next');"
                              "INSERT INTO study_directions (direction,"
                              " study_id, objective)"
                              " VALUES ('MINIMIZE', 2, 0)");
    tap_hear(&theirs, NULL, 0);
    ck_assert_int_eq(tap_count(&theirs, "\"name\":\"next\""), 0);
    char *list;
    ck_assert_int_eq(home_http(&h, "GET", "/studies", NULL, &list), 200);
    ck_assert_msg(strstr(list, "\"ours\"") == NULL &&
                      strstr(list, "\"theirs\"") == NULL &&
                      strstr(list, "\"next\"") != NULL,
                  "%s", list);
    free(list);
    EXPECT(&h, 4, "no study named", "status", "ours");
    tap_close(&ours);
    tap_close(&theirs);
    stop();
}
END_TEST

static int n_of(const char *text, const char *part)
{
    int n = 0;
    for (; (text = strstr(text, part)) != NULL; text++) {
        n++;
    }
    return n;
}

/* A log of a study of Optuna's: each end once, though its stream begins with
 * all trials, and is cut between. */
START_TEST(who_watches_hears_of_each_end_once)
{
    start_both();
    for (int i = 1; i < 20; i++) {
        char sql[1024];
        snprintf(sql, sizeof(sql),
                 TRIAL("%d", "2", "COMPLETE",
                       ENDED) "INSERT INTO trial_values"
                              " (trial_id, objective, value, value_type) SELECT"
                              " max(trial_id), 0, 0.5, 'FINITE' FROM trials",
                 i);
        home_exec(&h, sql);
    }
    home_exec(&h, TRIAL("20", "2", "RUNNING", "NULL")
                      TRIAL("21", "2", "RUNNING", "NULL"));
    char *command = mem_printf(
        "timeout 60 %s/parzen --state '%s' watch theirs 2>&1",
        getenv("PARZEN_BIN") != NULL ? getenv("PARZEN_BIN") : "build/bin",
        h.state);
    FILE *f = popen(command, "re");
    char line[512];
    struct buf said;
    buf_init(&said, 1 << 20);
    buf_str(&said, "");
    while (strstr(said.data, "trial 19") == NULL) { /* the last of before */
        ck_assert_ptr_nonnull(fgets(line, sizeof(line), f));
        buf_str(&said, line);
    }
    home_kill_daemon(&h);
    home_start(&h, (const char *const[]){"--workers", "1", NULL});
    home_exec(&h, "UPDATE trials SET state = 'FAIL', datetime_complete = " ENDED
                  " WHERE study_id = 2 AND state = 'RUNNING'");
    while (fgets(line, sizeof(line), f) != NULL) {
        buf_str(&said, line);
    }
    pclose(f);
    ck_assert_msg(n_of(said.data, "trial 0") <= 1 &&
                      n_of(said.data, "trial 3") == 0 &&
                      n_of(said.data, "trial 19") == 1 &&
                      n_of(said.data, "trial 20") == 1 &&
                      n_of(said.data, "trial 21") == 1,
                  "%s", said.data);
    buf_fini(&said);
    free(command);
    stop();
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("stream");
    TCase *t = tcase_create("stream");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, every_step_arrives_and_costs_the_same);
    tcase_add_test(t, who_comes_back_gets_what_it_missed);
    suite_add_tcase(s, t);
    TCase *b = tcase_create("beside");
    tcase_set_timeout(b, 120);
    tcase_add_test(b, what_others_write_arrives);
    tcase_add_test(b, a_study_that_others_delete_ends_its_streams);
    tcase_add_test(b, who_watches_hears_of_each_end_once);
    suite_add_tcase(s, b);
    return s;
}
