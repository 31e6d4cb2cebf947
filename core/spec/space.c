#include "core/spec/space.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/spec/run.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double INT_MAX_EXACT = 9007199254740992.0; /* 2^53 */
static const double GRID_TOLERANCE = 1e-8; /* of a step; Optuna's number */

/* --- choices -------------------------------------------------------------- */

void choice_fini(struct choice *c)
{
    free(c->string);
    c->string = NULL;
}

static bool is_number(const struct choice *c)
{
    return c->kind == CHOICE_BOOL || c->kind == CHOICE_INT ||
           c->kind == CHOICE_REAL;
}

bool choice_equal(const struct choice *a, const struct choice *b)
{
    if (is_number(a) && is_number(b)) {
        return a->number == b->number;
    }
    if (a->kind != b->kind) {
        return false;
    }
    return a->kind != CHOICE_STRING || strcmp(a->string, b->string) == 0;
}

bool choice_is_same(const struct choice *a, const struct choice *b)
{
    return choice_equal(a, b) &&
           (a->kind == CHOICE_BOOL) == (b->kind == CHOICE_BOOL);
}

/* --- the grid ------------------------------------------------------------- */

/* value = digits * 10^exponent, from the shortest decimal form that is read
 * back as v: what the person wrote, not what binary made of it. */
struct decimal {
    __int128 digits;
    int exponent;
};

static struct decimal decimal_of(double v)
{
    char text[32];
    json_repr(v, text);
    struct decimal d = {0};
    bool after_point = false;
    const char *p = text;
    for (; *p != '\0' && *p != 'e'; p++) {
        if (*p == '.') {
            after_point = true;
        } else if (*p != '-') {
            d.digits = d.digits * 10 + (*p - '0');
            d.exponent -= after_point;
        }
    }
    if (text[0] == '-') {
        d.digits = -d.digits;
    }
    if (*p == 'e') {
        d.exponent += (int)strtol(p + 1, NULL, 10);
    }
    return d;
}

/* Bring d to a smaller exponent; false when 37 digits do not hold it. */
static bool rescale(struct decimal *d, int exponent)
{
    const __int128 limit = (__int128)1000000000000000000 * 1000000000000000000;
    if (d->digits == 0) {
        d->exponent = exponent;
    }
    while (d->exponent > exponent) {
        if (d->digits >= limit || d->digits <= -limit) {
            return false;
        }
        d->digits *= 10;
        d->exponent--;
    }
    return true;
}

static double double_of(struct decimal d)
{
    char text[64], *p = text + sizeof(text) - 16;
    snprintf(p, 16, "e%d", d.exponent);
    bool negative = d.digits < 0;
    do {
        int digit = (int)(d.digits % 10);
        *--p = (char)('0' + abs(digit));
        d.digits /= 10;
    } while (d.digits != 0);
    if (negative) {
        *--p = '-';
    }
    return strtod(p, NULL);
}

/* The last point low + k step that is <= high; of what it returns it returns
 * the same again (Optuna's would lower once more). Numbers too far apart for
 * exact decimals (1e-300 beside 1) are taken as doubles. */
static double last_grid_point(double low, double high, double step)
{
    struct decimal l = decimal_of(low), h = decimal_of(high);
    struct decimal s = decimal_of(step);
    int e = l.exponent < h.exponent ? l.exponent : h.exponent;
    e = s.exponent < e ? s.exponent : e;
    if (!rescale(&l, e) || !rescale(&h, e) || !rescale(&s, e)) {
        return fmin(high, low + floor((high - low) / step) * step);
    }
    __int128 left = (h.digits - l.digits) % s.digits;
    if (left == 0) {
        return high;
    }
    /* A grid point of more digits than a double keeps is printed a little
     * below itself: read back, it is still that point. */
    struct decimal next = {h.digits - left + s.digits, e};
    if (double_of(next) == high) {
        return high;
    }
    return double_of((struct decimal){h.digits - left, e});
}

static int normalize_number(struct dist *d, struct err *err)
{
    bool is_int = d->kind == DIST_INT;
    if (!isfinite(d->low) || !isfinite(d->high) || !isfinite(d->step)) {
        return err_set(err, ERR_INVALID, "low, high and step must be finite");
    }
    if (d->low > d->high) {
        char low[32], high[32];
        json_repr(d->low, low);
        json_repr(d->high, high);
        return err_set(err, ERR_INVALID, "low must be <= high: %s is above %s",
                       low, high);
    }
    if (is_int && (d->low != floor(d->low) || d->high != floor(d->high) ||
                   d->step != floor(d->step))) {
        return err_set(err, ERR_INVALID,
                       "low, high and step must be whole numbers");
    }
    if (is_int && (fabs(d->low) > INT_MAX_EXACT || d->high > INT_MAX_EXACT)) {
        return err_set(err, ERR_INVALID, "low and high must be within 2^53");
    }
    if (d->step < 0.0 || (is_int && d->step == 0.0)) {
        return err_set(err, ERR_INVALID, "step must be > 0");
    }
    if (d->log && d->low <= 0.0) {
        return err_set(err, ERR_INVALID,
                       is_int ? "low must be >= 1 when log"
                              : "low must be > 0 when log");
    }
    if (d->log && d->step != (is_int ? 1.0 : 0.0)) {
        return err_set(err, ERR_INVALID,
                       is_int ? "step must be 1 when log"
                              : "log and step exclude each other");
    }
    if (!isfinite(d->high - d->low)) {
        return err_set(err, ERR_INVALID, "high - low must be finite");
    }
    if (d->step > 0.0 && (d->high - d->low) / d->step > INT_MAX_EXACT) {
        return err_set(err, ERR_INVALID, "step is too small for this range");
    }
    if (d->step > 0.0) {
        d->high = last_grid_point(d->low, d->high, d->step);
    }
    return 0;
}

int dist_normalize(struct dist *d, struct err *err)
{
    if (d->kind != DIST_CATEGORICAL) {
        return normalize_number(d, err);
    }
    if (d->n_choices == 0) {
        return err_set(err, ERR_INVALID, "there must be at least one choice");
    }
    if (d->n_choices > SPACE_MAX_CHOICES) {
        return err_set(err, ERR_LIMIT, "there may be at most %d choices",
                       SPACE_MAX_CHOICES);
    }
    d->low = 0.0;
    d->high = (double)(d->n_choices - 1);
    d->step = 0.0;
    d->log = false;
    return 0;
}

/* --- distributions -------------------------------------------------------- */

void dist_fini(struct dist *d)
{
    for (size_t i = 0; i < d->n_choices; i++) {
        choice_fini(&d->choices[i]);
    }
    free(d->choices);
    *d = (struct dist){0};
}

void dist_copy(struct dist *to, const struct dist *from)
{
    *to = *from;
    if (from->n_choices == 0) {
        to->choices = NULL;
        return;
    }
    to->choices = mem_alloc(from->n_choices, sizeof(*to->choices));
    for (size_t i = 0; i < from->n_choices; i++) {
        to->choices[i] = from->choices[i];
        to->choices[i].string = mem_strdup(from->choices[i].string);
    }
}

static bool same_choices(const struct dist *a, const struct dist *b)
{
    if (a->n_choices != b->n_choices) {
        return false;
    }
    for (size_t i = 0; i < a->n_choices; i++) {
        if (!choice_equal(&a->choices[i], &b->choices[i])) {
            return false;
        }
    }
    return true;
}

bool dist_is_compatible(const struct dist *a, const struct dist *b)
{
    return a->kind == b->kind && a->log == b->log && same_choices(a, b);
}

bool dist_equal(const struct dist *a, const struct dist *b)
{
    return dist_is_compatible(a, b) && a->low == b->low && a->high == b->high &&
           a->step == b->step;
}

bool dist_is_single(const struct dist *d)
{
    /* high is a grid point, so a step wider than the range means low == high */
    return d->low == d->high;
}

bool dist_contains(const struct dist *d, double value)
{
    if (!(value >= d->low && value <= d->high)) { /* NaN too */
        return false;
    }
    if (d->kind == DIST_CATEGORICAL) {
        return value == floor(value);
    }
    if (d->kind == DIST_INT) {
        return value == floor(value) && fmod(value - d->low, d->step) == 0.0;
    }
    if (d->step == 0.0) {
        return true;
    }
    double k = (value - d->low) / d->step;
    return fabs(k - nearbyint(k)) < GRID_TOLERANCE;
}

/* --- spaces --------------------------------------------------------------- */

void space_fini(struct space *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->params[i].name);
        dist_fini(&s->params[i].dist);
        for (size_t k = 0; k < s->params[i].n_when; k++) {
            free(s->params[i].when[k].values);
        }
        free(s->params[i].when);
    }
    free(s->params);
    *s = (struct space){0};
}

static void conditions_copy(struct param *to, const struct param *from)
{
    to->n_when = from->n_when;
    to->when =
        from->n_when > 0 ? mem_alloc(from->n_when, sizeof(*to->when)) : NULL;
    for (size_t k = 0; k < from->n_when; k++) {
        const struct condition *c = &from->when[k];
        to->when[k] = *c;
        to->when[k].values = mem_alloc(c->n, sizeof(*c->values));
        memcpy(to->when[k].values, c->values, c->n * sizeof(*c->values));
    }
}

void space_copy(struct space *to, const struct space *from)
{
    *to = (struct space){.n = from->n};
    if (from->n == 0) {
        return;
    }
    to->params = mem_alloc(from->n, sizeof(*to->params));
    for (size_t i = 0; i < from->n; i++) {
        to->params[i].name = mem_strdup(from->params[i].name);
        to->params[i].field = from->params[i].field;
        dist_copy(&to->params[i].dist, &from->params[i].dist);
        conditions_copy(&to->params[i], &from->params[i]);
    }
}

static bool conditions_equal(const struct param *a, const struct param *b)
{
    bool equal = a->n_when == b->n_when;
    for (size_t k = 0; equal && k < a->n_when; k++) {
        const struct condition *c = &a->when[k], *d = &b->when[k];
        equal = c->parent == d->parent && c->n == d->n &&
                memcmp(c->values, d->values, c->n * sizeof(*c->values)) == 0;
    }
    return equal;
}

bool space_equal(const struct space *a, const struct space *b)
{
    if (a->n != b->n) {
        return false;
    }
    for (size_t i = 0; i < a->n; i++) {
        const struct param *p = &a->params[i], *q = &b->params[i];
        if (p->field != q->field || strcmp(p->name, q->name) != 0 ||
            !dist_equal(&p->dist, &q->dist) || !conditions_equal(p, q)) {
            return false;
        }
    }
    return true;
}

int space_find(const struct space *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->params[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

char *space_variable(const char *name)
{
    char *all = mem_printf("PARZEN_PARAM_%s", name);
    for (char *at = all; *at != '\0'; at++) {
        *at = isalnum((unsigned char)*at) ? *at : '_';
    }
    return all;
}

static bool begins_with(const struct dist *d, const struct dist *first)
{
    bool begins = d->kind == DIST_CATEGORICAL && first->kind == d->kind &&
                  d->n_choices >= first->n_choices;
    for (size_t i = 0; begins && i < first->n_choices; i++) {
        begins = choice_equal(&d->choices[i], &first->choices[i]);
    }
    return begins;
}

static void append_choices(struct dist *d, const struct dist *wider)
{
    d->choices = mem_grow(d->choices, wider->n_choices, sizeof(*d->choices));
    for (size_t i = d->n_choices; i < wider->n_choices; i++) {
        d->choices[i] = wider->choices[i];
        d->choices[i].string = mem_strdup(wider->choices[i].string);
    }
    d->n_choices = wider->n_choices;
    d->high = wider->high;
}

void space_append_choices(struct space *s, const struct space *wider)
{
    for (size_t i = 0; i < s->n; i++) {
        struct dist *d = &s->params[i].dist;
        int at = space_find(wider, s->params[i].name);
        if (at >= 0 && begins_with(&wider->params[at].dist, d)) {
            append_choices(d, &wider->params[at].dist);
        }
    }
}

/* A grid point that was computed (0.1 * 3) is the one that was written (0.3).
 */
static bool holds(const struct dist *d, const struct condition *c, double value)
{
    double slack = d->kind == DIST_FLOAT ? 2.0 * GRID_TOLERANCE * d->step : 0.0;
    for (size_t i = 0; i < c->n; i++) {
        if (fabs(c->values[i] - value) <= slack) {
            return true;
        }
    }
    return false;
}

/* The first of its conditions that does not hold, NULL: all do. */
static const struct condition *broken_condition(const struct space *s, size_t i,
                                                const double *values)
{
    const struct param *p = &s->params[i];
    for (size_t k = 0; k < p->n_when; k++) {
        const struct condition *c = &p->when[k];
        if (!holds(&s->params[c->parent].dist, c, values[c->parent])) {
            return c;
        }
    }
    return NULL;
}

bool space_is_active(const struct space *s, const double *values, size_t i)
{
    return broken_condition(s, i, values) == NULL;
}

/* As it is typed: sgd, 64, true. */
static void put_typed(const struct dist *d, double value, struct buf *out)
{
    struct json_out w;
    if (d->kind == DIST_CATEGORICAL && dist_contains(d, value) &&
        d->choices[(size_t)value].kind == CHOICE_STRING) {
        buf_str(out, d->choices[(size_t)value].string);
        return;
    }
    json_out_init(&w, out, JSON_COMPACT);
    dist_put_value(d, value, &w);
}

int space_check_active(const struct space *s, const double *values, size_t i,
                       struct err *err)
{
    const struct condition *c = broken_condition(s, i, values);
    if (c == NULL) {
        return 0;
    }
    const struct param *parent = &s->params[c->parent];
    struct buf list;
    buf_init(&list, sizeof(err->msg));
    for (size_t k = 0; k < c->n; k++) {
        buf_str(&list, k > 0 ? " or " : "");
        put_typed(&parent->dist, c->values[k], &list);
    }
    int rc =
        err_set(err, ERR_INVALID, "only with %s = %s", parent->name, list.data);
    buf_fini(&list);
    return rc;
}

bool space_has_conditions(const struct space *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->params[i].n_when > 0) {
            return true;
        }
    }
    return false;
}

static bool parents_placed(const struct param *p, const bool *placed)
{
    for (size_t k = 0; k < p->n_when; k++) {
        if (!placed[p->when[k].parent]) {
            return false;
        }
    }
    return true;
}

bool space_order(const struct space *s, size_t *order)
{
    bool *placed = mem_alloc(s->n, sizeof(*placed));
    size_t n = 0, before;
    do {
        before = n;
        for (size_t i = 0; i < s->n; i++) {
            if (!placed[i] && parents_placed(&s->params[i], placed)) {
                placed[i] = true;
                order[n++] = i;
            }
        }
    } while (n > before);
    free(placed);
    return n == s->n;
}

void space_apply(const struct space *s, const double *values, struct run *run)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct param *p = &s->params[i];
        double v = values[i];
        if (p->field < 0 || isnan(v)) {
            continue;
        }
        if (p->dist.kind == DIST_CATEGORICAL) {
            if (!dist_contains(&p->dist, v)) {
                continue;
            }
            const struct choice *c = &p->dist.choices[(size_t)v];
            enum run_type type = RUN_FIELD[p->field].type;
            v = c->kind == CHOICE_STRING
                    ? (double)run_enum_value(type, c->string)
                    : c->number;
        }
        run_set(run, p->field, v);
    }
}
