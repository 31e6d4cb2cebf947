#include "core/base/heritage.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

static rlim_t core_limit(void)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_CORE, &limit), 0);
    return limit.rlim_cur;
}

static mode_t mask(void)
{
    mode_t now = umask(0);
    umask(now);
    return now;
}

/* As much of it as may be had here. */
static rlim_t allow_core(rlim_t bytes)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_CORE, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_CORE, &limit), 0);
    return limit.rlim_cur;
}

static void set_files(rlim_t n)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = n;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static rlim_t files(void)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    return limit.rlim_cur;
}

START_TEST(what_was_noted_is_had_again)
{
    static const rlim_t sizes[] = {0, 12345, RLIM_INFINITY};
    struct heritage h;
    rlim_t core = allow_core(sizes[_i]);
    umask(027);
    set_files(99);
    heritage_note();
    set_files(111); /* the daemon's own */
    ck_assert_int_eq(mask(), 027);
    heritage_hide();
    heritage_hide(); /* the daemon, and its worker */
    ck_assert_int_eq(mask(), 077);
    ck_assert_uint_eq(core_limit(), 0);
    heritage_read(&h);
    ck_assert_int_eq(mask(), 077);
    heritage_take(&h);
    ck_assert_int_eq(mask(), 027);
    ck_assert_uint_eq(core_limit(), core);
    ck_assert_uint_eq(files(), 99);
}
END_TEST

START_TEST(without_a_note_it_is_what_there_is)
{
    static const char *const notes[] = {NULL, "", "rwx", "0022", "0022 0"};
    struct heritage h;
    for (size_t i = 0; i < sizeof(notes) / sizeof(*notes); i++) {
        unsetenv("PARZEN_HERITAGE");
        if (notes[i] != NULL) {
            setenv("PARZEN_HERITAGE", notes[i], 1);
        }
        umask(013);
        rlim_t core = allow_core(4096);
        heritage_read(&h);
        ck_assert_int_eq(mask(), 013);
        ck_assert_int_eq(h.umask, 013);
        ck_assert_uint_eq(h.core, core);
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("heritage");
    TCase *t = tcase_create("heritage");
    tcase_add_loop_test(t, what_was_noted_is_had_again, 0, 3);
    tcase_add_test(t, without_a_note_it_is_what_there_is);
    suite_add_tcase(s, t);
    return s;
}
