/* Backups: whole, of one moment, while the store goes on; the newest stay. */
#include "tests/lib/test_main.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "daemon/store.h"
#include "tests/lib/fix_store.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct fix_store fix;
static char *folder;

static void setup(void)
{
    struct err err;
    log_set_level(LOG_LEVEL_ERROR);
    fix_store_init(&fix, 9);
    folder = mem_printf("%s/backups", fix.dir);
    ck_assert_int_eq(file_mkdirs(folder, 0700, &err), 0);
}

static void teardown(void)
{
    free(folder);
    fix_store_fini(&fix);
}

static int n_files(void)
{
    DIR *d = opendir(folder);
    const struct dirent *e;
    int n = 0;
    while ((e = readdir(d)) != NULL) {
        n += e->d_name[0] != '.';
    }
    closedir(d);
    return n;
}

static void put(const char *name)
{
    struct err err;
    char *path = mem_printf("%s/%s", folder, name);
    ck_assert_int_eq(file_write_atomic(path, "x", 1, 0600, &err), 0);
    free(path);
}

/* The backup holds what the mirror knew then. */
static void expect_holds(const char *path, const struct mirror *m)
{
    struct store *s;
    struct err err;
    struct buf out;
    buf_init(&out, 1 << 16);
    ck_assert_msg(store_open_readonly(path, &s, &err) == 0, "%s", err.msg);
    struct mirror *loaded = mirror_new(1);
    ck_assert_msg(store_load(s, loaded, &err) == 0, "%s", err.msg);
    ck_assert_msg(mirror_difference(m, loaded, &out) == 0, "%s", out.data);
    mirror_free(loaded);
    store_close(s);
    buf_fini(&out);
}

START_TEST(a_backup_is_one_whole_file)
{
    atomic_bool cancel = false;
    char *made;
    struct err err;
    fix_store_work(&fix, 40); /* all of it is in the WAL */
    ck_assert_msg(store_backup(fix.path, folder, &cancel, &made, &err) == 0,
                  "%s", err.msg);
    expect_holds(made, fix.mirror);
    ck_assert_int_eq(n_files(), 1); /* no WAL, nothing half done */
    char *newest = store_backup_newest(folder, 0);
    ck_assert_str_eq(newest, made);
    ck_assert_ptr_null(store_backup_newest(folder, 1));
    free(newest);
    free(made);
    fix_store_work(&fix, 5); /* the store's own locks are still there */
    fix_store_expect_equal(&fix);
}
END_TEST

static void *in_thread(void *arg)
{
    atomic_bool cancel = false;
    struct err err;
    char *made = NULL;
    int rc = store_backup(fix.path, folder, &cancel, &made, &err);
    atomic_store((atomic_bool *)arg, true);
    if (rc != 0) {
        fprintf(stderr, "%s\n", err.msg);
    }
    return made;
}

/* Commits and page moves go on beside it; it is of one moment. */
START_TEST(the_store_goes_on)
{
    fix_store_work(&fix, 20);
    for (int i = 0; i < 5; i++) {
        pthread_t thread;
        atomic_bool is_done = false;
        void *made;
        ck_assert_int_eq(pthread_create(&thread, NULL, in_thread, &is_done), 0);
        do {
            fix_store_work(&fix, 1);
            store_checkpoint(fix.store);
        } while (!atomic_load(&is_done));
        pthread_join(thread, &made);
        ck_assert_ptr_nonnull(made);
        struct store *s;
        struct err err;
        ck_assert_msg(store_open_readonly(made, &s, &err) == 0, "%s", err.msg);
        struct mirror *loaded = mirror_new(1);
        ck_assert_msg(store_load(s, loaded, &err) == 0, "%s", err.msg);
        ck_assert_int_le(loaded->next_seq, fix.mirror->next_seq);
        mirror_free(loaded);
        store_close(s);
        free(made);
    }
    fix_store_expect_equal(&fix);
}
END_TEST

START_TEST(the_newest_stay)
{
    atomic_bool cancel = false;
    char *made;
    struct err err;
    put("parzen-20200101T000000Z.db");
    put("parzen-20200102T000000Z.db");
    put("parzen-20200103T000000Z.db");
    put("parzen-20200104T000000Z.db.tmp"); /* of a daemon that was killed */
    put("parzen-20200104T000000Z.db.tmp-journal");
    put("notes");
    ck_assert_int_eq(store_backup(fix.path, folder, &cancel, &made, &err), 0);
    ck_assert_int_eq(n_files(), STORE_N_BACKUPS + 1);
    char *oldest = store_backup_newest(folder, STORE_N_BACKUPS - 1);
    ck_assert_ptr_nonnull(strstr(oldest, "parzen-20200102T"));
    char *whole = store_backup_newest_whole(folder);
    ck_assert_str_eq(whole, made); /* the others hold nothing */
    ck_assert_int_eq(unlink(made), 0);
    ck_assert_ptr_null(store_backup_newest_whole(folder));
    free(whole);
    free(oldest);
    free(made);
}
END_TEST

/* The clock was far ahead, and is right again. */
START_TEST(those_of_a_wrong_clock_count_as_the_oldest)
{
    static const char *const LATE[] = {"parzen-29760101T000000Z.db",
                                       "parzen-29760102T000000Z.db",
                                       "parzen-29760103T000000Z.db"};
    atomic_bool cancel = false;
    char *made, *late = NULL;
    struct err err;
    fix_store_work(&fix, 5);
    for (int i = 0; i < STORE_N_BACKUPS; i++) {
        ck_assert_int_eq(store_backup(fix.path, folder, &cancel, &made, &err),
                         0);
        late = mem_printf("%s/%s", folder, LATE[i]);
        ck_assert_int_eq(rename(made, late), 0);
        free(late);
        free(made);
    }
    ck_assert_int_eq(store_backup(fix.path, folder, &cancel, &made, &err), 0);
    ck_assert_int_eq(n_files(), STORE_N_BACKUPS);
    char *newest = store_backup_newest(folder, 0);
    char *second = store_backup_newest(folder, 1);
    char *whole = store_backup_newest_whole(folder);
    ck_assert_str_eq(newest, made);
    ck_assert_str_eq(whole, made);
    ck_assert_ptr_nonnull(strstr(second, LATE[2])); /* the last of them */
    ck_assert_int_eq(access(made, F_OK), 0);
    free(whole);
    free(second);
    free(newest);
    free(made);
}
END_TEST

START_TEST(one_that_is_given_up_leaves_nothing)
{
    atomic_bool cancel = true;
    char *made;
    struct err err;
    put("parzen-20200101T000000Z.db");
    ck_assert_int_eq(store_backup(fix.path, folder, &cancel, &made, &err),
                     ERR_CANCELED);
    ck_assert_int_eq(n_files(), 1);
    char *gone = mem_printf("%s/none", folder);
    ck_assert_int_lt(store_backup(fix.path, gone, &cancel, &made, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.msg, gone));
    ck_assert_ptr_null(store_backup_newest(gone, 0));
    free(gone);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("store backup");
    TCase *t = tcase_create("backup");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_backup_is_one_whole_file);
    tcase_add_test(t, the_store_goes_on);
    tcase_add_test(t, the_newest_stay);
    tcase_add_test(t, those_of_a_wrong_clock_count_as_the_oldest);
    tcase_add_test(t, one_that_is_given_up_leaves_nothing);
    suite_add_tcase(s, t);
    return s;
}
