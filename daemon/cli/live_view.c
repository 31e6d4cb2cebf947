#include "daemon/cli/live_view.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/spec/trial.h"
#include "daemon/cli/bars.h"
#include "daemon/cli/field.h"
#include "daemon/cli/format.h"
#include "daemon/cli/width.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINE_MAX_BYTES = 64 << 10,
    VALUE_WIDTH = 8,  /* of a parameter, at least */
    FIXED_WIDTH = 31, /* of what stands before the parameters */
    FIELD_WIDTH = 10,
    GAP = 2,
    BAR_WIDTH = 24,
    NARROW = 90, /* columns; below, less is said */
    WIDE = 120,
    SILENT_MS = 10000, /* then a running trial is said to be silent */
};

static void say(struct buf *out, const struct term *t, enum term_style style,
                const char *fmt, ...) PRINTF_LIKE(4, 5);

/* Styled text, made safe. */
static void say(struct buf *out, const struct term *t, enum term_style style,
                const char *fmt, ...)
{
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    buf_str(out, term_on(t, style));
    width_printable(out, text, strlen(text));
    buf_str(out, term_off(t, style));
}

/* Add a line, cut to the terminal, to out; ends line. */
static void put_line(struct buf *out, struct buf *line, int columns)
{
    while (line->len > 0 && line->data[line->len - 1] == ' ') {
        line->data[--line->len] = '\0';
    }
    width_fit(out, line->data != NULL ? line->data : "", columns);
    buf_char(out, '\n');
    buf_fini(line);
}

/* Text in a field of n columns and the gap behind it. */
static void put_field(struct buf *out, const struct term *t,
                      enum term_style style, const char *text, int n,
                      bool to_right)
{
    struct buf safe, fit;
    buf_init(&safe, LINE_MAX_BYTES);
    buf_init(&fit, LINE_MAX_BYTES);
    width_printable(&safe, text, strlen(text));
    width_fit(&fit, safe.data != NULL ? safe.data : "", n);
    const char *shown = fit.data != NULL ? fit.data : "";
    int rest = n - width_of(shown);
    width_spaces(out, to_right ? rest : 0);
    buf_str(out, term_on(t, style));
    buf_str(out, shown);
    buf_str(out, term_off(t, style));
    width_spaces(out, (to_right ? 0 : rest) + GAP);
    buf_fini(&safe);
    buf_fini(&fit);
}

/* "42s", "3m05s", "2h13m": fits six columns below 100 hours. */
static void short_duration(int64_t ms, char out[FORMAT_SIZE])
{
    int64_t s = (ms + 500) / 1000;
    if (ms < 0) {
        out[0] = '\0';
    } else if (ms < 9950) {
        snprintf(out, FORMAT_SIZE, "%.1fs", (double)ms / 1000.0);
    } else if (s < 60) {
        snprintf(out, FORMAT_SIZE, "%" PRId64 "s", s);
    } else if (s < 3600) {
        snprintf(out, FORMAT_SIZE, "%" PRId64 "m%02" PRId64 "s", s / 60,
                 s % 60);
    } else {
        snprintf(out, FORMAT_SIZE, "%" PRId64 "h%02" PRId64 "m", s / 3600,
                 s / 60 % 60);
    }
}

/* --- the table of finished trials ----------------------------------------- */

/* Width of a parameter's column: its whole title where there is room. */
static int param_width(const struct live *l, size_t at, int columns)
{
    int left = columns - FIXED_WIDTH - (int)l->n_params * (VALUE_WIDTH + GAP);
    for (size_t i = 0; i <= at; i++) {
        int more = (int)strlen(l->params[i]) - VALUE_WIDTH;
        more = more < 0 ? 0 : more;
        int given = left < more ? (left < 0 ? 0 : left) : more;
        if (i == at) {
            return VALUE_WIDTH + given;
        }
        left -= given;
    }
    return VALUE_WIDTH;
}

void live_view_titles(struct buf *out, const struct live *l,
                      const struct term *term, int columns)
{
    struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    put_field(&line, term, TERM_DIM, "trial", 5, true);
    put_field(&line, term, TERM_DIM, l->metric, 8, true);
    put_field(&line, term, TERM_DIM, l->is_stepped ? "step" : "epoch", 5, true);
    put_field(&line, term, TERM_DIM, "time", 6, true);
    for (size_t i = 0; i < l->n_params; i++) {
        put_field(&line, term, TERM_DIM, l->params[i],
                  param_width(l, i, columns), true);
    }
    put_line(out, &line, columns);
}

/* The best epoch of how many; of steps the best one's number. */
static void epochs_of(const struct live *l, const struct json *trial,
                      char out[FORMAT_SIZE])
{
    int64_t best = field_int(trial, "best_epoch", -1);
    int64_t n = field_int(trial, "n_epochs", 0);
    if (l->is_stepped) {
        snprintf(out, FORMAT_SIZE, best >= 0 ? "%" PRId64 : "-", best);
    } else if (best >= 0) {
        snprintf(out, FORMAT_SIZE, "%" PRId64 "/%" PRId64, best + 1, n);
    } else {
        snprintf(out, FORMAT_SIZE, "%" PRId64, n);
    }
}

static int64_t duration_of(const struct json *trial)
{
    return field_int(trial, "duration_ms", -1);
}

static void put_params(struct buf *line, const struct live *l,
                       const struct term *term, int columns,
                       const struct json *trial)
{
    const struct json *params = field_get(trial, "params");
    for (size_t i = 0; i < l->n_params; i++) {
        char text[256];
        format_value(field_get(params, l->params[i]), 3, text, sizeof(text));
        put_field(line, term, TERM_PLAIN, text, param_width(l, i, columns),
                  true);
    }
}

void live_view_trial(struct buf *out, const struct live *l,
                     const struct term *term, int columns,
                     const struct json *trial, bool is_best)
{
    char number[FORMAT_SIZE], value[FORMAT_SIZE], epochs[FORMAT_SIZE],
        time[FORMAT_SIZE];
    const char *state = field_text(trial, "state");
    bool is_complete = strcmp(state, "COMPLETE") == 0;
    bool is_infeasible = field_is_infeasible(trial);
    struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    snprintf(number, sizeof(number), "%" PRId64,
             field_int(trial, "number", -1));
    format_metric(field_number(trial, "value"), value);
    epochs_of(l, trial, epochs);
    short_duration(duration_of(trial), time);
    put_field(&line, term, TERM_DIM, number, 5, true);
    line.data[line.len -= GAP] = '\0';
    say(&line, term, TERM_GOOD, "%s",
        !is_best ? "  " : (term->has_unicode ? " ★" : " *"));
    put_field(&line, term,
              is_best         ? TERM_GOOD
              : is_infeasible ? TERM_DIM
                              : TERM_PLAIN,
              is_complete ? value : state, 8, true);
    put_field(&line, term, TERM_PLAIN, epochs, 5, true);
    put_field(&line, term, TERM_PLAIN, time, 6, true);
    if (strcmp(state, "FAIL") == 0) {
        say(&line, term, TERM_BAD, "%s: %s", field_text(trial, "cause"),
            field_text(trial, "message"));
    } else {
        put_params(&line, l, term, columns, trial);
        say(&line, term, TERM_WARN, is_infeasible ? "  infeasible" : "");
    }
    put_line(out, &line, columns);
}

/* --- the block ------------------------------------------------------------ */

static void put_header(struct buf *out, const struct live *l,
                       const struct term *term, int columns, int64_t now_ms)
{
    struct buf line;
    char text[FORMAT_SIZE];
    bool is_running = strcmp(l->state, "running") == 0;
    buf_init(&line, LINE_MAX_BYTES);
    say(&line, term, TERM_BOLD, "%s", l->name != NULL ? l->name : "");
    buf_str(&line, "  ");
    bars_progress(&line, term,
                  l->n_trials > 0 ? (double)l->finished / (double)l->n_trials
                                  : 0.0,
                  BAR_WIDTH, TERM_GOOD);
    say(&line, term, TERM_PLAIN, "  %" PRId64 "/%" PRId64 " trials",
        l->finished, l->n_trials);
    if (l->counts[TRIAL_FAIL] > 0) {
        say(&line, term, TERM_BAD, "  %" PRId64 " failed",
            l->counts[TRIAL_FAIL]);
    }
    if (l->best >= 0) {
        format_metric(l->best_value, text);
        say(&line, term, TERM_PLAIN, "  best ");
        say(&line, term, TERM_GOOD, "%s", text);
        say(&line, term, TERM_DIM, " #%" PRId64, l->best);
    }
    int64_t eta = live_eta(l, now_ms);
    if (!is_running) {
        say(&line, term, TERM_WARN, "  %s", l->state);
    } else if (eta >= 0) {
        short_duration(eta, text);
        say(&line, term, TERM_PLAIN, "  ETA %s", text);
    }
    put_line(out, &line, columns);
}

/* "train 2/5  312/380  41.2/s", or "encode 120/350" before the first epoch. */
static void put_phase(struct buf *line, const struct live_trial *t,
                      const struct term *term, bool with_rate)
{
    bool is_train = strcmp(t->phase, "train") == 0;
    bool has_epoch = is_train || strcmp(t->phase, "eval") == 0 ||
                     strcmp(t->phase, "save") == 0;
    char epochs[FORMAT_SIZE] = "", steps[FORMAT_SIZE] = "", rate[16] = "";
    if (has_epoch && t->max_epochs > 0) {
        snprintf(epochs, sizeof(epochs), "epoch %" PRId64 "/%" PRId64,
                 t->epoch + 1, t->max_epochs);
    }
    if (t->n_steps > 1) {
        snprintf(steps, sizeof(steps), "%" PRId64 "/%" PRId64, t->step,
                 t->n_steps);
    }
    if (is_train && !isnan(t->rate)) {
        snprintf(rate, sizeof(rate), t->rate < 9.95 ? "%.1f/s" : "%.0f/s",
                 t->rate);
    }
    put_field(line, term, TERM_ACCENT, t->phase[0] != '\0' ? t->phase : "start",
              8, false);
    put_field(line, term, TERM_PLAIN, epochs, 11, false);
    put_field(line, term, TERM_PLAIN, steps, 9, true);
    if (with_rate) {
        put_field(line, term, TERM_DIM, rate, 7, true);
    }
}

static void put_silence(struct buf *line, const struct live_trial *t,
                        const struct term *term, int64_t now_ms)
{
    char text[FORMAT_SIZE];
    short_duration(now_ms - t->last_ms, text);
    say(line, term, TERM_WARN, "  silent for %s", text);
}

/* A training: how far, how fast, how good. */
static void put_training(struct buf *line, const struct live_trial *t,
                         const char *metric, const struct term *term,
                         int columns, int64_t now_ms)
{
    char text[FORMAT_SIZE];
    int64_t eta = live_trial_eta(t, now_ms);
    bars_progress(line, term, t->fraction,
                  columns < WIDE ? BAR_WIDTH / 2 : BAR_WIDTH, TERM_ACCENT);
    width_spaces(line, GAP);
    put_phase(line, t, term, columns >= NARROW);
    if (!isnan(t->loss)) {
        format_number(t->loss, text);
        say(line, term, TERM_PLAIN, "loss %-9s", text);
    }
    if (eta > 0) {
        short_duration(eta, text);
        say(line, term, TERM_PLAIN, " ETA %-6s", text);
    }
    int left = columns - width_of(line->data);
    if (t->last_ms > 0 && now_ms - t->last_ms > SILENT_MS) {
        put_silence(line, t, term, now_ms);
    } else if (!isnan(t->value) && left > (int)strlen(metric) + FIELD_WIDTH) {
        format_metric(t->value, text);
        say(line, term, TERM_DIM, " %s %s", metric, text);
    }
}

/* Anything else: nobody knows how far it is. */
static void put_stepped(struct buf *line, const struct live_trial *t,
                        const char *metric, const struct term *term,
                        int64_t now_ms)
{
    char text[FORMAT_SIZE], step[FORMAT_SIZE] = "";
    bool is_heard = t->last_ms > 0;
    int64_t since = is_heard ? now_ms - t->last_ms : 0;
    short_duration(t->elapsed_ms + since, text);
    if (is_heard && t->epoch >= 0 && !isnan(t->loss)) {
        snprintf(step, sizeof(step), "step %" PRId64, t->epoch);
    }
    put_field(line, term, TERM_ACCENT, t->phase[0] != '\0' ? t->phase : "start",
              8, false);
    put_field(line, term, TERM_DIM, text, 6, true);
    put_field(line, term, TERM_PLAIN, step, 11, false);
    if (step[0] != '\0') {
        format_metric(t->loss, text);
        say(line, term, TERM_PLAIN, "%s %s", metric, text);
    }
    if (is_heard && since > SILENT_MS) {
        put_silence(line, t, term, now_ms);
    }
}

void live_view_running(struct buf *out, const struct live_trial *t,
                       const char *metric, const struct term *term, int columns,
                       int64_t now_ms)
{
    struct buf line;
    char number[FORMAT_SIZE] = "";
    buf_init(&line, LINE_MAX_BYTES);
    if (t->number >= 0) {
        snprintf(number, sizeof(number), "%" PRId64, t->number);
    }
    put_field(&line, term, TERM_DIM, number, 5, true);
    if (t->is_stepped) {
        put_stepped(&line, t, metric, term, now_ms);
    } else {
        put_training(&line, t, metric, term, columns, now_ms);
    }
    put_line(out, &line, columns);
}

static void put_preparation(struct buf *line, const struct live *l,
                            const struct term *term)
{
    say(line, term, TERM_DIM, "      preparing the data");
    if (!isnan(l->prepared)) {
        say(line, term, TERM_PLAIN, "  ");
        bars_progress(line, term, l->prepared, BAR_WIDTH, TERM_ACCENT);
    }
    if (l->preparing[0] != '\0') {
        say(line, term, TERM_DIM, "  %s", l->preparing);
    }
}

static void put_note(struct buf *out, const struct live *l,
                     const struct term *term, int columns)
{
    struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    if (l->trouble != NULL) {
        say(&line, term, TERM_BAD, "      %s", l->trouble);
    } else if (!l->has_data && strcmp(l->state, "running") == 0) {
        put_preparation(&line, l, term);
    } else if (l->preparing[0] != '\0') {
        put_preparation(&line, l, term);
    } else if (l->reason != NULL) {
        say(&line, term, TERM_DIM, "      %s", l->reason);
    } else if (l->n_running == 0 && strcmp(l->state, "running") == 0) {
        say(&line, term, TERM_DIM, "      waiting for a worker");
    } else {
        buf_fini(&line);
        return;
    }
    put_line(out, &line, columns);
}

void live_view_block(struct buf *out, const struct live *l,
                     const struct term *term, int columns, int rows,
                     int64_t now_ms)
{
    put_header(out, l, term, columns, now_ms);
    int left = rows - 2; /* one for the note */
    for (size_t i = 0; i < l->n_running && left > 0; i++, left--) {
        if (left == 1 && i + 1 < l->n_running) {
            struct buf line;
            buf_init(&line, LINE_MAX_BYTES);
            say(&line, term, TERM_DIM, "      and %zu more run",
                l->n_running - i);
            put_line(out, &line, columns);
            break;
        }
        live_view_running(out, &l->running[i], l->metric, term, columns,
                          now_ms);
    }
    if (rows > 1) {
        put_note(out, l, term, columns);
    }
}

/* --- sentences for logs --------------------------------------------------- */

static const struct term no_term; /* no colours */

static void say_params(struct buf *out, const struct json *trial)
{
    const char *comma = ": ";
    for (const struct json *p = field_first(trial, "params"); p != NULL;
         p = json_next(p)) {
        char text[256];
        format_value(p, 4, text, sizeof(text));
        say(out, &no_term, TERM_PLAIN, "%s%s %s", comma, json_key(p), text);
        comma = ", ";
    }
}

static const struct json *last_report(const struct json *trial)
{
    const struct json *last = NULL;
    for (const struct json *e = field_first(trial, "epochs"); e != NULL;
         e = json_next(e)) {
        last = e;
    }
    return last;
}

/* Of a trial that was pruned: " at step 5", after what it reported last. */
static void say_where(struct buf *out, const struct live *l,
                      const struct json *trial)
{
    const char *unit = l->is_stepped ? "step" : "epoch";
    const struct json *last = last_report(trial);
    int64_t at = last != NULL ? field_int(last, unit, -1) : -1;
    if (at >= 0) {
        say(out, &no_term, TERM_PLAIN, " at %s %" PRId64, unit,
            at + !l->is_stepped);
    }
}

void live_view_say_trial(struct buf *out, const struct live *l,
                         const struct json *trial, bool is_best)
{
    char value[FORMAT_SIZE], time[FORMAT_SIZE];
    const char *state = field_text(trial, "state");
    format_number(field_number(trial, "value"), value);
    format_duration(duration_of(trial), time);
    say(out, &no_term, TERM_PLAIN, "trial %" PRId64 " ",
        field_int(trial, "number", -1));
    if (strcmp(state, "FAIL") == 0) {
        say(out, &no_term, TERM_PLAIN, "failed (%s): %s",
            field_text(trial, "cause"), field_text(trial, "message"));
    } else {
        bool is_pruned = strcmp(state, "PRUNED") == 0;
        say(out, &no_term, TERM_PLAIN, is_pruned ? "pruned" : "complete");
        if (is_pruned) {
            say_where(out, l, trial);
        }
        say(out, &no_term, TERM_PLAIN, ": %s %s%s, %s", l->metric, value,
            is_best                      ? " (best so far)"
            : field_is_infeasible(trial) ? " (infeasible)"
                                         : "",
            time);
        say_params(out, trial);
    }
    buf_char(out, '\n');
}

/* ": train-loss 0.1, val-acc 0.9": what an epoch or step brought. */
static void say_metrics(struct buf *out, const struct json *report,
                        const char *unit)
{
    const char *comma = ": ";
    const struct json *m = report != NULL ? json_first(report) : NULL;
    for (; m != NULL; m = json_next(m)) {
        char text[FORMAT_SIZE];
        double v = field_number(report, json_key(m));
        format_number(v, text);
        if (!isnan(v) && strcmp(json_key(m), unit) != 0) {
            say(out, &no_term, TERM_PLAIN, "%s%s %s", comma, json_key(m), text);
            comma = ", ";
        }
    }
}

static void say_epoch(struct buf *out, const struct live *l,
                      const struct json *trial, const struct json *report)
{
    const char *unit = l->is_stepped ? "step" : "epoch";
    int64_t n = l->max_epochs > 0 || l->is_stepped
                    ? l->max_epochs
                    : field_int(field_get(trial, "params"), "max_epochs", 0);
    say(out, &no_term, TERM_PLAIN, "trial %" PRId64 " %s %" PRId64,
        field_int(trial, "number", -1), unit,
        field_int(report, unit, 0) + !l->is_stepped);
    if (n > 0) {
        say(out, &no_term, TERM_PLAIN, "/%" PRId64, n);
    }
    say_metrics(out, report, unit);
    buf_char(out, '\n');
}

void live_view_say_epochs(struct buf *out, const struct live *l,
                          const struct json *trial)
{
    bool is_running = strcmp(field_text(trial, "state"),
                             trial_state_name(TRIAL_RUNNING)) == 0;
    int64_t n = 0, most = l->is_stepped ? is_running : l->n_news;
    for (const struct json *e = field_first(trial, "epochs"); e != NULL;
         e = json_next(e)) {
        n++;
    }
    for (const struct json *e = field_first(trial, "epochs"); e != NULL;
         e = json_next(e)) {
        if (n-- <= most) {
            say_epoch(out, l, trial, e);
        }
    }
}

const char *live_view_state(const char *state)
{
    static const char *const sentences[] = {
        "is running", "is paused", "is stopped", "is finished", "has failed"};
    for (size_t i = 0; i < ARRAY_LEN(sentences); i++) {
        if (strcmp(strrchr(sentences[i], ' ') + 1, state) == 0) {
            return sentences[i];
        }
    }
    return state;
}

/* While trials run the end is yet to come, and is the summary's to tell, with
 * the whole reason. A pause lets them end; what else ends a study may put them
 * back. */
static void say_ending(struct buf *out, const struct live *l)
{
    int64_t n = l->counts[TRIAL_RUNNING];
    const char *reason = l->reason != NULL ? l->reason : "";
    const char *until = strcmp(l->state, "paused") == 0 ? ""
                        : n == 1 ? " until it ends or is put back"
                                 : " until they end or are put back";
    say(out, &no_term, TERM_PLAIN,
        "study '%s' starts no new trials (%s%s%.*s), %" PRId64 " still %s%s",
        l->name, l->state, l->reason != NULL ? ": " : "",
        (int)strcspn(reason, ";"), reason, n, n == 1 ? "runs" : "run", until);
}

void live_view_say_state(struct buf *out, const struct live *l)
{
    if (strcmp(l->state, "running") != 0 && l->counts[TRIAL_RUNNING] > 0) {
        say_ending(out, l);
    } else {
        say(out, &no_term, TERM_PLAIN, "study '%s' %s%s%s", l->name,
            live_view_state(l->state), l->reason != NULL ? ": " : "",
            l->reason != NULL ? l->reason : "");
    }
    if (l->trouble != NULL) {
        say(out, &no_term, TERM_PLAIN, "; the daemon has trouble: %s",
            l->trouble);
    }
    buf_char(out, '\n');
}
