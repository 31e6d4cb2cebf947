/* Rows are loaded while the pages are checked: what is whole is loaded as ever;
 * what is damaged is refused with the check's word, whether the load has met
 * the damage or not, and not a byte of it is changed. */
#include "tests/lib/test_main.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "daemon/store.h"
#include "tests/lib/fix_store.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, MAX_BYTES = 16 << 20 };

static struct fix_store fix;
static int sqlite_threads = 1;

/* What SQLite says of its build, to the daemon's code. */
int sqlite3_threadsafe(void)
{
    return sqlite_threads;
}

static void setup(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    sqlite_threads = 1;
    fix_store_init(&fix, 11);
}

static void teardown(void)
{
    fix_store_fini(&fix);
}

/* A life without an end, and without a commit: a WAL is left. */
static void begin_and_die(void)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct err err;
        _exit(store_open(fix.path, &fix.store, &err) == 0 ? 0 : 3);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

static int64_t ask(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *st;
    ck_assert_int_eq(sqlite3_open(fix.path, &db), SQLITE_OK);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(st), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return n;
}

/* Overwrite the first page of a table or index. */
static void damage(const char *name)
{
    char sql[128], garbage[PAGE];
    snprintf(sql, sizeof(sql),
             "SELECT rootpage FROM sqlite_master WHERE name = '%s'", name);
    int64_t page = ask(sql);
    memset(garbage, 0x5a, sizeof(garbage));
    FILE *f = fopen(fix.path, "r+b");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fseek(f, (long)(page - 1) * PAGE, SEEK_SET), 0);
    ck_assert_uint_eq(fwrite(garbage, 1, PAGE, f), PAGE);
    ck_assert_int_eq(fclose(f), 0);
}

/* --- what is whole -------------------------------------------------------- */

static void expect_loaded(void)
{
    struct err err;
    struct buf out;
    struct mirror *m = mirror_new(1);
    ck_assert_msg(store_open_loaded(fix.path, m, &fix.store, &err) == 0, "%s",
                  err.msg);
    buf_init(&out, 1 << 16);
    ck_assert_msg(mirror_difference(fix.mirror, m, &out) == 0, "%s", out.data);
    ck_assert_int_eq(fix.mirror->next_seq, m->next_seq);
    ck_assert_int_eq(fix.mirror->next_trial_id, m->next_trial_id);
    buf_fini(&out);
    mirror_free(m);
}

START_TEST(what_is_whole_is_loaded_and_written_on)
{
    fix_store_work(&fix, 60);
    fix_store_close(&fix);
    expect_loaded();
    ck_assert_int_eq(ask("SELECT max(life) FROM parzen_lives"), 2);
    fix_store_work(&fix, 20);
    fix_store_expect_equal(&fix);
    fix_store_close(&fix);
    begin_and_die();
    expect_loaded();
    ck_assert_int_eq(ask("SELECT max(life) FROM parzen_lives"), 4);
    fix_store_work(&fix, 20);
    fix_store_expect_equal(&fix);
}
END_TEST

/* Then something is written before the load: all of it in turn. */
START_TEST(a_file_that_is_not_ready_is_loaded)
{
    fix_store_close(&fix);
    ck_assert_int_eq(unlink(fix.path), 0);
    char *acked = mem_printf("%s-acked", fix.path);
    ck_assert_int_eq(unlink(acked), 0);
    free(acked);
    expect_loaded();
    fix_store_work(&fix, 60);
    fix_store_close(&fix);
    fix_store_tamper(fix.path, "PRAGMA journal_mode = DELETE");
    expect_loaded();
    fix_store_work(&fix, 20);
    fix_store_expect_equal(&fix);
}
END_TEST

START_TEST(what_optuna_added_is_adopted_first)
{
    struct actions a;
    struct err err;
    struct mirror *m = mirror_new(1);
    actions_init(&a);
    fix_store_add_study(&fix, &a, "s");
    fix_store_must(&fix, &a);
    fix_store_close(&fix);
    fix_store_tamper(
        fix.path, "INSERT INTO trials VALUES (1, 0, 1, 'WAITING', NULL, NULL)");
    ck_assert_msg(store_open_loaded(fix.path, m, &fix.store, &err) == 0, "%s",
                  err.msg);
    ck_assert_uint_eq(m->studies[0]->n_trials, 1);
    ck_assert_int_gt(m->studies[0]->trials[0]->seq, 0);
    ck_assert_int_eq(ask("SELECT life FROM parzen_events"
                         " WHERE kind = 'ADOPT_TRIAL'"),
                     2);
    mirror_free(m);
}
END_TEST

/* --- what is not ---------------------------------------------------------- */

struct bytes {
    char db[65], wal[65];
};

static void hash(struct bytes *b)
{
    struct err err;
    uint64_t size;
    char *wal = mem_printf("%s-wal", fix.path);
    ck_assert_int_eq(file_sha256(fix.path, b->db, &size, &err), 0);
    if (!file_exists(wal) || file_sha256(wal, b->wal, &size, &err) != 0) {
        b->wal[0] = '\0';
    }
    free(wal);
}

static int open_loaded(struct err *err)
{
    struct mirror *m = mirror_new(1);
    int rc = store_open_loaded(fix.path, m, &fix.store, err);
    mirror_free(m);
    return rc;
}

/* By both doors; the reader has no load to stumble in. */
static void expect_damaged(bool same_check)
{
    struct bytes before, after;
    struct err err, word;
    ck_assert_int_eq(store_open_readonly(fix.path, &fix.store, &word),
                     ERR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(word.msg, ": damaged: "));
    hash(&before);
    ck_assert_int_eq(open_loaded(&err), ERR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(err.msg, ": damaged: "));
    if (same_check) {
        ck_assert_str_eq(err.msg, word.msg);
    }
    ck_assert_int_eq(store_open(fix.path, &fix.store, &err), ERR_CORRUPT);
    hash(&after);
    ck_assert_str_eq(before.db, after.db);
    ck_assert_str_eq(before.wal, after.wal);
    ck_assert_ptr_null(fix.store);
}

/* A table that no load reads, and some that it does, first and last. */
static const char *const DAMAGED[] = {"version_info", "studies", "trials",
                                      "trial_params", "parzen_events"};

START_TEST(a_damaged_page_is_refused_untouched)
{
    fix_store_work(&fix, 60);
    fix_store_close(&fix);
    damage(DAMAGED[_i]);
    expect_damaged(true);
}
END_TEST

/* Nor is the WAL of a killed life moved into it. */
START_TEST(beside_a_wal_too)
{
    fix_store_work(&fix, 60);
    fix_store_close(&fix);
    begin_and_die();
    damage(DAMAGED[_i]);
    expect_damaged(false);
}
END_TEST

/* A restored backup has none: it is not switched to one. */
START_TEST(without_a_wal_too)
{
    fix_store_work(&fix, 60);
    fix_store_close(&fix);
    fix_store_tamper(fix.path, "PRAGMA journal_mode = DELETE");
    damage(DAMAGED[_i]);
    expect_damaged(true);
}
END_TEST

/* Nor is one that is no whole number of chunks made longer. */
START_TEST(in_a_file_without_room_too)
{
    fix_store_work(&fix, 60);
    fix_store_close(&fix);
    fix_store_tamper(fix.path, "VACUUM");
    damage(DAMAGED[_i]);
    expect_damaged(true);
}
END_TEST

/* Then there is no thread. */
START_TEST(by_an_sqlite_of_one_thread_too)
{
    fix_store_work(&fix, 60);
    fix_store_close(&fix);
    sqlite_threads = 0;
    expect_loaded();
    fix_store_close(&fix);
    damage(DAMAGED[_i]);
    expect_damaged(true);
}
END_TEST

/* The load does not see it, nor does quick_check. */
START_TEST(after_a_kill_indexes_are_looked_at)
{
    struct err err;
    fix_store_work(&fix, 60);
    fix_store_close(&fix);
    ck_assert_int_gt(ask("SELECT count(*) FROM trials"), 2);
    fix_store_tamper(fix.path, "PRAGMA writable_schema = ON;"
                               "UPDATE sqlite_master SET sql = replace(sql,"
                               " '(study_id)', '(number)')"
                               " WHERE name = 'ix_trials_study_id'");
    ck_assert_msg(open_loaded(&err) == 0, "%s", err.msg);
    fix_store_close(&fix);
    begin_and_die();
    ck_assert_int_eq(open_loaded(&err), ERR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(err.msg, ": damaged: "));
}
END_TEST

/* What rows say is refused by the load alone, and no life begins on it. */
START_TEST(rows_that_cannot_be_are_refused_untouched)
{
    struct bytes before, after;
    struct err err;
    fix_store_work(&fix, 60);
    fix_store_close(&fix);
    fix_store_tamper(fix.path, "UPDATE parzen_configs SET active_ms = 'x'");
    hash(&before);
    ck_assert_int_eq(open_loaded(&err), ERR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(err.msg, "parzen_configs: row "));
    hash(&after);
    ck_assert_str_eq(before.db, after.db);
}
END_TEST

/* Where the check has no word, because it cannot open the file once more. */
START_TEST(what_the_load_refuses_stays_when_files_are_few)
{
    struct bytes before, after;
    struct err err;
    struct rlimit was;
    bool is_corrupt = false;
    fix_store_work(&fix, 60);
    fix_store_close(&fix);
    fix_store_tamper(fix.path, "UPDATE parzen_configs SET active_ms = 'x'");
    begin_and_die();
    hash(&before);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
    for (rlim_t n = 4; !is_corrupt && n < 40; n++) {
        struct rlimit few = {.rlim_cur = n, .rlim_max = was.rlim_max};
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
        int rc = open_loaded(&err);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
        ck_assert_int_lt(rc, 0);
        is_corrupt = rc == ERR_CORRUPT;
        hash(&after);
        ck_assert_str_eq(before.db, after.db);
        ck_assert_str_eq(before.wal, after.wal);
    }
    ck_assert(is_corrupt);
    ck_assert_ptr_nonnull(strstr(err.msg, "parzen_configs: row "));
}
END_TEST

/* --- any bytes ------------------------------------------------------------ */

static void put_file(const struct buf *bytes)
{
    FILE *f = fopen(fix.path, "wb"); /* no fsync: many copies */
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes->data, 1, bytes->len, f), bytes->len);
    ck_assert_int_eq(fclose(f), 0);
}

static void remove_beside(void)
{
    static const char *const SUFFIX[] = {"-wal", "-shm", "-acked"};
    for (size_t i = 0; i < ARRAY_LEN(SUFFIX); i++) {
        char *path = mem_printf("%s%s", fix.path, SUFFIX[i]);
        unlink(path);
        free(path);
    }
}

/* Some of them in one page, and the reader's word before the loader's. True:
 * refused for it. */
static bool hurt_and_open(const struct buf *whole, uint32_t choice)
{
    struct rng rng;
    struct buf bytes;
    struct err word, err;
    buf_init(&bytes, MAX_BYTES);
    buf_add(&bytes, whole->data, whole->len);
    rng_mt19937(&rng, choice);
    uint32_t n_pages = (uint32_t)(whole->len / PAGE);
    size_t page = (size_t)rng_below(&rng, n_pages) * PAGE;
    for (uint32_t n = 1 + rng_below(&rng, 8); n > 0; n--) {
        uint32_t within = rng_below(&rng, 2) == 0 ? 64 : PAGE;
        bytes.data[page + rng_below(&rng, within)] ^=
            (char)(1 + rng_below(&rng, 255));
    }
    put_file(&bytes);
    buf_fini(&bytes);
    remove_beside();
    int rc = store_open_readonly(fix.path, &fix.store, &word);
    if (rc == 0) {
        fix_store_close(&fix);
    }
    int loaded = open_loaded(&err);
    if (loaded == 0) {
        fix_store_close(&fix);
    }
    bool is_damaged = rc != 0 && strstr(word.msg, ": damaged: ") != NULL;
    ck_assert_msg(!is_damaged || (loaded == ERR_CORRUPT &&
                                  strstr(err.msg, ": damaged: ") != NULL),
                  "choice %" PRIu32 ": %s, but loaded: %s", choice, word.msg,
                  loaded != 0 ? err.msg : "yes");
    return is_damaged;
}

START_TEST(the_check_has_the_last_word)
{
    enum { N = 300 };
    struct buf whole;
    struct err err;
    int n_damaged = 0;
    fix_store_work(&fix, 400); /* beside the room to grow */
    fix_store_close(&fix);
    buf_init(&whole, MAX_BYTES);
    ck_assert_int_eq(file_read(fix.path, &whole, &err), 0);
    for (uint32_t choice = 0; choice < N; choice++) {
        n_damaged += hurt_and_open(&whole, choice);
    }
    ck_assert_int_gt(n_damaged, N / 10);
    ck_assert_int_lt(n_damaged, N);
    buf_fini(&whole);
}
END_TEST

/* --- the sentence --------------------------------------------------------- */

/* No SQL of ours, no lines of SQLite's. */
static void expect_sentence(int (*open)(const char *, struct store **,
                                        struct err *))
{
    struct err err;
    ck_assert_int_eq(open(fix.path, &fix.store, &err), ERR_CORRUPT);
    char *says = mem_printf("%s: damaged: ", fix.path);
    ck_assert_msg(strncmp(err.msg, says, strlen(says)) == 0, "%s", err.msg);
    free(says);
    ck_assert_msg(strstr(err.msg, "PRAGMA") == NULL, "%s", err.msg);
    ck_assert_msg(strpbrk(err.msg, "\n;?*") == NULL, "%s", err.msg);
    ck_assert_ptr_null(fix.store);
}

static void cut_at(struct buf *b, int hundredths)
{
    b->len = b->len * (size_t)hundredths / 100;
}

static void cut_to(struct buf *b, int bytes)
{
    b->len = (size_t)bytes;
}

static void swap_with_next(struct buf *b, int which)
{
    char page[PAGE], *at = b->data + which * PAGE;
    memcpy(page, at, PAGE);
    memcpy(at, at + PAGE, PAGE);
    memcpy(at + PAGE, page, PAGE);
}

static void fill(struct buf *b, int which)
{
    memset(b->data + which * PAGE, 0x5a, PAGE);
}

static const struct {
    void (*harm)(struct buf *, int);
    int how;
} HARMS[] = {{cut_at, 10},
             {cut_to, 50},
             {cut_to, PAGE},
             {swap_with_next, 3},
             {swap_with_next, 14},
             {swap_with_next, 20},
             {fill, 5},
             {fill, 15}};

START_TEST(damage_is_told_in_a_sentence)
{
    struct buf bytes;
    struct err err;
    fix_store_work(&fix, 60);
    fix_store_close(&fix);
    buf_init(&bytes, MAX_BYTES);
    ck_assert_int_eq(file_read(fix.path, &bytes, &err), 0);
    HARMS[_i].harm(&bytes, HARMS[_i].how);
    put_file(&bytes);
    buf_fini(&bytes);
    expect_sentence(store_open);
    expect_sentence(store_open_readonly);
    expect_sentence(store_open_copy);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("store pages");
    TCase *t = tcase_create("pages");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, what_is_whole_is_loaded_and_written_on);
    tcase_add_test(t, a_file_that_is_not_ready_is_loaded);
    tcase_add_test(t, what_optuna_added_is_adopted_first);
    tcase_add_loop_test(t, a_damaged_page_is_refused_untouched, 0,
                        ARRAY_LEN(DAMAGED));
    tcase_add_loop_test(t, beside_a_wal_too, 0, ARRAY_LEN(DAMAGED));
    tcase_add_loop_test(t, without_a_wal_too, 0, ARRAY_LEN(DAMAGED));
    tcase_add_loop_test(t, in_a_file_without_room_too, 0, ARRAY_LEN(DAMAGED));
    tcase_add_loop_test(t, by_an_sqlite_of_one_thread_too, 0,
                        ARRAY_LEN(DAMAGED));
    tcase_add_test(t, after_a_kill_indexes_are_looked_at);
    tcase_add_test(t, rows_that_cannot_be_are_refused_untouched);
    tcase_add_test(t, what_the_load_refuses_stays_when_files_are_few);
    tcase_add_test(t, the_check_has_the_last_word);
    tcase_add_loop_test(t, damage_is_told_in_a_sentence, 0, ARRAY_LEN(HARMS));
    suite_add_tcase(s, t);
    return s;
}
