/* One thread, one job at a time.
 *
 * The happy path: HELLO; then, for each ASSIGN, the job gets turns between
 * looks at the channel (`while busy: step, uv_run NOWAIT`), so that STOP is
 * noticed between two steps of the training; without a job uv_run waits. QUIT
 * ends the loop. PREPARE is done the other way round: the preparation looks at
 * the channel each time it has something to tell.
 *
 * Possible failures: the channel ends (the daemon died): the job is dropped
 * where it is, its last checkpoint is in the database. The daemon does not
 * read: the queue is full and the channel ends the same way. A message that
 * has no place (ASSIGN while busy, a STOP for another attempt): the first is
 * the daemon's error and ends the session, the second came too late and is
 * ignored.
 */
#include "worker/session.h"
#include "core/base/build.h"
#include "core/base/buf.h"
#include "core/wire/channel.h"
#include "core/wire/msg.h"
#include "worker/objective.h"
#include "worker/prepare.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum { DISK_WAIT_MS = 1000, PREPARING_EVERY_MS = 250 };

struct session {
    uv_loop_t *loop;
    struct channel *channel;
    uv_timer_t retry; /* after a checkpoint that could not be written */
    struct objective *job;
    struct objective_memory memory; /* from one job to the next */
    struct trial_id id;             /* of the job */
    struct msg prepare;             /* type 0: nothing is to be prepared */
    char said_phase[16];
    uint64_t said_ms;        /* last PREPARING */
    volatile int gives_up;   /* the preparation */
    bool is_waiting;         /* the job waits for the retry timer */
    bool is_over, told_quit; /* no more turns; QUIT was the reason */
    char why[1024];
};

static void end(struct session *s, const char *why)
{
    if (!s->is_over) {
        s->is_over = true;
        snprintf(s->why, sizeof(s->why), "%s", why);
        channel_close(s->channel, NULL, NULL);
        uv_close((uv_handle_t *)&s->retry, NULL);
    }
}

static void say(void *ctx, const struct msg *m)
{
    struct session *s = ctx;
    struct err err;
    if (!s->is_over && channel_send(s->channel, m, &err) != 0) {
        end(s, err.msg);
    }
}

static bool is_slow(void *ctx)
{
    const struct session *s = ctx;
    return !s->is_over && channel_queued(s->channel) > 0;
}

static void drop_job(struct session *s)
{
    objective_free(s->job);
    s->job = NULL;
    s->is_waiting = false;
}

static void on_assign(struct session *s, const struct msg_assign *a)
{
    struct objective_out out = {.ctx = s, .say = say, .is_slow = is_slow};
    struct err err;
    s->id = a->id;
    int rc = objective_new(a, &out, &s->memory, &s->job, &err);
    if (rc != 0) {
        fprintf(stderr, "%s\n", err.msg);
        s->job = NULL;
        struct msg m = {.type = MSG_FAILED,
                        .failed = {.id = a->id,
                                   .cause = objective_cause(rc),
                                   .message = err.msg}};
        say(s, &m);
    }
}

/* --- preparing --- */

/* The message is borrowed, and the work waits for the loop's next turn. */
static void on_prepare(struct session *s, const struct msg *m)
{
    struct err err;
    struct buf copy;
    buf_init(&copy, BUF_MAX_FRAME);
    msg_encode(m, &copy);
    if (msg_decode(m->type, copy.data, copy.len, &s->prepare, &err) != 0) {
        s->prepare = (struct msg){0};
        end(s, err.msg);
    }
    buf_fini(&copy);
}

static void on_preparing(void *ctx, const char *phase, uint64_t done,
                         uint64_t total, const char *unit)
{
    struct session *s = ctx;
    uint64_t now = uv_hrtime() / 1000000;
    if (strcmp(s->said_phase, phase) == 0 &&
        now - s->said_ms < PREPARING_EVERY_MS) {
        return;
    }
    snprintf(s->said_phase, sizeof(s->said_phase), "%s", phase);
    s->said_ms = now;
    struct msg m = {.type = MSG_PREPARING,
                    .preparing = {.study = s->prepare.prepare.study,
                                  .phase = (char *)phase,
                                  .done = (int64_t)done,
                                  .total = (int64_t)total,
                                  .unit = (char *)unit}};
    say(s, &m);
    uv_run(s->loop, UV_RUN_NOWAIT);
    s->gives_up = s->is_over;
}

static void prepare(struct session *s)
{
    struct err err;
    struct msg m = {.type = MSG_PREPARED};
    const struct prepare_hooks hooks = {s, on_preparing, &s->gives_up};
    s->said_phase[0] = '\0';
    if (prepare_data(&s->prepare.prepare, &hooks, &m.prepared, &err) == 0) {
        say(s, &m);
        msg_fini(&m);
    } else {
        fprintf(stderr, "%s\n", err.msg);
        struct msg failed = {
            .type = MSG_PREPARE_FAILED,
            .prepare_failed = {.study = s->prepare.prepare.study,
                               .message = err.msg}};
        say(s, &failed);
    }
    msg_fini(&s->prepare);
    s->prepare = (struct msg){0};
}

/* --- words of the daemon --- */

static bool is_current(const struct session *s, const struct trial_id *id)
{
    return s->job != NULL && id->study == s->id.study &&
           id->number == s->id.number && id->attempt == s->id.attempt;
}

static void on_msg(void *ctx, const struct msg *m)
{
    struct session *s = ctx;
    if (m->type == MSG_QUIT) {
        s->told_quit = true;
        end(s, "told to quit");
    } else if (m->type == MSG_STOP) {
        if (is_current(s, &m->stop.id)) {
            if (objective_stop(s->job, m->stop.keep != 0)) {
                drop_job(s);
            }
        }
    } else if (s->job != NULL || s->prepare.type != 0) {
        end(s, "the daemon gave a job to a busy worker");
    } else if (m->type == MSG_ASSIGN) {
        on_assign(s, &m->assign);
    } else if (m->type == MSG_PREPARE) {
        on_prepare(s, m);
    } else {
        end(s, "the daemon sent a message that only workers send");
    }
}

static void on_end(void *ctx, int why, const char *sentence)
{
    end(ctx, why == 0 ? "the daemon went away" : sentence);
}

static void on_retry(uv_timer_t *t)
{
    struct session *s = t->data;
    s->is_waiting = false;
}

static void give_turn(struct session *s)
{
    switch (objective_step(s->job, (int64_t)(uv_hrtime() / 1000000))) {
    case OBJECTIVE_BUSY:
        break;
    case OBJECTIVE_WAIT:
        if (!s->is_over) {
            s->is_waiting = true;
            uv_timer_start(&s->retry, on_retry, DISK_WAIT_MS, 0);
        }
        break;
    case OBJECTIVE_ENDED:
        drop_job(s);
        break;
    }
}

static void serve(struct session *s)
{
    struct msg hello = {.type = MSG_HELLO,
                        .hello = {.protocol = MSG_PROTOCOL,
                                  .build_id = (char *)BUILD_ID,
                                  .pid = getpid()}};
    say(s, &hello);
    while (!s->is_over) {
        if (s->prepare.type != 0) {
            prepare(s);
        } else if (s->job == NULL || s->is_waiting) {
            uv_run(s->loop, UV_RUN_ONCE);
        } else {
            give_turn(s);
            uv_run(s->loop, UV_RUN_NOWAIT);
        }
    }
    drop_job(s);
    if (s->prepare.type != 0) {
        msg_fini(&s->prepare);
    }
    objective_memory_fini(&s->memory);
    uv_run(s->loop, UV_RUN_DEFAULT); /* the closing handles */
}

int session_run(struct uv_loop_s *loop, int fd, struct err *err)
{
    struct session s = {.loop = loop};
    const struct channel_hooks hooks = {
        .ctx = &s, .on_msg = on_msg, .on_end = on_end};
    int rc = channel_open(loop, fd, &hooks, &s.channel, err);
    if (rc != 0) {
        return rc;
    }
    uv_timer_init(loop, &s.retry);
    s.retry.data = &s;
    serve(&s);
    return s.told_quit ? 0 : err_set(err, ERR_UNREACHABLE, "%s", s.why);
}
