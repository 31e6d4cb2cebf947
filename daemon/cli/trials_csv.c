/* Trials come one after the other, and one may tell a constraint that none
 * before it had: a column that the rows before it lack. Where those columns
 * end, each row has a gap, in which the missing ones are put when all are
 * known. */
#include "daemon/cli/trials_csv.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/spec/run.h"
#include "daemon/cli/field.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static void put_text(struct buf *out, const char *s)
{
    if (s[strcspn(s, ",\"\r\n")] == '\0') {
        buf_str(out, s);
        return;
    }
    buf_char(out, '"');
    for (; *s != '\0'; s++) {
        buf_str(out, *s == '"' ? "\"" : "");
        buf_char(out, *s);
    }
    buf_char(out, '"');
}

/* Nothing for null and for what is missing. */
static void put_value(struct buf *out, const struct json *v)
{
    char digits[32];
    if (v == NULL || json_kind(v) == JSON_NULL) {
        return;
    }
    if (json_kind(v) == JSON_STRING) {
        put_text(out, json_string(v));
    } else if (json_kind(v) == JSON_BOOL) {
        buf_str(out, json_bool(v) ? "true" : "false");
    } else if (json_kind(v) == JSON_NUMBER && json_is_int(v)) {
        buf_printf(out, "%.0f", json_number(v));
    } else if (json_kind(v) == JSON_NUMBER) {
        json_repr(json_number(v), digits);
        buf_str(out, digits);
    }
}

/* A choice may be null: that is a value, and no parameter is another thing. */
static void put_param(struct buf *out, const struct json *v)
{
    if (v != NULL && json_kind(v) == JSON_NULL) {
        buf_str(out, "null");
    } else {
        put_value(out, v);
    }
}

/* UTC milliseconds as 2026-01-31T12:00:00.123Z; nothing for 0. */
static void put_time(struct buf *out, int64_t ms)
{
    char text[32];
    struct tm parts;
    time_t seconds = (time_t)(ms / 1000);
    if (ms > 0 && gmtime_r(&seconds, &parts) != NULL) {
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
        buf_printf(out, "%s.%03dZ", text, (int)(ms % 1000));
    }
}

/* What only some studies have, behind the columns of all. */
struct extras {
    char **constraints; /* owned, with the names */
    size_t n_constraints;
    bool has_metrics; /* its trials are trainings */
};

static void add_constraint(struct extras *x, const char *name)
{
    for (size_t i = 0; i < x->n_constraints; i++) {
        if (strcmp(x->constraints[i], name) == 0) {
            return;
        }
    }
    x->constraints =
        mem_grow(x->constraints, x->n_constraints + 1, sizeof(*x->constraints));
    x->constraints[x->n_constraints++] = mem_strdup(name);
}

/* The constraints of the config; trials of Optuna's may tell more. */
static void extras_init(struct extras *x, const struct json *study)
{
    const struct json *objective =
        field_get(field_get(study, "config"), "objective");
    *x = (struct extras){.has_metrics =
                             strcmp(field_text(study, "unit"), "epoch") == 0};
    for (const struct json *k = field_first(objective, "constraints");
         k != NULL; k = json_next(k)) {
        add_constraint(x, json_string(k));
    }
}

static void extras_fini(struct extras *x)
{
    for (size_t i = 0; i < x->n_constraints; i++) {
        free(x->constraints[i]);
    }
    free(x->constraints);
}

static void put_extra_titles(struct buf *out, const struct extras *x)
{
    for (size_t i = 0; i < x->n_constraints; i++) {
        char *name = mem_printf("constraints_%s", x->constraints[i]);
        buf_char(out, ',');
        put_text(out, name);
        free(name);
    }
    for (int m = 0; x->has_metrics && m < RUN_N_METRICS; m++) {
        buf_printf(out, ",metrics_%s", RUN_METRIC_NAMES[m]);
    }
}

/* The epoch that the trial's value is of; without one its last. */
static const struct json *epoch_of(const struct json *trial)
{
    int64_t best = field_int(trial, "best_epoch", -1);
    const struct json *last = NULL;
    for (const struct json *e = field_first(trial, "epochs"); e != NULL;
         e = json_next(e)) {
        last = e;
        if (field_int(e, "epoch", -1) == best) {
            break;
        }
    }
    return last;
}

static void put_constraints(struct buf *out, struct extras *x,
                            const struct json *trial)
{
    for (const struct json *k = field_first(trial, "constraints"); k != NULL;
         k = json_next(k)) {
        add_constraint(x, json_key(k));
    }
    for (size_t i = 0; i < x->n_constraints; i++) {
        buf_char(out, ',');
        put_value(
            out, field_get(field_get(trial, "constraints"), x->constraints[i]));
    }
}

static void put_metrics(struct buf *out, const struct extras *x,
                        const struct json *trial)
{
    const struct json *epoch = epoch_of(trial);
    for (int m = 0; x->has_metrics && m < RUN_N_METRICS; m++) {
        buf_char(out, ',');
        put_value(out, field_get(epoch, RUN_METRIC_NAMES[m]));
    }
}

/* Up to the columns that only some studies have. */
static void put_trial(struct buf *out, const struct json *study,
                      const struct json *t)
{
    static const char *const before[] = {"number", "state", "value"};
    static const char *const after[] = {"best_epoch", "attempt",    "cause",
                                        "message",    "checkpoint", "feasible"};
    for (size_t i = 0; i < ARRAY_LEN(before); i++) {
        put_value(out, field_get(t, before[i]));
        buf_char(out, ',');
    }
    for (const struct json *p = field_first(study, "params"); p != NULL;
         p = json_next(p)) {
        put_param(out, field_get(field_get(t, "params"), json_string(p)));
        buf_char(out, ',');
    }
    put_time(out, field_int(t, "start", 0));
    buf_char(out, ',');
    put_time(out, field_int(t, "end", 0));
    buf_char(out, ',');
    put_value(out, field_get(t, "duration_ms"));
    for (size_t i = 0; i < ARRAY_LEN(after); i++) {
        buf_char(out, ',');
        put_value(out, field_get(t, after[i]));
    }
}

/* --- rows, as their trials come ------------------------------------------- */

struct trials_csv {
    const struct json *study;
    struct extras extras;
    struct buf text; /* the rows, without the heading */
    struct gap {
        size_t at;            /* in text */
        size_t n_constraints; /* that the row has before it */
    } * gaps;                 /* owned, one for each row */
    size_t n, cap;
};

struct trials_csv *trials_csv_new(const struct json *study)
{
    struct trials_csv *t = mem_alloc(1, sizeof(*t));
    *t = (struct trials_csv){.study = study};
    extras_init(&t->extras, study);
    buf_init(&t->text, BUF_MAX_RESPONSE);
    return t;
}

void trials_csv_free(struct trials_csv *t)
{
    buf_fini(&t->text);
    free(t->gaps);
    extras_fini(&t->extras);
    free(t);
}

void trials_csv_add(struct trials_csv *t, const struct json *trial)
{
    put_trial(&t->text, t->study, trial);
    put_constraints(&t->text, &t->extras, trial);
    if (t->n == t->cap) {
        t->cap = t->cap == 0 ? 64 : 2 * t->cap;
        t->gaps = mem_grow(t->gaps, t->cap, sizeof(*t->gaps));
    }
    t->gaps[t->n++] = (struct gap){.at = t->text.len,
                                   .n_constraints = t->extras.n_constraints};
    put_metrics(&t->text, &t->extras, trial);
    buf_str(&t->text, "\r\n");
}

static void put_titles(struct buf *out, const struct trials_csv *t)
{
    buf_str(out, "number,state,value,");
    for (const struct json *p = field_first(t->study, "params"); p != NULL;
         p = json_next(p)) {
        char *name = mem_printf("params_%s", json_string(p));
        put_text(out, name);
        buf_char(out, ',');
        free(name);
    }
    buf_str(out, "start,end,duration_ms,best_epoch,attempt,cause,message,"
                 "checkpoint,feasible");
    put_extra_titles(out, &t->extras);
    buf_str(out, "\r\n");
}

void trials_csv_put(const struct trials_csv *t, struct buf *out)
{
    size_t at = 0;
    out->overflow = out->overflow || t->text.overflow;
    if (out->overflow) {
        return; /* the gaps are nowhere, either */
    }
    put_titles(out, t);
    for (size_t i = 0; i < t->n; i++) {
        const struct gap *gap = &t->gaps[i];
        buf_add(out, t->text.data + at, gap->at - at);
        for (size_t k = gap->n_constraints; k < t->extras.n_constraints; k++) {
            buf_char(out, ',');
        }
        at = gap->at;
    }
    buf_add(out, t->n > 0 ? t->text.data + at : "", t->text.len - at);
}
