#include "daemon/heartbeat.h"
#include "core/base/mem.h"
#include "tests/lib/fix_store.h"
#include "tests/lib/test_main.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fix_store fix;
static char *alive; /* the file */

static void setup(void)
{
    fix_store_init(&fix, 1);
    alive = mem_printf("%s-alive", fix.path);
}

static void teardown(void)
{
    free(alive);
    fix_store_fini(&fix);
}

static void write_file(const char *text)
{
    int fd = open(alive, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (long)strlen(text));
    close(fd);
}

START_TEST(the_last_beat_outlives_its_daemon)
{
    struct heartbeat h;
    heartbeat_open(&h, fix.path, 1699999999123, 500);
    ck_assert_int_eq(h.alive_ms, 0);
    heartbeat_beat(&h, 1700000000123, 1500);
    heartbeat_beat(&h, 1700000001123, 2500);
    heartbeat_close(&h);
    heartbeat_open(&h, fix.path, 9, 70);
    ck_assert_int_eq(h.alive_ms, 1700000001123);
    ck_assert_int_eq(h.lived_ms, 2000);
    ck_assert_int_eq(h.begun_ms, 1699999999123);
    heartbeat_close(&h); /* a start that failed beats not */
    heartbeat_open(&h, fix.path, 6, 80);
    ck_assert_int_eq(h.lived_ms, 2000);
    heartbeat_beat(&h, 7, 81); /* a clock was set back */
    ck_assert_int_eq(h.alive_ms, 7);
    ck_assert_int_eq(h.lived_ms, 1);
    ck_assert_int_eq(h.begun_ms, 6);
    heartbeat_close(&h);
}
END_TEST

START_TEST(what_is_no_time_says_nothing)
{
    static const char *const texts[] = {
        "",
        "1700000000123 1\n",
        "000000170000000012x 0000000000000000001\n",
        "0000001700000000123 -000000000000000001\n",
        "0000001700000000123 0000000000000000001 0000001700000000122",
        "0000001700000000123 0000000000000000001 000000170000000012x\n",
        "0000001700000000123 0000000000000000001\n0000001700000000122\n"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct heartbeat h;
        write_file(texts[i]);
        heartbeat_open(&h, fix.path, 1, 0);
        ck_assert_msg(h.alive_ms == 0 && h.lived_ms == 0 && h.begun_ms == 0,
                      "%s", texts[i]);
        heartbeat_close(&h);
    }
}
END_TEST

START_TEST(without_a_file_the_heart_beats_on)
{
    struct heartbeat h;
    ck_assert_int_eq(mkdir(alive, 0700), 0);
    heartbeat_open(&h, fix.path, 1, 0);
    ck_assert_int_eq(h.alive_ms, 0);
    heartbeat_beat(&h, 5, 3);
    ck_assert_int_eq(h.alive_ms, 5);
    heartbeat_close(&h);
    ck_assert_int_eq(rmdir(alive), 0);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("heartbeat");
    TCase *c = tcase_create("heartbeat");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, the_last_beat_outlives_its_daemon);
    tcase_add_test(c, what_is_no_time_says_nothing);
    tcase_add_test(c, without_a_file_the_heart_beats_on);
    suite_add_tcase(s, c);
    return s;
}
