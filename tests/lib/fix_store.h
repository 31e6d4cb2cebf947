/* fix_store: a store in a folder of its own, the mirror that goes with it, and
 * a driver that makes random legal decisions. */
#ifndef TESTS_LIB_FIX_STORE_H
#define TESTS_LIB_FIX_STORE_H
#include "core/base/err.h"
#include "core/base/rng.h"
#include "daemon/mirror.h"
struct store;

struct fix_store {
    char dir[64];
    char path[96]; /* dir/parzen.db */
    struct store *store;
    struct mirror *mirror;
    struct rng rng;
    int64_t now_ms;
};

/* A new folder and an empty store in it; fails the test when it cannot. */
void fix_store_init(struct fix_store *f, uint32_t seed);
/* Only the folder: no store, an empty mirror. */
void fix_store_folder(struct fix_store *f, uint32_t seed);
void fix_store_fini(struct fix_store *f); /* removes the folder */
void fix_store_open(struct fix_store *f);
void fix_store_close(struct fix_store *f);
/* Close, open again. */
void fix_store_reopen(struct fix_store *f);
/* Commit, then apply to the mirror. Frees the actions either way. What other
 * programs wrote before is no matter: the mirror is the test's. */
int fix_store_do(struct fix_store *f, struct actions *a, struct err *err);
/* The same, which must work. */
void fix_store_must(struct fix_store *f, struct actions *a);
/* n decisions, committed and applied. */
void fix_store_work(struct fix_store *f, int n);
/* The new store's first study, "s", and its trial 0, which runs. */
void fix_store_trial(struct fix_store *f);
/* n decisions, committed by a process that is killed: the WAL stays. The mirror
 * follows, since the decisions are a function of the seed. */
void fix_store_work_and_die(struct fix_store *f, int n);
/* Run SQL on a database's file by a connection without our protections. */
void fix_store_tamper(const char *path, const char *sql);
/* Have the store refuse an action, and with it its whole open transaction. */
void fix_store_refuse(struct store *s, const struct mirror *m);
/* Load into a fresh mirror and compare with the one in memory. */
void fix_store_expect_equal(struct fix_store *f);
/* Load; the mirror is the caller's. Fails the test when loading fails. */
struct mirror *fix_store_load(struct fix_store *f);

/* --- what is decided (fix_store_actions.c) --- */

/* A config with a float, a log float, an int and two choices. */
void fix_store_spec(struct spec *out, const char *name);
/* Append a decision (1 to 4 actions) that is legal in the mirror's state. */
void fix_store_random(struct fix_store *f, struct actions *out);

/* Single actions, with the next seq and ids of the mirror and of the list, some
 * seconds after the last. number -1: of the study. */
struct action *fix_store_add(struct fix_store *f, struct actions *out,
                             enum action_kind kind, int64_t study,
                             int64_t number);
struct action *fix_store_add_study(struct fix_store *f, struct actions *out,
                                   const char *name);
struct action *fix_store_add_trial(struct fix_store *f, struct actions *out,
                                   int64_t study, const double *fixed);
struct action *fix_store_start(struct fix_store *f, struct actions *out,
                               int64_t study, int64_t number);
struct action *fix_store_report(struct fix_store *f, struct actions *out,
                                int64_t study, int64_t number);
struct action *fix_store_finish(struct fix_store *f, struct actions *out,
                                int64_t study, int64_t number,
                                enum trial_state state, double value);
#endif
