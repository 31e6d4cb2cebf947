/* home: a state directory with the real programs around it, for end-to-end
 * tests. Programs are taken from $PARZEN_BIN (default build/bin). */
#ifndef TESTS_LIB_HOME_H
#define TESTS_LIB_HOME_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { HOME_MAX_WORKERS = 8 };

struct home {
    char dir[256];   /* the temporary folder of this test */
    char state[300]; /* DIR/state */
    pid_t daemon;    /* 0: none started by us */
};

struct outcome { /* of one run of the command line; free by outcome_fini */
    int code;    /* exit code; 128 + signal when killed */
    char *out, *err;
};

/* A new empty folder; the test fails when it cannot be made. */
void home_init(struct home *h);
/* Kill what runs, remove the folder. */
void home_fini(struct home *h);

/* Start parzend with these extra arguments (NULL-terminated; --state and
 * --port 0 are given) and wait until its socket answers, at most 20 s. */
void home_start(struct home *h, const char *const *args);
/* Start it and wait for its end: for starts that must fail. Returns the exit
 * code; its standard error in *err (owned). */
int home_start_fails(struct home *h, const char *const *args, char **err);
/* SIGKILL and reap. */
void home_kill_daemon(struct home *h);
/* SIGTERM and reap; returns the exit code. */
int home_stop_daemon(struct home *h);
bool home_answers(const struct home *h); /* a request, on STATE/sock */

/* Pids of the daemon's live workers; returns how many. */
int home_workers(const struct home *h, pid_t pids[HOME_MAX_WORKERS]);
bool home_is_alive(pid_t pid); /* and no zombie */
/* SIGSTOP all workers, SIGCONT them: what must happen while a trial runs then
 * does, however fast the trial and however slow the command. */
void home_hold(const struct home *h);
void home_go_on(const struct home *h);

/* Run `parzen --state STATE args...` (NULL-terminated); at most timeout_s. */
struct outcome home_cli(const struct home *h, int timeout_s,
                        const char *const *args);
void outcome_fini(struct outcome *o);
/* home_cli with the arguments in place: CLI(h, 30, "status", "x"). */
#define CLI(h, timeout_s, ...)                                                 \
    home_cli(h, timeout_s, (const char *const[]){__VA_ARGS__, NULL})

/* Write DIR/name; returns its path in a static buffer. */
const char *home_file(const struct home *h, const char *name, const char *text);
/* n texts of n_classes classes that a tiny model learns: DIR/data.jsonl with
 * fields text and label. Returns the path in a static buffer. */
const char *home_data(const struct home *h, int n, int n_classes);
/* A small study's config in DIR/NAME.json over home_data's file; members are
 * more JSON members ("\"workers\": 1,"), training the members of "training". */
const char *home_config(const struct home *h, const char *name,
                        const char *members, const char *training);

/* Rows of a query on STATE/parzen.db, opened read-only: columns joined by '|',
 * rows by '\n', reals as hexadecimal floats, NULL as "NULL". Owned. */
char *home_sql(const struct home *h, const char *sql);
/* The one number that a query gives. */
long long home_count(const struct home *h, const char *sql);
/* Change STATE/parzen.db; a daemon that has it may come to know. */
void home_exec(const struct home *h, const char *sql);
/* Poll a query every 20 ms until it gives at least n; false after timeout. */
bool home_wait(const struct home *h, const char *sql, long long n,
               int timeout_ms);

void home_sleep_ms(int ms);

#endif
