#include "tests/lib/test_main.h"
#include "daemon/inbox.h"

#include <stdlib.h>
#include <string.h>

static struct event event(enum event_kind kind)
{
    return (struct event){.kind = kind, .slot = 1, .id = {1, 2, 3}};
}

/* In order, with texts of its own. */
START_TEST(words_wait)
{
    struct inbox box = {0};
    char text[] = "killed", file[] = "7.ckpt";
    struct event gone = event(EVENT_SLOT_GONE);
    struct event checkpoint = event(EVENT_CHECKPOINT);
    struct event failed = event(EVENT_FAILED);
    gone.gone.message = text;
    checkpoint.checkpoint.file.file = file;
    failed.failed.message = NULL;
    ck_assert(inbox_add(&box, &gone));
    ck_assert(inbox_add(&box, &checkpoint));
    ck_assert(inbox_add(&box, &failed));
    memset(text, 'x', sizeof(text) - 1);
    memset(file, 'x', sizeof(file) - 1);
    ck_assert_uint_eq(box.n, 3);
    ck_assert_str_eq(box.events[0].gone.message, "killed");
    ck_assert_str_eq(box.events[1].checkpoint.file.file, "7.ckpt");
    ck_assert_int_eq(box.events[1].id.number, 2);
    ck_assert_ptr_null(box.events[2].failed.message);
    struct event constraints = event(EVENT_CONSTRAINTS);
    constraints.constraints.values[constraints.constraints.n++] = -0.5;
    ck_assert(inbox_add(&box, &constraints));
    ck_assert_double_eq(box.events[3].constraints.values[0], -0.5);
    inbox_clear(&box);
    ck_assert_uint_eq(box.n, 0);
    ck_assert(inbox_add(&box, &failed));
    inbox_clear(&box);
}
END_TEST

START_TEST(what_changes_nothing_durable_is_left_out)
{
    static const enum event_kind KINDS[] = {EVENT_PROGRESS, EVENT_TICK,
                                            EVENT_IMPORTANCES, EVENT_ADD_STUDY,
                                            EVENT_DELETE};
    struct inbox box = {0};
    for (size_t i = 0; i < ARRAY_LEN(KINDS); i++) {
        struct event e = event(KINDS[i]);
        ck_assert(inbox_add(&box, &e));
    }
    ck_assert_uint_eq(box.n, 0);
}
END_TEST

START_TEST(it_is_bounded)
{
    struct inbox box = {0};
    struct event e = event(EVENT_REPORT);
    for (int i = 0; i < INBOX_MAX; i++) {
        ck_assert(inbox_add(&box, &e));
    }
    ck_assert(!inbox_add(&box, &e));
    ck_assert_uint_eq(box.n, INBOX_MAX);
    inbox_clear(&box);
    ck_assert(inbox_add(&box, &e));
    inbox_clear(&box);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("inbox");
    TCase *t = tcase_create("inbox");
    tcase_add_test(t, words_wait);
    tcase_add_test(t, what_changes_nothing_durable_is_left_out);
    tcase_add_test(t, it_is_bounded);
    suite_add_tcase(s, t);
    return s;
}
