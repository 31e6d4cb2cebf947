/* parzen_steps: a stepped dimension's intervals, and their masses by distance
 * from a kernel's centre. */
#include "daemon/search/parzen_priv.h"
#include "daemon/search/truncnorm.h"

#include <math.h>
#include <string.h>

void parzen_step_interval(const struct dist *dist, double x, double *left,
                          double *right)
{
    *left = x - dist->step / 2.0;
    *right = x + dist->step / 2.0;
    if (dist->log) {
        *left = log(*left);
        *right = log(*right);
    }
}

/* (What v may be off changes no mass by more than DENSITY_ERROR: bandwidths are
 * a hundredth of the range then, see parzen_n_distances.) */
ptrdiff_t parzen_step_place(const struct parzen_dim *d, double v)
{
    const struct dist *dist = d->dist;
    double at = (v - dist->low) / dist->step + 0.5;
    if (d->n_far == 0 || !(at >= 0.0 && at < (double)d->n_far + 1.0)) {
        return -1;
    }
    ptrdiff_t place = (ptrdiff_t)at;
    double off = fabs(dist->low + (double)place * dist->step - v);
    return off <= 1e-14 * (dist->high - dist->low) ? place : -1;
}

/* Are the intervals' ends, as parzen_step_interval rounds them, where they are
 * on the ideal grid? Whole numbers' are. Of others an end is off from a centre
 * by up to 7 * 2^-53 of the largest number, m: its own rounding, and those of
 * the point, the centre and their multiples of the step. That changes a mass by
 * less than 2 * 7 * 2^-53 * m / step, times 12 when the bandwidth is a fifth of
 * a step (a farther step's mass is small beside the prior kernel's when it is
 * less): for m / step <= 2^12 by 6e-12, and 8e-11 at most. */
static bool is_even(const struct dist *dist)
{
    double m = fmax(fabs(dist->low), fabs(dist->high));
    bool is_whole = dist->low == rint(dist->low) &&
                    dist->step == rint(dist->step) && m < 0x1p52;
    return is_whole || m / dist->step <= 0x1p12;
}

size_t parzen_n_distances(const struct parzen *p, const struct parzen_dim *d)
{
    enum { N_MAX = 1 << 16 };
    const struct dist *dist = d->dist;
    double n = rint((dist->high - dist->low) / dist->step);
    double n_pairs = (double)p->n_kernels * (double)p->max_points;
    bool is_less = n <= N_MAX && n <= n_pairs / 2.0;
    return !dist->log && p->has_magic_clip && is_less && is_even(dist)
               ? (size_t)n
               : 0;
}

void parzen_set_distances(struct parzen_dim *d, double reach)
{
    enum { CHUNK = 64 };
    double mu[CHUNK], sigma[CHUNK], mass[CHUNK];
    const double step = d->dist->step;
    double near = floor(reach * d->sigma_min / step) + 1.0;
    d->n_near = near < (double)d->n_far ? (size_t)near : d->n_far;
    for (size_t i = 0; i < CHUNK; i++) {
        sigma[i] = d->sigma_min;
    }
    for (size_t first = 0; first <= d->n_near; first += CHUNK) {
        for (size_t i = 0; i < CHUNK; i++) {
            mu[i] = (double)(first + i) * step;
        }
        size_t left = d->n_near + 1 - first;
        size_t n = left < CHUNK ? left : CHUNK;
        density_best()->step_mass(parzen_padded(n), mu, sigma, -0.5 * step,
                                  0.5 * step, mass);
        for (size_t i = 0; i < n; i++) {
            d->by_distance[first + i] = mass[i] * d->per_unit;
        }
    }
}

double parzen_log_mass(const struct parzen_dim *d, size_t kernel, double left,
                       double right)
{
    double mu = d->mu[kernel], sigma = d->sigma[kernel];
    return truncnorm_log_mass((left - mu) / sigma, (right - mu) / sigma);
}

double parzen_log_step_mass(const struct parzen_dim *d, size_t kernel,
                            double left, double right)
{
    const double ln_sqrt_2pi = 0.91893853320467274178;
    double z = (0.5 * (left + right) - d->mu[kernel]) / d->sigma[kernel];
    double h = (right - left) / d->sigma[kernel];
    if (h >= DENSITY_NARROW || fabs(z) * h > 0.01) {
        return parzen_log_mass(d, kernel, left, right);
    }
    return log(h) + log1p((z * z - 1.0) * h * h / 24.0) - 0.5 * z * z -
           ln_sqrt_2pi;
}
