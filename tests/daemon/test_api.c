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

/* --- tests --- */

START_TEST(test_routes)
{
    fix_api_expect("GET /health", "", 200, "\"status\":\"ok\"");
    fix_api_expect("GET /studies", "", 200, "{\"studies\":[],\"left_out\":[]}");
    fix_api_expect("GET /nothing", "", 404, "no such path");
    fix_api_expect("GET /studies/s", "", 404, "no study named 's'");
    fix_api_expect("GET /studies/s/trials/0/log/x", "", 404, "no such path");
    fix_api_expect("DELETE /studies", "", 405, "METHOD");
    fix_api_expect("POST /health", "", 405, "METHOD");
    fix_api_expect("GET /studies/s/pause", "", 405, "METHOD");
}
END_TEST

START_TEST(test_studies_are_made_once)
{
    fix_api_study();
    fix_api_expect("POST /studies", FIX_API_CONFIG, 200, "\"name\":\"s\"");
    fix_api_expect("GET /studies", "", 200, "\"state\":\"running\"");
    char *other = mem_strdup(FIX_API_CONFIG);
    *strstr(other, "\"seed\": 1") = '"';
    memcpy(strstr(other, "\"seed\": 1"), "\"seed\": 2", 9);
    fix_api_expect("POST /studies", other, 409, "config differs");
    free(other);
    fix_api_expect("POST /studies", "{", 400, "INVALID");
    fix_api_expect("POST /studies", "", 400, "INVALID");
    fix_api_expect("POST /studies", "{\"study\": \"x\", \"lr\": 1}", 400,
                   "INVALID");
}
END_TEST

START_TEST(test_errors_name_the_place)
{
    char *bad = mem_strdup(FIX_API_CONFIG);
    memcpy(strstr(bad, "[1e-5"), "[0e-5", 5);
    struct http_reply r = fix_api_ask("POST /studies", bad, -1);
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
    fix_api_expect("POST /studies", FIX_API_CONFIG, 201,
                   "\"state\":\"running\"");
    fix_api_expect("POST /studies/s/pause", "", 200, "\"state\":\"paused\"");
    fix_api_expect("POST /studies/s/pause", "", 200, "\"state\":\"paused\"");
    fix_api_expect("POST /studies/s/resume", "{\"n_trials\": 9}", 200,
                   "\"n_trials\":9");
    fix_api_expect("POST /studies/s/resume", "{\"n_trials\": 0}", 400,
                   "n_trials");
    fix_api_expect("POST /studies/s/resume", "{\"n_trials\": 1.5}", 400,
                   "n_trials");
    fix_api_expect("POST /studies/s/resume", "{\"n\": 9}", 400, "unknown key");
    fix_api_expect("POST /studies/s/resume", "[]", 400, "JSON object");
    fix_api_expect("POST /studies/s/resume",
                   "{\"n_trials\": 7, \"config\": " FIX_API_CONFIG "}", 200,
                   "\"n_trials\":7");
    fix_api_expect("POST /studies/s/resume",
                   "{\"config\": {\"study\": \"other\"}}", 400, "data.source");
    fix_api_expect("POST /studies/s/stop", "{\"now\": 1}", 400,
                   "true or false");
    fix_api_expect("POST /studies/s/stop", "{\"now\": true}", 200,
                   "\"state\":\"stopped\"");
    fix_api_expect("POST /studies/s/pause", "", 409, "nothing to pause");
    fix_api_expect("POST /studies/s/retry", "{\"state\": \"COMPLETE\"}", 400,
                   "FAIL");
    fix_api_expect("POST /studies/s/retry", "{\"cause\": \"bad luck\"}", 400,
                   "cause: expected one of daemon, ");
    fix_api_expect("POST /studies/s/retry", "", 409, "no failed trial");
    fix_api_expect("DELETE /studies/s", "", 200, "{}");
    fix_api_expect("GET /studies/s", "", 404, "no study");
}
END_TEST

START_TEST(test_enqueue)
{
    fix_api_study();
    fix_api_expect("POST /studies/s/enqueue", "{\"params\": {\"lr\": 0.0001}}",
                   200, "{\"number\":0,");
    fix_api_expect("GET /studies/s/trials/0", "", 200,
                   "\"params\":{\"lr\":0.0001}");
    fix_api_expect("GET /studies/s/trials", "", 200, "\"enqueued\":true");
    fix_api_expect("GET /studies/s/trials/0", "", 200, "\"number\":0");
    fix_api_expect("GET /studies/s/trials/1", "", 404, "no trial 1");
    fix_api_expect("GET /studies/s/trials/x", "", 404, "no trial x");
    fix_api_expect("GET /studies/s/trials/-1", "", 404, "no trial -1");
    fix_api_expect("GET /studies/s/trials/0/log", "", 200, "");
    fix_api_expect("POST /studies/s/enqueue", "{}", 400, "params");
    fix_api_expect("POST /studies/s/enqueue", "{\"params\": {}}", 400,
                   "params");
    fix_api_expect("POST /studies/s/enqueue", "{\"params\": {\"x\": 1}}", 400,
                   "no such parameter");
    fix_api_expect("POST /studies/s/enqueue", "{\"params\": {\"lr\": \"a\"}}",
                   400, "lr");
    fix_api_expect("POST /studies/s/enqueue", "{\"params\": {\"lr\": 2}}", 400,
                   "params.lr: 2.0 is not in [");
    fix_api_expect("POST /studies/s/enqueue", "{\"params\": {\"lrr\": 1}}", 400,
                   "did you mean 'lr'?");
}
END_TEST

/* A text, unless JSON is asked for. */
START_TEST(test_logs)
{
    struct err err;
    static const char text[] = "a \"line\"\n\nlast";
    char *path;
    fix_api_study();
    fix_api_enqueue(1);
    path = paths_trial_dir(fix_api.dir, 1, 0);
    ck_assert_int_eq(file_mkdirs(path, 0700, &err), 0);
    free(path);
    path = paths_trial_file(fix_api.dir, 1, 0, "log");
    ck_assert_int_eq(
        file_write_atomic(path, text, sizeof(text) - 1, 0600, &err), 0);
    free(path);
    struct http_reply r = fix_api_ask("GET /studies/s/trials/0/log", "", -1);
    ck_assert_str_eq(r.content_type, "text/plain; charset=utf-8");
    ck_assert_str_eq(r.body.data, "a \"line\"\n\nlast ");
    buf_fini(&r.body);
    fix_api.wants_json = true;
    r = fix_api_ask("GET /studies/s/trials/0/log", "", -1);
    ck_assert_ptr_null(r.content_type);
    ck_assert_str_eq(r.body.data,
                     "{\"lines\":[\"a \\\"line\\\"\",\"\",\"last\"]} ");
    buf_fini(&r.body);
    fix_api_expect("GET /studies/s/log", "", 200, "{\"lines\":[]}");
    fix_api.wants_json = false;
}
END_TEST

START_TEST(test_filters)
{
    static const struct {
        const char *name, *value;
        int status;
        const char *says;
    } cases[] = {{"state", "RUNNING", 200, "\"trials\":[]"},
                 {"state", "running?", 400, "\"path\":\"state\""},
                 {"limit", "1", 200, "\"trials\":[{\"number\":2,"},
                 {"limit", "1x", 400, "\"path\":\"limit\""},
                 {"after", "1000", 200, "\"trials\":[]"},
                 {"after", "-2", 400, "\"path\":\"after\""},
                 {"from", "1", 200, "\"trials\":[{\"number\":1,"},
                 {"from", "one", 400, "\"path\":\"from\""}};
    fix_api_study();
    fix_api_enqueue(3);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        fix_api_query("GET /studies/s/trials", cases[i].name, cases[i].value,
                      cases[i].status, cases[i].says);
    }
    fix_api_query("GET /studies/s/importances", "evaluator", "best", 400,
                  "\"path\":\"evaluator\"");
}
END_TEST

START_TEST(test_unknown_parameters)
{
    fix_api_study();
    fix_api_query(
        "GET /studies/s/trials", "sort", "nonsense", 400,
        "sort: unknown parameter; this path takes after, from, state, limit\"");
    fix_api_query("GET /studies/s/importances", "sort", "nonsense", 400,
                  "takes evaluator\"");
    fix_api_query("GET /studies", "sort", "nonsense", 400, "takes none\"");
    fix_api_query("GET /nothing", "sort", "nonsense", 404, "no such path");
    fix_api_query("GET /studies/s/trials", "", "nonsense", 200, "");
    fix_api_query("GET /studies/s/log", "tail", "10", 200, "");
    fix_api.query_name = "sort";
    fix_api.query_value = "nonsense";
    fix_api_expect("POST /studies/s/pause", "{}", 400, "takes none\"");
}
END_TEST

START_TEST(test_only_the_socket_ends_the_daemon)
{
    fix_api.is_remote = true;
    fix_api_expect("POST /shutdown", "", 403, "");
    ck_assert_int_eq(fix_api.n_shutdowns, 0);
    fix_api.is_remote = false;
    fix_api_expect("POST /shutdown", "", 200, "\"pid\":");
    ck_assert_int_eq(fix_api.n_shutdowns, 1);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("api");
    TCase *t = tcase_create("api");
    tcase_add_checked_fixture(t, fix_api_start, fix_api_stop);
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
