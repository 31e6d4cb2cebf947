/* The build's id: other code is another build, whatever else changes is not. */
#include "tests/lib/test_main.h"
#include "core/base/build.h"
#include "core/base/file.h"
#include "core/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/parzen-build-XXXXXX";

static void copy_sources(void)
{
    ck_assert_ptr_nonnull(mkdtemp(dir));
    char *command = mem_printf("cp -R Makefile core worker daemon web %s", dir);
    ck_assert_int_eq(system(command), 0);
    free(command);
}

static void remove_sources(void)
{
    struct err err;
    ck_assert_int_eq(file_remove_tree(dir, &err), 0);
}

/* What the copy says after this command in it; owned. */
static char *id_after(const char *command)
{
    char *all = mem_printf("unset MAKEFLAGS MFLAGS SAN CFLAGS; cd %s && %s &&"
                           " make -s build-id",
                           dir, command);
    char line[128] = "";
    FILE *f = popen(all, "re");
    ck_assert_ptr_nonnull(fgets(line, sizeof(line), f));
    ck_assert_int_eq(pclose(f), 0);
    free(all);
    line[strcspn(line, "\n")] = '\0';
    return mem_strdup(line);
}

START_TEST(what_decides_bits_decides_the_id)
{
    static const struct {
        const char *command;
        bool changes;
    } cases[] = {
        {"true", false},
        {"echo ' ' >> web/style.css", false},
        {"echo ' ' >> daemon/cli/table.c", false},
        {"touch core/nn/ops.c", false},
        {"echo '/* */' >> core/nn/ops.c", true},
        {"echo '/* */' >> core/nn/kernels.inc", true},
        {"echo '/* */' >> worker/session.c", true},
        {"export CFLAGS=-O3", true},
    };
    copy_sources();
    char *first = id_after("true"), *last = mem_strdup(first);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *now = id_after(cases[i].command);
        ck_assert_msg((strcmp(now, last) != 0) == cases[i].changes, "%s: %s %s",
                      cases[i].command, last, now);
        free(last);
        last = now;
    }
    size_t n = strcspn(first, "+"); /* after the version */
    ck_assert_uint_eq(strlen(first), n + 1 + 12);
    ck_assert_int_eq(strncmp(first, BUILD_ID, n + 1), 0);
    free(first);
    free(last);
    remove_sources();
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("e2e/build");
    TCase *c = tcase_create("build");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, what_decides_bits_decides_the_id);
    suite_add_tcase(s, c);
    return s;
}
