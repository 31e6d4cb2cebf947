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
    const char **constraints; /* owned; the names are borrowed */
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
    x->constraints[x->n_constraints++] = name;
}

/* The constraints are the config's, and what trials of Optuna's told. */
static void extras_init(struct extras *x, const struct json *study,
                        const struct json *trials)
{
    const struct json *objective =
        field_get(field_get(study, "config"), "objective");
    *x = (struct extras){.has_metrics =
                             strcmp(field_text(study, "unit"), "epoch") == 0};
    for (const struct json *k = field_first(objective, "constraints");
         k != NULL; k = json_next(k)) {
        add_constraint(x, json_string(k));
    }
    for (const struct json *t = field_first(trials, "trials"); t != NULL;
         t = json_next(t)) {
        for (const struct json *k = field_first(t, "constraints"); k != NULL;
             k = json_next(k)) {
            add_constraint(x, json_key(k));
        }
    }
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

static void put_extras(struct buf *out, const struct extras *x,
                       const struct json *trial)
{
    const struct json *epoch = epoch_of(trial);
    for (size_t i = 0; i < x->n_constraints; i++) {
        buf_char(out, ',');
        put_value(
            out, field_get(field_get(trial, "constraints"), x->constraints[i]));
    }
    for (int m = 0; x->has_metrics && m < RUN_N_METRICS; m++) {
        buf_char(out, ',');
        put_value(out, field_get(epoch, RUN_METRIC_NAMES[m]));
    }
}

static void put_trial(struct buf *out, const struct json *study,
                      const struct extras *x, const struct json *t)
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
        put_value(out, field_get(field_get(t, "params"), json_string(p)));
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
    put_extras(out, x, t);
    buf_str(out, "\r\n");
}

void trials_csv_put(struct buf *out, const struct json *study,
                    const struct json *trials)
{
    struct extras x;
    extras_init(&x, study, trials);
    buf_str(out, "number,state,value,");
    for (const struct json *p = field_first(study, "params"); p != NULL;
         p = json_next(p)) {
        char *name = mem_printf("params_%s", json_string(p));
        put_text(out, name);
        buf_char(out, ',');
        free(name);
    }
    buf_str(out, "start,end,duration_ms,best_epoch,attempt,cause,message,"
                 "checkpoint,feasible");
    put_extra_titles(out, &x);
    buf_str(out, "\r\n");
    for (const struct json *t = field_first(trials, "trials"); t != NULL;
         t = json_next(t)) {
        put_trial(out, study, &x, t);
    }
    free(x.constraints);
}
