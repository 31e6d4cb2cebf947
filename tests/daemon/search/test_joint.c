#include "daemon/search/joint.h"
#include "core/base/base.h"
#include "daemon/history.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct dist real = {.kind = DIST_FLOAT, .low = 0, .high = 1};
static const struct dist wider = {.kind = DIST_FLOAT, .low = 0, .high = 2};
static const struct dist single = {.kind = DIST_FLOAT, .low = 1, .high = 1};

/* One trial with parameters of one letter each; an upper-case letter is the
 * same parameter with a wider range, a digit is single-valued. */
static void add(struct history *h, const char *letters, enum trial_state state)
{
    int64_t n = history_n_trials(h);
    history_add(h);
    for (const char *c = letters; *c != '\0'; c++) {
        bool is_wide = *c >= 'A' && *c <= 'Z', is_digit = *c <= '9';
        char name[2] = {is_wide ? (char)(*c + 32) : *c, '\0'};
        history_set_param(h, n, name,
                          is_digit  ? &single
                          : is_wide ? &wider
                                    : &real,
                          1.0);
    }
    history_set_state(h, n, state, state == TRIAL_COMPLETE ? 0.0 : NAN);
}

static void check_names(const struct joint_space *s, const char *letters)
{
    ck_assert_uint_eq(s->n, strlen(letters));
    for (size_t i = 0; i < s->n; i++) {
        bool is_wide = letters[i] >= 'A' && letters[i] <= 'Z';
        ck_assert_int_eq(s->params[i].name[0],
                         is_wide ? letters[i] + 32 : letters[i]);
        ck_assert(dist_equal(s->params[i].dist, is_wide ? &wider : &real));
    }
}

static void check_intersection(const struct history *h, int64_t self,
                               const char *letters)
{
    struct joint_space s;
    joint_intersection(h, self, &s);
    check_names(&s, letters);
    joint_fini(&s);
}

START_TEST(test_intersection)
{
    struct history *h = history_new();
    check_intersection(h, -1, "");
    add(h, "z", TRIAL_RUNNING);
    check_intersection(h, -1, "");
    add(h, "cab1d", TRIAL_COMPLETE);
    check_intersection(h, -1, "abcd");
    add(h, "", TRIAL_FAIL);
    add(h, "x", TRIAL_WAITING);
    add(h, "bacD", TRIAL_PRUNED);
    check_intersection(h, -1, "abc");
    add(h, "abe", TRIAL_COMPLETE);
    check_intersection(h, -1, "ab");
    check_intersection(h, 5, "abc"); /* that trial itself does not count */
    add(h, "", TRIAL_PRUNED);
    check_intersection(h, -1, "");
    history_free(h);
}
END_TEST

static void check_groups(const struct history *h, size_t n,
                         const char *const *letters)
{
    size_t n_groups;
    struct joint_space *groups = joint_groups(h, -1, &n_groups);
    ck_assert_uint_eq(n_groups, n);
    for (size_t g = 0; g < n; g++) {
        check_names(&groups[g], letters[g]);
        joint_fini(&groups[g]);
    }
    free(groups);
}

START_TEST(test_groups)
{
    struct history *h = history_new();
    check_groups(h, 0, NULL);
    add(h, "q", TRIAL_FAIL);
    add(h, "ba", TRIAL_COMPLETE);
    check_groups(h, 1, (const char *const[]){"ab"});
    add(h, "AB", TRIAL_COMPLETE); /* keeps what it saw first */
    check_groups(h, 1, (const char *const[]){"ab"});
    add(h, "ac", TRIAL_PRUNED);
    check_groups(h, 3, (const char *const[]){"a", "b", "c"});
    add(h, "De1", TRIAL_COMPLETE);
    check_groups(h, 4, (const char *const[]){"a", "b", "c", "De"});
    add(h, "ce", TRIAL_COMPLETE); /* cuts in the middle */
    check_groups(h, 5, (const char *const[]){"a", "b", "c", "e", "D"});
    history_free(h);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("joint");
    TCase *t = tcase_create("joint");
    tcase_add_test(t, test_intersection);
    tcase_add_test(t, test_groups);
    suite_add_tcase(s, t);
    return s;
}
