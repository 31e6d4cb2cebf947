/* points: a space of grids and choices as a numbered list, and which of its
 * points have been tried.
 *
 * A point's number is its place in the cartesian product, the last parameter
 * running fastest; what a conditional parameter would be where it is not there
 * counts as its first value, so such points are in the list once. */
#ifndef DAEMON_SEARCH_POINTS_H
#define DAEMON_SEARCH_POINTS_H
#include "core/spec/space.h"
struct history;

enum { POINTS_MAX = 1000000 }; /* longer lists are not made */

struct points {
    const struct space *space; /* borrowed */
    uint8_t *mark;             /* by number: POINTS_* ; owned */
    size_t n;                  /* of the cartesian product */
    size_t n_points, n_tried;
};
enum { POINTS_FREE, POINTS_TRIED, POINTS_NONE };

/* Length of the cartesian product; 0: a parameter is continuous, or it is more
 * than POINTS_MAX. */
size_t points_product(const struct space *s);
/* The trials of any state that have parameters, other than `self`, are tried.
 * False: points_product is 0. */
bool points_init(struct points *p, const struct space *s,
                 const struct history *h, int64_t self);
void points_fini(struct points *p);
/* NaN where a parameter is not there. */
void points_at(const struct points *p, size_t number, double *values);
/* SIZE_MAX: not a point of the list. */
size_t points_find(const struct points *p, const double *values);

#endif
