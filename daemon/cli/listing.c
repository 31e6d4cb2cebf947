#include "daemon/cli/listing.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/nearest.h"
#include "daemon/cli/field.h"
#include "daemon/cli/pages.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What trials can be sorted by, beside parameters. */
static const char *const columns[] = {"number",   "state",   "value", "epoch",
                                      "duration", "attempt", "start"};

/* What a trial is sorted by: a number, or a text. */
struct listing_key {
    double number; /* NaN: none, comes last */
    const char *text;
    bool is_behind; /* the others come first, whatever the sign */
    int sign;       /* -1: the other way round */
    int64_t trial;
    const struct json *node;
};

static struct listing_key key_of(const struct json *trial, const char *column,
                                 int sign)
{
    struct listing_key k = {.number = NAN,
                            .sign = sign,
                            .trial = field_int(trial, "number", 0),
                            .node = trial};
    const struct json *p = field_get(field_get(trial, "params"), column);
    if (p != NULL) {
        k.number = field_number(field_get(trial, "params"), column);
        k.text = field_string(field_get(trial, "params"), column);
    } else if (strcmp(column, "state") == 0) {
        k.text = field_text(trial, "state");
    } else if (strcmp(column, "duration") == 0) {
        int64_t ms = field_int(trial, "duration_ms", -1);
        k.number = ms >= 0 ? (double)ms : NAN;
    } else if (strcmp(column, "epoch") == 0) {
        k.number = field_number(trial, "best_epoch");
    } else {
        k.number = field_number(trial, column);
        k.is_behind =
            strcmp(column, "value") == 0 && field_is_infeasible(trial);
    }
    return k;
}

static int compare(const void *a, const void *b)
{
    const struct listing_key *x = a, *y = b;
    int order = 0;
    if (x->text != NULL && y->text != NULL) {
        order = x->sign * strcmp(x->text, y->text);
    } else if (isnan(x->number) != isnan(y->number)) {
        order = isnan(x->number) ? 1 : -1;
    } else if (x->is_behind != y->is_behind) {
        order = x->is_behind ? 1 : -1;
    } else if (!isnan(x->number)) {
        order = x->sign * ((x->number > y->number) - (x->number < y->number));
    }
    return order != 0 ? order : (x->trial > y->trial) - (x->trial < y->trial);
}

/* Values are sorted from the best on, all else from the least. */
static int sign_of(const struct json *study, const char *column,
                   bool is_reversed)
{
    bool falls = strcmp(column, "value") == 0 &&
                 strcmp(field_text(study, "direction"), "maximize") == 0;
    return falls != is_reversed ? -1 : 1;
}

static void add_page(struct listing *l, struct json *page, const char *column,
                     int sign)
{
    l->pages = mem_grow(l->pages, l->n_pages + 1, sizeof(struct json *));
    l->pages[l->n_pages++] = page;
    for (const struct json *t = pages_first(page); t != NULL;
         t = json_next(t)) {
        if (l->n == l->cap) {
            l->cap = l->cap == 0 ? 64 : 2 * l->cap;
            l->keys = mem_grow(l->keys, l->cap, sizeof(*l->keys));
        }
        l->keys[l->n++] = key_of(t, column, sign);
    }
}

/* As the pages come? A parameter may be called so, too. */
static bool is_by_number(const struct json *study, const char *column)
{
    bool is_param = false;
    for (const struct json *p = field_first(study, "params"); p != NULL;
         p = json_next(p)) {
        is_param = is_param || strcmp(json_string(p), column) == 0;
    }
    return !is_param && strcmp(column, "number") == 0;
}

int listing_ask(struct pages *pages, const struct json *study,
                const char *column, bool is_reversed, int64_t limit,
                struct listing *out, struct err *err)
{
    struct json *page;
    struct listing l = {0};
    int sign = sign_of(study, column, is_reversed);
    if (limit > 0 && is_by_number(study, column)) {
        pages_limit(pages, limit, is_reversed);
    }
    int rc = pages_next(pages, &page, err);
    while (rc == 0 && page != NULL) {
        add_page(&l, page, column, sign);
        rc = pages_next(pages, &page, err);
    }
    if (rc != 0) {
        listing_fini(&l);
        return rc;
    }
    if (l.n > 0) {
        qsort(l.keys, l.n, sizeof(*l.keys), compare);
    }
    if (limit > 0 && l.n > (size_t)limit) {
        l.n = (size_t)limit;
    }
    *out = l;
    return 0;
}

void listing_fini(struct listing *l)
{
    for (size_t i = 0; i < l->n_pages; i++) {
        json_free(l->pages[i]);
    }
    free(l->pages);
    free(l->keys);
}

const struct json *listing_trial(const struct listing *l, size_t i)
{
    return l->keys[i].node;
}

/* --- the column ----------------------------------------------------------- */

/* What there is to sort by: what all trials have, then the parameters. Owned;
 * the names are borrowed. */
static const char **names_of(const struct json *study, size_t *n)
{
    const struct json *params = field_get(study, "params");
    size_t n_params = (size_t)(params != NULL ? json_size(params) : 0);
    const char **names =
        mem_alloc(ARRAY_LEN(columns) + n_params, sizeof(*names));
    for (*n = 0; *n < ARRAY_LEN(columns); ++*n) {
        names[*n] = columns[*n];
    }
    for (const struct json *p = field_first(study, "params"); p != NULL;
         p = json_next(p)) {
        names[(*n)++] = json_string(p);
    }
    return names;
}

static bool has(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* The table's titles are columns, too. */
static const char *column_of_title(const struct json *study, const char *title)
{
    return strcmp(title, field_text(study, "metric")) == 0 ? "value"
           : strcmp(title, "trial") == 0                   ? "number"
           : strcmp(title, "step") == 0                    ? "epoch"
                                                           : title;
}

static int refuse(const char *sort, const char *const *names, size_t n,
                  struct err *err)
{
    const char *meant = nearest(sort, names, n);
    if (meant != NULL) {
        return err_set(err, ERR_INVALID,
                       "--sort: there is no column '%s' (did you mean '%s'?)",
                       sort, meant);
    }
    struct buf list;
    buf_init(&list, 512);
    for (size_t i = 0; i < n; i++) {
        buf_printf(&list, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    int rc = err_set(err, ERR_INVALID,
                     "--sort: there is no column '%s' (there are: %s)", sort,
                     list.data);
    buf_fini(&list);
    return rc;
}

int listing_column(const struct json *study, const char *sort, const char **out,
                   struct err *err)
{
    size_t n, n_columns = ARRAY_LEN(columns);
    const char **names = names_of(study, &n);
    bool is_param = has(names + n_columns, n - n_columns, sort);
    const char *column = is_param ? sort : column_of_title(study, sort);
    int rc = 0;
    if (is_param || has(columns, n_columns, column)) {
        *out = column;
    } else {
        rc = refuse(column, names, n, err);
    }
    free(names);
    return rc;
}
