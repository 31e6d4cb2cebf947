/* A key that does not exist: which one was meant? */
#include "core/base/buf.h"
#include "core/spec/spec_table.h"

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

static const char *nearest(const char *key, const char *const *known, size_t n)
{
    enum { TOO_FAR = 61 };
    const char *best = NULL;
    size_t least = TOO_FAR;
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

/* A setting of that name in another place of the config. */
static const char *path_elsewhere(const char *key)
{
    for (size_t i = 0; i < SPEC_N_ROWS; i++) {
        if (strcmp(SPEC_ROWS[i].key, key) == 0) {
            return SPEC_ROWS[i].path;
        }
    }
    return NULL;
}

int spec_unknown_key(const char *path, const char *key,
                     const char *const *known, size_t n_known, struct err *err)
{
    const char *dot = path[0] != '\0' ? "." : "";
    const char *meant = path_elsewhere(key);
    if (meant == NULL) {
        meant = nearest(key, known, n_known);
    }
    if (meant != NULL) {
        return err_set(err, ERR_INVALID,
                       "%s%s%s: unknown key (did you mean '%s'?)", path, dot,
                       key, meant);
    }
    struct buf list;
    buf_init(&list, sizeof(err->msg));
    for (size_t i = 0; i < n_known; i++) {
        buf_printf(&list, "%s%s", i > 0 ? ", " : "", known[i]);
    }
    int rc = err_set(err, ERR_INVALID, "%s%s%.100s: unknown key (known: %s)",
                     path, dot, key, list.data);
    buf_fini(&list);
    return rc;
}
