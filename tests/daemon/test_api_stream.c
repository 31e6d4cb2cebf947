/* What the streams of the API say, asked without a server: every change once,
 * in the order of its ids, whoever made it. */
#include "tests/lib/fix_api.h"
#include "tests/lib/test_main.h"

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

/* --- what they say --- */

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
    expect("POST /studies", FIX_API_CONFIG, 201, "");
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
    expect("POST /studies", FIX_API_CONFIG, 201, "");
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

Suite *suite(void)
{
    Suite *s = suite_create("api_stream");
    TCase *t = tcase_create("api_stream");
    tcase_add_checked_fixture(t, start, stop);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, test_streams_begin_with_what_is_new);
    tcase_add_test(t, test_streams_tell_what_is_new_once);
    suite_add_tcase(s, t);
    return s;
}
