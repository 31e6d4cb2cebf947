/* The API over a real daemon whose worker is not listened to: routes, refusals,
 * and what each change leads to. */
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "tests/lib/fix_api.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fix_api f;

static void start(void)
{
    fix_api_start(&f);
}

static void stop(void)
{
    fix_api_stop(&f);
}

static struct http_reply ask(const char *line, const char *body,
                             int64_t last_event_id)
{
    return fix_api_ask(&f, line, body, last_event_id);
}

static void expect(const char *line, const char *body, int status,
                   const char *text)
{
    fix_api_expect(&f, line, body, status, text);
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
    expect("POST /studies", FIX_API_CONFIG, 201, "\"name\":\"s\"");
    expect("POST /studies", FIX_API_CONFIG, 200, "\"name\":\"s\"");
    expect("GET /studies", "", 200, "\"state\":\"running\"");
    char *other = mem_strdup(FIX_API_CONFIG);
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
    char *bad = mem_strdup(FIX_API_CONFIG);
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
    expect("POST /studies", FIX_API_CONFIG, 201, "\"state\":\"running\"");
    expect("POST /studies/s/pause", "", 200, "\"state\":\"paused\"");
    expect("POST /studies/s/pause", "", 200, "\"state\":\"paused\"");
    expect("POST /studies/s/resume", "{\"n_trials\": 9}", 200,
           "\"n_trials\":9");
    expect("POST /studies/s/resume", "{\"n_trials\": 0}", 400, "n_trials");
    expect("POST /studies/s/resume", "{\"n_trials\": 1.5}", 400, "n_trials");
    expect("POST /studies/s/resume", "{\"n\": 9}", 400, "unknown key");
    expect("POST /studies/s/resume", "[]", 400, "JSON object");
    expect("POST /studies/s/resume",
           "{\"n_trials\": 7, \"config\": " FIX_API_CONFIG "}", 200,
           "\"n_trials\":7");
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
    expect("POST /studies", FIX_API_CONFIG, 201, "");
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
    expect("POST /studies", FIX_API_CONFIG, 201, "");
    expect("POST /studies/s/enqueue", "{\"params\": {\"lr\": 0.0001}}", 200,
           "");
    path = paths_trial_dir(f.dir, 1, 0);
    ck_assert_int_eq(file_mkdirs(path, 0700, &err), 0);
    free(path);
    path = paths_trial_file(f.dir, 1, 0, "log");
    ck_assert_int_eq(
        file_write_atomic(path, text, sizeof(text) - 1, 0600, &err), 0);
    free(path);
    struct http_reply r = ask("GET /studies/s/trials/0/log", "", -1);
    ck_assert_str_eq(r.content_type, "text/plain; charset=utf-8");
    ck_assert_str_eq(r.body.data, "a \"line\"\n\nlast ");
    buf_fini(&r.body);
    f.wants_json = true;
    r = ask("GET /studies/s/trials/0/log", "", -1);
    ck_assert_ptr_null(r.content_type);
    ck_assert_str_eq(r.body.data,
                     "{\"lines\":[\"a \\\"line\\\"\",\"\",\"last\"]} ");
    buf_fini(&r.body);
    expect("GET /studies/s/log", "", 200, "{\"lines\":[]}");
    f.wants_json = false;
}
END_TEST

START_TEST(test_filters)
{
    expect("POST /studies", FIX_API_CONFIG, 201, "");
    for (int i = 0; i < 3; i++) {
        expect("POST /studies/s/enqueue", "{\"params\": {\"lr\": 0.0001}}", 200,
               "");
    }
    f.query_name = "state";
    f.query_text = "RUNNING";
    expect("GET /studies/s/trials", "", 200, "\"trials\":[]");
    f.query_text = "running?";
    expect("GET /studies/s/trials", "", 400, "\"path\":\"state\"");
    f.query_name = "limit";
    f.query_text = "1";
    expect("GET /studies/s/trials", "", 200, "\"trials\":[{\"number\":2,");
    f.query_text = "1x";
    expect("GET /studies/s/trials", "", 400, "\"path\":\"limit\"");
    f.query_name = "after";
    f.query_text = "1000";
    expect("GET /studies/s/trials", "", 200, "\"trials\":[]");
    f.query_text = "-2";
    expect("GET /studies/s/trials", "", 400, "\"path\":\"after\"");
    f.query_name = "from";
    f.query_text = "1";
    expect("GET /studies/s/trials", "", 200, "\"trials\":[{\"number\":1,");
    f.query_text = "one";
    expect("GET /studies/s/trials", "", 400, "\"path\":\"from\"");
    f.query_name = "evaluator";
    f.query_text = "best";
    expect("GET /studies/s/importances", "", 400, "\"path\":\"evaluator\"");
    f.query_name = NULL;
}
END_TEST

START_TEST(test_unknown_parameters)
{
    expect("POST /studies", FIX_API_CONFIG, 201, "");
    f.query_name = "sort";
    f.query_text = "nonsense";
    expect(
        "GET /studies/s/trials", "", 400,
        "sort: unknown parameter; this path takes after, from, state, limit\"");
    expect("GET /studies/s/importances", "", 400, "takes evaluator\"");
    expect("GET /studies", "", 400, "takes none\"");
    expect("POST /studies/s/pause", "{}", 400, "takes none\"");
    expect("GET /nothing", "", 404, "no such path");
    f.query_name = "";
    expect("GET /studies/s/trials", "", 200, "");
    f.query_name = "tail";
    f.query_text = "10";
    expect("GET /studies/s/log", "", 200, "");
    f.query_name = NULL;
}
END_TEST

START_TEST(test_only_the_socket_ends_the_daemon)
{
    f.is_remote = true;
    expect("POST /shutdown", "", 403, "");
    ck_assert_int_eq(f.n_shutdowns, 0);
    f.is_remote = false;
    expect("POST /shutdown", "", 200, "\"pid\":");
    ck_assert_int_eq(f.n_shutdowns, 1);
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
    tcase_add_test(t, test_only_the_socket_ends_the_daemon);
    suite_add_tcase(s, t);
    return s;
}
