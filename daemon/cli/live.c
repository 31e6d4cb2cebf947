#include "daemon/cli/live.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "daemon/cli/field.h"
#include "daemon/cli/format.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NUMBER_MAX = 1 << 24, /* a trial above is told of every time */
    STEPS_MS = 5000,      /* between two times that steps are news */
};

void live_init(struct live *l)
{
    *l = (struct live){.best = -1, .best_value = NAN, .eta_ms = -1};
}

static void forget_params(struct live *l)
{
    for (size_t i = 0; i < l->n_params; i++) {
        free(l->params[i]);
    }
    free(l->params);
    l->params = NULL;
    l->n_params = 0;
}

void live_fini(struct live *l)
{
    forget_params(l);
    free(l->name);
    free(l->reason);
    free(l->trouble);
    free(l->running);
    free(l->heard);
}

/* --- the study ------------------------------------------------------------ */

static void replace(char **at, const char *text)
{
    free(*at);
    *at = mem_strdup(text);
}

static void take_params(struct live *l, const struct json *study)
{
    if (field_get(study, "params") == NULL) {
        return;
    }
    forget_params(l);
    for (const struct json *p = field_first(study, "params"); p != NULL;
         p = json_next(p)) {
        if (json_kind(p) == JSON_STRING) {
            l->params =
                mem_grow(l->params, l->n_params + 1, sizeof(*l->params));
            l->params[l->n_params++] = mem_strdup(json_string(p));
        }
    }
}

static int64_t max_epochs_of(const struct json *study)
{
    const struct json *training =
        field_get(field_get(study, "config"), "training");
    return field_int(training, "max_epochs", 0);
}

void live_take_study(struct live *l, const struct json *study, int64_t now_ms)
{
    replace(&l->name, field_text(study, "name"));
    replace(&l->reason, field_string(study, "reason"));
    replace(&l->trouble, field_string(study, "trouble"));
    snprintf(l->state, sizeof(l->state), "%s", field_text(study, "state"));
    snprintf(l->metric, sizeof(l->metric), "%s", field_text(study, "metric"));
    l->maximize = strcmp(field_text(study, "direction"), "maximize") == 0;
    l->n_trials = field_int(study, "n_trials", 0);
    l->finished = field_int(study, "finished", 0);
    for (int i = 0; i < TRIAL_N_STATES; i++) {
        l->counts[i] = field_int(field_get(study, "counts"),
                                 trial_state_name((enum trial_state)i), 0);
    }
    const struct json *best = field_get(study, "best");
    l->best = field_int(best, "number", -1);
    l->best_value = field_number(best, "value");
    l->eta_ms = field_int(study, "eta_ms", -1);
    l->eta_at_ms = now_ms;
    l->prepared = format_preparation(field_get(study, "preparing"),
                                     l->preparing, sizeof(l->preparing));
    l->is_stepped = strcmp(field_text(study, "unit"), "step") == 0;
    l->has_data = l->is_stepped || field_first(study, "data") != NULL;
    l->max_epochs = l->is_stepped ? 0 : max_epochs_of(study);
    take_params(l, study);
    for (const struct json *t = field_first(study, "running"); t != NULL;
         t = json_next(t)) {
        live_take_progress(l, t, now_ms);
    }
}

/* --- running trials ------------------------------------------------------- */

static size_t place_of(const struct live *l, int64_t number)
{
    size_t i = 0;
    while (i < l->n_running && l->running[i].number < number) {
        i++;
    }
    return i;
}

static struct live_trial *running_trial(struct live *l, int64_t number)
{
    size_t at = place_of(l, number);
    if (at < l->n_running && l->running[at].number == number) {
        return &l->running[at];
    }
    l->running = mem_grow(l->running, l->n_running + 1, sizeof(*l->running));
    memmove(l->running + at + 1, l->running + at,
            (l->n_running - at) * sizeof(*l->running));
    l->n_running++;
    live_trial_init(&l->running[at], number, 0);
    return &l->running[at];
}

static void forget_trial(struct live *l, int64_t number)
{
    size_t at = place_of(l, number);
    if (at < l->n_running && l->running[at].number == number) {
        memmove(l->running + at, l->running + at + 1,
                (l->n_running - at - 1) * sizeof(*l->running));
        l->n_running--;
    }
}

static double fraction_of(const struct live_trial *t)
{
    double epochs = (double)t->epoch;
    if (t->max_epochs <= 0) {
        return 0.0;
    }
    if (strcmp(t->phase, "eval") == 0) {
        epochs += 1.0;
    } else if (strcmp(t->phase, "train") == 0 && t->n_steps > 0) {
        epochs += (double)t->step / (double)t->n_steps;
    }
    return fmin(epochs / (double)t->max_epochs, 1.0);
}

/* A mean that forgets: half of it is a second old or younger. */
static void take_rate(struct live_trial *t, int64_t steps, int64_t ms)
{
    if (steps <= 0 || ms <= 0) {
        return;
    }
    double rate = 1000.0 * (double)steps / (double)ms;
    double keep = exp2(-(double)ms / 1000.0);
    t->rate = isnan(t->rate) ? rate : keep * t->rate + (1.0 - keep) * rate;
}

void live_trial_init(struct live_trial *t, int64_t number, int64_t max_epochs)
{
    *t = (struct live_trial){.number = number,
                             .max_epochs = max_epochs,
                             .loss = NAN,
                             .value = NAN,
                             .rate = NAN,
                             .first_fraction = NAN};
}

void live_trial_take(struct live_trial *t, const struct live_step *step,
                     int64_t now_ms)
{
    bool was_train = strcmp(t->phase, "train") == 0;
    bool is_train = strcmp(step->phase, "train") == 0;
    if (was_train && is_train && step->epoch == t->epoch) {
        take_rate(t, step->step - t->step, now_ms - t->last_ms);
    }
    snprintf(t->phase, sizeof(t->phase), "%s", step->phase);
    t->epoch = step->epoch;
    t->step = step->step;
    t->n_steps = step->n_steps;
    t->loss = step->loss;
    t->fraction = fmax(t->fraction, fraction_of(t));
    if (is_train && isnan(t->first_fraction)) {
        t->first_fraction = t->fraction;
        t->first_ms = now_ms;
    }
    t->last_ms = now_ms;
}

/* Another attempt: only what was reported stays. */
static void begin_attempt(struct live_trial *t, int64_t attempt, int64_t now_ms)
{
    struct live_trial old = *t;
    live_trial_init(t, old.number, old.max_epochs);
    t->attempt = attempt;
    t->value = old.value;
    t->n_epochs = old.n_epochs;
    t->last_ms = now_ms;
}

void live_take_progress(struct live *l, const struct json *trial,
                        int64_t now_ms)
{
    const struct json *progress = field_get(trial, "progress");
    int64_t number = field_int(trial, "number", -1);
    if (number < 0 || strcmp(field_text(trial, "state"), "RUNNING") != 0) {
        return;
    }
    struct live_trial *t = running_trial(l, number);
    int64_t attempt = field_int(trial, "attempt", 0);
    if (attempt != t->attempt) {
        begin_attempt(t, attempt, now_ms);
    }
    int64_t searched = field_int(field_get(trial, "params"), "max_epochs", 0);
    t->max_epochs =
        l->max_epochs > 0 || l->is_stepped ? l->max_epochs : searched;
    t->is_stepped = l->is_stepped;
    if (progress != NULL && json_kind(progress) == JSON_OBJECT) {
        const struct live_step step = {.phase = field_text(progress, "phase"),
                                       .epoch = field_int(progress, "epoch", 0),
                                       .step = field_int(progress, "step", 0),
                                       .n_steps =
                                           field_int(progress, "n_steps", 0),
                                       .loss = field_number(progress, "loss")};
        live_trial_take(t, &step, now_ms);
        t->elapsed_ms = field_int(progress, "elapsed_ms", 0);
    }
}

/* --- trials --------------------------------------------------------------- */

/* NULL: nothing is kept of a trial with that number. */
static struct live_heard *heard_of(struct live *l, int64_t number)
{
    if (number < 0 || number >= NUMBER_MAX) {
        return NULL;
    }
    size_t at = (size_t)number;
    if (at >= l->cap_heard) {
        size_t cap = 2 * at + 64;
        l->heard = mem_grow(l->heard, cap, sizeof(*l->heard));
        memset(l->heard + l->cap_heard, 0,
               (cap - l->cap_heard) * sizeof(*l->heard));
        l->cap_heard = cap;
    }
    return &l->heard[at];
}

/* Set whether the end of a trial was told; returns whether it was. */
static bool set_told(struct live *l, int64_t number, bool told)
{
    struct live_heard *h = heard_of(l, number);
    bool was = h != NULL && h->is_told;
    if (h != NULL) {
        h->is_told = told;
    }
    return was;
}

/* How many epochs of the event's trial are news. */
static int64_t count_news(struct live *l, const struct json *trial)
{
    int64_t n = field_int(trial, "n_epochs", 0);
    struct live_heard *h = heard_of(l, field_int(trial, "number", -1));
    int64_t news = h != NULL && n > h->n_epochs ? n - h->n_epochs : 0;
    if (h != NULL) {
        h->n_epochs = n;
    }
    return news;
}

void live_begin(struct live *l, const struct json *study, int64_t now_ms)
{
    live_take_study(l, study, now_ms);
    l->seq = field_int(study, "seq", 0);
    for (const struct json *t = field_first(study, "running"); t != NULL;
         t = json_next(t)) {
        count_news(l, t);
    }
}

static bool is_better(const struct live *l, double value)
{
    return !isnan(value) &&
           (isnan(l->best_value) ||
            (l->maximize ? value > l->best_value : value < l->best_value));
}

static enum live_news take_end(struct live *l, const struct json *trial,
                               enum trial_state state)
{
    int64_t number = field_int(trial, "number", -1);
    double value = field_number(trial, "value");
    if (set_told(l, number, true)) {
        return LIVE_NOTHING;
    }
    if (number == l->best) {
        return LIVE_BEST; /* the study's view said so before */
    }
    if (state == TRIAL_COMPLETE && !field_is_infeasible(trial) &&
        is_better(l, value)) {
        l->best = number;
        l->best_value = value;
        return LIVE_BEST;
    }
    return LIVE_FINISHED;
}

/* Steps can be many a second: more than anybody reads in a log. */
static bool is_due(const struct live *l, struct live_trial *t, int64_t now_ms)
{
    bool is_due = !l->is_stepped || now_ms - t->told_ms >= STEPS_MS;
    t->told_ms = is_due ? now_ms : t->told_ms;
    return is_due;
}

static enum live_news take_epochs(const struct live *l, struct live_trial *t,
                                  const struct json *trial, int64_t now_ms)
{
    for (const struct json *e = field_first(trial, "epochs"); e != NULL;
         e = json_next(e)) {
        t->value = field_number(e, l->metric);
    }
    t->n_epochs = field_int(trial, "n_epochs", 0);
    t->told_ms = t->told_ms == 0 ? now_ms : t->told_ms;
    return l->n_news > 0 && is_due(l, t, now_ms) ? LIVE_EPOCH : LIVE_NOTHING;
}

enum live_news live_take_trial(struct live *l, const struct json *trial,
                               int64_t now_ms)
{
    int64_t number = field_int(trial, "number", -1);
    int state = trial_state_by_name(field_text(trial, "state"));
    int64_t seq = field_int(trial, "seq", 0);
    l->seq = seq > l->seq ? seq : l->seq;
    l->n_news = count_news(l, trial);
    if (number < 0 || state < 0) {
        return LIVE_NOTHING;
    }
    if (state != TRIAL_RUNNING) {
        forget_trial(l, number);
    }
    if (trial_state_is_final((enum trial_state)state)) {
        return take_end(l, trial, (enum trial_state)state);
    }
    set_told(l, number, false);
    if (state != TRIAL_RUNNING) {
        return LIVE_NOTHING;
    }
    live_take_progress(l, trial, now_ms);
    return take_epochs(l, running_trial(l, number), trial, now_ms);
}

/* --- questions ------------------------------------------------------------ */

bool live_is_over(const struct live *l)
{
    return l->state[0] != '\0' && strcmp(l->state, "running") != 0 &&
           l->counts[TRIAL_RUNNING] == 0 && l->n_running == 0;
}

int64_t live_trial_eta(const struct live_trial *t, int64_t now_ms)
{
    enum { TOO_SOON_MS = 500 };
    double done = t->fraction - t->first_fraction;
    if (isnan(done) || done <= 0.0 || now_ms - t->first_ms < TOO_SOON_MS) {
        return -1;
    }
    double total = (double)(t->last_ms - t->first_ms) / done;
    double left = (1.0 - t->fraction) * total - (double)(now_ms - t->last_ms);
    return left > 0.0 ? (int64_t)left : 0;
}

int64_t live_eta(const struct live *l, int64_t now_ms)
{
    bool is_last = l->n_trials - l->finished <= (int64_t)l->n_running;
    int64_t left = l->eta_ms - (now_ms - l->eta_at_ms);
    if (l->eta_ms < 0 || strcmp(l->state, "running") != 0) {
        return -1;
    }
    left = is_last ? 0 : left;
    for (size_t i = 0; i < l->n_running; i++) {
        int64_t trial = live_trial_eta(&l->running[i], now_ms);
        left = trial > left ? trial : left;
    }
    return left > 0 ? left : -1;
}
