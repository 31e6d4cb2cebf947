/* The happy path: a trial finishes, analysis_want notes its study; the timer
 * fires, `begin` copies the history of one noted study and queues the work;
 * `work` computes in a thread of libuv's pool; `done`, on the loop again, hands
 * the results over and sets the timer for the next study.
 *
 * Failure modes: the study is deleted meanwhile (who receives the result looks
 * it up); the daemon ends (the work is told to give up, closing waits for it).
 */
#include "daemon/analysis.h"
#include "core/base/mem.h"
#include "daemon/history.h"
#include "daemon/mirror.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

/* So many times as long as the last took, the next one waits: less is taken
 * from what runs beside where that costs no one more than QUICK_MS. */
enum {
    REST_MIN_MS = 200,
    REST_FACTOR = 10,
    QUICK_FACTOR = 40,
    QUICK_MS = 10000
};

struct analysis {
    uv_loop_t *loop;
    struct analysis_hooks hooks;
    uv_timer_t timer;
    int64_t *wanted; /* study_ids, each once, oldest wish first */
    size_t n_wanted;
    bool is_closing;
    void (*on_closed)(void *ctx);
    void *closed_ctx;

    /* what the thread works at */
    uv_work_t work;
    bool is_working;
    atomic_bool cancel;
    int64_t study;
    struct history *history; /* its own copy */
    enum spec_direction direction;
    uint64_t seed;
    struct importances results[IMPORTANCE_N_EVALUATORS];
    uint64_t took_ns;
};

static void on_timer(uv_timer_t *timer);

static void maybe_closed(struct analysis *a);

/* --- the thread -------------------------------------------------------------
 */

static void work(uv_work_t *w)
{
    struct analysis *a = container_of(w, struct analysis, work);
    uint64_t begin = uv_hrtime();
    for (int i = 0; i < IMPORTANCE_N_EVALUATORS; i++) {
        if (!importance_compute_until((enum importance_evaluator)i, a->history,
                                      a->direction, a->seed, &a->cancel,
                                      &a->results[i])) {
            break;
        }
    }
    a->took_ns = uv_hrtime() - begin;
}

/* --- the loop ------------------------------------------------------------- */

static void set_timer(struct analysis *a, uint64_t wait_ms)
{
    if (!a->is_closing && !a->is_working && a->n_wanted > 0) {
        uv_timer_start(&a->timer, on_timer, wait_ms, 0);
    }
}

static uint64_t rest_ms(uint64_t took_ms)
{
    uint64_t quick = QUICK_FACTOR * took_ms, rest = REST_FACTOR * took_ms;
    quick = quick < QUICK_MS ? quick : QUICK_MS;
    rest = rest > quick ? rest : quick;
    return rest > REST_MIN_MS ? rest : REST_MIN_MS;
}

static void done(uv_work_t *w, int status)
{
    struct analysis *a = container_of(w, struct analysis, work);
    a->is_working = false;
    history_free(a->history);
    a->history = NULL;
    for (int i = IMPORTANCE_N_EVALUATORS; i-- > 0;) { /* ped-anova last */
        struct importances list = a->results[i];
        a->results[i] = (struct importances){0};
        if (status == 0 && list.n > 0 && !a->is_closing) {
            a->hooks.on_importances(a->hooks.ctx, a->study,
                                    (enum importance_evaluator)i, &list);
        }
        importances_fini(&list);
    }
    set_timer(a, rest_ms(a->took_ns / 1000000));
    maybe_closed(a);
}

static bool begin(struct analysis *a, const struct study *s)
{
    if (s == NULL || study_importances_are_current(s)) {
        return false;
    }
    a->study = s->id;
    a->history = history_copy(s->history);
    a->direction = s->spec.direction;
    a->seed = s->spec.base.seed;
    a->took_ns = 0;
    if (uv_queue_work(a->loop, &a->work, work, done) != 0) {
        history_free(a->history);
        a->history = NULL;
        return false;
    }
    a->is_working = true;
    return true;
}

static void on_timer(uv_timer_t *timer)
{
    struct analysis *a = container_of(timer, struct analysis, timer);
    const struct mirror *m = a->hooks.mirror(a->hooks.ctx);
    if (m == NULL) {
        set_timer(a, 1000);
        return;
    }
    while (a->n_wanted > 0 && !a->is_working) {
        int64_t study = a->wanted[0];
        a->n_wanted--;
        memmove(&a->wanted[0], &a->wanted[1], a->n_wanted * sizeof(*a->wanted));
        (void)begin(a, mirror_study(m, study));
    }
}

void analysis_want(struct analysis *a, int64_t study)
{
    for (size_t i = 0; i < a->n_wanted; i++) {
        if (a->wanted[i] == study) {
            return;
        }
    }
    a->wanted = mem_grow(a->wanted, a->n_wanted + 1, sizeof(*a->wanted));
    a->wanted[a->n_wanted++] = study;
    if (!uv_is_active((const uv_handle_t *)&a->timer)) {
        set_timer(a, 1);
    }
}

/* --- life -------------------------------------------------------------------
 */

struct analysis *analysis_new(struct uv_loop_s *loop,
                              const struct analysis_hooks *hooks)
{
    struct analysis *a = mem_alloc(1, sizeof(*a));
    *a = (struct analysis){.loop = loop, .hooks = *hooks};
    atomic_init(&a->cancel, false);
    uv_timer_init(loop, &a->timer);
    return a;
}

static void on_timer_closed(uv_handle_t *h)
{
    struct analysis *a = container_of((uv_timer_t *)h, struct analysis, timer);
    void (*on_closed)(void *) = a->on_closed;
    void *ctx = a->closed_ctx;
    free(a->wanted);
    free(a);
    on_closed(ctx);
}

static void maybe_closed(struct analysis *a)
{
    if (a->is_closing && !a->is_working) {
        uv_close((uv_handle_t *)&a->timer, on_timer_closed);
    }
}

void analysis_close(struct analysis *a, void (*on_closed)(void *ctx), void *ctx)
{
    a->is_closing = true;
    a->on_closed = on_closed;
    a->closed_ctx = ctx;
    atomic_store(&a->cancel, true);
    maybe_closed(a);
}
