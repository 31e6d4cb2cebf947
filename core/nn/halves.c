#include "core/nn/halves.h"

#include <math.h>

/* An upper half is written where a float was that has been read; the lower
 * ones wait until all have been. */
static void split_row(char *row, size_t n, uint16_t *scratch)
{
    for (size_t i = 0; i < n; i++) {
        float x;
        uint16_t upper;
        memcpy(&x, row + i * sizeof(x), sizeof(x));
        halves_of(x, &upper, &scratch[i]);
        memcpy(row + i * sizeof(upper), &upper, sizeof(upper));
    }
    memcpy(row + n * sizeof(*scratch), scratch, n * sizeof(*scratch));
}

/* The way back: from the end, so that no upper half is overwritten unread. */
static void join_row(char *row, size_t n, uint16_t *scratch)
{
    memcpy(scratch, row + n * sizeof(*scratch), n * sizeof(*scratch));
    for (size_t i = n; i-- > 0;) {
        uint16_t upper;
        memcpy(&upper, row + i * sizeof(upper), sizeof(upper));
        float x = halves_joined(upper, scratch[i]);
        memcpy(row + i * sizeof(x), &x, sizeof(x));
    }
}

void halves_split(float *w, size_t rows, size_t n, uint16_t *scratch)
{
    for (size_t r = 0; r < rows; r++) {
        split_row((char *)(w + r * n), n, scratch);
    }
}

void halves_join(float *w, size_t rows, size_t n, uint16_t *scratch)
{
    for (size_t r = 0; r < rows; r++) {
        join_row((char *)(w + r * n), n, scratch);
    }
}

bool halves_are_finite(const uint16_t *w, size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++, w += 2 * n) {
        for (size_t i = 0; i < n; i++) {
            if (!isfinite(halves_joined(w[i], w[n + i]))) {
                return false;
            }
        }
    }
    return true;
}
