/* The happy path: the timer fires, `begin` sees that rows have changed and
 * queues the work; `work` copies in a thread of libuv's pool (store_backup);
 * `done`, on the loop again, says so in the log and sets the timer.
 *
 * Failure modes: a backup fails (too little room, an error of the disk): that
 * is logged, and tried again when the next one is due; the daemon ends: the
 * work is told to give up, closing waits for it. */
#include "daemon/backup.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "daemon/store.h"
#include "daemon/wall.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <uv.h>

enum { SETTLE_MS = 30000 }; /* not in the first moments of a daemon */

struct backup {
    uv_loop_t *loop;
    struct backup_hooks hooks;
    int64_t every_ms;
    uv_timer_t timer;
    bool is_closing;
    void (*on_closed)(void *ctx);
    void *closed_ctx;

    /* what the thread works at */
    uv_work_t work;
    bool is_working;
    atomic_bool cancel;
    char *path, *folder, *made;
    int64_t state, last_state; /* of what is being copied, was copied */
    int rc;
    struct err err;
};

static void on_timer(uv_timer_t *timer);

/* Not the state directory above it, which may have been removed on purpose. */
static int make_folder(const char *folder, struct err *err)
{
    return mkdir(folder, 0700) == 0 || errno == EEXIST
               ? 0
               : err_sys(err, errno, "%s", folder);
}

static void work(uv_work_t *w)
{
    struct backup *b = container_of(w, struct backup, work);
    b->rc = make_folder(b->folder, &b->err);
    if (b->rc == 0) {
        b->rc = store_backup(b->path, b->folder, &b->cancel, &b->made, &b->err);
    }
}

static void on_timer_closed(uv_handle_t *h)
{
    struct backup *b = container_of((uv_timer_t *)h, struct backup, timer);
    void (*on_closed)(void *) = b->on_closed;
    void *ctx = b->closed_ctx;
    free(b->path);
    free(b->folder);
    free(b);
    on_closed(ctx);
}

static void maybe_closed(struct backup *b)
{
    if (b->is_closing && !b->is_working) {
        uv_close((uv_handle_t *)&b->timer, on_timer_closed);
    }
}

static void set_timer(struct backup *b, int64_t wait_ms)
{
    if (b->every_ms > 0 && !b->is_closing) {
        uv_timer_start(&b->timer, on_timer, (uint64_t)wait_ms, 0);
    }
}

static void done(uv_work_t *w, int status)
{
    struct backup *b = container_of(w, struct backup, work);
    b->is_working = false;
    if (status == 0 && b->rc == 0) {
        b->last_state = b->state;
        LOG_INFO("backup", "path=%s", b->made);
    } else if (status == 0 && b->rc != ERR_CANCELED) {
        LOG_WARN("backup", "%s", b->err.msg);
    }
    free(b->made);
    b->made = NULL;
    set_timer(b, b->every_ms);
    maybe_closed(b);
}

static void on_timer(uv_timer_t *timer)
{
    struct backup *b = container_of(timer, struct backup, timer);
    b->state = b->hooks.state(b->hooks.ctx);
    b->is_working = b->state != 0 && b->state != b->last_state &&
                    uv_queue_work(b->loop, &b->work, work, done) == 0;
    if (!b->is_working) {
        set_timer(b, b->every_ms);
    }
}

/* When the newest one is old enough, or there is none: soon. */
static int64_t first_wait_ms(const struct backup *b)
{
    struct stat st;
    char *newest = store_backup_newest(b->folder, 0);
    int64_t wait = 0;
    if (newest != NULL && stat(newest, &st) == 0) {
        int64_t age_ms = wall_ms() - (int64_t)st.st_mtime * 1000;
        wait = age_ms >= 0 && age_ms < b->every_ms ? b->every_ms - age_ms : 0;
    }
    free(newest);
    int64_t least = b->every_ms < SETTLE_MS ? b->every_ms : SETTLE_MS;
    return wait > least ? wait : least;
}

struct backup *backup_new(struct uv_loop_s *loop, const char *state_dir,
                          int64_t every_ms, const struct backup_hooks *hooks)
{
    struct backup *b = mem_alloc(1, sizeof(*b));
    *b = (struct backup){.loop = loop,
                         .hooks = *hooks,
                         .every_ms = every_ms,
                         .path = paths_in_state(state_dir, "parzen.db"),
                         .folder = paths_in_state(state_dir, PATHS_BACKUPS)};
    atomic_init(&b->cancel, false);
    uv_timer_init(loop, &b->timer);
    set_timer(b, first_wait_ms(b));
    return b;
}

void backup_close(struct backup *b, void (*on_closed)(void *ctx), void *ctx)
{
    b->is_closing = true;
    b->on_closed = on_closed;
    b->closed_ctx = ctx;
    atomic_store(&b->cancel, true);
    maybe_closed(b);
}
