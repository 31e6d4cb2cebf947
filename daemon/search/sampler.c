#include "daemon/search/sampler.h"

#include "core/base/mem.h"
#include "daemon/history.h"
#include "daemon/search/pruner.h"
#include "daemon/search/points.h"
#include "daemon/search/sampler_cmaes.h"
#include "daemon/search/sampler_points.h"
#include "daemon/search/sampler_qmc.h"
#include "daemon/search/sampler_random.h"
#include "daemon/search/sampler_tpe.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct sampler_ask {
    const struct sampler_config *config;
    struct rng *startup;
    struct tpe *tpe; /* of SPEC_SAMPLER_TPE */
    struct asked {   /* what this trial was told already */
        const char *name;
        double value;
    } * asked;
    size_t n_asked;
};

/* --- the samplers, by enum spec_sampler -------------------------------------
 */

static void begin_tpe(struct sampler_ask *a, const struct history *history,
                      int64_t number, struct rng *rng)
{
    a->tpe = tpe_new(a->config, history, number, rng, a->startup);
}

static double param_tpe(struct sampler_ask *a, const char *name,
                        const struct dist *dist)
{
    return tpe_param(a->tpe, name, dist);
}

static void begin_random(struct sampler_ask *a, const struct history *history,
                         int64_t number, struct rng *rng)
{
    (void)a, (void)history, (void)number, (void)rng;
}

static double param_random(struct sampler_ask *a, const char *name,
                           const struct dist *dist)
{
    (void)name;
    return random_param(a->startup, dist);
}

static const struct {
    void (*begin)(struct sampler_ask *a, const struct history *history,
                  int64_t number, struct rng *rng);
    double (*param)(struct sampler_ask *a, const char *name,
                    const struct dist *dist); /* not single-valued */
} samplers[] = {
    [SPEC_SAMPLER_TPE] = {begin_tpe, param_tpe},
    [SPEC_SAMPLER_RANDOM] = {begin_random, param_random},
    /* choose whole points; single parameters, when they must, at random */
    [SPEC_SAMPLER_GRID] = {begin_random, param_random},
    [SPEC_SAMPLER_BRUTE_FORCE] = {begin_random, param_random},
    [SPEC_SAMPLER_QMC] = {begin_random, param_random},
    [SPEC_SAMPLER_CMAES] = {begin_random, param_random},
};

/* --- one trial --------------------------------------------------------------
 */

struct sampler_ask *sampler_begin(const struct sampler_config *config,
                                  const struct history *history, int64_t number,
                                  struct rng *rng, struct rng *startup)
{
    assert((size_t)config->type < ARRAY_LEN(samplers));
    struct sampler_ask *a = mem_alloc(1, sizeof(*a));
    *a = (struct sampler_ask){.config = config, .startup = startup};
    samplers[config->type].begin(a, history, number, rng);
    return a;
}

double sampler_param(struct sampler_ask *ask, const char *name,
                     const struct dist *dist)
{
    for (size_t i = 0; i < ask->n_asked; i++) {
        if (strcmp(ask->asked[i].name, name) == 0) {
            return ask->asked[i].value;
        }
    }
    double value = dist->low; /* the first choice, if categorical */
    if (!dist_is_single(dist)) {
        value = samplers[ask->config->type].param(ask, name, dist);
    }
    ask->asked = mem_grow(ask->asked, ask->n_asked + 1, sizeof(*ask->asked));
    ask->asked[ask->n_asked++] = (struct asked){.name = name, .value = value};
    return value;
}

void sampler_end(struct sampler_ask *ask)
{
    tpe_free(ask->tpe);
    free(ask->asked);
    free(ask);
}

/* --- a study's trial --------------------------------------------------------
 */

struct bracket {
    const struct spec *spec;
    const struct history *history;
    int number;
};

static bool is_in_bracket(const void *ctx, int64_t number)
{
    const struct bracket *b = ctx;
    return pruner_bracket(b->spec, b->history, number) == b->number;
}

/* Parameter by parameter, those that conditions look at first. `round` tells
 * the draws of one trial apart. */
static void suggest_each(const struct spec *spec, const struct history *history,
                         int64_t number, const double *fixed, uint32_t round,
                         double *out)
{
    const struct sampler_config config = {
        .type = spec->sampler, .tpe = spec->tpe, .direction = spec->direction};
    uint64_t seed = (uint64_t)spec->base.seed;
    struct rng rng, startup;
    rng_stream(&rng, seed, (uint32_t)number, RNG_SAMPLER, round);
    rng_stream(&startup, seed, (uint32_t)number, RNG_STARTUP, round);
    size_t *order = mem_alloc(spec->space.n, sizeof(*order));
    (void)space_order(&spec->space, order);
    struct sampler_ask *ask =
        sampler_begin(&config, history, number, &rng, &startup);
    for (size_t k = 0; k < spec->space.n; k++) {
        size_t i = order[k];
        const struct param *p = &spec->space.params[i];
        bool is_fixed = fixed != NULL && !isnan(fixed[i]);
        if (!space_is_active(&spec->space, out, i)) {
            out[i] = NAN;
        } else {
            out[i] =
                is_fixed ? fixed[i] : sampler_param(ask, p->name, &p->dist);
        }
    }
    sampler_end(ask);
    free(order);
}

/* A point taken as a whole gets the fixed values, and loses what is not there.
 */
static void settle(const struct space *space, const double *fixed, double *out)
{
    size_t *order = mem_alloc(space->n, sizeof(*order));
    (void)space_order(space, order);
    for (size_t k = 0; k < space->n; k++) {
        size_t i = order[k];
        if (!space_is_active(space, out, i)) {
            out[i] = NAN;
        } else if (fixed != NULL && !isnan(fixed[i])) {
            out[i] = fixed[i];
        }
    }
    free(order);
}

/* What was tried already is drawn again a few times, then taken from what is
 * left. A point that the user fixed wholly is no duplicate but a wish. */
static void avoid_duplicates(const struct spec *spec,
                             const struct history *history, int64_t number,
                             const double *fixed, double *out)
{
    enum { ROUNDS = 10 };
    if (points_product(&spec->space) == 0) {
        return;
    }
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        if (!points_is_tried(spec, history, number, out)) {
            return;
        }
        suggest_each(spec, history, number, fixed, round, out);
    }
    struct rng rng;
    rng_stream(&rng, spec->base.seed, (uint32_t)number, RNG_STARTUP,
               ROUNDS + 1);
    if (points_is_tried(spec, history, number, out) &&
        points_suggest(spec, history, number, fixed, &rng, out)) {
        settle(&spec->space, fixed, out);
    }
}

/* By the samplers that take a point as a whole; false: this one does not, or
 * has none. */
static bool suggest_whole(const struct spec *spec,
                          const struct history *history, int64_t number,
                          const double *fixed, double *out)
{
    struct rng rng;
    switch (spec->sampler) {
    case SPEC_SAMPLER_GRID:
    case SPEC_SAMPLER_BRUTE_FORCE:
        rng_stream(&rng, spec->base.seed, (uint32_t)number, RNG_SAMPLER, 0);
        return points_suggest(spec, history, number, fixed, &rng, out);
    case SPEC_SAMPLER_QMC:
        qmc_suggest(spec, number, out);
        return true;
    case SPEC_SAMPLER_CMAES:
        return cmaes_suggest(spec, history, number, out);
    default:
        return false;
    }
}

static void suggest(const struct spec *spec, const struct history *history,
                    int64_t number, const double *fixed, double *out)
{
    if (suggest_whole(spec, history, number, fixed, out)) {
        settle(&spec->space, fixed, out);
    } else {
        suggest_each(spec, history, number, fixed, 0, out);
    }
    if (spec->duplicates == SPEC_DUPLICATES_AVOID) {
        avoid_duplicates(spec, history, number, fixed, out);
    }
}

void sampler_suggest(const struct spec *spec, const struct history *history,
                     int64_t number, const double *fixed, double *out)
{
    struct history *filtered = NULL;
    const struct bracket bracket = {spec, history,
                                    pruner_bracket(spec, history, number)};
    if (bracket.number >= 0) {
        history = filtered = history_filter(history, is_in_bracket, &bracket);
    }
    suggest(spec, history, number, fixed, out);
    history_free(filtered);
}

bool sampler_is_exhausted(const struct spec *spec,
                          const struct history *history, size_t *n_points)
{
    return points_are_exhausted(spec, history, n_points);
}
