#include "daemon/wall.h"
#include "tests/lib/test_main.h"

#include <time.h>

START_TEST(a_clock_before_1970_gives_no_time_below_1)
{
    const struct timespec before[] = {{-96209179, 546000000}, {-1, 0}, {0, 0}};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(wall_ms_of(&before[i]), 1);
    }
    ck_assert_int_eq(wall_ms_of(&(struct timespec){1700000000, 7999999}),
                     1700000000007);
}
END_TEST

START_TEST(it_is_the_time)
{
    int64_t before = (int64_t)time(NULL) * 1000;
    int64_t now = wall_ms();
    ck_assert_int_ge(now + 1000, before);
    ck_assert_int_le(now, ((int64_t)time(NULL) + 2) * 1000);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("wall");
    TCase *t = tcase_create("wall");
    tcase_add_test(t, a_clock_before_1970_gives_no_time_below_1);
    tcase_add_test(t, it_is_the_time);
    suite_add_tcase(s, t);
    return s;
}
