/* What SQLite must not see: a WAL without the database that it belongs to,
 * which SQLite would remove, and names that are no files. Every door refuses
 * them and touches nothing. */
#include "tests/lib/test_main.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "daemon/store.h"
#include "tests/lib/fix_store.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { N_DECISIONS = 20 };

static struct fix_store fix;

static void setup(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    fix_store_folder(&fix, 5);
}

static void teardown(void)
{
    fix_store_fini(&fix);
}

/* By the shell, in the store's folder. */
static void in_folder(const char *command)
{
    char *all = mem_printf("cd %s && %s", fix.dir, command);
    ck_assert_msg(system(all) == 0, "%s", all);
    free(all);
}

/* --- doors ---------------------------------------------------------------- */

static int open_to_write(struct err *err)
{
    return store_open(fix.path, &fix.store, err);
}

static int open_to_read(struct err *err)
{
    return store_open_readonly(fix.path, &fix.store, err);
}

static int open_a_copy(struct err *err)
{
    return store_open_copy(fix.path, &fix.store, err);
}

static int export_it(struct err *err)
{
    int64_t n;
    char *to = mem_printf("%s/exported", fix.dir);
    const struct store_export o = {.study = "s", .to = to};
    int rc = store_export(fix.path, &o, &n, err);
    free(to);
    return rc;
}

static int (*const DOORS[])(struct err *) = {open_to_write, open_to_read,
                                             open_a_copy, export_it};
enum { N_DOORS = ARRAY_LEN(DOORS) };

/* Names, sizes, times and content of all that is in the folder; owned. */
static char *snapshot(void)
{
    char text[8192];
    char *command = mem_printf("cd %s && ls -l --time-style=full-iso && "
                               "find . -type f | sort | xargs cksum",
                               fix.dir);
    FILE *f = popen(command, "r");
    ck_assert_ptr_nonnull(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    ck_assert_int_eq(pclose(f), 0);
    free(command);
    return mem_strdup(text);
}

/* Every door says so, and leaves what is there as it is. */
static void expect_refused(int code, const char *says)
{
    struct err err;
    char *before = snapshot();
    for (size_t i = 0; i < N_DOORS; i++) {
        int rc = DOORS[i](&err);
        ck_assert_msg(rc == code, "door %zu: %d, %s", i, rc, err.msg);
        ck_assert_msg(strstr(err.msg, says) != NULL, "%s", err.msg);
        ck_assert_msg(strstr(err.msg, fix.path) != NULL, "%s", err.msg);
        ck_assert_ptr_null(fix.store);
        char *after = snapshot();
        ck_assert_str_eq(before, after);
        free(after);
    }
    free(before);
}

static void expect_whole(void)
{
    fix_store_open(&fix);
    fix_store_expect_equal(&fix);
}

/* --- a WAL alone ---------------------------------------------------------- */

static const struct {
    const char *harm, *says, *mend;
} ALONE[] = {
    {"cp parzen.db kept && : >parzen.db", "is empty, but",
     "cat kept >parzen.db"},
    {"cp parzen.db kept && : >parzen.db && rm parzen.db-acked parzen.db-shm",
     "is empty, but", "cat kept >parzen.db"},
    {"mv parzen.db kept", "is missing, but", "mv kept parzen.db"},
    {"mv parzen.db kept && rm parzen.db-acked", "is missing, but",
     "mv kept parzen.db"},
};

START_TEST(a_wal_without_its_database_is_kept)
{
    fix_store_work_and_die(&fix, N_DECISIONS);
    in_folder("test -s parzen.db-wal");
    in_folder(ALONE[_i].harm);
    expect_refused(ERR_CORRUPT, ALONE[_i].says);
    in_folder(ALONE[_i].mend);
    expect_whole();
}
END_TEST

/* The sentence says what to do. */
START_TEST(what_to_do_is_said)
{
    struct err err;
    fix_store_work_and_die(&fix, N_DECISIONS);
    in_folder(": >parzen.db");
    ck_assert_int_eq(store_open(fix.path, &fix.store, &err), ERR_CORRUPT);
    ck_assert_msg(strstr(err.msg, "move ") != NULL, "%s", err.msg);
    ck_assert_msg(strstr(err.msg, ".rescued-") != NULL, "%s", err.msg);
    in_folder("mkdir aside && mv parzen.db* aside/");
    fix_store_open(&fix);
}
END_TEST

/* As a first start leaves it that was killed before it wrote anything, or a
 * program that made a WAL and had nothing to say. */
START_TEST(an_empty_wal_is_nothing)
{
    in_folder(": >parzen.db && : >parzen.db-wal");
    fix_store_open(&fix);
}
END_TEST

/* By the daemon itself, whose database was emptied a moment ago. */
START_TEST(a_backup_removes_no_wal)
{
    atomic_bool cancel = false;
    char *made = NULL;
    struct err err;
    fix_store_work_and_die(&fix, N_DECISIONS);
    in_folder("cp parzen.db kept && : >parzen.db");
    ck_assert_int_eq(store_backup(fix.path, fix.dir, &cancel, &made, &err),
                     ERR_CORRUPT);
    ck_assert_msg(strstr(err.msg, "is empty, but") != NULL, "%s", err.msg);
    in_folder("cat kept >parzen.db");
    expect_whole();
}
END_TEST

/* --- no files ------------------------------------------------------------- */

static const struct {
    const char *harm, *says, *mend;
} NO_FILES[] = {
    {"mv parzen.db-wal w && mkdir parzen.db-wal",
     "parzen.db-wal: is a folder, not a regular file",
     "rmdir parzen.db-wal && mv w parzen.db-wal"},
    {"mv parzen.db-wal w && ln -s w parzen.db-wal",
     "parzen.db-wal: is a symbolic link, not a regular file",
     "mv w parzen.db-wal"},
    {"mv parzen.db-shm w && mkdir parzen.db-shm",
     "parzen.db-shm: is a folder, not a regular file",
     "rmdir parzen.db-shm && mv w parzen.db-shm"},
    {"mkfifo parzen.db-journal",
     "parzen.db-journal: is a pipe, not a regular file",
     "rm parzen.db-journal"},
};

START_TEST(what_is_no_file_is_named)
{
    fix_store_work_and_die(&fix, N_DECISIONS);
    in_folder(NO_FILES[_i].harm);
    expect_refused(ERR_INVALID, NO_FILES[_i].says);
    in_folder(NO_FILES[_i].mend);
    expect_whole();
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("store admit");
    TCase *t = tcase_create("admit");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, a_wal_without_its_database_is_kept, 0,
                        ARRAY_LEN(ALONE));
    tcase_add_test(t, what_to_do_is_said);
    tcase_add_test(t, an_empty_wal_is_nothing);
    tcase_add_test(t, a_backup_removes_no_wal);
    tcase_add_loop_test(t, what_is_no_file_is_named, 0, ARRAY_LEN(NO_FILES));
    suite_add_tcase(s, t);
    return s;
}
