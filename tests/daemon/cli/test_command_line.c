/* A command line that is told to people is one that a shell reads as meant. */
#include "core/base/mem.h"
#include "daemon/cli/cli.h"
#include "tests/lib/test_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const NAMES[] = {"/tmp/plain", "/tmp/it's", "'",
                                    "/tmp/a b\\'c$HOME`id`\"", "/tmp/'' '"};

static char *command_of(const char *dir, const char *study)
{
    struct cli c = {.state_dir = (char *)dir};
    return cli_command(&c, "resume", study);
}

START_TEST(a_shell_reads_directory_and_study)
{
    const char *study = NAMES[(_i + 1) % (int)ARRAY_LEN(NAMES)];
    char said[256] = "", *command = command_of(NAMES[_i], study);
    char *script =
        mem_printf("set -- %s\nprintf '%%s.%%s.%%s' $# \"$3\" \"$5\"", command);
    setenv("SCRIPT", script, 1);
    FILE *f = popen("eval \"$SCRIPT\"", "r");
    ck_assert_ptr_nonnull(f);
    size_t n = fread(said, 1, sizeof(said) - 1, f);
    ck_assert_int_eq(pclose(f), 0);
    char *expected = mem_printf("5.%s.%s", NAMES[_i], study);
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
    char *command = command_of("/tmp/it's", "a b");
    ck_assert_str_eq(command, "parzen resume 'a b'");
    free(command);
    command = command_of("/tmp/it's", NULL);
    ck_assert_str_eq(command, "parzen resume");
    free(command);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("command line");
    TCase *t = tcase_create("command line");
    tcase_add_loop_test(t, a_shell_reads_directory_and_study, 0,
                        ARRAY_LEN(NAMES));
    tcase_add_test(t, the_usual_directory_needs_no_name);
    suite_add_tcase(s, t);
    return s;
}
