/* store_priv: what the files of the store share; nobody else includes it.
 *
 *   store.c         open, commit, checkpoint, close
 *   store_acked.c   nothing that was acknowledged is gone
 *   store_files.c   nor is a file that is open, or a part of one
 *   store_life.c    whose turn it is to write, and how the last one ended
 *   store_backup.c  copies of a database in use
 *   store_admit.c   what SQLite must not see
 *   store_schema.c  migrations, identity of the file
 *   store_pages.c   is the file whole?
 *   store_sql.c     statements, bindings, SQLite's codes -> ERR_*, times
 *   store_write.c, store_write_trial.c   one action -> rows
 *   store_load.c    rows -> mirror: studies
 *   store_trials.c, store_params.c       rows -> mirror: their trials
 *   store_foreign.c rows -> mirror: studies made by Optuna
 *   store_row.c     one row's columns, checked
 *   store_events.c  rows -> the log for a replay
 *   store_adopt.c   what Optuna did to our studies
 *   store_digest.c  finished trials say what they said when they ended
 *   store_copy.c, store_export.c   a copy to look at, one for Optuna
 *   store_check.c, store_check_log.c     findings: for `parzen doctor`, and for
 *                   the start after a kill */
#ifndef DAEMON_STORE_PRIV_H
#define DAEMON_STORE_PRIV_H
#include "daemon/mirror.h"
#include "daemon/store.h"
#include "daemon/store_statements.h"
#include <sqlite3.h>
#include <sys/types.h>
struct digest;
struct store_pages;

enum {
    STORE_APPLICATION_ID = 0x50525A4E, /* "PRZN" */
    STORE_BUSY_OPEN_MS = 5000,
    STORE_BUSY_MS = 250,         /* on the loop thread */
    STORE_WAL_PAGES = 4000,      /* then pages are moved to the database */
    STORE_PAGE_BYTES = 4096,     /* what SQLite makes files with */
    STORE_CHUNK_BYTES = 1 << 20, /* by which the file grows: store.c */
    STORE_WAL_ALARM_BYTES = 64 << 20,
    STORE_TIME_SIZE = 40,
    STORE_TEXT_MAX = 16 << 20
};
static const int64_t STORE_MAX_MS = 253402300799999; /* end of year 9999 */

struct store_acked { /* how far a database has come */
    int64_t life, seq;
};

struct store_place { /* which file a name means; 0: none */
    dev_t device;
    ino_t inode;
    int64_t bytes;
};
enum { STORE_N_FILES = 3 }; /* the database, its WAL, the WAL's index */

enum { STORE_SALT_BYTES = 8, STORE_N_SAMPLES = 8, STORE_SAMPLE_BYTES = 16 };
struct store_seen { /* of a WAL: a log begun anew has another salt */
    unsigned char salt[STORE_SALT_BYTES];
    uint32_t n_frames;
};

struct store {
    sqlite3 *db;
    char *path;
    char *dir; /* absolute folder of the file; NULL in memory */
    bool is_readonly;
    bool is_loading;     /* the rows may be loaded while pages are checked */
    bool is_unchecked;   /* they are to be */
    bool was_killed;     /* its last life had no end (store_life.c) */
    bool has_undigested; /* a load found a finished trial without a digest */
    int wal_pages;       /* in the WAL after the last commit */
    int next_move;       /* wal_pages at which pages are moved */
    char warning[256];
    int64_t version;  /* SQLite's of what others have written, as loaded */
    bool is_open;     /* a transaction, between store_put and store_flush */
    bool move_failed; /* pages are no longer moved: store.c */
    bool is_lost;     /* its files are gone or cut off: store_files.c */
    bool is_refused;  /* it is damaged: it ends as if killed */
    int64_t life;     /* ours; 0: none begun (read-only) */
    int64_t put_seq;  /* of the last event that was put */
    int acked_fd;     /* of PATH-acked, -1: none */
    struct store_acked acked;                 /* what it says */
    struct store_pages *pages;                /* NULL: not being checked */
    struct store_place places[STORE_N_FILES]; /* when they were opened */
    int64_t least_bytes;   /* that the database must have: store_files.c */
    int64_t sampled_bytes; /* of the database, in which places .. */
    bool had_something[STORE_N_SAMPLES]; /* .. were not all zeros */
    struct store_seen seen;              /* of the WAL, at the last look */
    sqlite3_stmt *statements[STORE_N_STATEMENTS];
};

/* --- store.c -------------------------------------------------------------- */
/* Open s->path as it should be. Also after an error the caller closes s->db. */
MUST_CHECK int store_connect(struct store *s, int flags, struct err *err);

/* --- store_sql.c ---------------------------------------------------------- */
struct store_arg { /* one bound value */
    int type;      /* SQLITE_INTEGER, SQLITE_FLOAT (NaN: NULL), SQLITE_TEXT */
    int64_t i;
    double d;
    const char *t; /* NULL: NULL; borrowed for the call */
};
#define STORE_I(x) ((struct store_arg){.type = SQLITE_INTEGER, .i = (x)})
#define STORE_D(x) ((struct store_arg){.type = SQLITE_FLOAT, .d = (x)})
#define STORE_T(x) ((struct store_arg){.type = SQLITE_TEXT, .t = (x)})

/* The connection's last error as ERR_FULL, ERR_BUSY, ERR_IO, ERR_CORRUPT or
 * ERR_STORE, with the file's path and what was being done. */
MUST_CHECK int store_fail(const struct store *s, const char *doing,
                          struct err *err);
/* Prepare, if need be, and bind. The caller steps *out and resets it. */
MUST_CHECK int store_prepare(struct store *s, enum store_statement which,
                             const struct store_arg *args, int n_args,
                             sqlite3_stmt **out, struct err *err);
/* A statement without result rows; *n_changed (may be NULL) rows changed. */
MUST_CHECK int store_run(struct store *s, enum store_statement which,
                         const struct store_arg *args, int n_args,
                         int *n_changed, struct err *err);
/* One-off SQL of our own: pragmas, migrations. */
MUST_CHECK int store_exec(struct store *s, const char *sql, struct err *err);
/* First column of the first row; ERR_CORRUPT when there is none. */
MUST_CHECK int store_query_int(struct store *s, const char *sql, int64_t *out,
                               struct err *err);
/* Leave a transaction that may or may not be open. */
void store_rollback(struct store *s);
/* What was put and not flushed was never put. */
void store_undo(struct store *s);

/* "file:PATH?QUERY" with what a URI cannot hold escaped; owned. */
char *store_uri(const char *path, const char *query);

/* 'YYYY-MM-DD HH:MM:SS.ffffff', UTC. */
void store_time_text(int64_t ms, char out[STORE_TIME_SIZE]);
bool store_time_parse(const char *text, int64_t *ms);
/* Optuna's value_type of a number: FINITE, INF_POS, INF_NEG, NAN. */
const char *store_value_type(double value);
/* sql's number: NULL unless finite. */
struct store_arg store_finite(double value);

/* --- store_life.c --------------------------------------------------------- */
/* The number of the last life, 0 before the first. */
MUST_CHECK int store_life_last(struct store *s, int64_t *life, struct err *err);
/* Did the last life end without a word? Also when the rows do not say. */
bool store_life_was_killed(struct store *s);
/* Begin ours, within the open transaction. */
MUST_CHECK int store_life_begin(struct store *s, struct err *err);
/* CONFLICT when another life has begun since; within a transaction. */
MUST_CHECK int store_life_holds(struct store *s, struct err *err);
/* Say that ours ended as it should. */
void store_life_end(struct store *s);

/* --- store_acked.c -------------------------------------------------------- */
/* Read PATH-acked. */
void store_acked_open(struct store *s);
/* Make it, if it is not there. */
void store_acked_make(struct store *s);
/* CORRUPT when a database that has come this far lacks what was acknowledged.
 */
MUST_CHECK int store_acked_judge(const struct store *s,
                                 const struct store_acked *has,
                                 struct err *err);
/* Note that all that was put is committed. */
void store_acked_tell(struct store *s);
/* Its name still means the file that we write, or one is made anew. */
void store_acked_keep(struct store *s);

/* --- store_files.c -------------------------------------------------------- */
/* The files that are open now are the ones. */
void store_remember_places(struct store *s);
/* All of the WAL has just been moved to the database. */
void store_remember_size(struct store *s);
/* Is one shorter than it must be, or a part of it gone? */
bool store_is_cut(struct store *s, int *which);
/* CORRUPT, as store_still_there's: not of the names. */
MUST_CHECK int store_still_whole(struct store *s, struct err *err);

/* --- store_admit.c -------------------------------------------------------- */
/* Before SQLite sees the file: a regular file, SQLite's magic, a local disk, no
 * WAL that SQLite would remove. Makes it (0600) when it is missing and
 * `create`.
 */
MUST_CHECK int store_admit(const char *path, bool create, struct err *err);
/* Of these only the last: CORRUPT. Opens no file. */
MUST_CHECK int store_admit_wal(const char *path, struct err *err);

/* --- store_schema.c ------------------------------------------------------- */
/* A file of ours, durably; fails when it is there already. */
MUST_CHECK int store_create_empty(const char *path, const char *dir,
                                  struct err *err);
/* All that is committed, in a new file `to`: whole or not at all. */
MUST_CHECK int store_copy_to(struct store *s, const char *to, struct err *err);
/* Give a finished file in `dir` its name, durably. */
MUST_CHECK int store_rename(const char *from, const char *to, const char *dir,
                            struct err *err);
/* Whose file it is, is it whole (or s->is_unchecked, to be seen to), does it
 * hold all that was acknowledged; migrate it when the store may write. */
MUST_CHECK int store_migrate(struct store *s, struct err *err);

/* The text of schema/001_optuna.sql. */
const char *store_optuna_schema(void);

/* --- store_pages.c -------------------------------------------------------- */
/* CORRUPT when the file is not whole. */
MUST_CHECK int store_pages_check(struct store *s, bool closely,
                                 struct err *err);
/* The same, not so closely, of what a new connection reads. */
MUST_CHECK int store_pages_check_anew(const struct store *s, struct err *err);
/* The same, in a thread of its own. */
void store_pages_begin(struct store *s, bool closely);
/* Wait for it, if it was begun. Its word that the file is damaged, else rc, the
 * load's, whose *err is; else its error. */
MUST_CHECK int store_pages_end(struct store *s, int rc, struct err *err);

/* --- store_load.c, store_adopt.c ------------------------------------------ */
/* store_load within the open transaction. */
MUST_CHECK int store_load_rows(struct store *s, struct mirror *m,
                               struct err *err);
/* Within a transaction: what others have written until now is known. */
MUST_CHECK int store_note_version(struct store *s, struct err *err);
/* Within one that writes: STALE when they have written more since. */
MUST_CHECK int store_is_known(struct store *s, struct err *err);
/* Is there what store_adopt_trials would adopt? */
MUST_CHECK int store_adopt_needed(struct store *s, bool *needed,
                                  struct err *err);

/* --- store_copy.c --------------------------------------------------------- */
/* All of a file into the store's empty database. */
MUST_CHECK int store_copy_pages(struct store *s, const char *path,
                                struct err *err);

/* --- store_write.c, store_write_trial.c ----------------------------------- */
struct store_write { /* an action being written, and where to look things up */
    struct store *s;
    const struct mirror *m;
    const struct actions *list; /* the action is list->items[at] */
    size_t at;
    const struct action *a;
    int64_t trial_id; /* 0: the action concerns no trial */
    struct err *err;
};

/* The rows of list->items[at], within the open transaction. */
MUST_CHECK int store_write(struct store *s, const struct mirror *m,
                           const struct actions *list, size_t at,
                           struct err *err);
/* ERR_STORE: a row that the action changes is not as memory says. */
MUST_CHECK int store_missing(const struct store_write *w);
/* A statement that must change exactly one row. */
MUST_CHECK int store_change_one(const struct store_write *w,
                                enum store_statement which,
                                const struct store_arg *args, int n_args);
/* The action's row in the audit log, its last word. */
MUST_CHECK int store_put_event(const struct store_write *w, const char *fmt,
                               ...) PRINTF_LIKE(2, 3);
/* The study's config: in memory, or in an earlier action of the list. */
const struct spec *store_spec_of(const struct store_write *w);

#define ARGS(...)                                                              \
    (struct store_arg[]){__VA_ARGS__},                                         \
        (int)ARRAY_LEN(((struct store_arg[]){__VA_ARGS__}))
#define RUN(w, which, n_changed, ...)                                          \
    store_run((w)->s, STORE_##which, ARGS(__VA_ARGS__), n_changed, (w)->err)
#define CHANGE_ONE(w, which, ...)                                              \
    store_change_one(w, STORE_##which, ARGS(__VA_ARGS__))

MUST_CHECK int store_add_trial(const struct store_write *w);
MUST_CHECK int store_adopt_trial(const struct store_write *w);
MUST_CHECK int store_start_trial(const struct store_write *w);
MUST_CHECK int store_put_report(const struct store_write *w);
MUST_CHECK int store_rewind(const struct store_write *w);
MUST_CHECK int store_put_rung(const struct store_write *w);
MUST_CHECK int store_put_constraints(const struct store_write *w);
MUST_CHECK int store_put_checkpoint(const struct store_write *w);
MUST_CHECK int store_discard(const struct store_write *w);
MUST_CHECK int store_end_attempt(const struct store_write *w);
MUST_CHECK int store_finish_trial(const struct store_write *w);
MUST_CHECK int store_retry_trial(const struct store_write *w);
MUST_CHECK int store_flag_trial(const struct store_write *w);

/* --- store_digest.c ------------------------------------------------------- */
/* What the trial says once the action, a FINISH_TRIAL, has ended it. */
void store_digest_of_end(const struct store_write *w, struct digest *d);
/* A digest's parts as arguments, in the order of their columns. */
#define DIGEST_ARGS(d)                                                         \
    STORE_I((d)->part[DIGEST_END]), STORE_I((d)->part[DIGEST_PARAMS]),         \
        STORE_I((d)->part[DIGEST_REPORTS]),                                    \
        STORE_I((d)->part[DIGEST_CONSTRAINTS])
struct store_loading;
/* What the trial's row, where we are, says; to be compared when all of the
 * trial is loaded. */
MUST_CHECK int store_read_digest(struct store_loading *l,
                                 const struct study_trial *t);
/* CORRUPT when the loaded trial does not say what it said when it ended. */
MUST_CHECK int store_check_digest(const struct store_loading *l,
                                  const struct study_trial *t);

/* --- store_check.c, store_check_log.c ------------------------------------- */
enum { STORE_N_INVARIANTS = 21 }; /* numbered from 1 */

struct store_check { /* one look at all of it */
    struct store *s;
    const struct mirror *m; /* what the rows load as; NULL: they do not */
    struct buf *out;
    bool with_files;
    int n, n_of[STORE_N_INVARIANTS]; /* findings */
    int rc;                          /* of a look that could not be taken */
    struct err why;
};
void store_check_say(struct store_check *c, int invariant, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* Findings of the log; an error when it cannot be read. m is not NULL. */
MUST_CHECK int store_check_log(struct store_check *c, struct err *err);

/* --- store_row.c ---------------------------------------------------------- */
/* A statement being walked. Rows come from outside: each getter checks type
 * and bounds; its sentence names table, row and column. */
struct store_row {
    struct store *store;
    sqlite3_stmt *st;
    const char *table;
    bool has_row;
    int64_t id; /* first column of the row: what it is known by */
    struct err *err;
};
/* Prepare sql (its one ? is `key`) and go to the first row. */
MUST_CHECK int store_row_open(struct store_row *r, struct store *s,
                              const char *table, const char *sql, int64_t key,
                              struct err *err);
MUST_CHECK int store_row_next(struct store_row *r);
void store_row_close(struct store_row *r);
/* ERR_CORRUPT "PATH: TABLE: row ID: ..." */
MUST_CHECK int store_row_bad(const struct store_row *r, const char *fmt, ...)
    PRINTF_LIKE(2, 3);
bool store_row_is_null(const struct store_row *r, int column);
/* Exactly this text? */
bool store_row_is_text(const struct store_row *r, int column, const char *text);
MUST_CHECK int store_row_int(const struct store_row *r, int column, int64_t low,
                             int64_t high, int64_t *out);
/* UTC milliseconds. One below 0 is of a clock before 1970, which older versions
 * wrote as it was: it is 1, and no damage. */
MUST_CHECK int store_row_ms(const struct store_row *r, int column, int64_t high,
                            int64_t *out);
/* A number, or NaN for NULL. */
MUST_CHECK int store_row_real(const struct store_row *r, int column,
                              double *out);
/* Value and type columns of Optuna: FINITE, INF_POS, INF_NEG, NAN. */
MUST_CHECK int store_row_typed(const struct store_row *r, int column,
                               double *out);
/* UTF-8 without NUL, at most max bytes; valid until the next row. */
MUST_CHECK int store_row_text(const struct store_row *r, int column, size_t max,
                              const char **out);
/* The same, copied; NULL for NULL. */
MUST_CHECK int store_row_text_or_null(const struct store_row *r, int column,
                                      size_t max, char **out);
/* Milliseconds; 0 for NULL. */
MUST_CHECK int store_row_time(const struct store_row *r, int column,
                              int64_t *ms);

/* X(member, key): the user attributes that are a struct trial_memory; 0 has
 * none. */
#define STORE_MEMORY(X)                                                        \
    X(peak, "peak_bytes")                                                      \
    X(planned, "planned_bytes")                                                \
    X(of_worker, "peak_of_worker")

/* --- store_trials.c, store_params.c, store_foreign.c ---------------------- */
enum store_walk { /* tables walked beside `trials`, in its order */
                  STORE_WALK_VALUES,
                  STORE_WALK_FIXED,
                  STORE_WALK_ATTEMPTS,
                  STORE_WALK_EPOCHS,
                  STORE_WALK_CHECKPOINTS,
                  STORE_WALK_RUNGS,
                  STORE_WALK_MEMORY,
                  STORE_WALK_CONSTRAINTS,
                  STORE_WALK_STEPS,
                  STORE_WALK_END,
                  STORE_N_WALKS
};
enum { /* columns of the walk along `trials` */
       STORE_TRIAL_FIXED = 11,
       STORE_TRIAL_DIGEST = 16
};

struct store_ids {                    /* of a study's trials */
    int64_t first, last, n, n_of_all; /* of all studies' */
};

struct store_loading { /* the trials of one study */
    struct store *store;
    struct mirror *m;
    struct study *study;
    struct store_ids ids;
    struct store_row trials; /* where we are */
    struct store_row walks[STORE_N_WALKS];
    struct store_digest *digests; /* by number, as the rows have them */
    struct err *err;
};

/* Load the trials of a study that is in the mirror already. */
MUST_CHECK int store_load_trials(struct store *s, struct mirror *m,
                                 struct study *study, struct err *err);
/* Is the walk's next row the present trial's? */
bool store_has_row(const struct store_loading *l, enum store_walk walk);
/* All that the study needs, each at its first row, and the ids. The caller
 * closes them, also after an error. */
MUST_CHECK int store_open_walks(struct store_loading *l);
/* The parameters of all trials of the study, into its history. */
MUST_CHECK int store_load_params(struct store_loading *l);
/* The rows of trial_params, in any order; those of other studies may be there
 * too. */
MUST_CHECK int store_open_params(const struct store_loading *l,
                                 struct store_row *out);
/* What the study's newest trial told of its constraints, into its history. */
MUST_CHECK int store_load_constraints(struct store_loading *l,
                                      const struct study_trial *t);
/* How long the study's newest trial was worked at. */
MUST_CHECK int store_load_attempts(struct store_loading *l,
                                   struct study_trial *t);
/* The enqueued values of the trial to be added: owned, or NULL. */
MUST_CHECK int store_load_fixed(struct store_loading *l, double **fixed);
/* A trial that an attempt of ours started has every parameter: a lost row must
 * not become a training with the config's default. */
MUST_CHECK int store_check_params(const struct store_loading *l,
                                  const struct study_trial *t);
/* What was computed of the study before. */
MUST_CHECK int store_load_importances(struct store *s, struct study *study,
                                      struct err *err);
/* A study without a config of ours. One that we cannot hold (two objectives,
 * say) is left out with a log line. */
MUST_CHECK int store_load_foreign(struct store *s, struct mirror *m,
                                  int64_t study_id, const char *name,
                                  struct err *err);
#endif
