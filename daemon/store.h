/* store: parzen.db: Optuna 5's schema (design: its tables are read by Optuna
 * itself) with our own tables beside it; one connection, one transaction per
 * decision, WAL, synchronous=FULL. store*.c alone include sqlite3.h; its codes
 * become ERR_STORE, ERR_FULL (disk full), ERR_BUSY (another program's lock, no
 * memory), ERR_IO or ERR_CORRUPT here. */
#ifndef DAEMON_STORE_H
#define DAEMON_STORE_H
#include "core/base/err.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
struct actions;
struct buf;
struct mirror;
struct replay_event;
struct store;

/* Open or make the file (":memory:" for tests). Migrates an older schema after
 * a backup copy; refuses a newer one, a foreign file, a damaged one
 * (quick_check), a network file system. */
MUST_CHECK int store_open(const char *path, struct store **out,
                          struct err *err);
/* store_open and store_load in one, in the time of the longer: the rows are
 * loaded while the pages are checked. On failure m is to be thrown away. */
MUST_CHECK int store_open_loaded(const char *path, struct mirror *m,
                                 struct store **out, struct err *err);
/* WAL checkpoint (TRUNCATE) and close. */
void store_close(struct store *s);

/* Write all durable actions in one transaction; 0 only when they survive a
 * power cut. On failure nothing was written. m is the mirror before them.
 * STALE: another program (Optuna) has committed something since the rows were
 * loaded, so m may not be what they are: store_take_in, and decide again.
 * A database has one NaN and one zero: NaN payloads and the sign of zero are
 * not kept, so actions should carry neither. A trial that starts for the first
 * time has a value for every parameter of the space. */
MUST_CHECK int store_commit(struct store *s, const struct mirror *m,
                            const struct actions *a, struct err *err);

/* The same in two steps, so that several decisions share one transaction (a
 * commit waits for the disk). store_put writes, with m the mirror before these
 * actions and after all that were put before; store_flush makes all durable
 * that was put since the last flush. When either fails, none of that was
 * written. store_commit is one of each. */
MUST_CHECK int store_put(struct store *s, const struct mirror *m,
                         const struct actions *a, struct err *err);
MUST_CHECK int store_flush(struct store *s, struct err *err);

/* Does it take a write? One small transaction that changes nothing. */
MUST_CHECK int store_probe(struct store *s, struct err *err);

/* What another program (Optuna) did to our studies' trials becomes known: they
 * get a row beside ours and an event ADOPT_TRIAL. Opening does it. What was put
 * and not flushed is undone. */
MUST_CHECK int store_adopt_trials(struct store *s, struct err *err);
/* The same and store_load in one, while nobody else writes: what this life has
 * not seen of a database that is open to others. */
MUST_CHECK int store_take_in(struct store *s, struct mirror *m,
                             struct err *err);
/* Would a store_put be STALE? A cheap look; false when it cannot be taken. */
bool store_is_stale(struct store *s);
/* A number that is another after each commit of another program; false when it
 * cannot be seen now. */
bool store_data_version(struct store *s, int64_t *version);

/* Fill an empty mirror from the rows; what was put and not flushed is undone
 * and is none of them. CORRUPT names row and reason. A study
 * made by Optuna is loaded too (is_foreign). Rows are bytes from outside:
 * checked, never asserted. On failure m is to be thrown away. */
MUST_CHECK int store_load(struct store *s, struct mirror *m, struct err *err);

/* After a life that was killed, once: do the rows keep what the daemon's own
 * conduct promises (the invariants of store_check)? m as they are, with what
 * was put and not flushed. CORRUPT with the first finding; closing then leaves
 * them as a kill would, so that the next start looks again. */
MUST_CHECK int store_verify(struct store *s, const struct mirror *m,
                            struct err *err);

/* A finished trial that has no digest yet is given one: it ended before digests
 * were kept, or under Optuna. m as the rows are; in a transaction of its own.
 */
MUST_CHECK int store_give_digests(struct store *s, const struct mirror *m,
                                  struct err *err);

/* The study's log as replay_study wants it, up to an event number; *out is
 * owned (replay_events_free). `before`: next_seq of the mirror that was loaded,
 * for what came later is not in it. */
MUST_CHECK int store_load_events(struct store *s, int64_t study_id,
                                 int64_t before, struct replay_event **out,
                                 size_t *n, struct err *err);

/* CORRUPT when a file was removed, replaced or cut off while it is open: what
 * is committed is copied beside it then, and the sentence says where. */
MUST_CHECK int store_still_there(struct store *s, struct err *err);

/* NULL, or what a person should know though work goes on: the WAL is large,
 * because a program that reads the database holds an old snapshot. Valid until
 * the next call. */
const char *store_warning(struct store *s);

/* Move WAL pages to the database; called when idle. */
void store_checkpoint(struct store *s);
/* Consistency beyond SQLite's own: `parzen doctor`. Appends one line per
 * finding to out; 0 when there is none, else the number of findings. A line
 * STORE_CHECK_LEFT PATH is none: a file of no row, which the next start of the
 * daemon removes. */
#define STORE_CHECK_LEFT "left: "
int store_check(struct store *s, struct buf *out);
/* As store_open, but read-only and never creating or migrating: for doctor.
 * Not in a process that has the file open already: looking at its first bytes
 * and closing it would drop that connection's POSIX locks. */
MUST_CHECK int store_open_readonly(const char *path, struct store **out,
                                   struct err *err);
/* A copy in memory of the file as it stands, brought up to date there: an older
 * schema, or Optuna's. The file is only read. */
MUST_CHECK int store_open_copy(const char *path, struct store **out,
                               struct err *err);

/* One study of the database `source` (ours or Optuna's; only read, a daemon may
 * write meanwhile) as a new database with Optuna's tables alone, whole or not
 * at all. NOTFOUND: no such study; CONFLICT: `to` is there already. */
struct store_export {
    const char *study, *to;
    const char *stamp; /* NULL: Optuna 5; "3.1" */
    bool overwrite;
};
MUST_CHECK int store_export(const char *source, const struct store_export *o,
                            int64_t *n_trials, struct err *err);

/* The same without the checkpoint files: for a backup's rows. */
int store_check_rows(struct store *s, struct buf *out);

/* Copy the database at path, which may be in use, to FOLDER/parzen-TIME.db
 * (*made, owned), whole or not at all, and keep the newest STORE_N_BACKUPS of
 * them. Long: for a thread. CANCELED soon after *cancel. */
enum { STORE_N_BACKUPS = 3 };
MUST_CHECK int store_backup(const char *path, const char *folder,
                            const atomic_bool *cancel, char **made,
                            struct err *err);
/* The path (owned) of the nth newest backup, 0 is the newest; NULL: none. One
 * with a time that is still to come was made while the clock was wrong: it
 * counts, here and where the oldest go, as older than all others. */
char *store_backup_newest(const char *folder, int nth);
/* .. of the newest that can be opened and in which nothing is found. */
char *store_backup_newest_whole(const char *folder);
/* The same of what was copied from under a daemon (owned, NULL: none): it has
 * more than a backup. */
char *store_rescued_newest_whole(const char *state_dir);

#endif
