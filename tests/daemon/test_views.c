/* What page and command line see: the shapes that views.h promises, and the
 * same numbers as in the mirror. */
#include "daemon/views.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "daemon/history.h"
#include "tests/lib/fix_store.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fix_store f;
static const struct views_time now = {.now_ms = 5000000, .mono_ms = 70000};

static void start(void)
{
    fix_store_init(&f, 11);
    struct actions a;
    actions_init(&a);
    fix_store_add_study(&f, &a, "s");
    fix_store_must(&f, &a);
}

static void stop(void)
{
    fix_store_fini(&f);
}

static int64_t id(void)
{
    return f.mirror->studies[0]->id;
}

/* --- a small history --- */

static void add_trial(void)
{
    struct actions a;
    actions_init(&a);
    int64_t number = (int64_t)mirror_study(f.mirror, id())->n_trials;
    fix_store_add_trial(&f, &a, id(), NULL);
    fix_store_must(&f, &a);
    actions_init(&a);
    fix_store_start(&f, &a, id(), number);
    fix_store_must(&f, &a);
}

static void report(int64_t number, double val_acc, double val_loss)
{
    struct actions a;
    actions_init(&a);
    struct action *r = fix_store_report(&f, &a, id(), number);
    r->report.metrics.value[RUN_VAL_ACC] = val_acc;
    r->report.metrics.value[RUN_VAL_LOSS] = val_loss;
    fix_store_must(&f, &a);
}

static void finish(int64_t number, enum trial_state state, double value)
{
    struct actions a;
    actions_init(&a);
    fix_store_finish(&f, &a, id(), number, state, value);
    fix_store_must(&f, &a);
}

/* --- asking --- */

static struct json *parse(struct buf *b)
{
    struct json *root;
    struct err err;
    ck_assert_msg(json_parse(b->data, b->len, &root, &err) == 0, "%s: %s",
                  err.msg, b->data);
    buf_fini(b);
    return root;
}

static struct json *look_at_study(const char *trouble)
{
    struct buf b;
    struct json_out w;
    buf_init(&b, BUF_MAX_RESPONSE);
    json_out_init(&w, &b, JSON_COMPACT);
    views_study(f.mirror, f.mirror->studies[0], "/state", trouble, &now, &w);
    return parse(&b);
}

static struct json *look_at_trials(struct views_filter filter)
{
    struct buf b;
    struct json_out w;
    buf_init(&b, BUF_MAX_RESPONSE);
    json_out_init(&w, &b, JSON_COMPACT);
    views_trials(f.mirror->studies[0], &filter, "/state", &now, &w);
    return parse(&b);
}

static const struct json *item(const struct json *array, int i)
{
    const struct json *node = json_first(array);
    while (i-- > 0) {
        node = json_next(node);
    }
    ck_assert_ptr_nonnull(node);
    return node;
}

static int64_t integer(const struct json *object, const char *key)
{
    int64_t v;
    const struct json *node = json_get(object, key);
    ck_assert_msg(node != NULL && json_kind(node) == JSON_NUMBER, "%s", key);
    ck_assert(json_integer(node, &v));
    return v;
}

static bool is_null(const struct json *object, const char *key)
{
    const struct json *node = json_get(object, key);
    ck_assert_msg(node != NULL, "%s", key);
    return json_kind(node) == JSON_NULL;
}

/* --- tests --- */

START_TEST(test_new_study)
{
    static const char *const keys[] = {
        "name",   "id",        "seq",       "state",   "reason",
        "metric", "direction", "n_trials",  "counts",  "finished",
        "best",   "created",   "active_ms", "eta_ms",  "workers",
        "data",   "config",    "params",    "running", "trouble"};
    struct json *s = look_at_study("disk full");
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        ck_assert_msg(json_get(s, keys[i]) != NULL, "%s", keys[i]);
    }
    ck_assert_str_eq(json_string(json_get(s, "name")), "s");
    ck_assert_str_eq(json_string(json_get(s, "metric")), "val-acc");
    ck_assert_str_eq(json_string(json_get(s, "trouble")), "disk full");
    ck_assert(is_null(s, "best"));
    ck_assert(is_null(s, "eta_ms"));
    ck_assert(is_null(s, "data"));
    ck_assert_int_eq(integer(s, "finished"), 0);
    ck_assert_int_eq(integer(s, "n_trials"), 30);
    ck_assert_str_eq(json_string(json_get(json_get(s, "config"), "study")),
                     "s");
    json_free(s);
}
END_TEST

/* The wall clock was set since the study began to run. */
START_TEST(test_active_time_is_the_monotonic_clocks)
{
    struct study *study = f.mirror->studies[0];
    study->active_ms = 100;
    study->running_since_mono_ms = now.mono_ms - 9000;
    for (int i = -1; i <= 1; i++) {
        study->running_since_ms = now.now_ms + i * 1000000;
        struct json *s = look_at_study(NULL);
        ck_assert_int_eq(integer(s, "active_ms"), 9100);
        json_free(s);
    }
}
END_TEST

/* A file has no clock: what it says of time it says of its last sign of life.
 */
START_TEST(test_without_a_clock)
{
    static const struct views_time never = {0};
    struct buf b;
    struct json_out w;
    add_trial();
    finish(0, TRIAL_COMPLETE, 0.5);
    struct study *study = f.mirror->studies[0];
    study->running_since_ms = study->trials[0]->end_ms - 4000;
    buf_init(&b, BUF_MAX_RESPONSE);
    json_out_init(&w, &b, JSON_COMPACT);
    views_study(f.mirror, study, "/state", NULL, &never, &w);
    struct json *s = parse(&b);
    ck_assert_int_eq(integer(s, "active_ms"), 4000);
    ck_assert_int_eq(integer(s, "eta_ms"), 4000 * 29);
    json_free(s);
}
END_TEST

START_TEST(test_counts_and_best)
{
    static const struct {
        enum trial_state state;
        double value;
    } ends[] = {{TRIAL_COMPLETE, 0.25},
                {TRIAL_COMPLETE, 0.75},
                {TRIAL_PRUNED, 0.9},
                {TRIAL_FAIL, NAN},
                {TRIAL_COMPLETE, 0.5}};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        add_trial();
        report((int64_t)i, ends[i].value, 1.0);
        finish((int64_t)i, ends[i].state, ends[i].value);
    }
    add_trial();
    struct json *s = look_at_study(NULL);
    const struct json *counts = json_get(s, "counts");
    const struct json *best = json_get(s, "best");
    ck_assert_int_eq(integer(counts, "COMPLETE"), 3);
    ck_assert_int_eq(integer(counts, "PRUNED"), 1);
    ck_assert_int_eq(integer(counts, "FAIL"), 1);
    ck_assert_int_eq(integer(counts, "RUNNING"), 1);
    ck_assert_int_eq(integer(s, "finished"), 4);
    ck_assert_int_eq(integer(best, "number"), 1);
    ck_assert_double_eq(json_number(json_get(best, "value")), 0.75);
    ck_assert_int_eq(json_size(json_get(s, "running")), 1);
    ck_assert_int_eq(integer(item(json_get(s, "running"), 0), "number"), 5);
    ck_assert(is_null(s, "trouble"));
    json_free(s);
}
END_TEST

START_TEST(test_trials)
{
    add_trial();
    report(0, 0.1 + 0.2, NAN);
    report(0, 1.0 / 3.0, INFINITY);
    finish(0, TRIAL_COMPLETE, 1.0 / 3.0);
    add_trial();
    finish(1, TRIAL_FAIL, NAN);
    f.mirror->studies[0]->trials[1]->worked_ms = 4321;
    add_trial();
    struct json *all =
        look_at_trials((struct views_filter){.after = -1, .state = -1});
    const struct json *trials = json_get(all, "trials");
    ck_assert_int_eq(json_size(trials), 3);

    const struct json *done = item(trials, 0);
    const struct json *epochs = json_get(done, "epochs");
    ck_assert_double_eq(json_number(json_get(done, "value")), 1.0 / 3.0);
    ck_assert_int_eq(json_size(epochs), 2);
    ck_assert_double_eq(json_number(json_get(item(epochs, 0), "val-acc")),
                        0.1 + 0.2);
    ck_assert_str_eq(json_string(json_get(item(epochs, 0), "val-loss")), "nan");
    ck_assert_str_eq(json_string(json_get(item(epochs, 1), "val-loss")), "inf");
    ck_assert_int_eq(json_size(json_get(done, "params")), 5);
    ck_assert(is_null(done, "progress"));
    ck_assert(is_null(done, "cause"));

    const struct json *failed = item(trials, 1);
    ck_assert(is_null(failed, "value"));
    ck_assert_int_eq(integer(failed, "duration_ms"), 4321);
    ck_assert_str_eq(json_string(json_get(failed, "cause")), "oom");
    ck_assert_str_eq(json_string(json_get(failed, "message")),
                     "out of m\xc3\xa9mory \"x\"");

    const struct json *running = item(trials, 2);
    ck_assert_str_eq(json_string(json_get(running, "state")), "RUNNING");
    ck_assert(!is_null(running, "progress"));
    ck_assert(is_null(running, "end"));
    json_free(all);
}
END_TEST

START_TEST(test_filters)
{
    for (int i = 0; i < 4; i++) {
        add_trial();
    }
    finish(1, TRIAL_COMPLETE, 0.5);
    struct json *all =
        look_at_trials((struct views_filter){.after = -1, .state = -1});
    int64_t seq = integer(all, "seq");
    json_free(all);

    struct json *nothing =
        look_at_trials((struct views_filter){.after = seq, .state = -1});
    ck_assert_int_eq(json_size(json_get(nothing, "trials")), 0);
    ck_assert_int_eq(integer(nothing, "seq"), seq);
    json_free(nothing);

    finish(2, TRIAL_COMPLETE, 0.5);
    struct json *news =
        look_at_trials((struct views_filter){.after = seq, .state = -1});
    ck_assert_int_eq(json_size(json_get(news, "trials")), 1);
    ck_assert_int_eq(integer(item(json_get(news, "trials"), 0), "number"), 2);
    ck_assert_int_gt(integer(news, "seq"), seq);
    json_free(news);

    struct json *complete = look_at_trials(
        (struct views_filter){.after = -1, .state = TRIAL_COMPLETE});
    ck_assert_int_eq(json_size(json_get(complete, "trials")), 2);
    json_free(complete);

    struct json *last = look_at_trials((struct views_filter){
        .after = -1, .from = -1, .state = -1, .limit = 1});
    ck_assert_int_eq(json_size(json_get(last, "trials")), 1);
    ck_assert_int_eq(integer(item(json_get(last, "trials"), 0), "number"), 3);
    json_free(last);
    last = look_at_trials((struct views_filter){
        .after = -1, .from = -1, .state = TRIAL_COMPLETE, .limit = 1});
    ck_assert_int_eq(json_size(json_get(last, "trials")), 1);
    ck_assert_int_eq(integer(item(json_get(last, "trials"), 0), "number"), 2);
    json_free(last);
}
END_TEST

/* Who goes on from each seq sees every trial, whatever changes meanwhile. */
START_TEST(test_pages)
{
    enum { N = 7, LIMIT = 3 };
    for (int i = 0; i < N; i++) {
        add_trial();
    }
    for (int i = N - 1; i >= 0; i -= 2) {
        finish(i, i % 4 == 0 ? TRIAL_PRUNED : TRIAL_COMPLETE, i);
    }
    int n_seen[N] = {0}, n_pages = 0, n = -1;
    int64_t after = 0;
    while (n != 0) {
        struct json *all = look_at_trials(
            (struct views_filter){.after = after, .state = -1, .limit = LIMIT});
        const struct json *trials = json_get(all, "trials");
        n = json_size(trials);
        ck_assert_int_le(n, LIMIT);
        for (int i = 0; i < n; i++) {
            int64_t seq = integer(item(trials, i), "seq");
            ck_assert_int_gt(seq, after);
            ck_assert_int_le(seq, integer(all, "seq"));
            n_seen[integer(item(trials, i), "number")]++;
        }
        after = integer(all, "seq");
        json_free(all);
        if (n_pages++ == 0) {
            finish(1, TRIAL_COMPLETE, 1); /* it was on the first page */
        }
    }
    ck_assert_int_eq(after, f.mirror->next_seq - 1);
    ck_assert_int_eq(n_pages, 4);
    for (int i = 0; i < N; i++) {
        ck_assert_int_eq(n_seen[i], i == 1 ? 2 : 1);
    }
    struct json *pruned = look_at_trials(
        (struct views_filter){.after = 0, .state = TRIAL_PRUNED, .limit = 1});
    ck_assert_int_eq(integer(item(json_get(pruned, "trials"), 0), "number"), 4);
    json_free(pruned);
}
END_TEST

/* Who goes on from behind each page's last number sees every trial once. */
START_TEST(test_pages_by_number)
{
    enum { N = 7, LIMIT = 3 };
    for (int i = 0; i < N; i++) {
        add_trial();
    }
    int64_t from = 0;
    for (int n = LIMIT; n == LIMIT;) {
        struct json *all = look_at_trials((struct views_filter){
            .after = -1, .from = from, .state = -1, .limit = LIMIT});
        const struct json *trials = json_get(all, "trials");
        n = json_size(trials);
        for (int i = 0; i < n; i++) {
            ck_assert_int_eq(integer(item(trials, i), "number"), from++);
        }
        json_free(all);
        if (from == LIMIT) {
            finish(1, TRIAL_COMPLETE, 1); /* it was on the first page */
            finish(5, TRIAL_COMPLETE, 1); /* it will be on the second */
            add_trial();
        }
    }
    ck_assert_int_eq(from, N + 1);
    struct json *complete = look_at_trials((struct views_filter){
        .after = -1, .from = 2, .state = TRIAL_COMPLETE, .limit = 2});
    const struct json *trials = json_get(complete, "trials");
    ck_assert_int_eq(json_size(trials), 1);
    ck_assert_int_eq(integer(item(trials, 0), "number"), 5);
    json_free(complete);
    struct json *rest = look_at_trials(
        (struct views_filter){.after = -1, .from = 6, .state = -1});
    ck_assert_int_eq(json_size(json_get(rest, "trials")), 2);
    json_free(rest);
}
END_TEST

/* A part of the epochs has the last one in any case. */
START_TEST(test_epochs_from)
{
    static const struct {
        int64_t from;
        int n;
    } cases[] = {{0, 3}, {1, 2}, {2, 1}, {3, 1}, {9, 1}};
    add_trial();
    for (int i = 0; i < 3; i++) {
        report(0, 0.5, 0.25);
    }
    const struct study *s = f.mirror->studies[0];
    ck_assert_int_eq(views_n_epochs(s, s->trials[0]), 3);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf b;
        struct json_out w;
        buf_init(&b, BUF_MAX_RESPONSE);
        json_out_init(&w, &b, JSON_COMPACT);
        views_trial_from(s, s->trials[0], "/state", cases[i].from, &now, &w);
        struct json *trial = parse(&b);
        const struct json *epochs = json_get(trial, "epochs");
        ck_assert_int_eq(json_size(epochs), cases[i].n);
        ck_assert_int_eq(integer(item(epochs, cases[i].n - 1), "epoch"), 2);
        ck_assert_int_eq(integer(trial, "n_epochs"), 3);
        json_free(trial);
    }
}
END_TEST

static uint64_t mark(int64_t number)
{
    const struct study *s = f.mirror->studies[0];
    return views_mark(s, s->trials[number]);
}

/* It is another after each change, and the others stay what they are. */
START_TEST(test_marks)
{
    uint64_t marks[6];
    add_trial();
    add_trial();
    uint64_t other = mark(1);
    marks[0] = mark(0);
    report(0, 0.5, 0.25);
    marks[1] = mark(0);
    report(0, 0.5, 0.25);
    marks[2] = mark(0);
    history_set_param(f.mirror->studies[0]->history, 0, "new",
                      &(struct dist){.kind = DIST_FLOAT, .high = 1.0}, 0.5);
    marks[3] = mark(0);
    history_set_constraints(f.mirror->studies[0]->history, 0,
                            &(const double){0.0}, 1);
    marks[4] = mark(0);
    finish(0, TRIAL_COMPLETE, 0.5);
    marks[5] = mark(0);
    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        for (size_t k = 0; k < i; k++) {
            ck_assert_msg(marks[i] != marks[k], "%zu and %zu", k, i);
        }
    }
    ck_assert(mark(1) == other);
}
END_TEST

/* What is loaded again is as it was. */
START_TEST(test_marks_are_of_what_is_shown)
{
    for (int i = 0; i < 200; i++) {
        struct actions a;
        actions_init(&a);
        fix_store_random(&f, &a);
        fix_store_must(&f, &a);
    }
    struct mirror *m = fix_store_load(&f);
    ck_assert_uint_eq(m->n_studies, f.mirror->n_studies);
    int64_t n = 0;
    for (size_t i = 0; i < m->n_studies; i++) {
        const struct study *s = f.mirror->studies[i];
        for (size_t k = 0; k < s->n_trials; k++, n++) {
            uint64_t loaded =
                views_mark(m->studies[i], m->studies[i]->trials[k]);
            ck_assert(loaded == views_mark(s, s->trials[k]) && loaded != 0);
        }
    }
    ck_assert_int_gt(n, 10);
    mirror_free(m);
}
END_TEST

/* Whatever the state, what is printed is strict JSON. */
START_TEST(test_any_state_is_json)
{
    for (int i = 0; i < 300; i++) {
        struct actions a;
        actions_init(&a);
        fix_store_random(&f, &a);
        fix_store_must(&f, &a);
        struct buf b;
        struct json_out w;
        buf_init(&b, BUF_MAX_RESPONSE);
        json_out_init(&w, &b, JSON_COMPACT);
        views_studies(f.mirror, "/state", &now, &w);
        struct json *root = parse(&b);
        ck_assert_int_eq(json_size(json_get(root, "studies")),
                         (int)f.mirror->n_studies);
        json_free(root);
        for (size_t s = 0; s < f.mirror->n_studies; s++) {
            struct views_filter all = {.after = -1, .state = -1};
            buf_init(&b, BUF_MAX_RESPONSE);
            json_out_init(&w, &b, JSON_COMPACT);
            views_trials(f.mirror->studies[s], &all, "/state", &now, &w);
            root = parse(&b);
            ck_assert_int_eq(json_size(json_get(root, "trials")),
                             (int)f.mirror->studies[s]->n_trials);
            json_free(root);
        }
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("views");
    TCase *t = tcase_create("views");
    tcase_add_checked_fixture(t, start, stop);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_new_study);
    tcase_add_test(t, test_active_time_is_the_monotonic_clocks);
    tcase_add_test(t, test_without_a_clock);
    tcase_add_test(t, test_counts_and_best);
    tcase_add_test(t, test_trials);
    tcase_add_test(t, test_filters);
    tcase_add_test(t, test_pages);
    tcase_add_test(t, test_pages_by_number);
    tcase_add_test(t, test_epochs_from);
    tcase_add_test(t, test_marks);
    tcase_add_test(t, test_marks_are_of_what_is_shown);
    tcase_add_test(t, test_any_state_is_json);
    suite_add_tcase(s, t);
    return s;
}
