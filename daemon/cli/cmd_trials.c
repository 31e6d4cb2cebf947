/* trials and show. */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/spec/spec.h"
#include "core/spec/trial.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/client.h"
#include "daemon/cli/cmd.h"
#include "daemon/cli/field.h"
#include "daemon/cli/format.h"
#include "daemon/cli/last_words.h"
#include "daemon/cli/listing.h"
#include "daemon/cli/pages.h"
#include "daemon/cli/table.h"
#include "daemon/cli/width.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- trials --------------------------------------------------------------- */

enum { KEY_TRIAL_STATE = 1, KEY_SORT, KEY_REVERSE, KEY_LIMIT };

enum { WORDS_WIDTH = 72 };

struct trials_input {
    const char *state, *sort;
    bool reverse;
    int64_t limit; /* 0: all */
};

static void on_option(int key, const char *arg, struct argp_state *state,
                      void *ctx)
{
    struct trials_input *in = ctx;
    switch (key) {
    case KEY_SORT:
        in->sort = arg;
        return;
    case KEY_REVERSE:
        in->reverse = true;
        return;
    case KEY_LIMIT:
        in->limit = cli_number(state, "limit", arg, 1, SPEC_MAX_TRIALS);
        return;
    default:
        break;
    }
    if (trial_state_by_name(arg) < 0) {
        argp_error(state,
                   "--state: '%s' is not one of WAITING, RUNNING, "
                   "COMPLETE, PRUNED, FAIL (the --state of a directory "
                   "stands before the command)",
                   arg);
    }
    in->state = trial_state_name((enum trial_state)trial_state_by_name(arg));
}

static int64_t duration_of(const struct json *trial)
{
    return field_int(trial, "duration_ms", -1);
}

/* One by one: all of them may be more than a buffer holds. */
static void put_json(const struct listing *l)
{
    putchar('[');
    for (size_t i = 0; i < l->n; i++) {
        struct buf text;
        struct json_out w;
        buf_init(&text, BUF_MAX_RESPONSE);
        json_out_init(&w, &text, JSON_COMPACT);
        json_put_node(&w, listing_trial(l, i));
        printf("%s%s", i > 0 ? "," : "", text.data);
        buf_fini(&text);
    }
    puts("]");
}

static enum term_style style_of(const char *state)
{
    return strcmp(state, "FAIL") == 0      ? TERM_BAD
           : strcmp(state, "RUNNING") == 0 ? TERM_ACCENT
           : strcmp(state, "PRUNED") == 0  ? TERM_WARN
                                           : TERM_PLAIN;
}

/* "size 0.5, gb -1": all constraints, or those that are violated. */
static void list_constraints(struct buf *out, const struct json *trial,
                             bool all)
{
    for (const struct json *c = field_first(trial, "constraints"); c != NULL;
         c = json_next(c)) {
        double value =
            field_number(field_get(trial, "constraints"), json_key(c));
        char text[FORMAT_SIZE];
        if (all || value > 0.0) {
            format_number(value, text);
            buf_printf(out, "%s%s %s", out->len > 0 ? ", " : "", json_key(c),
                       text);
        }
    }
}

/* What an attempt of it suffered, but it is tried again. */
static bool is_put_back(const struct json *trial)
{
    return strcmp(field_text(trial, "state"), "WAITING") == 0 &&
           field_string(trial, "cause") != NULL;
}

/* Why it failed, waits again or cannot be the best: on a terminal in brief,
 * also where lines may be long, for `show` has it all. */
static void put_words(struct table *t, const struct term *term,
                      const struct json *trial)
{
    bool fails = field_string(trial, "cause") != NULL;
    bool violates = !fails && field_is_infeasible(trial);
    const char *message = field_text(trial, "message");
    struct buf words, safe, cell;
    buf_init(&words, BUF_MAX_CONFIG);
    buf_init(&safe, BUF_MAX_RESPONSE);
    buf_init(&cell, BUF_MAX_RESPONSE);
    if (violates) {
        list_constraints(&words, trial, false);
    } else {
        buf_add(&words, message,
                term->is_tty ? strcspn(message, "\n") : strlen(message));
    }
    width_printable(&safe, words.data != NULL ? words.data : "", words.len);
    buf_printf(&cell, "%s%s%s", is_put_back(trial) ? "put back: " : "",
               violates ? "infeasible" : field_text(trial, "cause"),
               safe.len > 0 ? ": " : "");
    width_fit(&cell, safe.data != NULL ? safe.data : "",
              term->is_tty ? WORDS_WIDTH : INT_MAX);
    table_cell(t, violates ? TERM_WARN : TERM_DIM, cell.data);
    buf_fini(&words);
    buf_fini(&safe);
    buf_fini(&cell);
}

/* A text is cut on a terminal, at the latest where the line is. */
static void put_param(struct table *t, const struct term *term,
                      const struct json *value)
{
    char text[256];
    bool is_text = value != NULL && json_kind(value) == JSON_STRING;
    format_value(value, 4, text, sizeof(text));
    table_cell(t, TERM_PLAIN,
               is_text && !term->is_tty ? json_string(value) : text);
}

/* Do its trials report steps, not epochs? */
static bool is_stepped(const struct json *study)
{
    return strcmp(field_text(study, "unit"), "step") == 0;
}

/* NULL: it reported nothing yet. */
static const struct json *last_report(const struct json *trial)
{
    const struct json *last = NULL;
    for (const struct json *e = field_first(trial, "epochs"); e != NULL;
         e = json_next(e)) {
        last = e;
    }
    return last;
}

/* Its value; of one that runs its last report, "0.83 @ 4". */
static void format_value_of(const struct json *study, const struct json *trial,
                            char *out, size_t size)
{
    char value[FORMAT_SIZE];
    const struct json *last = strcmp(field_text(trial, "state"), "RUNNING") == 0
                                  ? last_report(trial)
                                  : NULL;
    if (last == NULL) {
        format_metric(field_number(trial, "value"), value);
        snprintf(out, size, "%s", value);
        return;
    }
    bool is_epoch = field_get(last, "epoch") != NULL;
    format_metric(field_number(last, field_text(study, "metric")), value);
    snprintf(out, size, "%s @ %" PRId64, value,
             field_int(last, is_epoch ? "epoch" : "step", -1) + is_epoch);
}

static void put_row(struct table *t, const struct term *term,
                    const struct json *study, const struct json *trial)
{
    const char *state = field_text(trial, "state");
    int64_t best = field_int(trial, "best_epoch", -1);
    bool is_best = field_int(field_get(study, "best"), "number", -1) ==
                   field_int(trial, "number", -2);
    char text[256];
    table_cellf(t, TERM_PLAIN, "%" PRId64, field_int(trial, "number", -1));
    table_cell(t, style_of(state), state);
    format_value_of(study, trial, text, sizeof(text));
    table_cell(t,
               is_best                      ? TERM_GOOD
               : field_is_infeasible(trial) ? TERM_DIM
                                            : TERM_PLAIN,
               text);
    int64_t n_epochs = field_int(trial, "n_epochs", 0);
    if (is_stepped(study)) {
        snprintf(text, sizeof(text), best >= 0 ? "%" PRId64 : "-", best);
        table_cell(t, TERM_PLAIN, text);
    } else if (best >= 0) {
        table_cellf(t, TERM_PLAIN, "%" PRId64 "/%" PRId64, best + 1, n_epochs);
    } else if (n_epochs > 0) {
        table_cellf(t, TERM_PLAIN, "-/%" PRId64, n_epochs);
    } else {
        table_cell(t, TERM_PLAIN, "-");
    }
    format_duration(duration_of(trial), text);
    table_cell(t, TERM_PLAIN, text);
    for (const struct json *p = field_first(study, "params"); p != NULL;
         p = json_next(p)) {
        put_param(t, term,
                  field_get(field_get(trial, "params"), json_string(p)));
    }
    put_words(t, term, trial);
}

static void print_trials(const struct cli *c, const struct json *study,
                         const struct listing *l)
{
    struct table *t = table_new();
    table_right(t, "trial");
    table_left(t, "state");
    table_right(t, field_text(study, "metric"));
    table_right(t, is_stepped(study) ? "step" : "epoch");
    table_right(t, "duration");
    for (const struct json *p = field_first(study, "params"); p != NULL;
         p = json_next(p)) {
        table_right(t, json_string(p));
    }
    table_left(t, "");
    for (size_t i = 0; i < l->n; i++) {
        put_row(t, &c->out, study, listing_trial(l, i));
    }
    table_print(t, &c->out);
    table_free(t);
}

static int list_trials(struct cli *c, const char *name,
                       const struct trials_input *in, const struct json *study,
                       struct err *err)
{
    const char *column;
    struct pages pages;
    struct listing l;
    int rc = listing_column(study, in->sort, &column, err);
    if (rc != 0) {
        return rc;
    }
    pages_init(&pages, c, name, in->state);
    rc = listing_ask(&pages, study, column, in->reverse, in->limit, &l, err);
    if (rc != 0) {
        return rc;
    }
    if (c->json) {
        put_json(&l);
    } else if (l.n == 0) {
        cli_say(c, "study '%s' has no %s%strial", name,
                in->state != NULL ? in->state : "",
                in->state != NULL ? " " : "");
    } else {
        print_trials(c, study, &l);
    }
    listing_fini(&l);
    return 0;
}

int cmd_trials(struct cli *c, int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"state", KEY_TRIAL_STATE, "STATE", 0,
         "only trials in this state: WAITING, RUNNING, COMPLETE, PRUNED or "
         "FAIL",
         0},
        {"sort", KEY_SORT, "COLUMN", 0,
         "number (default), state, value (the best first; infeasible ones "
         "behind the others), epoch, duration (of all its attempts), attempt, "
         "start or a parameter (the least first)",
         0},
        {"reverse", KEY_REVERSE, NULL, 0, "the other way round", 0},
        {"limit", KEY_LIMIT, "N", 0, "only the first N of these", 0},
        {0}};
    static const struct cli_command command = {
        .name = "trials",
        .args = "STUDY",
        .doc = "Lists trials; of one that runs the value is that of its last "
               "report, \"0.83 @ 4\" of epoch or step 4." CLI_EPOCHS
                   CLI_STATE_BEFORE,
        .n_min = 1,
        .n_max = 1,
        .options = options,
        .on_option = on_option};
    struct trials_input in = {.sort = "number"};
    struct json *study;
    struct err err;
    cli_parse(c, &command, argc, argv, &in);
    int rc = cli_study_call(c, "GET", argv[1], "", NULL, &study, &err);
    if (rc == 0) {
        rc = list_trials(c, argv[1], &in, study, &err);
        json_free(study);
    }
    return rc != 0 ? cli_fail(c, &err) : CLI_OK;
}

/* --- show ----------------------------------------------------------------- */

static void put_pair(struct table *t, const char *name, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        table_cell(t, TERM_DIM, name);
        table_cell(t, TERM_PLAIN, text);
    }
}

static void put_memory(struct table *t, const struct json *trial)
{
    char peak[FORMAT_SIZE], planned[FORMAT_SIZE];
    int64_t n_peak = field_int(trial, "peak_bytes", 0);
    int64_t n_planned = field_int(trial, "planned_bytes", 0);
    if (n_peak > 0) {
        format_bytes((uint64_t)n_peak, peak);
        format_bytes((uint64_t)n_planned, planned);
        table_cell(t, TERM_DIM, "memory");
        table_cellf(t, TERM_PLAIN, "%s at most%s, %s planned", peak,
                    field_bool(trial, "peak_of_worker")
                        ? " (its worker, since that was started)"
                        : "",
                    planned);
    }
}

static void put_feasibility(struct table *t, const struct json *trial)
{
    struct buf list;
    buf_init(&list, BUF_MAX_CONFIG);
    list_constraints(&list, trial, true);
    if (list.len > 0) {
        table_cell(t, TERM_DIM, "constraints");
        table_cellf(t, field_is_infeasible(trial) ? TERM_WARN : TERM_PLAIN,
                    "%s%s", list.data,
                    field_is_infeasible(trial) ? " (infeasible)" : "");
    }
    buf_fini(&list);
}

/* "patient (median)"; NULL: nobody knows, as of a trial that Optuna ran. */
static const char *pruner_of(const struct json *study, const struct json *trial,
                             char text[FORMAT_SIZE])
{
    const struct json *pruner = field_get(field_get(study, "config"), "pruner");
    const char *type = field_text(pruner, "type");
    const char *wrapped = field_text(pruner, "wrapped");
    if (field_int(trial, "attempt", 0) == 0 || type[0] == '\0' ||
        strcmp(type, "none") == 0) {
        return NULL;
    }
    bool is_wrapper = strcmp(type, "patient") == 0 && wrapped[0] != '\0' &&
                      strcmp(wrapped, "none") != 0;
    snprintf(text, FORMAT_SIZE, is_wrapper ? "%s (%s)" : "%s", type, wrapped);
    return text;
}

/* A pruned trial ended with the report that its pruner judged: its last. */
static void put_pruning(struct table *t, const struct json *study,
                        const struct json *trial)
{
    char value[FORMAT_SIZE], name[FORMAT_SIZE];
    const char *pruner = pruner_of(study, trial, name);
    const char *metric = field_text(study, "metric");
    const struct json *last = last_report(trial);
    table_cell(t, TERM_DIM, "pruned");
    if (last == NULL) {
        table_cell(t, TERM_WARN, "before it reported anything");
        return;
    }
    bool is_epoch = field_get(last, "epoch") != NULL;
    const char *unit = is_epoch ? "epoch" : "step";
    json_repr(field_number(last, metric), value);
    table_cellf(t, TERM_WARN, "at %s %" PRId64 " with %s %s%s%s", unit,
                field_int(last, unit, -1) + is_epoch, metric, value,
                pruner != NULL ? ", by " : "", pruner != NULL ? pruner : "");
}

static void put_best(struct table *t, const struct json *study,
                     const struct json *trial)
{
    int64_t best = field_int(trial, "best_epoch", -1);
    bool is_step = is_stepped(study);
    if (best >= 0) {
        table_cell(t, TERM_DIM, is_step ? "best step" : "best epoch");
        table_cellf(t, TERM_PLAIN, "%" PRId64, best + !is_step);
    }
}

/* Was its last report the best one, too? */
static bool ends_with_best(const struct json *trial)
{
    const struct json *last = last_report(trial);
    const char *unit = field_get(last, "epoch") != NULL ? "epoch" : "step";
    return last != NULL &&
           field_int(last, unit, -1) == field_int(trial, "best_epoch", -1);
}

static void put_facts(struct table *t, const struct json *study,
                      const struct json *trial)
{
    const char *state = field_text(trial, "state");
    char text[FORMAT_SIZE];
    table_cell(t, TERM_DIM, "trial");
    table_cellf(t, TERM_BOLD, "%" PRId64, field_int(trial, "number", -1));
    table_cell(t, TERM_DIM, "state");
    table_cell(t, style_of(state), state);
    bool is_back = is_put_back(trial);
    put_pair(t, is_back ? "put back" : "cause", field_string(trial, "cause"));
    put_pair(t, is_back ? "because" : "message",
             field_string(trial, "message"));
    double value = field_number(trial, "value");
    if (!isnan(value)) {
        json_repr(value, text);
        put_pair(t, field_text(study, "metric"), text);
    }
    put_feasibility(t, trial);
    bool is_pruned = strcmp(state, "PRUNED") == 0;
    if (is_pruned) {
        put_pruning(t, study, trial);
    }
    if (!is_pruned || !ends_with_best(trial)) { /* whose the value may be */
        put_best(t, study, trial);
    }
    put_memory(t, trial);
    table_cell(t, TERM_DIM, "attempt");
    table_cellf(t, TERM_PLAIN, "%" PRId64, field_int(trial, "attempt", 0));
    format_time(field_int(trial, "start", 0), text);
    put_pair(t, "started", text);
    format_time(field_int(trial, "end", 0), text);
    put_pair(t, "ended", text);
    format_duration(duration_of(trial), text);
    put_pair(t, "duration", text);
    put_pair(t, "checkpoint", field_string(trial, "checkpoint"));
    put_pair(t, "enqueued", field_bool(trial, "enqueued") ? "by a user" : NULL);
    put_pair(t, "note",
             field_bool(trial, "nondeterministic")
                 ? "an attempt told otherwise than the one before it"
                 : NULL);
    for (const struct json *p = field_first(trial, "params"); p != NULL;
         p = json_next(p)) {
        format_value(p, 0, text, sizeof(text));
        table_cell(t, TERM_DIM, json_key(p));
        table_cell(t, TERM_BOLD, text);
    }
}

/* The reports of an epoch or a step each; their keys are the columns. */
static void print_epochs(const struct cli *c, const struct json *trial)
{
    const struct json *first = field_first(trial, "epochs");
    if (first == NULL) {
        return;
    }
    int64_t best = field_int(trial, "best_epoch", -1);
    bool is_epoch = field_get(first, "epoch") != NULL;
    const char *unit = is_epoch ? "epoch" : "step";
    struct table *t = table_new();
    for (const struct json *k = json_first(first); k != NULL;
         k = json_next(k)) {
        table_right(t, json_key(k));
    }
    for (const struct json *e = first; e != NULL; e = json_next(e)) {
        int64_t at = field_int(e, unit, -1);
        enum term_style style = at == best ? TERM_GOOD : TERM_PLAIN;
        for (const struct json *k = json_first(first); k != NULL;
             k = json_next(k)) {
            char text[FORMAT_SIZE];
            if (strcmp(json_key(k), unit) == 0) {
                snprintf(text, sizeof(text), "%" PRId64, at + is_epoch);
            } else {
                format_metric(field_number(e, json_key(k)), text);
            }
            table_cell(t, style, text);
        }
    }
    printf("\n");
    table_print(t, &c->out);
    table_free(t);
}

static void print_trial(const struct cli *c, const struct json *study,
                        const struct json *trial)
{
    struct table *t = table_new();
    table_left(t, "");
    table_left(t, "");
    put_facts(t, study, trial);
    table_print(t, &c->out);
    table_free(t);
    print_epochs(c, trial);
}

int cmd_show(struct cli *c, int argc, char **argv)
{
    static const struct cli_command command = {
        .name = "show",
        .args = "STUDY N",
        .doc = "Everything about one trial, with its epochs." CLI_EPOCHS,
        .n_min = 2,
        .n_max = 2};
    char rest[64], *end;
    struct json *study, *trial;
    struct err err;
    cli_parse(c, &command, argc, argv, NULL);
    errno = 0;
    long long number = strtoll(argv[2], &end, 10);
    if (errno != 0 || end == argv[2] || *end != '\0' || number < 0) {
        err_set(&err, ERR_INVALID, "show: '%s' is not the number of a trial",
                argv[2]);
        return cli_fail(c, &err);
    }
    snprintf(rest, sizeof(rest), "/trials/%lld", number);
    if (cli_study_call(c, "GET", argv[1], "", NULL, &study, &err) != 0) {
        return cli_fail(c, &err);
    }
    if (cli_study_call(c, "GET", argv[1], rest, NULL, &trial, &err) != 0) {
        json_free(study);
        return cli_fail(c, &err);
    }
    if (c->json) {
        cli_put_json(trial);
    } else {
        print_trial(c, study, trial);
        if (field_string(trial, "message") != NULL) {
            last_words_print(c, argv[1], number);
        }
    }
    json_free(trial);
    json_free(study);
    return CLI_OK;
}
