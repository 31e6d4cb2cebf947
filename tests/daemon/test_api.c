/* The API over a real daemon whose worker is not listened to: routes, refusals,
 * and what each change leads to. */
#include "daemon/api.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "daemon/daemon.h"
#include "tests/lib/fake_worker.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define CONFIG                                                                 \
    "{\"study\": \"s\", \"n_trials\": 5, \"seed\": 1, \"objective\": "         \
    "{\"metric\": \"val-acc\", \"direction\": \"maximize\"}, \"data\": "       \
    "{\"source\": \"/none.jsonl\", \"text\": \"t\", \"label\": \"l\"}, "       \
    "\"training\": {\"lr\": {\"float\": [1e-5, 1e-3], \"log\": true}}}"

static uv_loop_t loop;
static char dir[64];
static struct daemon *daemon_;
static struct api *api;
static int n_shutdowns;

static void on_fatal(void *ctx, const struct err *why)
{
    (void)ctx;
    ck_abort_msg("fatal: %s", why->msg);
}

static void on_shutdown(void *ctx)
{
    (void)ctx;
    n_shutdowns++;
}

static void start(void)
{
    struct err err;
    log_set_level(LOG_LEVEL_ERROR);
    setenv(FAKE_WORKER_ENV, "good", 1);
    snprintf(dir, sizeof(dir), "/tmp/parzen-api-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    uv_loop_init(&loop);
    struct daemon_options d = {.state_dir = dir,
                               .worker_path = "/proc/self/exe",
                               .n_workers = 1,
                               .threads_per_worker = 1,
                               .on_fatal = on_fatal};
    ck_assert_msg(daemon_new(&loop, &d, &daemon_, &err) == 0, "%s", err.msg);
    struct api_options o = {.on_shutdown = on_shutdown};
    api = api_new(daemon_, &o);
    n_shutdowns = 0;
}

static void on_closed(void *ctx)
{
    *(bool *)ctx = true;
}

static void stop(void)
{
    struct err err;
    bool is_closed = false;
    daemon_close(daemon_, 0, on_closed, &is_closed);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert(is_closed);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    api_free(api);
    ck_assert_int_eq(file_remove_tree(dir, &err), 0);
}

/* --- asking --- */

static const char *query_text; /* the value of every parameter asked for */
static const char *query_name;

static const char *query(const struct http_request *r, const char *name)
{
    (void)r;
    return query_name != NULL && strcmp(name, query_name) == 0 ? query_text
                                                               : NULL;
}

static const char *param(const struct http_request *r, int i)
{
    (void)r;
    return i == 0 ? query_name : NULL;
}

static bool wants_json;

/* "GET /studies/s" with a body; the reply's body must be freed. */
static struct http_reply ask(const char *line, const char *body,
                             int64_t last_event_id)
{
    char text[256], *rest = text;
    snprintf(text, sizeof(text), "%s", line);
    struct http_request r = {.method = strsep(&rest, " "),
                             .body = body,
                             .body_len = strlen(body),
                             .is_local = true,
                             .wants_json = wants_json,
                             .last_event_id = last_event_id,
                             .query = query,
                             .param = param};
    rest++;
    while (rest != NULL && r.n_segments < HTTP_MAX_SEGMENTS) {
        r.segments[r.n_segments++] = strsep(&rest, "/");
    }
    struct http_reply reply = {.status = 200};
    buf_init(&reply.body, BUF_MAX_RESPONSE);
    struct http_handler h = api_handler(api);
    h.handle(h.ctx, &r, &reply);
    buf_char(&reply.body, ' '); /* never NULL */
    return reply;
}

/* The reply has this status and, somewhere, this text. */
static void expect(const char *line, const char *body, int status,
                   const char *text)
{
    struct http_reply r = ask(line, body, -1);
    ck_assert_msg(r.status == status && strstr(r.body.data, text) != NULL,
                  "%s %s: expected %d and '%s', got %d and %s", line, body,
                  status, text, r.status, r.body.data);
    buf_fini(&r.body);
}

/* --- tests --- */

START_TEST(test_routes)
{
    expect("GET /health", "", 200, "\"status\":\"ok\"");
    expect("GET /studies", "", 200, "{\"studies\":[],\"left_out\":[]}");
    expect("GET /nothing", "", 404, "no such path");
    expect("GET /studies/s", "", 404, "no study named 's'");
    expect("GET /studies/s/trials/0/log/x", "", 404, "no such path");
    expect("DELETE /studies", "", 405, "METHOD");
    expect("POST /health", "", 405, "METHOD");
    expect("GET /studies/s/pause", "", 405, "METHOD");
}
END_TEST

START_TEST(test_studies_are_made_once)
{
    expect("POST /studies", CONFIG, 201, "\"name\":\"s\"");
    expect("POST /studies", CONFIG, 200, "\"name\":\"s\"");
    expect("GET /studies", "", 200, "\"state\":\"running\"");
    char *other = mem_strdup(CONFIG);
    *strstr(other, "\"seed\": 1") = '"';
    memcpy(strstr(other, "\"seed\": 1"), "\"seed\": 2", 9);
    expect("POST /studies", other, 409, "config differs");
    free(other);
    expect("POST /studies", "{", 400, "INVALID");
    expect("POST /studies", "", 400, "INVALID");
    expect("POST /studies", "{\"study\": \"x\", \"lr\": 1}", 400, "INVALID");
}
END_TEST

START_TEST(test_errors_name_the_place)
{
    char *bad = mem_strdup(CONFIG);
    memcpy(strstr(bad, "[1e-5"), "[0e-5", 5);
    struct http_reply r = ask("POST /studies", bad, -1);
    struct json *root;
    struct err err;
    ck_assert_int_eq(r.status, 400);
    ck_assert_int_eq(json_parse(r.body.data, r.body.len, &root, &err), 0);
    const struct json *e = json_get(root, "error");
    ck_assert_str_eq(json_string(json_get(e, "code")), "INVALID");
    ck_assert_str_eq(json_string(json_get(e, "path")), "training.lr");
    ck_assert_int_eq(json_kind(json_get(e, "message")), JSON_STRING);
    json_free(root);
    buf_fini(&r.body);
    free(bad);
}
END_TEST

START_TEST(test_states)
{
    expect("POST /studies", CONFIG, 201, "\"state\":\"running\"");
    expect("POST /studies/s/pause", "", 200, "\"state\":\"paused\"");
    expect("POST /studies/s/pause", "", 200, "\"state\":\"paused\"");
    expect("POST /studies/s/resume", "{\"n_trials\": 9}", 200,
           "\"n_trials\":9");
    expect("POST /studies/s/resume", "{\"n_trials\": 0}", 400, "n_trials");
    expect("POST /studies/s/resume", "{\"n_trials\": 1.5}", 400, "n_trials");
    expect("POST /studies/s/resume", "{\"n\": 9}", 400, "unknown key");
    expect("POST /studies/s/resume", "[]", 400, "JSON object");
    expect("POST /studies/s/resume",
           "{\"n_trials\": 7, \"config\": " CONFIG "}", 200, "\"n_trials\":7");
    expect("POST /studies/s/resume", "{\"config\": {\"study\": \"other\"}}",
           400, "data.source");
    expect("POST /studies/s/stop", "{\"now\": 1}", 400, "true or false");
    expect("POST /studies/s/stop", "{\"now\": true}", 200,
           "\"state\":\"stopped\"");
    expect("POST /studies/s/pause", "", 409, "nothing to pause");
    expect("POST /studies/s/retry", "{\"state\": \"COMPLETE\"}", 400, "FAIL");
    expect("POST /studies/s/retry", "{\"cause\": \"bad luck\"}", 400,
           "cause: expected one of daemon, ");
    expect("POST /studies/s/retry", "", 409, "no failed trial");
    expect("DELETE /studies/s", "", 200, "{}");
    expect("GET /studies/s", "", 404, "no study");
}
END_TEST

START_TEST(test_enqueue)
{
    expect("POST /studies", CONFIG, 201, "");
    expect("POST /studies/s/enqueue", "{\"params\": {\"lr\": 0.0001}}", 200,
           "{\"number\":0,");
    expect("GET /studies/s/trials/0", "", 200, "\"params\":{\"lr\":0.0001}");
    expect("GET /studies/s/trials", "", 200, "\"enqueued\":true");
    expect("GET /studies/s/trials/0", "", 200, "\"number\":0");
    expect("GET /studies/s/trials/1", "", 404, "no trial 1");
    expect("GET /studies/s/trials/x", "", 404, "no trial x");
    expect("GET /studies/s/trials/-1", "", 404, "no trial -1");
    expect("GET /studies/s/trials/0/log", "", 200, "");
    expect("POST /studies/s/enqueue", "{}", 400, "params");
    expect("POST /studies/s/enqueue", "{\"params\": {}}", 400, "params");
    expect("POST /studies/s/enqueue", "{\"params\": {\"x\": 1}}", 400,
           "no such parameter");
    expect("POST /studies/s/enqueue", "{\"params\": {\"lr\": \"a\"}}", 400,
           "lr");
    expect("POST /studies/s/enqueue", "{\"params\": {\"lr\": 2}}", 400,
           "params.lr: 2.0 is not in [");
    expect("POST /studies/s/enqueue", "{\"params\": {\"lrr\": 1}}", 400,
           "did you mean 'lr'?");
}
END_TEST

/* A text, unless JSON is asked for. */
START_TEST(test_logs)
{
    struct err err;
    static const char text[] = "a \"line\"\n\nlast";
    char *path;
    expect("POST /studies", CONFIG, 201, "");
    expect("POST /studies/s/enqueue", "{\"params\": {\"lr\": 0.0001}}", 200,
           "");
    path = paths_trial_dir(dir, 1, 0);
    ck_assert_int_eq(file_mkdirs(path, 0700, &err), 0);
    free(path);
    path = paths_trial_file(dir, 1, 0, "log");
    ck_assert_int_eq(
        file_write_atomic(path, text, sizeof(text) - 1, 0600, &err), 0);
    free(path);
    struct http_reply r = ask("GET /studies/s/trials/0/log", "", -1);
    ck_assert_str_eq(r.content_type, "text/plain; charset=utf-8");
    ck_assert_str_eq(r.body.data, "a \"line\"\n\nlast ");
    buf_fini(&r.body);
    wants_json = true;
    r = ask("GET /studies/s/trials/0/log", "", -1);
    ck_assert_ptr_null(r.content_type);
    ck_assert_str_eq(r.body.data,
                     "{\"lines\":[\"a \\\"line\\\"\",\"\",\"last\"]} ");
    buf_fini(&r.body);
    expect("GET /studies/s/log", "", 200, "{\"lines\":[]}");
    wants_json = false;
}
END_TEST

START_TEST(test_filters)
{
    expect("POST /studies", CONFIG, 201, "");
    for (int i = 0; i < 3; i++) {
        expect("POST /studies/s/enqueue", "{\"params\": {\"lr\": 0.0001}}", 200,
               "");
    }
    query_name = "state";
    query_text = "RUNNING";
    expect("GET /studies/s/trials", "", 200, "\"trials\":[]");
    query_text = "running?";
    expect("GET /studies/s/trials", "", 400, "\"path\":\"state\"");
    query_name = "limit";
    query_text = "1";
    expect("GET /studies/s/trials", "", 200, "\"trials\":[{\"number\":2,");
    query_text = "1x";
    expect("GET /studies/s/trials", "", 400, "\"path\":\"limit\"");
    query_name = "after";
    query_text = "1000";
    expect("GET /studies/s/trials", "", 200, "\"trials\":[]");
    query_text = "-2";
    expect("GET /studies/s/trials", "", 400, "\"path\":\"after\"");
    query_name = "from";
    query_text = "1";
    expect("GET /studies/s/trials", "", 200, "\"trials\":[{\"number\":1,");
    query_text = "one";
    expect("GET /studies/s/trials", "", 400, "\"path\":\"from\"");
    query_name = "evaluator";
    query_text = "best";
    expect("GET /studies/s/importances", "", 400, "\"path\":\"evaluator\"");
    query_name = NULL;
}
END_TEST

START_TEST(test_unknown_parameters)
{
    expect("POST /studies", CONFIG, 201, "");
    query_name = "sort";
    query_text = "nonsense";
    expect(
        "GET /studies/s/trials", "", 400,
        "sort: unknown parameter; this path takes after, from, state, limit\"");
    expect("GET /studies/s/importances", "", 400, "takes evaluator\"");
    expect("GET /studies", "", 400, "takes none\"");
    expect("POST /studies/s/pause", "{}", 400, "takes none\"");
    expect("GET /nothing", "", 404, "no such path");
    query_name = "";
    expect("GET /studies/s/trials", "", 200, "");
    query_name = "tail";
    query_text = "10";
    expect("GET /studies/s/log", "", 200, "");
    query_name = NULL;
}
END_TEST

/* Ids of a stream's events, in order; how many. */
static int event_ids(const struct buf *stream, long *ids, int max)
{
    int n = 0;
    const char *at = stream->data != NULL ? stream->data : "";
    while ((at = strstr(at, "id: ")) != NULL && n < max) {
        at += strlen("id: ");
        ids[n++] = strtol(at, NULL, 10);
    }
    return n;
}

/* What its source has still to say, and the end. */
static void end_stream(struct http_reply *r)
{
    while (r->source.read(r->source.ctx, &r->body)) {
    }
    r->source.free(r->source.ctx);
}

START_TEST(test_streams_begin_with_what_is_new)
{
    long ids[8];
    expect("POST /studies", CONFIG, 201, "");
    for (int i = 0; i < 4; i++) {
        expect("POST /studies/s/enqueue", "{\"params\": {\"lr\": 0.0001}}", 200,
               "");
    }
    struct http_reply r = ask("GET /studies/s/events", "", -1);
    ck_assert_str_eq(r.content_type, "text/event-stream");
    ck_assert_int_eq(r.topic, 1);
    ck_assert_ptr_nonnull(strstr(r.body.data, "event: study\ndata: {"));
    ck_assert_ptr_null(strstr(r.body.data, "id: "));
    end_stream(&r);
    ck_assert_int_eq(event_ids(&r.body, ids, 8), 4);
    for (int i = 1; i < 4; i++) {
        ck_assert_int_lt(ids[i - 1], ids[i]);
    }
    buf_fini(&r.body);
    long again[8];
    r = ask("GET /studies/s/events", "", ids[1]);
    end_stream(&r);
    ck_assert_int_eq(event_ids(&r.body, again, 8), 2);
    ck_assert_int_eq(again[0], ids[2]);
    buf_fini(&r.body);
    r = ask("GET /studies/s/events", "", ids[3]);
    end_stream(&r);
    ck_assert_int_eq(event_ids(&r.body, again, 8), 0);
    buf_fini(&r.body);
    r = ask("GET /studies/s/events", "", 1000); /* of another database */
    end_stream(&r);
    ck_assert_int_eq(event_ids(&r.body, again, 8), 4);
    buf_fini(&r.body);
}
END_TEST

/* What happens to a trial between two looks is one event, of its last id. */
START_TEST(test_streams_tell_what_is_new_once)
{
    long ids[8], last;
    expect("POST /studies", CONFIG, 201, "");
    expect("POST /studies/s/enqueue", "{\"params\": {\"lr\": 0.0001}}", 200,
           "");
    struct http_reply r = ask("GET /studies/s/events", "", -1);
    ck_assert(!r.source.read(r.source.ctx, &r.body));
    ck_assert_int_eq(event_ids(&r.body, ids, 8), 1);
    last = ids[0];
    buf_reset(&r.body);
    ck_assert(!r.source.read(r.source.ctx, &r.body));
    ck_assert_uint_eq(r.body.len, 0);
    for (int i = 0; i < 3; i++) {
        expect("POST /studies/s/enqueue", "{\"params\": {\"lr\": 0.0001}}", 200,
               "");
    }
    expect("POST /studies/s/pause", "{}", 200, "");
    end_stream(&r);
    ck_assert_int_eq(event_ids(&r.body, ids, 8), 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_gt(ids[i], i == 0 ? last : ids[i - 1]);
    }
    const char *study = strstr(r.body.data, "event: study");
    ck_assert_ptr_nonnull(study);
    ck_assert_ptr_nonnull(strstr(study, "\"state\":\"paused\""));
    ck_assert_ptr_null(strstr(study, "event: trial"));
    buf_fini(&r.body);
}
END_TEST

START_TEST(test_only_the_socket_ends_the_daemon)
{
    struct http_request r = {.method = "POST",
                             .segments = {"shutdown"},
                             .n_segments = 1,
                             .body = "",
                             .query = query,
                             .param = param};
    struct http_reply reply = {.status = 200};
    struct http_handler h = api_handler(api);
    buf_init(&reply.body, BUF_MAX_RESPONSE);
    h.handle(h.ctx, &r, &reply);
    ck_assert_int_eq(reply.status, 403);
    ck_assert_int_eq(n_shutdowns, 0);
    buf_fini(&reply.body);
    expect("POST /shutdown", "", 200, "\"pid\":");
    ck_assert_int_eq(n_shutdowns, 1);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("api");
    TCase *t = tcase_create("api");
    tcase_add_checked_fixture(t, start, stop);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, test_routes);
    tcase_add_test(t, test_studies_are_made_once);
    tcase_add_test(t, test_errors_name_the_place);
    tcase_add_test(t, test_states);
    tcase_add_test(t, test_enqueue);
    tcase_add_test(t, test_logs);
    tcase_add_test(t, test_filters);
    tcase_add_test(t, test_unknown_parameters);
    tcase_add_test(t, test_streams_begin_with_what_is_new);
    tcase_add_test(t, test_streams_tell_what_is_new_once);
    tcase_add_test(t, test_only_the_socket_ends_the_daemon);
    suite_add_tcase(s, t);
    return s;
}
