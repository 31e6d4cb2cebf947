#include "daemon/cli/summary.h"
#include "core/base/json.h"
#include "core/spec/trial.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/field.h"
#include "daemon/cli/format.h"
#include "daemon/cli/launch.h"
#include "daemon/cli/live_view.h"
#include "daemon/cli/table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void summary_counts(const struct json *study, char *out, int size)
{
    static const char *const words[TRIAL_N_STATES] = {
        [TRIAL_COMPLETE] = "complete",
        [TRIAL_PRUNED] = "pruned",
        [TRIAL_FAIL] = "failed",
        [TRIAL_RUNNING] = "running",
        [TRIAL_WAITING] = "waiting"};
    static const enum trial_state order[] = {
        TRIAL_COMPLETE, TRIAL_PRUNED, TRIAL_FAIL, TRIAL_RUNNING, TRIAL_WAITING};
    int at = snprintf(out, (size_t)size, "none");
    bool any = false;
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        int64_t n = field_int(field_get(study, "counts"),
                              trial_state_name(order[i]), 0);
        at = any ? at : 0;
        if (n > 0 && at < size) {
            at += snprintf(out + at, (size_t)(size - at), "%s%" PRId64 " %s",
                           any ? ", " : "", n, words[order[i]]);
            any = true;
        }
    }
}

/* Is a trial's value that of its last report, not of its best one? */
static bool is_of_last(const struct json *study)
{
    const struct json *config = field_get(study, "config");
    return strcmp(field_text(field_get(config, "objective"), "of"), "last") ==
           0;
}

/* Which trial, and which of its reports the value is. */
static void put_origin(struct table *t, const struct json *study)
{
    const struct json *best = field_get(study, "best");
    bool is_stepped = strcmp(field_text(study, "unit"), "step") == 0;
    int64_t number = field_int(best, "number", -1);
    int64_t at = field_int(best, "best_epoch", -1);
    if (at < 0 || (is_stepped && is_of_last(study))) {
        table_cellf(t, TERM_PLAIN, "trial %" PRId64, number);
    } else if (is_of_last(study)) {
        table_cellf(t, TERM_PLAIN,
                    "trial %" PRId64 ", its last epoch (best: %" PRId64
                    " of %" PRId64 ")",
                    number, at + 1, field_int(best, "n_epochs", 0));
    } else if (is_stepped) {
        table_cellf(t, TERM_PLAIN, "trial %" PRId64 ", step %" PRId64, number,
                    at);
    } else {
        table_cellf(t, TERM_PLAIN,
                    "trial %" PRId64 ", epoch %" PRId64 " of %" PRId64, number,
                    at + 1, field_int(best, "n_epochs", 0));
    }
}

static void put_best(struct table *t, const struct json *study)
{
    const struct json *best = field_get(study, "best");
    char text[512];
    json_repr(field_number(best, "value"), text);
    table_cell(t, TERM_DIM, field_text(study, "metric"));
    table_cell(t, TERM_GOOD, text);
    table_cell(t, TERM_DIM, "from");
    put_origin(t, study);
    for (const struct json *p = field_first(best, "params"); p != NULL;
         p = json_next(p)) {
        format_value(p, 0, text, sizeof(text));
        table_cell(t, TERM_DIM, json_key(p));
        table_cell(t, TERM_BOLD, text);
    }
    const char *checkpoint = field_string(best, "checkpoint");
    if (checkpoint != NULL) {
        table_cell(t, TERM_DIM, "checkpoint");
        table_cell(t, TERM_PLAIN, checkpoint);
    }
}

bool summary_has_best(const struct json *study)
{
    return field_int(field_get(study, "best"), "number", -1) >= 0;
}

static int64_t n_complete(const struct json *study)
{
    return field_int(field_get(study, "counts"),
                     trial_state_name(TRIAL_COMPLETE), 0);
}

int summary_no_best(const struct json *study, struct err *err)
{
    const char *name = field_text(study, "name");
    int64_t n = n_complete(study);
    if (n == 0) {
        return err_set(err, ERR_IO, "study '%s' has no complete trial yet",
                       name);
    }
    return n == 1
               ? err_set(err, ERR_IO,
                         "study '%s': its complete trial is infeasible", name)
               : err_set(err, ERR_IO,
                         "study '%s': none of its %" PRId64
                         " complete trials is feasible",
                         name, n);
}

/* Two columns without titles. */
static struct table *pairs(void)
{
    struct table *t = table_new();
    table_left(t, "");
    table_left(t, "");
    return t;
}

static void print(const struct cli *c, struct table *t)
{
    table_print(t, &c->out);
    table_free(t);
}

void summary_best(const struct cli *c, const struct json *study)
{
    struct table *t = pairs();
    put_best(t, study);
    print(c, t);
}

static void put_page(struct cli *c, struct table *t)
{
    struct json *health;
    struct err err;
    char *url;
    if (launch_health(c, &health, &err) != 0) {
        return;
    }
    if (launch_url(c, health, &url, &err) == 0) {
        table_cell(t, TERM_DIM, "page");
        table_cell(t, TERM_PLAIN, url);
        free(url);
    }
    json_free(health);
}

/* A command that may be of use now, and what for. */
static void say_command(const struct cli *c, const char *verb, const char *name,
                        const char *rest)
{
    char *command = cli_command(c, verb, name);
    cli_say(c, "%s %s", command, rest);
    free(command);
}

void summary_study(struct cli *c, const struct json *study)
{
    char text[256];
    struct table *t = pairs();
    const char *reason = field_string(study, "reason");
    cli_say(c, "study '%s' %s%s%s", field_text(study, "name"),
            live_view_state(field_text(study, "state")),
            reason != NULL ? ": " : "", reason != NULL ? reason : "");
    if (summary_has_best(study)) {
        put_best(t, study);
    } else if (n_complete(study) > 0) {
        struct err err;
        (void)summary_no_best(study, &err);
        cli_say(c, "%s", err.msg);
    }
    summary_counts(study, text, sizeof(text));
    table_cell(t, TERM_DIM, "trials");
    table_cell(t, TERM_PLAIN, text);
    format_duration(field_int(study, "active_ms", -1), text);
    table_cell(t, TERM_DIM, "time");
    table_cell(t, TERM_PLAIN, text);
    put_page(c, t);
    print(c, t);
    const char *state = field_text(study, "state");
    const char *name = field_text(study, "name");
    if (field_int(field_get(study, "counts"), "FAIL", 0) > 0) {
        say_command(c, "trials", name, "--state fail  lists what failed");
        say_command(c, "log", name, "N  shows what trial N printed");
    }
    if (strcmp(state, "paused") == 0 || strcmp(state, "stopped") == 0) {
        say_command(c, "resume", name, " continues it");
    }
}

int summary_code(const struct json *study)
{
    const char *state = field_text(study, "state");
    bool waits = strcmp(state, "running") == 0 || strcmp(state, "paused") == 0;
    return strcmp(state, "failed") == 0 || (!waits && !summary_has_best(study))
               ? CLI_FAILED
               : CLI_OK;
}
