/* The children of a process that is killed become ours in their turn, so it is
 * looked again until there are none. What does not end hangs in the kernel or
 * is another user's by now: it is left after LOOKS. */
#include "daemon/pool_strays.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/proc.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

enum { LOOKS = 1000, LOOK_EVERY_MS = 10, AT_ONCE = 256 };

struct pool_strays {
    uv_timer_t timer;
    bool (*is_worker)(void *ctx, pid_t pid);
    void *ctx;
    bool are_ours; /* all children that are no workers */
    int n_looks;
    void (*on_closed)(void *ctx); /* NULL: it is not closing */
};

struct pool_strays *pool_strays_new(struct uv_loop_s *loop,
                                    bool (*is_worker)(void *ctx, pid_t pid),
                                    void *ctx)
{
    struct pool_strays *s = mem_alloc(1, sizeof(*s));
    pid_t first;
    *s = (struct pool_strays){.is_worker = is_worker, .ctx = ctx};
    s->are_ours = getpid() != 1 && proc_children(&first, 1) == 0 &&
                  prctl(PR_SET_CHILD_SUBREAPER, 1) == 0;
    uv_timer_init(loop, &s->timer);
    s->timer.data = s;
    return s;
}

/* False: there was none. The library reaps the workers, and nothing else. */
static bool kill_strays(struct pool_strays *s)
{
    pid_t pids[AT_ONCE];
    int n = proc_children(pids, AT_ONCE);
    bool any = false;
    for (int i = 0; i < n; i++) {
        if (!s->is_worker(s->ctx, pids[i])) {
            kill(pids[i], SIGKILL);
            waitpid(pids[i], NULL, WNOHANG);
            any = true;
        }
    }
    return any;
}

static void on_handle_closed(uv_handle_t *h)
{
    struct pool_strays *s = h->data;
    void (*on_closed)(void *) = s->on_closed;
    void *ctx = s->ctx;
    free(s);
    on_closed(ctx);
}

static void on_look(uv_timer_t *t)
{
    struct pool_strays *s = t->data;
    bool any = kill_strays(s);
    if (any && ++s->n_looks < LOOKS) {
        return;
    }
    if (any) {
        LOG_WARN("what a dead worker left does not end", "looks=%d", LOOKS);
    }
    uv_timer_stop(t);
    if (s->on_closed != NULL) {
        uv_close((uv_handle_t *)t, on_handle_closed);
    }
}

void pool_strays_end(struct pool_strays *s)
{
    s->n_looks = 0;
    if (s->are_ours) {
        uv_timer_start(&s->timer, on_look, 0, LOOK_EVERY_MS);
    }
}

void pool_strays_close(struct pool_strays *s, void (*on_closed)(void *ctx))
{
    s->on_closed = on_closed;
    if (!uv_is_active((uv_handle_t *)&s->timer)) {
        uv_close((uv_handle_t *)&s->timer, on_handle_closed);
    }
}
