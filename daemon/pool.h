/* pool: worker processes, and what each one is doing.
 *
 * A slot moves EMPTY -> STARTING -> LIVE -> EMPTY (pool.c draws it). A process
 * is gone when its exit, its channel's end and its output's end were seen; then
 * it is started anew, with backoff after early deaths that no work explains. */
#ifndef DAEMON_POOL_H
#define DAEMON_POOL_H
#include "core/base/err.h"
#include "core/spec/trial.h"
#include <stdbool.h>
struct uv_loop_s;
struct msg;
struct pool;

struct pool_options {
    const char *worker_path; /* the program; borrowed for the pool's life */
    const char *state_dir;   /* the caller's alone: what an earlier pool of it
                                left running is ended */
    int n_slots;
    int threads;          /* per worker: BLAS threads, set before exec */
    int hello_timeout_ms; /* spawn to HELLO */
};

struct pool_hooks { /* called from the loop, never from inside a pool_ call */
    void *ctx;
    void (*on_idle)(void *ctx, int slot);                    /* said HELLO */
    void (*on_msg)(void *ctx, int slot, const struct msg *); /* borrows */
    /* Reaped. cause: SIGNAL, EXIT, LOST, OOM, HANG, PROTOCOL, SPAWN; message:
     * the obituary ("killed by signal 9 (Killed); last words: ..."). */
    void (*on_gone)(void *ctx, int slot, enum trial_cause cause,
                    const char *message);
};

/* Start n_slots workers. Copies options and hooks, borrows loop. */
MUST_CHECK int pool_new(struct uv_loop_s *loop,
                        const struct pool_options *options,
                        const struct pool_hooks *hooks, struct pool **out,
                        struct err *err);
/* Send to a slot's worker. log_path is where its stdout and stderr go from now
 * on (pool_log.h), and only what it says there counts as its last words; NULL:
 * as before. Errors end the worker (on_gone follows). */
MUST_CHECK int pool_send(struct pool *p, int slot, const struct msg *m,
                         const char *log_path, struct err *err);
/* The slot's worker said that its work is done: what it printed before that is
 * in the log's file when this returns, its last words at the end. */
void pool_settle_log(struct pool *p, int slot);
/* SIGABRT (a hang: for the trace), then SIGKILL after 5 s; else SIGKILL. */
void pool_kill(struct pool *p, int slot, bool is_hang);
/* NULL, or why a worker cannot be started (it is tried again, with pauses):
 * valid until the loop goes on. */
const char *pool_trouble(const struct pool *p);
/* 0: none, or one that is being ended. */
int pool_pid(const struct pool *p, int slot);
/* Is there a worker that was killed and is not reaped yet? It may still write
 * to its trial's folder. */
bool pool_has_condemned(const struct pool *p);
/* End all: QUIT, SIGKILL after grace_ms; on_closed once, then p is gone. */
void pool_close(struct pool *p, int grace_ms, void (*on_closed)(void *ctx),
                void *ctx);

#endif
