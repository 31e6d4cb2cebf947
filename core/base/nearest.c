#include "core/base/nearest.h"

#include <stdbool.h>
#include <string.h>

enum { KEY_MAX = 48 }; /* longer words are no misspelling of ours */

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

/* Levenshtein's distance, one row of the matrix at a time. */
static size_t distance(const char *a, const char *b)
{
    size_t row[KEY_MAX + 1];
    size_t n = strlen(b);
    for (size_t j = 0; j <= n; j++) {
        row[j] = j;
    }
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            size_t above = row[j + 1];
            row[j + 1] =
                min3(above + 1, row[j] + 1, diagonal + (size_t)(a[i] != b[j]));
            diagonal = above;
        }
    }
    return row[n];
}

/* "learning_rate" is "lr" spelt out. */
static bool is_spelt_out(const char *word, const char *shorthand)
{
    bool at_start = true;
    for (; *word != '\0'; word++) {
        if (at_start && *word != *shorthand++) {
            return false;
        }
        at_start = *word == '_' || *word == '-';
    }
    return *shorthand == '\0';
}

/* 0: the same. Distance in percent of the longer word. */
static size_t unlikeness(const char *key, const char *known)
{
    size_t a = strlen(key), b = strlen(known);
    if (is_spelt_out(key, known)) {
        return 1;
    }
    return 100 * distance(key, known) / (a > b ? a : b);
}

const char *nearest(const char *key, const char *const *known, size_t n)
{
    enum { TOO_FAR = 61 };
    const char *best = NULL;
    size_t least = TOO_FAR;
    size_t len = strlen(key);
    for (size_t i = 0; i < n && len > 0 && len <= KEY_MAX; i++) {
        if (strlen(known[i]) > KEY_MAX) {
            continue;
        }
        size_t u = unlikeness(key, known[i]);
        if (u < least) {
            least = u;
            best = known[i];
        }
    }
    return best;
}
