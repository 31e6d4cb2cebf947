/* Is the file whole? quick_check of all pages, integrity_check (the indexes,
 * too) after a life that was killed.
 *
 * Happy path of a start: store_pages_begin has a thread check the file by a
 * read-only connection of its own while the caller loads the rows;
 * store_pages_end waits for it. Both look at one snapshot, because the caller
 * holds the write lock all the while (store.c), and nothing is written before:
 * what is damaged stays as it is.
 *
 * Failure modes: whoever loads stumbles over a damaged page as well, or over
 * what it holds; if the check calls it damaged, too, that is the word that is
 * told, for it says what is wrong with the file. Without a thread, or with an
 * SQLite that was built for one thread alone, the file is checked at once. */
#include "core/base/mem.h"
#include "daemon/store_priv.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct store_pages {
    struct store reader; /* a connection, and what its errors name */
    bool closely;
    bool has_thread;
    pthread_t thread;
    int rc;
    struct err err;
};

/* What the check has found first: behind a line that names the database, in one
 * line. */
static int say_damaged(const struct store *s, const char *said, struct err *err)
{
    const char *line = said != NULL ? strrchr(said, '\n') : NULL;
    return err_set(err, ERR_CORRUPT, "%s: damaged: %s", s->path,
                   line != NULL   ? line + 1
                   : said != NULL ? said
                                  : "the check says nothing");
}

int store_pages_check(struct store *s, bool closely, struct err *err)
{
    const char *pragma =
        closely ? "PRAGMA integrity_check(1)" : "PRAGMA quick_check(1)";
    sqlite3_stmt *st;
    if (sqlite3_prepare_v2(s->db, pragma, -1, &st, NULL) != SQLITE_OK) {
        return store_fail(s, "check its pages", err);
    }
    int rc = 0;
    if (sqlite3_step(st) != SQLITE_ROW) {
        rc = store_fail(s, "check its pages", err);
    } else {
        const char *said = (const char *)sqlite3_column_text(st, 0);
        if (said == NULL || strcmp(said, "ok") != 0) {
            rc = say_damaged(s, said, err);
        }
    }
    sqlite3_finalize(st);
    return rc;
}

static void *check(void *ctx)
{
    struct store_pages *p = ctx;
    p->rc = store_connect(&p->reader, SQLITE_OPEN_READONLY, &p->err);
    if (p->rc == 0) { /* each page is looked at once: to keep them is no use */
        p->rc = store_exec(&p->reader, "PRAGMA cache_size = -200", &p->err);
    }
    if (p->rc == 0) {
        p->rc = store_pages_check(&p->reader, p->closely, &p->err);
    }
    sqlite3_close(p->reader.db);
    return NULL;
}

int store_pages_check_anew(const struct store *s, struct err *err)
{
    struct store_pages p = {.reader = {.path = s->path}};
    check(&p);
    *err = p.err;
    return p.rc;
}

void store_pages_begin(struct store *s, bool closely)
{
    struct store_pages *p = mem_alloc(1, sizeof(*p));
    *p = (struct store_pages){.reader = {.path = s->path}, .closely = closely};
    /* Its connection has no mutexes (store_connect), but SQLite must have. */
    p->has_thread = sqlite3_threadsafe() != 0 &&
                    pthread_create(&p->thread, NULL, check, p) == 0;
    if (!p->has_thread) {
        check(p);
    }
    s->pages = p;
}

int store_pages_end(struct store *s, int rc, struct err *err)
{
    struct store_pages *p = s->pages;
    if (p == NULL) {
        return rc;
    }
    if (p->has_thread) {
        pthread_join(p->thread, NULL);
    }
    s->is_refused |= rc == ERR_CORRUPT || p->rc == ERR_CORRUPT;
    if (p->rc != 0 && (rc == 0 || p->rc == ERR_CORRUPT)) {
        rc = p->rc;
        *err = p->err;
    }
    s->pages = NULL;
    free(p);
    return rc;
}
