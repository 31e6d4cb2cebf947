/* Observations -> their bandwidths: the gap to the farther of two neighbours.
 *
 * Three ways to the same numbers. Of few observations: sort them. Of many: what
 * a history keeps of all trials, mended beside those that are not in the
 * estimator; and, when these are many too, a walk along its order. */
#include "core/base/mem.h"
#include "daemon/search/parzen_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- centres -------------------------------------------------------------- */

/* Are nearly all in rows? What is out costs as much as some steps. */
static bool is_dense(const struct parzen_rows *rows)
{
    enum { ONE_OUT = 32 };
    return rows->place != NULL && rows->n_out <= rows->n / ONE_OUT;
}

/* What numbers have, by kernel: numbers between two that are out are a run. */
static void copy_runs(const struct parzen_rows *rows, const double *of,
                      double *to)
{
    size_t next = 0, n = rows->n;
    for (size_t i = 0; n > 0; i++) {
        size_t end = i < rows->n_out ? rows->out[i] : next + n;
        size_t run = end - next < n ? end - next : n;
        memcpy(to, of + next, run * sizeof(*to));
        to += run;
        n -= run;
        next = end + 1;
    }
}

void parzen_centres(const struct parzen_rows *rows,
                    const struct parzen_column *column, double *mu)
{
    if (is_dense(rows)) {
        copy_runs(rows, column->at, mu);
        return;
    }
    for (size_t k = 0; k < rows->n; k++) {
        mu[k] = column->at[parzen_number(rows, k)];
    }
}

/* --- bandwidths ----------------------------------------------------------- */

/* fmax without its care for NaN, which costs a call. */
static double larger(double a, double b)
{
    return a > b ? a : b;
}

static double clipped(const struct parzen_bounds *b, double gap)
{
    double sigma = larger(gap, b->least);
    return sigma < b->most ? sigma : b->most;
}

static double bandwidth(const struct parzen_bounds *b, double left, double at,
                        double right)
{
    return clipped(b, larger(at - left, right - at));
}

/* Walk along the order. With many trials each look by number misses the caches:
 * the next are fetched ahead. */
static void set_by_walk(const struct parzen_rows *rows,
                        const struct parzen_column *column,
                        const struct parzen_bounds *b, double *sigma)
{
    enum { AHEAD = 16 };
    const uint32_t *order = column->order;
    double left = b->first, at = 0.0;
    uint32_t kernel = UINT32_MAX;
    for (size_t j = 0; j < column->n_order; j++) {
        uint32_t next = rows->place[order[j]];
        if (j + AHEAD < column->n_order) {
            __builtin_prefetch(&rows->place[order[j + AHEAD]]);
            __builtin_prefetch(&column->at[order[j + AHEAD]]);
        }
        if (next == UINT32_MAX) {
            continue;
        }
        double right = column->at[order[j]];
        if (kernel != UINT32_MAX) {
            sigma[kernel] = bandwidth(b, left, at, right);
            left = at;
        }
        kernel = next;
        at = right;
    }
    if (kernel != UINT32_MAX) {
        sigma[kernel] = bandwidth(b, left, at, b->last);
    }
}

/* Few, without an order: put in one first. */
static void set_by_sort(const struct parzen_rows *rows,
                        const struct parzen_column *column,
                        const struct parzen_bounds *b, double *sigma)
{
    uint32_t *order = mem_grow(NULL, rows->n + 1, sizeof(*order));
    for (size_t i = 0; i < rows->n; i++) {
        double at = column->at[parzen_number(rows, i)];
        size_t j = i;
        for (; j > 0 && column->at[parzen_number(rows, order[j - 1])] > at;
             j--) {
            order[j] = order[j - 1];
        }
        order[j] = (uint32_t)i;
    }
    double left = b->first;
    for (size_t j = 0; j < rows->n; j++) {
        double at = column->at[parzen_number(rows, order[j])];
        double right = j + 1 < rows->n
                           ? column->at[parzen_number(rows, order[j + 1])]
                           : b->last;
        sigma[order[j]] = bandwidth(b, left, at, right);
        left = at;
    }
    free(order);
}

/* Where a number stands in the order. */
static size_t find(const struct parzen_column *column, uint32_t number)
{
    double at = column->at[number];
    size_t low = 0, high = column->n_order;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        uint32_t other = column->order[mid];
        double v = column->at[other];
        if (isnan(v) || v < at || (v == at && other < number)) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* The last selected one before the j-th in order, or the first from it on; any
 * number that is none of the order's: there is none. */
static size_t before(const struct parzen_rows *rows,
                     const struct parzen_column *column, size_t j)
{
    do {
        j--;
    } while (j < column->n_order &&
             rows->place[column->order[j]] == UINT32_MAX);
    return j;
}

static size_t from(const struct parzen_rows *rows,
                   const struct parzen_column *column, size_t j)
{
    while (j < column->n_order && rows->place[column->order[j]] == UINT32_MAX) {
        j++;
    }
    return j;
}

/* Of the j-th in order, when there is one and it is selected: among those that
 * are. */
static void mend(const struct parzen_rows *rows,
                 const struct parzen_column *column,
                 const struct parzen_bounds *b, size_t j, double *sigma)
{
    const uint32_t *order = column->order;
    size_t n = column->n_order;
    if (j >= n || rows->place[order[j]] == UINT32_MAX) {
        return;
    }
    size_t i = before(rows, column, j), k = from(rows, column, j + 1);
    double left = i < n ? column->at[order[i]] : b->first;
    double right = k < n ? column->at[order[k]] : b->last;
    sigma[rows->place[order[j]]] =
        bandwidth(b, left, column->at[order[j]], right);
}

/* What the column knows of all trials, mended beside those that are out. */
static void set_by_column(const struct parzen_rows *rows,
                          const struct parzen_column *column,
                          const struct parzen_bounds *b, double *sigma)
{
    const double least = b->least, most = b->most;
    copy_runs(rows, column->gap, sigma);
    for (size_t k = 0; k < rows->n; k++) {
        double gap = larger(sigma[k], least);
        sigma[k] = gap < most ? gap : most;
    }
    for (size_t i = 0; i < rows->n_out; i++) {
        if (!isnan(column->at[rows->out[i]])) {
            size_t j = find(column, rows->out[i]);
            mend(rows, column, b, j - 1, sigma);
            mend(rows, column, b, j + 1, sigma);
        }
    }
    mend(rows, column, b, from(rows, column, 0), sigma);
    mend(rows, column, b, before(rows, column, column->n_order), sigma);
}

void parzen_bandwidths(const struct parzen_rows *rows,
                       const struct parzen_column *column,
                       const struct parzen_bounds *b, double *sigma)
{
    if (column->order == NULL) {
        set_by_sort(rows, column, b, sigma);
    } else if (!is_dense(rows)) {
        set_by_walk(rows, column, b, sigma);
    } else {
        set_by_column(rows, column, b, sigma);
    }
}
