/* daemon: the wiring: event -> decide -> commit -> apply -> perform. */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H
#include "core/base/err.h"
#include <stdbool.h>
#include <stdint.h>
struct daemon;
struct event;
struct mirror;
struct uv_loop_s;

struct daemon_options {
    const char *state_dir; /* absolute; exists, 0700, ours */
    const char *worker_path;
    int n_workers;
    int threads_per_worker;
    int64_t backup_every_ms; /* of the database; 0: never */
    /* The store is beyond help (failing disk, damaged file: a person should
     * look; CONFLICT: another daemon's now): end the program. From the loop. */
    void (*on_fatal)(void *ctx, const struct err *why);
    void *ctx;
};

/* Lock, open, load, hand orphans back, start the pool. Borrows loop. */
MUST_CHECK int daemon_new(struct uv_loop_s *loop,
                          const struct daemon_options *options,
                          struct daemon **out, struct err *err);
/* Drain: workers checkpoint (at most grace_ms), commit, then on_closed. */
void daemon_close(struct daemon *d, int grace_ms, void (*on_closed)(void *ctx),
                  void *ctx);

/* Do one event wholly: when it returns 0, what it says is durable. now_ms and
 * mono_ms are filled in here. Called by the API and by the pool's hooks. */
MUST_CHECK int daemon_handle(struct daemon *d, struct event *e,
                             struct err *err);
/* Make durable what the workers' words have changed since the loop last waited:
 * before anybody is told of it. */
void daemon_settle(struct daemon *d);
/* The same, and take in what other programs did to the database. A mirror that
 * was looked at before may be gone. */
void daemon_look_around(struct daemon *d);
const struct mirror *daemon_mirror(const struct daemon *d);
const char *daemon_state_dir(const struct daemon *d);
/* NULL while all is well; else why nothing is dispatched ("disk full: ..."), a
 * trial waits for room on the disk, or a worker cannot be started. */
const char *daemon_trouble(const struct daemon *d);
/* NULL, or what a person should know though work goes on. */
const char *daemon_warning(const struct daemon *d);
int daemon_worker_pid(const struct daemon *d, int slot); /* 0: none */

/* The study's importances are to be brought up to date, in their own time. */
void daemon_want_importances(struct daemon *d, int64_t study);

/* Who hears of what has changed, once it is durable: the event streams of the
 * HTTP side. */
struct action;
struct daemon_watcher {
    void *ctx;
    /* Each applied action, in order; borrows it. */
    void (*on_action)(void *ctx, const struct action *a);
    /* Other programs have written: the mirror is another one, and no action
     * says in what. What was decided after that is told by actions behind it,
     * though the mirror has it already. */
    void (*on_news)(void *ctx);
};
/* Copies. One watcher; from daemon_close on, none. */
void daemon_watch(struct daemon *d, const struct daemon_watcher *watcher);
/* Does anybody wait for what it tells? Then others' writes are looked for every
 * second, also when nothing is to be done. */
void daemon_mind_readers(struct daemon *d, bool has_readers);

#endif
