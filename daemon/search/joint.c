#include "daemon/search/joint.h"

#include "core/base/mem.h"
#include "daemon/history.h"
#include <stdlib.h>
#include <string.h>

static int compare_params(const void *a, const void *b)
{
    const struct joint_param *p = a, *q = b;
    return strcmp(p->name, q->name);
}

static bool is_finished(const struct history *h, int64_t number)
{
    return trial_state_has_value(history_state(h, number));
}

static void add(struct joint_space *s, const struct history *h, int param,
                const struct dist *dist)
{
    if (dist_is_single(dist)) {
        return;
    }
    s->params[s->n++] = (struct joint_param){
        .name = history_param_name(h, param), .dist = dist, .param = param};
}

static struct joint_space space_new(size_t max_params)
{
    return (struct joint_space){
        .params = mem_alloc(max_params, sizeof(struct joint_param))};
}

void joint_fini(struct joint_space *s)
{
    free(s->params);
    *s = (struct joint_space){.params = NULL};
}

void joint_intersection(const struct history *h, int64_t self,
                        struct joint_space *out)
{
    int n_params = history_n_params(h);
    bool is_listed =
        self >= 0 && self < history_n_trials(h) && is_finished(h, self);
    int64_t n = history_count(h, TRIAL_COMPLETE) +
                history_count(h, TRIAL_PRUNED) - is_listed;
    *out = space_new((size_t)n_params);
    for (int p = 0; n > 0 && p < n_params; p++) {
        for (int i = 0; i < history_n_dists(h, p); i++) {
            const struct dist *dist = history_dist(h, p, i);
            bool is_own = is_listed && history_param_dist(h, self, p) == dist;
            if (history_dist_count(h, p, i) - is_own == n) {
                add(out, h, p, dist);
            }
        }
    }
    qsort(out->params, out->n, sizeof(*out->params), compare_params);
}

/* --- groups --------------------------------------------------------------- */

/* The partition so far: group[p] of each parameter, -1 while unseen. */
struct partition {
    size_t n_params, n_groups;
    int *group;
    const struct dist **first; /* distribution at first sight */
    const struct dist **now;   /* in the trial at hand; NULL: absent */
    int *inside, *outside;     /* scratch by group: its new names */
};

/* Does the trial cut a group in two, or bring unseen parameters? */
static bool splits(struct partition *s)
{
    memset(s->inside, 0, s->n_groups * sizeof(*s->inside));
    memset(s->outside, 0, s->n_groups * sizeof(*s->outside));
    for (size_t p = 0; p < s->n_params; p++) {
        if (s->group[p] < 0) {
            if (s->now[p] != NULL) {
                return true;
            }
        } else {
            (s->now[p] != NULL ? s->inside : s->outside)[s->group[p]] = 1;
        }
    }
    for (size_t g = 0; g < s->n_groups; g++) {
        if (s->inside[g] && s->outside[g]) {
            return true;
        }
    }
    return false;
}

/* Each group K becomes K & D, then K - D; what is left of D comes last. */
static void refine(struct partition *s)
{
    memset(s->inside, -1, s->n_params * sizeof(*s->inside));
    memset(s->outside, -1, s->n_params * sizeof(*s->outside));
    int n = 0;
    for (size_t g = 0; g < s->n_groups; g++) {
        bool has_inside = false, has_outside = false;
        for (size_t p = 0; p < s->n_params; p++) {
            has_inside |= s->group[p] == (int)g && s->now[p] != NULL;
            has_outside |= s->group[p] == (int)g && s->now[p] == NULL;
        }
        s->inside[g] = has_inside ? n++ : -1;
        s->outside[g] = has_outside ? n++ : -1;
    }
    bool is_new = false;
    for (size_t p = 0; p < s->n_params; p++) {
        int g = s->group[p];
        if (g >= 0) {
            s->group[p] = (s->now[p] != NULL ? s->inside : s->outside)[g];
        } else if (s->now[p] != NULL) {
            s->group[p] = n;
            s->first[p] = s->now[p];
            is_new = true;
        }
    }
    s->n_groups = (size_t)n + is_new;
}

static void partition_trials(struct partition *s, const struct history *h,
                             int64_t self)
{
    for (int64_t i = 0; i < history_n_trials(h); i++) {
        if (i == self || !is_finished(h, i)) {
            continue;
        }
        for (size_t p = 0; p < s->n_params; p++) {
            s->now[p] = history_param_dist(h, i, (int)p);
        }
        if (splits(s)) {
            refine(s);
        }
    }
}

struct joint_space *joint_groups(const struct history *h, int64_t self,
                                 size_t *n_groups)
{
    size_t n = (size_t)history_n_params(h);
    struct partition s = {.n_params = n,
                          .group = mem_grow(NULL, n, sizeof(int)),
                          .first = mem_alloc(n, sizeof(*s.first)),
                          .now = mem_alloc(n, sizeof(*s.now)),
                          .inside = mem_alloc(n, sizeof(int)),
                          .outside = mem_alloc(n, sizeof(int))};
    memset(s.group, -1, n * sizeof(int));
    partition_trials(&s, h, self);
    struct joint_space *groups = mem_alloc(s.n_groups, sizeof(*groups));
    for (size_t g = 0; g < s.n_groups; g++) {
        groups[g] = space_new(n);
        for (size_t p = 0; p < n; p++) {
            if (s.group[p] == (int)g) {
                add(&groups[g], h, (int)p, s.first[p]);
            }
        }
        qsort(groups[g].params, groups[g].n, sizeof(*groups[g].params),
              compare_params);
    }
    *n_groups = s.n_groups;
    free(s.group);
    free(s.first);
    free(s.now);
    free(s.inside);
    free(s.outside);
    return groups;
}
