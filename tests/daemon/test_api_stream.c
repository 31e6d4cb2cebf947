/* What the streams of the API say, asked without a server: every change once,
 * in the order of its ids, whoever made it. */
#include "tests/lib/fix_api.h"
#include "tests/lib/test_main.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

/* From the event after this id on; -1: it is not said which. */
static struct http_reply listen_from(int64_t last_event_id)
{
    return fix_api_ask("GET /studies/s/events", "", last_event_id);
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
    fix_api_study();
    fix_api_enqueue(4);
    struct http_reply r = listen_from(-1);
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
    r = listen_from(ids[1]);
    end_stream(&r);
    ck_assert_int_eq(event_ids(&r.body, again, 8), 2);
    ck_assert_int_eq(again[0], ids[2]);
    buf_fini(&r.body);
    r = listen_from(ids[3]);
    end_stream(&r);
    ck_assert_int_eq(event_ids(&r.body, again, 8), 0);
    buf_fini(&r.body);
    r = listen_from(1000); /* of another database */
    end_stream(&r);
    ck_assert_int_eq(event_ids(&r.body, again, 8), 4);
    buf_fini(&r.body);
}
END_TEST

/* What happens to a trial between two looks is one event, of its last id. */
START_TEST(test_streams_tell_what_is_new_once)
{
    long ids[8], last;
    fix_api_study();
    fix_api_enqueue(1);
    struct http_reply r = listen_from(-1);
    ck_assert(!r.source.read(r.source.ctx, &r.body));
    ck_assert_int_eq(event_ids(&r.body, ids, 8), 1);
    last = ids[0];
    buf_reset(&r.body);
    ck_assert(!r.source.read(r.source.ctx, &r.body));
    ck_assert_uint_eq(r.body.len, 0);
    fix_api_enqueue(3);
    fix_api_expect("POST /studies/s/pause", "{}", 200, "");
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

/* --- what other programs write --- */

static void write_as_optuna(const char *sql)
{
    char path[96], *error = NULL;
    sqlite3 *db;
    snprintf(path, sizeof(path), "%s/parzen.db", fix_api.dir);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &error) == SQLITE_OK, "%s",
                  error);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* Others' writes are looked for before each request, but not all the time. */
static void look(void)
{
    struct timespec nap = {.tv_nsec = 1000000};
    for (int i = 0; i < 200; i++) {
        fix_api_expect("GET /health", "", 200, "");
        nanosleep(&nap, NULL);
    }
}

static int count(const struct http_reply *r, const char *text)
{
    int n = 0;
    const char *at = r->body.data != NULL ? r->body.data : "";
    while ((at = strstr(at, text)) != NULL) {
        at += strlen(text);
        n++;
    }
    return n;
}

/* What the stream says now, in place of what it said. */
static void hear(struct http_reply *r)
{
    buf_reset(&r->body);
    while (r->source.read(r->source.ctx, &r->body)) {
    }
}

#define THEIR_TRIAL(number, state, end)                                        \
    "INSERT INTO trials SELECT coalesce(max(trial_id), 0) + 1, " number        \
    ", 1, '" state "', '2026-01-01 00:00:00.000000', " end " FROM trials;"
#define ENDED "'2026-01-01 00:00:01.000000'"
#define THEIR_VALUE                                                            \
    "INSERT INTO trial_values (trial_id, objective, value, value_type)"        \
    " SELECT max(trial_id), 0, 0.5, 'FINITE' FROM trials;"
#define THEIR_STUDY                                                            \
    "INSERT INTO studies VALUES (1, 's');"                                     \
    "INSERT INTO study_directions (direction, study_id, objective)"            \
    " VALUES ('MINIMIZE', 1, 0);"
#define DELETE_STUDY                                                           \
    "DELETE FROM trial_system_attributes; DELETE FROM trial_user_attributes;"  \
    "DELETE FROM trial_values; DELETE FROM trial_intermediate_values;"         \
    "DELETE FROM trial_params; DELETE FROM trials;"                            \
    "DELETE FROM study_system_attributes; DELETE FROM study_directions;"       \
    "DELETE FROM studies;"

/* Also where a request of ours is what comes upon it: the mirror has the trial
 * of that one, and its action is still to be told. */
START_TEST(test_streams_tell_what_others_did_to_our_studies)
{
    long ids[8], last;
    fix_api_study();
    struct http_reply r = listen_from(-1);
    write_as_optuna(THEIR_TRIAL("0", "RUNNING", "NULL"));
    look();
    hear(&r);
    ck_assert_int_eq(event_ids(&r.body, ids, 8), 1);
    ck_assert_int_eq(count(&r, "\"state\":\"RUNNING\",\"cause\""), 2);
    last = ids[0];
    write_as_optuna("UPDATE trials SET state = 'COMPLETE',"
                    " datetime_complete = " ENDED ";" THEIR_VALUE);
    fix_api_expect("GET /health", "", 200, "");
    write_as_optuna(THEIR_TRIAL("1", "COMPLETE", ENDED) THEIR_VALUE);
    fix_api_enqueue(1);
    hear(&r);
    ck_assert_int_eq(event_ids(&r.body, ids, 8), 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_gt(ids[i], i == 0 ? last : ids[i - 1]);
    }
    hear(&r);
    ck_assert_int_eq(event_ids(&r.body, ids, 8), 0);
    struct http_reply again = listen_from(last);
    hear(&again);
    ck_assert_int_eq(event_ids(&again.body, ids, 8), 3);
    end_stream(&again);
    end_stream(&r);
    buf_fini(&again.body);
    buf_fini(&r.body);
}
END_TEST

/* No events of ours tell of these: each change is told, once. */
START_TEST(test_streams_tell_of_studies_that_are_optunas_alone)
{
    static const struct {
        const char *sql, *says;
        int n_epochs;
    } steps[] = {
        {THEIR_TRIAL("1", "RUNNING", "NULL"), "\"number\":1", 0},
        {"INSERT INTO trial_params (trial_id, param_name, param_value,"
         " distribution_json) VALUES (2, 'x', 0.25, '{\"name\":"
         " \"FloatDistribution\", \"attributes\": {\"step\": null, \"low\": 0,"
         " \"high\": 1, \"log\": false}}')",
         "\"params\":{\"x\":0.25}", 0},
        {"INSERT INTO trial_intermediate_values (trial_id, step,"
         " intermediate_value, intermediate_value_type)"
         " VALUES (2, 5, 0.75, 'FINITE')",
         "\"epochs\":[{\"step\":5,\"value\":0.75}]", 1},
        {"INSERT INTO trial_intermediate_values (trial_id, step,"
         " intermediate_value, intermediate_value_type)"
         " VALUES (2, 7, 0.5, 'FINITE')",
         "\"epochs\":[{\"step\":7,\"value\":0.5}]", 2},
        {"INSERT INTO trial_intermediate_values (trial_id, step,"
         " intermediate_value, intermediate_value_type)"
         " VALUES (2, 6, 0.625, 'FINITE')",
         "\"epochs\":[{\"step\":5,\"value\":0.75},{\"step\":6,"
         "\"value\":0.625},{\"step\":7,\"value\":0.5}]",
         3},
        {"UPDATE trial_intermediate_values SET intermediate_value = 9"
         " WHERE step = 6",
         "\"epochs\":[{\"step\":5,\"value\":0.75},{\"step\":6,"
         "\"value\":9.0},{\"step\":7,\"value\":0.5}]",
         3},
        {"UPDATE trials SET state = 'COMPLETE', datetime_complete = " ENDED
         " WHERE trial_id = 2;" THEIR_VALUE,
         "\"state\":\"COMPLETE\"", 3}};
    write_as_optuna(THEIR_STUDY THEIR_TRIAL("0", "COMPLETE", ENDED)
                        THEIR_VALUE);
    look();
    struct http_reply r = listen_from(-1);
    hear(&r);
    ck_assert_int_eq(count(&r, "event: trial"), 1);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        char epochs[32];
        snprintf(epochs, sizeof(epochs), "\"n_epochs\":%d,", steps[i].n_epochs);
        write_as_optuna(steps[i].sql);
        look();
        hear(&r);
        ck_assert_msg(count(&r, "event: trial") == 1 &&
                          strstr(r.body.data, steps[i].says) != NULL &&
                          strstr(r.body.data, epochs) != NULL,
                      "%zu: %s", i, r.body.data);
        ck_assert_int_eq(count(&r, "id: "), 0);
    }
    write_as_optuna("INSERT INTO studies VALUES (2, 'another')");
    look();
    hear(&r);
    ck_assert_int_eq(count(&r, "event: trial"), 0);
    end_stream(&r);
    buf_fini(&r.body);
    /* Whatever id a reader comes with, it is not of this study. */
    r = listen_from(0);
    hear(&r);
    ck_assert_int_eq(count(&r, "event: trial"), 2);
    end_stream(&r);
    buf_fini(&r.body);
}
END_TEST

/* Nor does it go on with the next study, which gets the id. */
START_TEST(test_streams_end_with_a_study_that_others_deleted)
{
    fix_api_study();
    fix_api_enqueue(1);
    struct http_reply ours = listen_from(-1);
    hear(&ours);
    write_as_optuna(
        DELETE_STUDY THEIR_STUDY THEIR_TRIAL("0", "RUNNING", "NULL"));
    look();
    struct http_reply theirs = listen_from(2);
    hear(&theirs);
    ck_assert_int_eq(count(&theirs, "event: trial"), 1);
    hear(&ours);
    ck_assert_uint_eq(ours.body.len, 0);
    write_as_optuna(DELETE_STUDY THEIR_STUDY);
    look();
    hear(&theirs);
    ck_assert_uint_eq(theirs.body.len, 0);
    write_as_optuna(DELETE_STUDY);
    look();
    fix_api_expect("GET /studies", "", 200, "{\"studies\":[],\"left_out\":[]}");
    fix_api_expect("GET /studies/s/events", "", 404, "no study named 's'");
    end_stream(&ours);
    end_stream(&theirs);
    buf_fini(&ours.body);
    buf_fini(&theirs.body);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("api_stream");
    TCase *t = tcase_create("api_stream");
    tcase_add_checked_fixture(t, fix_api_start, fix_api_stop);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, test_streams_begin_with_what_is_new);
    tcase_add_test(t, test_streams_tell_what_is_new_once);
    tcase_add_test(t, test_streams_tell_what_others_did_to_our_studies);
    tcase_add_test(t, test_streams_tell_of_studies_that_are_optunas_alone);
    tcase_add_test(t, test_streams_end_with_a_study_that_others_deleted);
    suite_add_tcase(s, t);
    return s;
}
