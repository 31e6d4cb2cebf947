/* Commands that only look: studies, status, best. */
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/paths.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/cmd.h"
#include "daemon/cli/field.h"
#include "daemon/cli/format.h"
#include "daemon/cli/launch.h"
#include "daemon/cli/summary.h"
#include "daemon/cli/table.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static enum term_style style_of_state(const char *state)
{
    return strcmp(state, "running") == 0    ? TERM_ACCENT
           : strcmp(state, "finished") == 0 ? TERM_GOOD
           : strcmp(state, "failed") == 0   ? TERM_BAD
                                            : TERM_WARN;
}

/* --- what the daemon suffers from
 * ------------------------------------------- */

/* Of /health: its trouble, and each of its alarms, a line each. */
static void say_alarms(struct cli *c, bool with_trouble)
{
    struct json *health;
    struct err err;
    if (launch_health(c, &health, &err) != 0) {
        return;
    }
    const char *trouble = field_string(health, "trouble");
    if (with_trouble && trouble != NULL) {
        cli_say(c, "trouble: %s", trouble);
    }
    for (const struct json *a = field_first(health, "alarms"); a != NULL;
         a = json_next(a)) {
        const char *text = json_kind(a) == JSON_STRING
                               ? json_string(a)
                               : field_text(a, "message");
        if (text[0] != '\0') {
            cli_say(c, "alarm: %s", text);
        }
    }
    json_free(health);
}

/* A file says "running" of what its daemon left so, too: is nobody there? Only
 * a state directory has daemons: what a copy says is as of then. */
static bool is_left(const struct cli *c, const struct json *study)
{
    if (c->db == NULL || strcmp(basename(c->db), "parzen.db") != 0 ||
        strcmp(field_text(study, "state"), "running") != 0) {
        return false;
    }
    char *folder = cli_folder(c);
    char *lock = paths_in_state(folder, "lock");
    bool is_left = file_exists(lock) && !launch_is_held(folder);
    free(lock);
    free(folder);
    return is_left;
}

/* --- studies -------------------------------------------------------------- */

static void print_studies(const struct cli *c, const struct json *reply)
{
    struct table *t = table_new();
    int64_t n_left = 0;
    table_left(t, "study");
    table_left(t, "state");
    table_right(t, "trials");
    table_right(t, "failed");
    table_right(t, "best");
    table_left(t, "metric");
    table_right(t, "time");
    table_left(t, "created");
    for (const struct json *s = field_first(reply, "studies"); s != NULL;
         s = json_next(s)) {
        const char *state = field_text(s, "state");
        char text[FORMAT_SIZE];
        n_left += is_left(c, s);
        table_name(t, &c->out, TERM_BOLD, field_text(s, "name"));
        table_cell(t, style_of_state(state), state);
        table_cellf(t, TERM_PLAIN, "%" PRId64 "/%" PRId64,
                    field_int(s, "finished", 0), field_int(s, "n_trials", 0));
        table_cellf(t, TERM_PLAIN, "%" PRId64,
                    field_int(field_get(s, "counts"), "FAIL", 0));
        format_number(field_number(field_get(s, "best"), "value"), text);
        table_cell(t, TERM_GOOD, text);
        table_cell(t, TERM_PLAIN, field_text(s, "metric"));
        format_duration(field_int(s, "active_ms", -1), text);
        table_cell(t, TERM_PLAIN, text);
        format_time(field_int(s, "created", 0), text);
        table_cell(t, TERM_DIM, text);
    }
    if (table_n_rows(t) > 0) {
        table_print(t, &c->out);
    } else {
        cli_say(c, "There is no study yet: parzen run CONFIG makes one.");
    }
    if (n_left > 0) {
        char *start = cli_command(c, "daemon start", NULL);
        cli_say(c,
                "No daemon runs: what is running here goes on when one is "
                "started (%s).",
                start);
        free(start);
    }
    table_free(t);
}

/* Studies of Optuna's that are there and cannot be listed, a line each. */
static void say_left_out(const struct cli *c, const struct json *reply)
{
    for (const struct json *s = field_first(reply, "left_out"); s != NULL;
         s = json_next(s)) {
        cli_say(c, "Not listed: study '%s' of Optuna's: %s",
                field_text(s, "name"), field_text(s, "reason"));
    }
}

int cmd_studies(struct cli *c, int argc, char **argv)
{
    static const struct cli_command command = {
        .name = "studies", .args = "", .doc = "Lists the studies.", .n_max = 0};
    struct json *reply;
    struct err err;
    cli_parse(c, &command, argc, argv, NULL);
    if (cli_call(c, "GET", "/studies", NULL, &reply, &err) != 0) {
        return cli_fail(c, &err);
    }
    if (c->json) {
        cli_put_json(field_get(reply, "studies"));
    } else {
        print_studies(c, reply);
        say_alarms(c, true);
    }
    say_left_out(c, reply);
    json_free(reply);
    return CLI_OK;
}

/* --- status --------------------------------------------------------------- */

static void put_progress(struct table *t, const struct json *s)
{
    char counts[256], eta[FORMAT_SIZE];
    summary_counts(s, counts, sizeof(counts));
    table_cell(t, TERM_DIM, "trials");
    table_cellf(t, TERM_PLAIN, "%" PRId64 " of %" PRId64 " finished (%s)",
                field_int(s, "finished", 0), field_int(s, "n_trials", 0),
                counts);
    format_duration(field_int(s, "active_ms", -1), eta);
    if (eta[0] != '\0') {
        table_cell(t, TERM_DIM, "time");
        table_cell(t, TERM_PLAIN, eta);
    }
    format_duration(field_int(s, "eta_ms", -1), eta);
    if (eta[0] != '\0') {
        table_cell(t, TERM_DIM, "left");
        table_cellf(t, TERM_PLAIN, "about %s", eta);
    }
}

static void put_data(struct table *t, const struct json *s)
{
    const struct json *data = field_get(s, "data");
    const char *sha = field_string(data, "sha256");
    if (strcmp(field_text(s, "unit"), "step") == 0) {
        return; /* it needs none */
    }
    table_cell(t, TERM_DIM, "data");
    if (sha == NULL) {
        table_cell(t, TERM_PLAIN, "not prepared yet");
        return;
    }
    table_cellf(t, TERM_PLAIN,
                "%" PRId64 " classes; %" PRId64 " train, %" PRId64
                " validation, %" PRId64 " test; sha256 %.12s",
                field_int(data, "classes", 0), field_int(data, "train", 0),
                field_int(data, "val", 0), field_int(data, "test", 0), sha);
}

static void put_best(struct table *t, const struct json *s)
{
    const struct json *best = field_get(s, "best");
    char value[FORMAT_SIZE];
    if (field_int(best, "number", -1) < 0) {
        return;
    }
    format_number(field_number(best, "value"), value);
    table_cell(t, TERM_DIM, "best");
    table_cellf(t, TERM_GOOD, "%s %s, trial %" PRId64, field_text(s, "metric"),
                value, field_int(best, "number", -1));
}

/* "train, epoch 2, 30/119, loss 0.4, for 12 s"; what is not known is left out.
 */
static void put_progress_of(struct table *t, const struct json *s,
                            const struct json *p)
{
    char text[FORMAT_SIZE];
    struct buf line;
    bool is_stepped = strcmp(field_text(s, "unit"), "step") == 0;
    double loss = field_number(p, "loss");
    const char *phase = field_text(p, "phase");
    buf_init(&line, 1024);
    buf_str(&line, phase[0] != '\0' ? phase : "starting");
    if (!is_stepped && phase[0] != '\0') {
        buf_printf(&line, ", epoch %" PRId64, field_int(p, "epoch", 0) + 1);
    } else if (!isnan(loss)) {
        buf_printf(&line, ", step %" PRId64, field_int(p, "epoch", 0));
    }
    if (field_int(p, "n_steps", 0) > 0) {
        buf_printf(&line, ", %" PRId64 "/%" PRId64, field_int(p, "step", 0),
                   field_int(p, "n_steps", 0));
    }
    if (!isnan(loss)) {
        format_number(loss, text);
        buf_printf(&line, ", %s %s",
                   is_stepped ? field_text(s, "metric") : "loss", text);
    }
    if (field_int(p, "elapsed_ms", 0) > 0) { /* a file has no clock */
        format_duration(field_int(p, "elapsed_ms", 0), text);
        buf_printf(&line, ", for %s", text);
    }
    table_cell(t, TERM_PLAIN, line.data);
    buf_fini(&line);
}

static void put_running(struct table *t, const struct json *s)
{
    for (const struct json *r = field_first(s, "running"); r != NULL;
         r = json_next(r)) {
        table_cellf(t, TERM_DIM, "trial %" PRId64, field_int(r, "number", -1));
        put_progress_of(t, s, field_get(r, "progress"));
    }
}

static void put_preparation(struct table *t, const struct json *s)
{
    char text[128];
    double done =
        format_preparation(field_get(s, "preparing"), text, sizeof(text));
    if (text[0] != '\0') {
        table_cell(t, TERM_DIM, "preparing");
        if (isnan(done)) {
            table_cell(t, TERM_PLAIN, text);
        } else {
            table_cellf(t, TERM_PLAIN, "%s (%.0f %%)", text, 100 * done);
        }
    }
}

/* A study that runs and has no worker: whose are they all? Not told while one
 * of them is free, or none is there. */
static void put_busy(struct cli *c, struct table *t, const struct json *s)
{
    struct json *health;
    struct err ignored;
    if (c->db != NULL || strcmp(field_text(s, "state"), "running") != 0 ||
        field_int(s, "workers", 0) > 0 ||
        launch_health(c, &health, &ignored) != 0) {
        return;
    }
    const struct json *first = field_first(health, "workers");
    const char *study = field_text(first, "study");
    bool is_one = true, are_busy = study[0] != '\0';
    for (const struct json *w = first; w != NULL; w = json_next(w)) {
        const char *its = field_text(w, "study");
        are_busy = are_busy && its[0] != '\0' &&
                   strcmp(its, field_text(s, "name")) != 0;
        is_one = is_one && strcmp(its, study) == 0;
    }
    int64_t n = json_size(field_get(health, "workers"));
    if (are_busy && n == 1) {
        table_cell(t, TERM_DIM, "waits");
        table_cellf(t, TERM_WARN, "the worker is busy with study '%s'", study);
    } else if (are_busy) {
        table_cell(t, TERM_DIM, "waits");
        table_cellf(t, TERM_WARN,
                    "the %" PRId64 " workers are busy with %s%s%s", n,
                    is_one ? "study '" : "other studies", is_one ? study : "",
                    is_one ? "'" : "");
    }
    json_free(health);
}

/* Why the last of its failed trials failed. */
static void put_failure(struct cli *c, struct table *t, const struct json *s)
{
    struct json *reply;
    struct err ignored;
    if (field_int(field_get(s, "counts"), "FAIL", 0) == 0 ||
        cli_study_call(c, "GET", field_text(s, "name"),
                       "/trials?state=FAIL&limit=1", NULL, &reply,
                       &ignored) != 0) {
        return;
    }
    const struct json *trial = field_first(reply, "trials");
    const char *message = field_text(trial, "message");
    table_cell(t, TERM_DIM, "last failed");
    table_cellf(t, TERM_BAD, "trial %" PRId64 ", %s%s%.*s",
                field_int(trial, "number", -1), field_text(trial, "cause"),
                message[0] != '\0' ? ": " : "", (int)strcspn(message, "\n"),
                message);
    json_free(reply);
}

static void print_status(struct cli *c, const struct json *s)
{
    const char *state = field_text(s, "state");
    const char *reason = field_string(s, "reason");
    const char *trouble = field_string(s, "trouble");
    struct table *t = table_new();
    table_left(t, "");
    table_left(t, "");
    table_cell(t, TERM_DIM, "study");
    table_cell(t, TERM_BOLD, field_text(s, "name"));
    table_cell(t, TERM_DIM, "state");
    table_cell(t, style_of_state(state), state);
    if (is_left(c, s)) {
        char *start = cli_command(c, "daemon start", NULL);
        table_cell(t, TERM_WARN, "daemon");
        table_cellf(t, TERM_WARN,
                    "none runs it: it goes on when one is started (%s)", start);
        free(start);
    }
    if (reason != NULL) {
        table_cell(t, TERM_DIM, "reason");
        table_cell(t, TERM_PLAIN, reason);
    }
    put_progress(t, s);
    put_best(t, s);
    put_data(t, s);
    put_preparation(t, s);
    put_running(t, s);
    put_busy(c, t, s);
    put_failure(c, t, s);
    if (trouble != NULL) {
        table_cell(t, TERM_BAD, "trouble");
        table_cell(t, TERM_BAD, trouble);
    }
    table_print(t, &c->out);
    table_free(t);
}

/* A study's view, for commands that take its name alone; NULL: *code. */
static struct json *get_study(struct cli *c, const struct cli_command *command,
                              int argc, char **argv, int *code)
{
    struct json *study;
    struct err err;
    cli_parse(c, command, argc, argv, NULL);
    if (cli_study_call(c, "GET", argv[1], "", NULL, &study, &err) != 0) {
        *code = cli_fail(c, &err);
        return NULL;
    }
    *code = CLI_OK;
    return study;
}

int cmd_status(struct cli *c, int argc, char **argv)
{
    static const struct cli_command command = {
        .name = "status",
        .args = "STUDY",
        .doc = "How a study stands: state, progress, best trial, running "
               "trials, why the last failed one failed, data, trouble.",
        .n_min = 1,
        .n_max = 1};
    int code;
    struct json *study = get_study(c, &command, argc, argv, &code);
    if (study == NULL) {
        return code;
    }
    if (c->json) {
        cli_put_json(study);
    } else {
        print_status(c, study);
        say_alarms(c, false); /* the trouble is part of the study's view */
    }
    json_free(study);
    return CLI_OK;
}

/* --- best ----------------------------------------------------------------- */

int cmd_best(struct cli *c, int argc, char **argv)
{
    static const struct cli_command command = {
        .name = "best",
        .args = "STUDY",
        .doc =
            "The best trial: its parameters, value and checkpoint." CLI_EPOCHS,
        .n_min = 1,
        .n_max = 1};
    int code;
    struct json *study = get_study(c, &command, argc, argv, &code);
    if (study == NULL) {
        return code;
    }
    if (!summary_has_best(study)) {
        struct err err;
        (void)summary_no_best(study, &err);
        code = cli_fail(c, &err);
    } else if (c->json) {
        cli_put_json(field_get(study, "best"));
    } else {
        summary_best(c, study);
    }
    json_free(study);
    return code;
}
