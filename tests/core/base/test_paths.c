#include "core/base/paths.h"
#include "core/base/mem.h"
#include "tests/lib/test_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *db, *state;
} NOT_THERE[] = {
    {"none.db", "."},          {"/none.db", "/"},
    {"a/b/none.db", "a/b"},    {"a/backups/none.db", "a"},
    {"/backups/none.db", "/"}, {"a/mybackups/none.db", "a/mybackups"},
};

START_TEST(a_database_is_in_its_state_directory)
{
    char *state = paths_state_of_db(NOT_THERE[_i].db);
    ck_assert_str_eq(state, NOT_THERE[_i].state);
    free(state);
}
END_TEST

START_TEST(a_link_leads_to_the_state_directory)
{
    char dir[] = "/tmp/parzen-paths-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(dir));
    char *real = realpath(dir, NULL);
    char *db = mem_printf("%s/parzen.db", dir);
    char *link = mem_printf("%s/link", dir);
    fclose(fopen(db, "w"));
    ck_assert_int_eq(symlink("parzen.db", link), 0);
    char *state = paths_state_of_db(link);
    ck_assert_str_eq(state, real);
    ck_assert_int_eq(unlink(link) | unlink(db) | rmdir(dir), 0);
    free(state);
    free(link);
    free(db);
    free(real);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("paths");
    TCase *t = tcase_create("paths");
    tcase_add_loop_test(t, a_database_is_in_its_state_directory, 0,
                        (int)ARRAY_LEN(NOT_THERE));
    tcase_add_test(t, a_link_leads_to_the_state_directory);
    suite_add_tcase(s, t);
    return s;
}
