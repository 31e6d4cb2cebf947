#include "daemon/search/sampler_random.h"

#include <math.h>

/* The index of the largest of n uniforms. */
static double random_choice(struct rng *rng, size_t n)
{
    size_t best = 0;
    double max = -1.0;
    for (size_t i = 0; i < n; i++) {
        double u = rng_double(rng);
        if (u > max) {
            max = u;
            best = i;
        }
    }
    return (double)best;
}

static double clamp(double x, double low, double high)
{
    return fmin(fmax(x, low), high);
}

double random_at(const struct dist *dist, double u)
{
    if (dist->kind == DIST_CATEGORICAL) {
        return floor(u * (double)dist->n_choices);
    }
    double half = dist->step / 2.0;
    double lo = dist->low - half, hi = dist->high + half;
    if (dist->log) {
        lo = log(lo);
        hi = log(hi);
    }
    double x = lo + (hi - lo) * u;
    if (dist->log) {
        x = exp(x);
    }
    if (dist->kind == DIST_INT) {
        x = dist->log ? rint(x)
                      : floor((x - dist->low) / dist->step + 0.5) * dist->step +
                            dist->low;
    } else if (dist->step != 0.0) {
        x = rint((x - dist->low) / dist->step) * dist->step + dist->low;
    } else { /* the range is half open, though rounding may touch its end */
        return clamp(x, dist->low, nextafter(dist->high, dist->low));
    }
    return clamp(x, dist->low, dist->high);
}

double random_param(struct rng *rng, const struct dist *dist)
{
    return dist->kind == DIST_CATEGORICAL ? random_choice(rng, dist->n_choices)
                                          : random_at(dist, rng_double(rng));
}
