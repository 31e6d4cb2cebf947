/* The command line that starts the daemon is one that a shell reads as meant.
 */
#include "core/base/mem.h"
#include "daemon/cli/cli.h"
#include "tests/lib/test_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const DIRS[] = {"/tmp/plain", "/tmp/it's", "'",
                                   "/tmp/a b\\'c$HOME`id`\"", "/tmp/'' '"};

static char *start_of(const char *dir)
{
    struct cli c = {.state_dir = (char *)dir};
    return cli_start_command(&c);
}

START_TEST(a_shell_reads_the_directory)
{
    char said[256] = "", *command = start_of(DIRS[_i]);
    char *script = mem_printf("set -- %s\nprintf '%%s.%%s' $# \"$3\"", command);
    setenv("SCRIPT", script, 1);
    FILE *f = popen("eval \"$SCRIPT\"", "r");
    ck_assert_ptr_nonnull(f);
    size_t n = fread(said, 1, sizeof(said) - 1, f);
    ck_assert_int_eq(pclose(f), 0);
    char *expected = mem_printf("5.%s", DIRS[_i]);
    ck_assert_uint_eq(n, strlen(expected));
    ck_assert_str_eq(said, expected);
    free(expected);
    free(script);
    free(command);
}
END_TEST

START_TEST(the_usual_directory_needs_no_name)
{
    setenv("PARZEN_STATE", "/tmp/it's", 1);
    char *command = start_of("/tmp/it's");
    ck_assert_str_eq(command, "parzen daemon start");
    free(command);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("start command");
    TCase *t = tcase_create("start command");
    tcase_add_loop_test(t, a_shell_reads_the_directory, 0, ARRAY_LEN(DIRS));
    tcase_add_test(t, the_usual_directory_needs_no_name);
    suite_add_tcase(s, t);
    return s;
}
