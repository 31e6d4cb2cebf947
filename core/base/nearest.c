#include "core/base/nearest.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { KEY_MAX = 48 }; /* longer words are no misspelling of ours */

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

/* Edits that make b of a, each a letter more, less, another, or two neighbours
 * swapped (optimal string alignment): three rows of the matrix at a time. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][KEY_MAX + 1];
    size_t n = strlen(b);
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= n; j++) {
        row[j] = j;
    }
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t *free_row = before;
        before = above;
        above = row;
        row = free_row;
        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            row[j + 1] = min3(above[j + 1] + 1, row[j] + 1,
                              above[j] + (size_t)(a[i] != b[j]));
            bool is_swap =
                i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j];
            if (is_swap && before[j - 1] + 1 < row[j + 1]) {
                row[j + 1] = before[j - 1] + 1;
            }
        }
    }
    return row[n];
}

/* "learning_rate" is "lr" spelt out; what is one word is of no letter. */
static bool is_spelt_out(const char *word, const char *shorthand)
{
    bool at_start = true;
    if (strpbrk(word, "_-") == NULL) {
        return false;
    }
    for (; *word != '\0'; word++) {
        if (at_start && *word != *shorthand++) {
            return false;
        }
        at_start = *word == '_' || *word == '-';
    }
    return *shorthand == '\0';
}

/* "epochs" is one of the words of "max_epochs". */
static bool is_part(const char *word, const char *whole)
{
    static const char between[] = "_-.";
    size_t n = strlen(word);
    for (;; whole++) {
        if (strncmp(whole, word, n) == 0 &&
            (whole[n] == '\0' || strchr(between, whole[n]) != NULL)) {
            return true;
        }
        whole = strpbrk(whole, between);
        if (whole == NULL) {
            return false;
        }
    }
}

/* 0: the same, then how many edits; SIZE_MAX: too far. */
static size_t unlikeness(const char *key, const char *known)
{
    size_t len = strlen(key);
    if (strlen(known) > KEY_MAX) {
        return SIZE_MAX;
    }
    if (is_spelt_out(key, known) || is_part(key, known)) {
        return 1;
    }
    size_t edits = distance(key, known);
    return 3 * edits <= len ? edits : SIZE_MAX;
}

const char *nearest(const char *key, const char *const *known, size_t n)
{
    const char *best = NULL;
    size_t least = SIZE_MAX;
    size_t len = strlen(key);
    for (size_t i = 0; i < n && len > 0 && len <= KEY_MAX; i++) {
        size_t u = unlikeness(key, known[i]);
        if (u < least) {
            least = u;
            best = known[i];
        }
    }
    return best;
}
