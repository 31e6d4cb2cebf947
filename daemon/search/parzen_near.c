/* parzen_near: which kernels matter to a point: of thousands, few.
 *
 * Kernels are put together by octave of their bandwidth in one dimension and,
 * within an octave, by cell of their centre there; of each octave a point meets
 * a run of cells. What of a run is far in another dimension is left out by the
 * screen. Which dimension comes first is no matter of what is summed. */
#include "core/base/mem.h"
#include "daemon/search/parzen_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    N_OCTAVES = 8, /* the last has all that is narrower */
    N_CELLS = (2 << N_OCTAVES) - 2
};

struct parzen_near {
    const struct parzen_dim *dims[DENSITY_SCREENED]; /* the first has cells */
    size_t number[DENSITY_SCREENED]; /* theirs in the estimator */
    size_t start[N_CELLS + 1]; /* octave o's 2^(o+1) cells, then o + 1's */
    double per_range;          /* 1 / that of the cells' dimension */
    double widest[N_OCTAVES];  /* bandwidth; 0: the octave is empty */
    float floor;
    struct density_screen screen;
    size_t *others; /* numbers of the other numerical dimensions; owned */
    size_t n_others;
};

/* --- dimensions ------------------------------------------------------------
 */

/* Those that tell most kernels apart: continuous ones, then stepped ones. */
static size_t choose_dims(const struct parzen *p,
                          size_t number[DENSITY_SCREENED])
{
    size_t n = 0;
    for (int continuous = 1; continuous >= 0; continuous--) {
        for (size_t i = 0; i < p->n_dims && n < DENSITY_SCREENED; i++) {
            const struct parzen_dim *d = &p->dims[i];
            if (d->is_numerical && d->is_continuous == (continuous != 0)) {
                number[n++] = i;
            }
        }
    }
    return n;
}

/* --- memory ----------------------------------------------------------------
 */

size_t parzen_near_size(const struct parzen *p)
{
    enum { OTHERS = 2, DOUBLE = sizeof(double) / sizeof(float) };
    size_t number[DENSITY_SCREENED], n_dims = choose_dims(p, number);
    size_t n = parzen_padded(p->n_kernels) + DENSITY_SCREEN_PAD;
    return n_dims > 0 ? (2 * n_dims + OTHERS) * n / DOUBLE : 0;
}

static float *carve(double **at, size_t n)
{
    float *v = (float *)*at;
    *at += n * sizeof(float) / sizeof(double);
    return v;
}

/* --- cells -----------------------------------------------------------------
 */

static size_t n_cells_of(unsigned octave)
{
    return (size_t)2 << octave;
}

static size_t first_cell(unsigned octave)
{
    return n_cells_of(octave) - 2;
}

/* floor(log2(ratio)), of a ratio from 1 on; the last octave beyond. */
static unsigned octave_of(double ratio)
{
    uint64_t bits;
    memcpy(&bits, &ratio, sizeof(bits));
    uint64_t octave = (bits >> 52) - 1023;
    return octave < N_OCTAVES ? (unsigned)octave : N_OCTAVES - 1;
}

/* Which of the octave's cells v is in, or the nearest to it. */
static size_t cell_at(const struct parzen_near *near, unsigned octave, double v)
{
    size_t n = n_cells_of(octave);
    double at = (v - near->dims[0]->lo) * near->per_range * (double)n;
    return at < (double)n ? (size_t)(at > 0.0 ? at : 0.0) : n - 1;
}

/* --- building --------------------------------------------------------------
 */

/* A centre out of a stepped dimension's bounds has a share of the mass within
 * that does not fall with the distance. */
static void meet_all(struct parzen_near *near)
{
    for (unsigned o = 0; o < N_OCTAVES; o++) {
        bool is_empty = near->widest[o] == 0.0;
        near->widest[o] = is_empty ? 0.0 : (double)INFINITY;
    }
}

/* By kernel, its place in the order of the cells; owned by the caller. */
static uint32_t *order_kernels(const struct parzen *p, struct parzen_near *near)
{
    const struct parzen_dim *d = near->dims[0];
    uint32_t *place = mem_grow(NULL, p->n_kernels, sizeof(*place));
    size_t next[N_CELLS];
    const double range = d->hi - d->lo;
    for (size_t k = 0; k < p->n_kernels; k++) {
        double sigma = d->sigma[k];
        unsigned octave = octave_of(range / sigma);
        if (sigma > near->widest[octave]) {
            near->widest[octave] = sigma;
        }
        size_t c = first_cell(octave) + cell_at(near, octave, d->mu[k]);
        place[k] = (uint32_t)c;
        near->start[c + 1]++;
    }
    if (d->has_outside && !d->is_continuous) {
        meet_all(near);
    }
    for (size_t c = 0; c < N_CELLS; c++) {
        near->start[c + 1] += near->start[c];
    }
    memcpy(next, near->start, sizeof(next));
    for (size_t k = 0; k < p->n_kernels; k++) {
        place[k] = (uint32_t)next[place[k]]++;
    }
    return place;
}

/* Where floats are too coarse, or distance does not tell, a kernel is near. */
static void screen_dim(const struct parzen_dim *d, size_t n,
                       const uint32_t *place, float *mu, float *inv)
{
    const double sqrt_half_log2e = 0.84932180028801904272;
    const double range = d->hi - d->lo, per_range = 1.0 / range;
    const double scale = sqrt_half_log2e * range;
    const double most = 1e30; /* a float; anything away is far */
    for (size_t k = 0; k < n; k++) {
        double v = scale / d->sigma[k];
        mu[place[k]] = (float)((d->mu[k] - d->lo) * per_range);
        inv[place[k]] = (float)(v < most ? v : most);
    }
    for (size_t k = 0; k < n && d->has_outside; k++) {
        if (!parzen_is_within(d, d->mu[k])) {
            mu[place[k]] = inv[place[k]] = 0.0f;
        }
    }
}

static void screen_exponents(const struct parzen *p, const uint32_t *place,
                             float *expo)
{
    const double coarse = 1e4;
    memset(expo, 0, p->n_kernels * sizeof(*expo));
    for (size_t k = 0; k < p->n_kernels && p->expo != NULL; k++) {
        double e = p->expo[k];
        expo[place[k]] = fabs(e) < coarse ? (float)e : INFINITY;
    }
}

/* What is read beyond the last is not taken; it shall be a number. */
static float *carve_padded(double **arena, size_t n)
{
    float *v = carve(arena, parzen_padded(n) + DENSITY_SCREEN_PAD);
    memset(v + n, 0, (parzen_padded(n) + DENSITY_SCREEN_PAD - n) * sizeof(*v));
    return v;
}

static void set_others(const struct parzen *p, struct parzen_near *near)
{
    near->others = mem_grow(NULL, p->n_dims, sizeof(*near->others));
    for (size_t i = 0; i < p->n_dims; i++) {
        bool is_other = p->dims[i].is_numerical;
        for (size_t k = 0; k < near->screen.n_dims; k++) {
            is_other = is_other && near->number[k] != i;
        }
        near->others[near->n_others] = i;
        near->n_others += is_other;
    }
}

void parzen_want_near(struct parzen *p)
{
    if (p->near != NULL) {
        return;
    }
    double *arena = p->rest;
    struct parzen_near *near = mem_alloc(1, sizeof(*near));
    struct density_screen *s = &near->screen;
    size_t n = p->n_kernels;
    s->n_dims = choose_dims(p, near->number);
    for (size_t i = 0; i < s->n_dims; i++) {
        near->dims[i] = &p->dims[near->number[i]];
    }
    set_others(p, near);
    near->per_range = 1.0 / (near->dims[0]->hi - near->dims[0]->lo);
    uint32_t *place = order_kernels(p, near);
    uint32_t *kernel = (uint32_t *)carve_padded(&arena, n);
    for (size_t k = 0; k < n; k++) {
        kernel[place[k]] = (uint32_t)k;
    }
    for (size_t i = 0; i < s->n_dims; i++) {
        float *mu = carve_padded(&arena, n), *inv = carve_padded(&arena, n);
        screen_dim(near->dims[i], n, place, mu, inv);
        s->mu[i] = mu;
        s->inv[i] = inv;
    }
    float *expo = carve_padded(&arena, n);
    screen_exponents(p, place, expo);
    s->kernel = kernel;
    s->expo = expo;
    /* what floats may be off by, and more */
    near->floor = (float)(p->floor - 1e-5 * fabs(p->floor) - 0.01);
    free(place);
    p->near = near;
}

void parzen_near_free(struct parzen_near *near)
{
    if (near != NULL) {
        free(near->others);
        free(near);
    }
}

/* --- walking ---------------------------------------------------------------
 */

void parzen_walk_init(struct parzen_walk *w, const struct parzen *p,
                      const struct parzen_at *at)
{
    const float coarse = 0x1p-21f; /* floats from 0 to 1, and more */
    const struct parzen_near *near = p->near;
    *w = (struct parzen_walk){.p = p, .at = at};
    for (size_t i = 0; i < near->screen.n_dims; i++) {
        const struct parzen_dim *d = near->dims[i];
        const struct parzen_at *a = &at[near->number[i]];
        double range = d->hi - d->lo;
        w->middle[i] = (float)((0.5 * (a->left + a->right) - d->lo) / range);
        w->half[i] = (float)(0.5 * (a->right - a->left) / range) + coarse;
    }
}

/* The next octave's run of cells; false: there is none. */
static bool next_run(struct parzen_walk *w)
{
    const struct parzen_near *near = w->p->near;
    const struct parzen_at *at = &w->at[near->number[0]];
    while (w->octave < N_OCTAVES && near->widest[w->octave] == 0.0) {
        w->octave++;
    }
    if (w->octave == N_OCTAVES) {
        return false;
    }
    unsigned o = w->octave++;
    double reach = w->p->reach * near->widest[o];
    const size_t *start = near->start + first_cell(o);
    w->first = start[cell_at(near, o, at->left - reach)];
    w->end = start[cell_at(near, o, at->right + reach) + 1];
    return true;
}

/* Those that are not too far in the other dimensions, either. Most are, in the
 * first or second: what is by kernel is seldom in a cache. */
static size_t thin(const struct parzen_walk *w, size_t n, const float *above,
                   uint32_t *kernel)
{
    const struct parzen_near *near = w->p->near;
    size_t n_kept = 0;
    for (size_t j = 0; j < n; j++) {
        uint32_t k = kernel[j];
        double left = above[j];
        for (size_t i = 0; i < near->n_others && left >= 0.0; i++) {
            size_t d = near->others[i];
            left -= parzen_loss(&w->p->dims[d], &w->at[d], k);
        }
        kernel[n_kept] = k;
        n_kept += left >= 0.0;
    }
    return n_kept;
}

size_t parzen_walk_next(struct parzen_walk *w, uint32_t kernel[PARZEN_LOT_MAX])
{
    const struct parzen_near *near = w->p->near;
    float above[PARZEN_LOT];
    size_t n = 0;
    while (n < PARZEN_LOT && (w->first < w->end || next_run(w))) {
        size_t left = w->end - w->first;
        size_t end = w->first + (left < PARZEN_LOT ? left : PARZEN_LOT);
        size_t more =
            density_best()->near(&near->screen, w->first, end, w->middle,
                                 w->half, near->floor, kernel + n, above);
        n += thin(w, more, above, kernel + n);
        w->first = end;
    }
    return n;
}
