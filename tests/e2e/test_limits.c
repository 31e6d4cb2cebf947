/* A daemon under the limits that its user has. */
#include "core/base/base.h"
#include "tests/lib/home.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static void limit_files(rlim_t soft, rlim_t hard)
{
    const struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Rather than half of a daemon. More than the soft limit is had without asking.
 */
START_TEST(a_start_has_files_enough)
{
    static const rlim_t few[] = {67, 24, 10};
    static const char *const one[] = {"--workers", "1", NULL};
    struct home h;
    struct rlimit limit;
    char *err;
    home_init(&h);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit_files(40, limit.rlim_max);
    home_start(&h, (const char *const[]){"--workers", "8", NULL});
    home_run(&h,
             home_command(&h, "files", "\"n_trials\":8,", "",
                          "test $(ulimit -n) = 40 &&\n"
                          "echo 'parzen: {\"value\": 1}'\n"),
             0);
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    for (size_t i = 0; i < ARRAY_LEN(few); i++) {
        limit_files(few[i], few[i]);
        ck_assert_int_eq(home_start_fails(&h, one, &err), 1);
        ck_assert_msg(strstr(err, "limit of open files (ulimit -Hn) is ") &&
                          strstr(err, "a daemon of 1 worker(s) needs 68: "),
                      "%s", err);
        free(err);
        if (few[i] == 24) {
            EXPECT(&h, 1, "open files (ulimit -Hn) is 24,", "daemon", "start");
        }
    }
    home_fini(&h);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("limits");
    TCase *t = tcase_create("limits");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, a_start_has_files_enough);
    suite_add_tcase(s, t);
    return s;
}
