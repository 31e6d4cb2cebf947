/* Worker processes.
 *
 * The happy path of one process: slot_start makes a socket pair and an output
 * pipe and spawns; the worker says HELLO (on_channel_msg), the slot is IDLE;
 * messages go both ways; at pool_close it gets QUIT, exits, on_exit and
 * on_channel_end arrive in any order, slot_settle closes what is left.
 *
 * Possible failures: the spawn itself (slot_bury with SPAWN, tried again
 * later); no HELLO in time (killed); broken bytes or a flood on the channel
 * (killed, PROTOCOL); death at any moment (exit status); a silent worker that
 * the daemon wants gone (pool_kill). They all meet in slot_settle: a slot is
 * free only when exit, channel end and output end were all seen (or, once the
 * process is dead, EOF_GRACE_MS have passed: a grandchild may hold the ends;
 * those that it left are ended by pool_strays).
 *
 * A worker that again and again dies early, before it was sent anything, cannot
 * work: its slot waits longer each time. One that dies of what it was sent is
 * replaced at once, for other work: who sent that knows when to send it again.
 *
 *   EMPTY -slot_start-> STARTING -HELLO-> LIVE -slot_settle-> EMPTY
 *                          '------------------'
 */
#include "daemon/pool.h"
#include "core/base/build.h"
#include "core/base/buf.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/wire/channel.h"
#include "core/wire/msg.h"
#include "daemon/obituary.h"
#include "daemon/pool_env.h"
#include "daemon/pool_left.h"
#include "daemon/pool_log.h"
#include "daemon/pool_strays.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum { EOF_GRACE_MS = 2000, ABORT_GRACE_MS = 5000, EARLY_DEATH_MS = 5000 };
enum { RESTART_MAX_MS = 60000, OUTPUT_CHUNK = 16 << 10 };

enum slot_phase { EMPTY, STARTING, LIVE };

struct pool_slot {
    struct pool *pool;
    int index;
    enum slot_phase phase;

    uv_process_t process;
    uv_pipe_t output;
    uv_timer_t timer;
    bool process_open, output_open, timer_open; /* handles not yet closed */
    int output_fd;                              /* of output; not blocking */
    struct channel *channel;

    bool exited, channel_ended, output_ended;
    int64_t exit_status;
    int term_signal;
    uint64_t started_ms;
    int n_early_deaths;

    bool said_hello, was_sent_work;
    char *trouble; /* why there was no worker last time; NULL: there was */
    struct obituary obituary;
    struct pool_log log;
    char chunk[OUTPUT_CHUNK];
};

struct pool {
    uv_loop_t *loop;
    struct pool_options options;
    struct pool_hooks hooks;
    struct pool_slot *slots;
    struct pool_strays *strays;
    char **env; /* of every worker */
    bool is_closing;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

static void slot_start(struct pool_slot *s);
static void slot_settle(struct pool_slot *s);

/* --- the end of a process --- */

static void on_strays_closed(void *ctx)
{
    struct pool *p = ctx;
    void (*on_closed)(void *) = p->on_closed;
    ctx = p->closed_ctx;
    for (int i = 0; i < p->options.n_slots; i++) {
        free(p->slots[i].trouble);
    }
    pool_env_free(p->env);
    free(p->slots);
    free(p);
    on_closed(ctx);
}

static void pool_maybe_closed(struct pool *p)
{
    for (int i = 0; i < p->options.n_slots; i++) {
        const struct pool_slot *s = &p->slots[i];
        if (s->phase != EMPTY || s->timer_open || s->channel != NULL) {
            return;
        }
    }
    pool_strays_close(p->strays, on_strays_closed);
}

static void on_timer_closed(uv_handle_t *h)
{
    struct pool_slot *s = h->data;
    s->timer_open = false;
    pool_maybe_closed(s->pool);
}

static void on_restart(uv_timer_t *t)
{
    slot_start(t->data);
}

/* Tell the owner; the last thing that is done with s. */
static void slot_report(struct pool_slot *s)
{
    struct pool *p = s->pool;
    struct buf message;
    buf_init(&message, 4096);
    enum trial_cause cause = obituary_end(&s->obituary, (int)s->exit_status,
                                          s->term_signal, &message);
    if (!s->said_hello) {
        free(s->trouble);
        s->trouble = mem_printf("worker %d cannot be started: %s", s->index,
                                message.data);
    }
    LOG_WARN("worker gone", "slot=%d cause=%s %s", s->index,
             trial_cause_name(cause), message.data);
    p->hooks.on_gone(p->hooks.ctx, s->index, cause, message.data);
    buf_fini(&message);
}

/* Everything of the dead process is closed: the slot is EMPTY. */
static void slot_emptied(struct pool_slot *s)
{
    struct pool *p = s->pool;
    s->phase = EMPTY;
    pool_log_close(&s->log);
    uv_timer_stop(&s->timer);
    if (p->is_closing) {
        uv_close((uv_handle_t *)&s->timer, on_timer_closed);
        return;
    }
    bool early =
        !s->was_sent_work && uv_now(p->loop) - s->started_ms < EARLY_DEATH_MS;
    s->n_early_deaths = early ? s->n_early_deaths + 1 : 0;
    uint64_t wait = 0;
    if (s->n_early_deaths > 1) {
        int shift = s->n_early_deaths - 2;
        wait = shift > 5 ? RESTART_MAX_MS : 1000ull << shift;
    }
    uv_timer_start(&s->timer, on_restart, wait, 0);
    slot_report(s);
}

static void on_handle_closed(uv_handle_t *h)
{
    struct pool_slot *s = h->data;
    if (h == (uv_handle_t *)&s->process) {
        s->process_open = false;
    } else {
        s->output_open = false;
    }
    slot_settle(s);
}

static void on_channel_closed(void *ctx)
{
    struct pool_slot *s = ctx;
    s->channel = NULL;
    slot_settle(s);
}

/* The one place that knows when a process is wholly gone. */
static void slot_settle(struct pool_slot *s)
{
    if (!s->exited || !s->channel_ended || !s->output_ended) {
        return;
    }
    if (s->process_open && !uv_is_closing((uv_handle_t *)&s->process)) {
        uv_close((uv_handle_t *)&s->process, on_handle_closed);
    }
    if (!s->process_open && !s->output_open && s->channel == NULL &&
        s->phase != EMPTY) {
        slot_emptied(s);
    }
}

static void end_output(struct pool_slot *s)
{
    if (!s->output_ended) {
        s->output_ended = true;
        uv_close((uv_handle_t *)&s->output, on_handle_closed);
    }
}

static void end_channel(struct pool_slot *s)
{
    if (!s->channel_ended) {
        s->channel_ended = true;
        channel_close(s->channel, on_channel_closed, s);
    }
}

static void on_eof_grace(uv_timer_t *t)
{
    struct pool_slot *s = t->data;
    end_channel(s);
    end_output(s);
    slot_settle(s);
}

static void on_exit_seen(uv_process_t *process, int64_t status, int signum)
{
    struct pool_slot *s = process->data;
    s->exited = true;
    s->exit_status = status;
    s->term_signal = signum;
    pool_strays_end(s->pool->strays);
    uv_timer_start(&s->timer, on_eof_grace, EOF_GRACE_MS, 0);
    slot_settle(s);
}

/* --- killing --- */

static void slot_signal(struct pool_slot *s, int signum)
{
    if (s->phase != EMPTY && !s->exited) {
        /* Its own group (it was spawned detached), children included. */
        kill(-s->process.pid, signum);
        uv_process_kill(&s->process, signum);
    }
}

static void on_grace(uv_timer_t *t)
{
    slot_signal(t->data, SIGKILL);
}

static void slot_condemn(struct pool_slot *s, enum trial_cause verdict,
                         const char *why)
{
    if (!s->exited) {
        obituary_condemn(&s->obituary, verdict, why);
    }
    slot_signal(s, SIGKILL);
}

void pool_kill(struct pool *p, int slot, bool is_hang)
{
    struct pool_slot *s = &p->slots[slot];
    if (!is_hang) {
        slot_condemn(s, TRIAL_CAUSE_PROTOCOL,
                     "the worker did not do as it was told and was ended");
    } else if (s->phase != EMPTY && !s->exited) {
        obituary_condemn(&s->obituary, TRIAL_CAUSE_HANG,
                         "no progress within the deadline");
        slot_signal(s, SIGABRT);
        uv_timer_start(&s->timer, on_grace, ABORT_GRACE_MS, 0);
    }
}

/* --- words from the worker --- */

static bool hello_is_ours(const struct msg_hello *h, char *why, size_t size)
{
    if (h->protocol == MSG_PROTOCOL && strcmp(h->build_id, BUILD_ID) == 0) {
        return true;
    }
    snprintf(why, size,
             "the worker program is of another build (%.64s, protocol %d; "
             "this is %s, protocol %d)",
             h->build_id, (int)h->protocol, BUILD_ID, MSG_PROTOCOL);
    return false;
}

static void on_channel_msg(void *ctx, const struct msg *m)
{
    struct pool_slot *s = ctx;
    struct pool *p = s->pool;
    if (s->obituary.verdict != TRIAL_CAUSE_NONE) {
        return; /* condemned: nothing it says counts */
    }
    if (s->phase == LIVE && m->type != MSG_HELLO) {
        p->hooks.on_msg(p->hooks.ctx, s->index, m);
        return;
    }
    char why[256] = "the worker did not begin with HELLO";
    if (s->phase != STARTING || m->type != MSG_HELLO) {
        slot_condemn(s, TRIAL_CAUSE_PROTOCOL, why);
        return;
    }
    if (!hello_is_ours(&m->hello, why, sizeof(why))) {
        slot_condemn(s, TRIAL_CAUSE_SPAWN, why);
        return;
    }
    s->phase = LIVE;
    s->said_hello = true;
    free(s->trouble);
    s->trouble = NULL;
    LOG_INFO("worker ready", "slot=%d pid=%d", s->index, s->process.pid);
    if (!p->is_closing) { /* else the timer is the grace of its end */
        uv_timer_stop(&s->timer);
        p->hooks.on_idle(p->hooks.ctx, s->index);
    }
}

static void on_channel_end(void *ctx, int why, const char *sentence)
{
    struct pool_slot *s = ctx;
    if (why != 0 && why != ERR_IO) {
        slot_condemn(s, TRIAL_CAUSE_PROTOCOL, sentence);
    }
    end_channel(s);
    if (!s->exited) {
        /* It closed its end and lives on: nothing can come of it. */
        uv_timer_start(&s->timer, on_grace, EOF_GRACE_MS, 0);
    }
    slot_settle(s);
}

static void on_output_alloc(uv_handle_t *h, size_t hint, uv_buf_t *out)
{
    (void)hint;
    struct pool_slot *s = h->data;
    *out = uv_buf_init(s->chunk, sizeof(s->chunk));
}

static void on_output(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct pool_slot *s = stream->data;
    if (n > 0) {
        obituary_hear(&s->obituary, b->base, (size_t)n);
        pool_log_add(&s->log, b->base, (size_t)n);
    } else if (n < 0) {
        end_output(s);
        slot_settle(s);
    }
}

void pool_settle_log(struct pool *p, int slot)
{
    struct pool_slot *s = &p->slots[slot];
    if (!s->output_ended) {
        pool_log_drain(&s->log, &s->obituary, s->output_fd);
    }
    pool_log_settle(&s->log);
}

/* --- birth --- */

static void on_hello_timeout(uv_timer_t *t)
{
    slot_condemn(t->data, TRIAL_CAUSE_SPAWN,
                 "the worker did not say hello in time");
}

/* channel[0], output[0]: ours; channel[1], output[1]: the worker's. */
static int make_pipes(int channel[2], int output[2])
{
    int rc = uv_socketpair(SOCK_STREAM, 0, channel, 0, 0);
    if (rc != 0) {
        return rc;
    }
    rc = uv_pipe(output, UV_NONBLOCK_PIPE, 0);
    if (rc != 0) {
        close(channel[0]);
        close(channel[1]);
    }
    return rc;
}

static int spawn(struct pool_slot *s, int channel_end, int output_end)
{
    struct pool *p = s->pool;
    char *args[] = {(char *)p->options.worker_path, NULL};
    uv_stdio_container_t stdio[4] = {
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = output_end},
        {.flags = UV_INHERIT_FD, .data.fd = output_end},
        {.flags = UV_INHERIT_FD, .data.fd = channel_end},
    };
    uv_process_options_t options = {
        .file = p->options.worker_path,
        .args = args,
        .env = p->env,
        .flags = UV_PROCESS_DETACHED,
        .stdio = stdio,
        .stdio_count = 4,
        .exit_cb = on_exit_seen,
    };
    s->process.data = s;
    s->process_open = true; /* the handle wants closing even if this fails */
    return uv_spawn(p->loop, &s->process, &options);
}

/* A process that never was. */
static void spawn_failed(struct pool_slot *s, int rc)
{
    char why[256];
    snprintf(why, sizeof(why), "cannot start %s: %s",
             s->pool->options.worker_path, uv_strerror(rc));
    obituary_condemn(&s->obituary, TRIAL_CAUSE_SPAWN, why);
    s->exited = true;
}

static void slot_open_ends(struct pool_slot *s, int channel_fd, int output_fd)
{
    struct err err;
    struct channel_hooks hooks = {
        .ctx = s, .on_msg = on_channel_msg, .on_end = on_channel_end};
    if (channel_open(s->pool->loop, channel_fd, &hooks, &s->channel, &err) !=
        0) {
        s->channel = NULL;
        s->channel_ended = true;
        slot_condemn(s, TRIAL_CAUSE_SPAWN, err.msg);
    }
    uv_pipe_init(s->pool->loop, &s->output, 0);
    s->output.data = s;
    s->output_open = true;
    s->output_fd = output_fd;
    int rc = uv_pipe_open(&s->output, output_fd);
    if (rc != 0) {
        close(output_fd);
    } else {
        rc = uv_read_start((uv_stream_t *)&s->output, on_output_alloc,
                           on_output);
    }
    if (rc != 0) {
        end_output(s);
    }
}

static void slot_start(struct pool_slot *s)
{
    struct pool *p = s->pool;
    s->phase = STARTING;
    s->exited = s->channel_ended = s->output_ended = false;
    s->said_hello = s->was_sent_work = false;
    s->exit_status = 0;
    s->term_signal = 0;
    s->started_ms = uv_now(p->loop);
    obituary_begin(&s->obituary);
    int channel[2], output[2];
    int rc = make_pipes(channel, output);
    if (rc != 0) {
        s->channel_ended = s->output_ended = true;
        spawn_failed(s, rc);
        slot_emptied(s); /* no handle was opened */
        return;
    }
    uv_timer_start(&s->timer, on_hello_timeout,
                   (uint64_t)p->options.hello_timeout_ms, 0);
    rc = spawn(s, channel[1], output[1]);
    close(channel[1]); /* left open here, the end would never be seen */
    close(output[1]);
    if (rc != 0) {
        spawn_failed(s, rc); /* first: there is no pid to signal */
    }
    slot_open_ends(s, channel[0], output[0]);
    if (rc != 0) {
        on_eof_grace(&s->timer);
    }
}

/* --- the pool --- */

static bool is_worker(void *ctx, pid_t pid)
{
    const struct pool *p = ctx;
    bool is_one = false;
    for (int i = 0; i < p->options.n_slots; i++) {
        const struct pool_slot *s = &p->slots[i];
        is_one |= s->phase != EMPTY && !s->exited && s->process.pid == pid;
    }
    return is_one;
}

int pool_new(struct uv_loop_s *loop, const struct pool_options *options,
             const struct pool_hooks *hooks, struct pool **out, struct err *err)
{
    if (access(options->worker_path, X_OK) != 0) {
        return err_sys(err, errno, "worker program %s", options->worker_path);
    }
    char *mark = pool_mark(options->state_dir);
    pool_left_end(mark);
    struct pool *p = mem_alloc(1, sizeof(*p));
    *p = (struct pool){
        .loop = loop,
        .options = *options,
        .hooks = *hooks,
        .env = pool_env_new(options->threads, mark),
        .slots = mem_alloc((size_t)options->n_slots, sizeof(*p->slots))};
    free(mark);
    p->strays = pool_strays_new(loop, is_worker, p);
    for (int i = 0; i < options->n_slots; i++) {
        struct pool_slot *s = &p->slots[i];
        s->pool = p;
        s->index = i;
        pool_log_init(&s->log);
        uv_timer_init(loop, &s->timer);
        s->timer.data = s;
        s->timer_open = true;
        /* From the loop, so that no hook is called from inside pool_new. */
        uv_timer_start(&s->timer, on_restart, 0, 0);
    }
    *out = p;
    return 0;
}

int pool_send(struct pool *p, int slot, const struct msg *m,
              const char *log_path, struct err *err)
{
    struct pool_slot *s = &p->slots[slot];
    if (s->phase != LIVE || s->exited || s->channel_ended) {
        return err_set(err, ERR_CONFLICT, "slot %d has no worker", slot);
    }
    if (log_path != NULL) {
        pool_log_open(&s->log, log_path);
        obituary_forget(&s->obituary);
    }
    s->was_sent_work = true;
    int rc = channel_send(s->channel, m, err);
    if (rc != 0) {
        slot_condemn(s, TRIAL_CAUSE_PROTOCOL,
                     "the worker does not read what it is sent");
    }
    return rc;
}

int pool_pid(const struct pool *p, int slot)
{
    const struct pool_slot *s = &p->slots[slot];
    bool works = s->phase == LIVE && !s->exited &&
                 s->obituary.verdict == TRIAL_CAUSE_NONE;
    return works ? s->process.pid : 0;
}

const char *pool_trouble(const struct pool *p)
{
    for (int i = 0; i < p->options.n_slots; i++) {
        if (p->slots[i].trouble != NULL) {
            return p->slots[i].trouble;
        }
    }
    return NULL;
}

bool pool_has_condemned(const struct pool *p)
{
    for (int i = 0; i < p->options.n_slots; i++) {
        const struct pool_slot *s = &p->slots[i];
        if (s->phase != EMPTY && s->obituary.verdict != TRIAL_CAUSE_NONE) {
            return true;
        }
    }
    return false;
}

void pool_close(struct pool *p, int grace_ms, void (*on_closed)(void *ctx),
                void *ctx)
{
    assert(!p->is_closing);
    p->is_closing = true;
    p->on_closed = on_closed;
    p->closed_ctx = ctx;
    const struct msg quit = {.type = MSG_QUIT};
    for (int i = 0; i < p->options.n_slots; i++) {
        struct pool_slot *s = &p->slots[i];
        if (s->phase == EMPTY) {
            uv_timer_stop(&s->timer);
            uv_close((uv_handle_t *)&s->timer, on_timer_closed);
            continue;
        }
        struct err ignored;
        if (!s->channel_ended &&
            channel_send(s->channel, &quit, &ignored) != 0) {
            slot_signal(s, SIGKILL);
        }
        if (!s->exited) {
            uv_timer_start(&s->timer, on_grace, (uint64_t)grace_ms, 0);
        }
    }
}
