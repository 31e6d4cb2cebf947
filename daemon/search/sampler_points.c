#include "daemon/search/sampler_points.h"

#include "core/base/mem.h"
#include "daemon/history.h"
#include "daemon/search/points.h"
#include <math.h>
#include <stdlib.h>

static bool agrees(const struct points *p, size_t number, const double *fixed,
                   double *values)
{
    points_at(p, number, values);
    for (size_t i = 0; fixed != NULL && i < p->space->n; i++) {
        if (!isnan(fixed[i]) && !isnan(values[i]) && fixed[i] != values[i]) {
            return false;
        }
    }
    return true;
}

bool points_suggest(const struct spec *spec, const struct history *history,
                    int64_t number, const double *fixed, struct rng *rng,
                    double *out)
{
    struct points p;
    bool found = false;
    if (!points_init(&p, &spec->space, history, number)) {
        return false;
    }
    uint32_t *order = mem_grow(NULL, p.n, sizeof(*order));
    for (uint32_t i = 0; i < p.n; i++) {
        order[i] = i;
    }
    struct rng of_study;
    rng_stream(&of_study, spec->base.seed, 0, RNG_STARTUP, 1);
    bool is_grid = spec->sampler == SPEC_SAMPLER_GRID;
    rng_shuffle(is_grid ? &of_study : rng, order, (uint32_t)p.n);
    double *values = mem_alloc(spec->space.n, sizeof(*values));
    for (size_t k = 0; k < p.n && !found; k++) {
        if (p.mark[order[k]] == POINTS_FREE &&
            agrees(&p, order[k], fixed, values)) {
            for (size_t i = 0; i < spec->space.n; i++) {
                out[i] = values[i];
            }
            found = true;
        }
    }
    free(values);
    free(order);
    points_fini(&p);
    return found;
}

bool points_is_tried(const struct spec *spec, const struct history *history,
                     int64_t number, const double *values)
{
    struct points p;
    if (!points_init(&p, &spec->space, history, number)) {
        return false;
    }
    size_t at = points_find(&p, values);
    bool is_tried = at != SIZE_MAX && p.mark[at] == POINTS_TRIED;
    points_fini(&p);
    return is_tried;
}

bool points_are_exhausted(const struct spec *spec,
                          const struct history *history, size_t *n_points)
{
    bool counts = spec->sampler == SPEC_SAMPLER_GRID ||
                  spec->sampler == SPEC_SAMPLER_BRUTE_FORCE ||
                  spec->duplicates == SPEC_DUPLICATES_AVOID;
    if (!counts) {
        return false;
    }
    /* without conditions each trial can use up one point at most */
    size_t product = points_product(&spec->space);
    if (product == 0 || (!space_has_conditions(&spec->space) &&
                         (size_t)history_n_trials(history) < product)) {
        return false;
    }
    struct points p;
    bool exhausted =
        points_init(&p, &spec->space, history, -1) && p.n_tried == p.n_points;
    *n_points = p.n_points;
    points_fini(&p);
    return exhausted;
}
