/* parzen_points: the points of which densities are wanted, in the kernels'
 * space and in rows: what vectors of points want. */
#include "core/base/mem.h"
#include "daemon/search/parzen_priv.h"

#include <math.h>
#include <stdlib.h>

static void put_choices(const struct parzen_dim *d, const double *x, size_t n,
                        size_t row, double *odds)
{
    size_t n_choices = d->dist->n_choices;
    double per_unit = (double)n_choices; /* see parzen_unit */
    for (size_t c = 0; c < row; c++) {
        for (size_t k = 0; k < n_choices; k++) {
            odds[k * row + c] = d->miss * per_unit;
        }
        odds[(size_t)x[c < n ? c : 0] * row + c] = d->hit * per_unit;
        odds[n_choices * row + c] = d->prior * per_unit;
    }
}

static void put_numbers(const struct parzen_dim *d, const double *x, size_t n,
                        size_t row, const struct parzen_coordinate *at)
{
    bool have_places = true;
    for (size_t c = 0; c < row; c++) {
        double v = x[c < n ? c : 0];
        if (d->is_continuous) {
            at->left[c] = at->right[c] = d->dist->log ? log(v) : v;
        } else {
            parzen_step_interval(d->dist, v, &at->left[c], &at->right[c]);
            at->place[c] = parzen_step_place(d, v);
            have_places = have_places && at->place[c] >= 0;
        }
    }
    for (size_t c = 0; c < row && !have_places; c++) {
        at->place[c] = -1;
    }
}

static size_t n_rows(const struct parzen *p)
{
    enum { OF_NUMERICAL = 3 };
    size_t n = 0;
    for (size_t i = 0; i < p->n_dims; i++) {
        const struct parzen_dim *d = &p->dims[i];
        n += d->is_numerical ? OF_NUMERICAL : d->dist->n_choices + 1;
    }
    return n;
}

void parzen_points_init(struct parzen_points *points, const struct parzen *p,
                        size_t n, const double *x)
{
    size_t row = (n + DENSITY_POINTS - 1) / DENSITY_POINTS * DENSITY_POINTS;
    double *at = mem_grow(NULL, n_rows(p) * row, sizeof(*at));
    *points =
        (struct parzen_points){.n = n,
                               .row = row,
                               .at = mem_alloc(p->n_dims, sizeof(*points->at)),
                               .memory = at};
    for (size_t i = 0; i < p->n_dims; i++, x += n) {
        const struct parzen_dim *d = &p->dims[i];
        struct parzen_coordinate *coordinate = &points->at[i];
        if (d->is_numerical) {
            *coordinate = (struct parzen_coordinate){
                .left = at,
                .right = at + row,
                .place = (ptrdiff_t *)(at + 2 * row)};
            put_numbers(d, x, n, row, coordinate);
            at += 3 * row;
        } else {
            coordinate->odds = at;
            put_choices(d, x, n, row, at);
            at += (d->dist->n_choices + 1) * row;
        }
    }
}

void parzen_points_fini(struct parzen_points *points)
{
    free(points->at);
    free(points->memory);
}

void parzen_point_at(const struct parzen *p, const struct parzen_points *points,
                     size_t c, struct parzen_at *at)
{
    for (size_t i = 0; i < p->n_dims; i++) {
        if (p->dims[i].is_numerical) {
            const struct parzen_coordinate *from = &points->at[i];
            at[i] = (struct parzen_at){from->left[c], from->right[c],
                                       from->place[c]};
        }
    }
}
