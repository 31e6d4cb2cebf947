#include "tests/lib/fix_api.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "daemon/daemon.h"
#include "tests/lib/fake_worker.h"
#include "tests/lib/test_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

struct fix_api fix_api;
static uv_loop_t loop;
static struct daemon *daemon_;

static void on_fatal(void *ctx, const struct err *why)
{
    (void)ctx;
    ck_abort_msg("fatal: %s", why->msg);
}

static void on_shutdown(void *ctx)
{
    struct fix_api *f = ctx;
    f->n_shutdowns++;
}

void fix_api_start(void)
{
    struct fix_api *f = &fix_api;
    struct err err;
    *f = (struct fix_api){0};
    log_set_level(LOG_LEVEL_ERROR);
    setenv(FAKE_WORKER_ENV, "good", 1);
    snprintf(f->dir, sizeof(f->dir), "/tmp/parzen-api-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(f->dir));
    uv_loop_init(&loop);
    struct daemon_options d = {.state_dir = f->dir,
                               .worker_path = "/proc/self/exe",
                               .n_workers = 1,
                               .threads_per_worker = 1,
                               .on_fatal = on_fatal};
    ck_assert_msg(daemon_new(&loop, &d, &daemon_, &err) == 0, "%s", err.msg);
    struct api_options o = {.on_shutdown = on_shutdown, .ctx = f};
    f->api = api_new(daemon_, &o);
}

static void on_closed(void *ctx)
{
    *(bool *)ctx = true;
}

void fix_api_stop(void)
{
    struct err err;
    bool is_closed = false;
    daemon_close(daemon_, 0, on_closed, &is_closed);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert(is_closed);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    api_free(fix_api.api);
    ck_assert_int_eq(file_remove_tree(fix_api.dir, &err), 0);
}

/* --- asking --- */

static const char *query(const struct http_request *r, const char *name)
{
    (void)r;
    const char *known = fix_api.query_name;
    return known != NULL && strcmp(name, known) == 0 ? fix_api.query_value
                                                     : NULL;
}

static const char *param(const struct http_request *r, int i)
{
    (void)r;
    return i == 0 ? fix_api.query_name : NULL;
}

struct http_reply fix_api_ask(const char *line, const char *body,
                              int64_t last_event_id)
{
    char text[256], *rest = text;
    snprintf(text, sizeof(text), "%s", line);
    struct http_request r = {.method = strsep(&rest, " "),
                             .body = body,
                             .body_len = strlen(body),
                             .is_local = !fix_api.is_remote,
                             .wants_json = fix_api.wants_json,
                             .last_event_id = last_event_id,
                             .query = query,
                             .param = param};
    rest++;
    while (rest != NULL && r.n_segments < HTTP_MAX_SEGMENTS) {
        r.segments[r.n_segments++] = strsep(&rest, "/");
    }
    struct http_reply reply = {.status = 200};
    buf_init(&reply.body, BUF_MAX_RESPONSE);
    struct http_handler h = api_handler(fix_api.api);
    h.handle(h.ctx, &r, &reply);
    buf_char(&reply.body, ' '); /* never NULL */
    return reply;
}

void fix_api_expect(const char *line, const char *body, int status,
                    const char *text)
{
    struct http_reply r = fix_api_ask(line, body, -1);
    ck_assert_msg(r.status == status && strstr(r.body.data, text) != NULL,
                  "%s %s: expected %d and '%s', got %d and %s", line, body,
                  status, text, r.status, r.body.data);
    buf_fini(&r.body);
}

void fix_api_query(const char *line, const char *name, const char *value,
                   int status, const char *text)
{
    fix_api.query_name = name;
    fix_api.query_value = value;
    fix_api_expect(line, "", status, text);
    fix_api.query_name = NULL;
}

void fix_api_study(void)
{
    fix_api_expect("POST /studies", FIX_API_CONFIG, 201, "\"name\":\"s\"");
}

void fix_api_enqueue(int n)
{
    for (int i = 0; i < n; i++) {
        fix_api_expect("POST /studies/s/enqueue",
                       "{\"params\": {\"lr\": 0.0001}}", 200, "");
    }
}
