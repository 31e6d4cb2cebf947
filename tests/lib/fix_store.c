#include "tests/lib/fix_store.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "daemon/store.h"

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void fix_store_folder(struct fix_store *f, uint32_t seed)
{
    *f = (struct fix_store){.now_ms = 1767225600123 /* 2026-01-01 */};
    const char *tmp = getenv("TMPDIR");
    snprintf(f->dir, sizeof(f->dir), "%s/store-XXXXXX",
             tmp != NULL && strlen(tmp) < 40 ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/parzen.db", f->dir);
    rng_mt19937(&f->rng, seed);
    f->mirror = mirror_new(1);
}

void fix_store_tamper(const char *path, const char *sql)
{
    sqlite3 *db;
    char *error = NULL;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &error) == SQLITE_OK,
                  "%s: %s", sql, error);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

void fix_store_open(struct fix_store *f)
{
    struct err err;
    ck_assert_msg(store_open(f->path, &f->store, &err) == 0, "%s", err.msg);
}

void fix_store_close(struct fix_store *f)
{
    store_close(f->store);
    f->store = NULL;
}

void fix_store_init(struct fix_store *f, uint32_t seed)
{
    fix_store_folder(f, seed);
    fix_store_open(f);
}

void fix_store_fini(struct fix_store *f)
{
    struct err err;
    store_close(f->store);
    mirror_free(f->mirror);
    ck_assert_int_eq(file_remove_tree(f->dir, &err), 0);
}

void fix_store_reopen(struct fix_store *f)
{
    fix_store_close(f);
    fix_store_open(f);
}

/* As the ledger does, of others who write what is none of the mirror's. */
static int commit(struct fix_store *f, struct actions *a, struct err *err)
{
    int rc = store_commit(f->store, f->mirror, a, err);
    for (int i = 0; rc == ERR_STALE && i < 100; i++) {
        struct mirror *fresh = mirror_new(1);
        rc = store_take_in(f->store, fresh, err);
        mirror_free(fresh);
        rc = rc == 0 ? store_commit(f->store, f->mirror, a, err) : rc;
    }
    return rc;
}

int fix_store_do(struct fix_store *f, struct actions *a, struct err *err)
{
    int rc = commit(f, a, err);
    for (size_t i = 0; rc == 0 && i < a->n; i++) {
        mirror_apply(f->mirror, &a->items[i]);
    }
    actions_fini(a);
    actions_init(a);
    return rc;
}

void fix_store_must(struct fix_store *f, struct actions *a)
{
    struct err err;
    ck_assert_msg(fix_store_do(f, a, &err) == 0, "%s", err.msg);
}

void fix_store_work(struct fix_store *f, int n)
{
    struct actions a;
    actions_init(&a);
    for (int i = 0; i < n; i++) {
        fix_store_random(f, &a);
        fix_store_must(f, &a);
    }
}

void fix_store_trial(struct fix_store *f)
{
    struct actions a;
    actions_init(&a);
    fix_store_add_study(f, &a, "s");
    fix_store_add_trial(f, &a, 1, NULL);
    fix_store_start(f, &a, 1, 0);
    fix_store_must(f, &a);
}

static void work_in_child(struct fix_store *f, int n)
{
    struct actions a;
    struct err err;
    actions_init(&a);
    if (store_open(f->path, &f->store, &err) != 0) {
        fprintf(stderr, "%s\n", err.msg);
        _exit(3);
    }
    for (int i = 0; i < n; i++) {
        fix_store_random(f, &a);
        if (fix_store_do(f, &a, &err) != 0) {
            fprintf(stderr, "%s\n", err.msg);
            _exit(4);
        }
    }
    _exit(0);
}

void fix_store_work_and_die(struct fix_store *f, int n)
{
    struct actions a;
    int status;
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        work_in_child(f, n);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    actions_init(&a);
    for (int i = 0; i < n; i++) {
        fix_store_random(f, &a);
        for (size_t k = 0; k < a.n; k++) {
            mirror_apply(f->mirror, &a.items[k]);
        }
        actions_fini(&a);
        actions_init(&a);
    }
}

struct mirror *fix_store_load(struct fix_store *f)
{
    struct err err;
    struct mirror *m = mirror_new(1);
    ck_assert_msg(store_load(f->store, m, &err) == 0, "%s", err.msg);
    return m;
}

void fix_store_refuse(struct store *s, const struct mirror *m)
{
    struct action of_no_study = {
        .kind = ACTION_SET_TARGET, .study = INT64_MAX, .number = -1};
    const struct actions a = {&of_no_study, 1, 1};
    struct err err;
    ck_assert_int_eq(store_put(s, m, &a, &err), ERR_STORE);
}

void fix_store_expect_equal(struct fix_store *f)
{
    struct buf out;
    buf_init(&out, 1 << 16);
    struct mirror *m = fix_store_load(f);
    ck_assert_msg(mirror_difference(f->mirror, m, &out) == 0,
                  "in memory and in the store: %s", out.data);
    ck_assert_int_eq(f->mirror->next_seq, m->next_seq);
    ck_assert_int_eq(f->mirror->next_study_id, m->next_study_id);
    ck_assert_int_eq(f->mirror->next_trial_id, m->next_trial_id);
    mirror_free(m);
    buf_fini(&out);
}
