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
#include <unistd.h>

enum {
    N_TRIALS = 2,
    N_STEPS = 1000,
    MOST_BYTES = 100 * N_TRIALS * N_STEPS, /* 100 a step: it has some 30 */
    READ_MS = 20000,
    QUIET_MS = 500
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

static void start(void)
{
    memset(&r, 0, sizeof(r));
    r.last_id = -1;
    home_init(&h);
    home_start(&h, (const char *const[]){"--workers", "2", NULL});
    home_post(&h,
              home_command(&h, "steps",
                           "\"n_trials\": 2, \"workers\": 2, \"seed\": 1,",
                           "\"metric\": \"f\", \"direction\": \"maximize\",",
                           "for i in $(seq 0 999); do\n"
                           "echo \"parzen: {\\\"step\\\": $i, "
                           "\\\"value\\\": $i.5}\"\ndone\n"));
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
    start();
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
    start();
    int n_connections = 0;
    while (!r.is_finished) {
        int n_events = 1 + rand() % 4;
        reader_connect();
        n_connections++;
        while (!r.is_finished && r.n_events < n_events) {
            ck_assert(reader_read(READ_MS));
        }
        reader_leave();
        home_sleep_ms(rand() % 60);
    }
    ck_assert_int_gt(n_connections, 3);
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

Suite *suite(void)
{
    Suite *s = suite_create("stream");
    TCase *t = tcase_create("stream");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, every_step_arrives_and_costs_the_same);
    tcase_add_test(t, who_comes_back_gets_what_it_missed);
    suite_add_tcase(s, t);
    return s;
}
