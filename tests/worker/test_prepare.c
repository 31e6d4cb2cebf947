/* A data set is prepared once, again when it is gone, and never silently as
 * another one. */
#include "worker/prepare.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/wire/msg.h"
#include "tests/lib/test_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_ROWS = 2500 };

static char dir[64], *source, *cache;
static char phases[256]; /* "read save split " */
static uint64_t most_rows;

static void write_source(int n)
{
    char *text = mem_alloc((size_t)n, 64);
    size_t at = 0;
    struct err err;
    for (int i = 0; i < n; i++) {
        at += (size_t)snprintf(text + at, 64,
                               "{\"text\":\"t%d\",\"label\":\"%c\"}\n", i,
                               'a' + i % 3);
    }
    ck_assert_int_eq(file_write_atomic(source, text, at, 0600, &err), 0);
    free(text);
}

static void set_up(void)
{
    strcpy(dir, "/tmp/parzen-prepare-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    source = mem_printf("%s/data.jsonl", dir);
    cache = mem_printf("%s/cache", dir);
    write_source(N_ROWS);
}

static void tear_down(void)
{
    struct err err;
    ck_assert_int_eq(file_remove_tree(dir, &err), 0);
    free(source);
    free(cache);
}

static void on_progress(void *ctx, const char *phase, uint64_t done,
                        uint64_t total, const char *unit)
{
    (void)ctx;
    size_t n = strlen(phases), m = strlen(phase);
    bool is_new = n < m + 1 || strncmp(phases + n - m - 1, phase, m) != 0;
    if (is_new) {
        snprintf(phases + n, sizeof(phases) - n, "%s ", phase);
    }
    if (strcmp(unit, "rows") == 0) {
        most_rows = done > most_rows ? done : most_rows;
        ck_assert(total == 0 || done <= total);
    }
}

static int prepare(const char *expected, char sha256[65], struct err *err)
{
    struct msg m = {.type = MSG_PREPARED};
    struct msg_prepare p = {.study = 1,
                            .sources = source,
                            .test_sources = (char *)"",
                            .splits = (char *)"",
                            .text = (char *)"text",
                            .label = (char *)"label",
                            .cache_dir = cache,
                            .expected_sha256 = (char *)expected};
    const struct prepare_hooks hooks = {.on_progress = on_progress};
    run_defaults(&p.run);
    phases[0] = '\0';
    most_rows = 0;
    int rc = prepare_data(&p, &hooks, &m.prepared, err);
    if (rc == 0) {
        ck_assert_int_eq(
            m.prepared.n_train + m.prepared.n_val + m.prepared.n_test, N_ROWS);
        strcpy(sha256, m.prepared.sha256);
        msg_fini(&m);
    }
    return rc;
}

static void must(int rc, const struct err *err)
{
    ck_assert_msg(rc == 0, "%s", err->msg);
}

START_TEST(it_tells_how_far_it_is)
{
    struct err err = {0};
    char first[65], again[65];
    must(prepare("", first, &err), &err);
    ck_assert_str_eq(phases, "read save split ");
    ck_assert_uint_eq(most_rows, N_ROWS);
    must(prepare(first, again, &err), &err);
    ck_assert_str_eq(phases, "verify split ");
    ck_assert_str_eq(first, again);
}
END_TEST

START_TEST(what_is_gone_is_read_again)
{
    struct err err = {0};
    char first[65], again[65];
    must(prepare("", first, &err), &err);
    must(file_remove_tree(cache, &err), &err);
    must(prepare(first, again, &err), &err);
    ck_assert_str_eq(phases, "verify read save split ");
    ck_assert_str_eq(first, again);
    char *path = mem_printf("%s/datasets/%s.dataset", cache, first);
    must(file_write_atomic(path, "damaged", 7, 0600, &err), &err);
    must(prepare(first, again, &err), &err);
    ck_assert_str_eq(first, again);
    free(path);
}
END_TEST

START_TEST(what_has_changed_is_refused)
{
    struct err err = {0};
    char first[65], again[65];
    must(prepare("", first, &err), &err);
    must(file_remove_tree(cache, &err), &err);
    write_source(N_ROWS + 1);
    ck_assert_int_eq(prepare(first, again, &err), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.msg, "data changed"));
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("prepare");
    TCase *c = tcase_create("prepare");
    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, it_tells_how_far_it_is);
    tcase_add_test(c, what_is_gone_is_read_again);
    tcase_add_test(c, what_has_changed_is_refused);
    suite_add_tcase(s, c);
    return s;
}
