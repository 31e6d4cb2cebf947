/* history_column: one parameter over all trials, as a history keeps it; nobody
 * but history*.c includes it. Arrays by trial number have room for `cap`
 * trials, which the caller knows. */
#ifndef DAEMON_HISTORY_COLUMN_H
#define DAEMON_HISTORY_COLUMN_H
#include "core/spec/space.h"

struct param_dist {
    struct dist dist;
    int64_t n_finished; /* COMPLETE and PRUNED trials under it */
};

struct param_column {
    char *name;
    struct param_dist **dists; /* each its own block: pointers stay valid */
    size_t n_dists;
    double *value;
    double *log_value; /* NULL: not log */
    uint32_t *dist; /* index into dists; undefined where value is NaN; NULL: 0,
                       while there is one */
    /* What is there once somebody asked for it: the trials that have it, and by
     * trial number the larger of the gaps to its neighbours. */
    uint32_t *order;
    double *gap;
    size_t n_order;
    size_t n_sorted; /* of them, the first, by (centre, number), with their
                        gaps; the rest as they came, until somebody asks */
};

/* Copies name. */
void column_init(struct param_column *c, const char *name, bool is_log,
                 size_t cap);
void column_fini(struct param_column *c);
void column_grow(struct param_column *c, size_t from_cap, size_t to_cap);
/* A deep copy of n trials, without order; unless is_whole, without logarithms
 * too. */
void column_copy(struct param_column *to, const struct param_column *from,
                 size_t n, size_t cap, bool is_whole);
/* NaN: trial i has it no more. is_used: the trial is COMPLETE or PRUNED. */
void column_set(struct param_column *c, size_t i, const struct dist *dist,
                double value, bool is_used, size_t cap);
/* The distribution of trial i, which has the parameter. */
struct param_dist *column_dist(const struct param_column *c, size_t i);
/* Categorical: it was seen under one distribution, and now under this. */
void column_set_choices(struct param_column *c, const struct dist *dist);
/* Trial i becomes a used one (+1) or is one no more (-1). */
void column_count(struct param_column *c, size_t i, int change);
/* Have all of order by (centre, number), and the gaps: n trials, room for cap.
 * A centre is where a kernel of the value stands: the value or its logarithm;
 * -inf where there is no logarithm. */
void column_sort(struct param_column *c, size_t n, size_t cap);

/* --- arrays */
/* What is new is NaN. */
double *reals_grow(double *reals, size_t from, size_t to);
/* The first n of an array, with room for cap. */
void *array_copy(const void *from, size_t n, size_t cap, size_t size);

#endif
