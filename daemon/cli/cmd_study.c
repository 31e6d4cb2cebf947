/* Commands that change a study by one request each. */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/spec/spec.h"
#include "core/spec/spec_json.h"
#include "core/spec/trial.h"
#include "daemon/cli/assignment.h"
#include "daemon/cli/changes.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/cmd.h"
#include "daemon/cli/config.h"
#include "daemon/cli/field.h"
#include "daemon/cli/follow.h"
#include "daemon/cli/launch.h"
#include "daemon/cli/live_view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_TRIALS = 1,
    KEY_NOW,
    KEY_STATE,
    KEY_CAUSE,
    KEY_YES,
    KEY_CONFIG,
    KEY_FOLLOW
};

struct input {
    int64_t n_trials; /* 0: as it is */
    bool now, yes, follow;
    const char *state, *cause, *config;
};

static void check_cause(const char *arg, struct argp_state *state)
{
    if (trial_cause_by_name(arg) > TRIAL_CAUSE_NONE) {
        return;
    }
    struct buf list;
    buf_init(&list, 1024);
    for (int i = TRIAL_CAUSE_NONE + 1; i < TRIAL_N_CAUSES; i++) {
        buf_printf(&list, "%s%s", list.len > 0 ? ", " : "",
                   trial_cause_name((enum trial_cause)i));
    }
    argp_error(state, "--cause: expected one of %s, not '%s'", list.data, arg);
}

static void on_option(int key, const char *arg, struct argp_state *state,
                      void *ctx)
{
    struct input *in = ctx;
    switch (key) {
    case KEY_TRIALS:
        in->n_trials = cli_number(state, "trials", arg, 1, SPEC_MAX_TRIALS);
        return;
    case KEY_NOW:
        in->now = true;
        return;
    case KEY_STATE:
        in->state = arg;
        return;
    case KEY_CAUSE:
        check_cause(arg, state);
        in->cause = arg;
        return;
    case KEY_CONFIG:
        in->config = arg;
        return;
    case KEY_FOLLOW:
        in->follow = true;
        return;
    default:
        in->yes = true;
    }
}

/* Say how the study stands after the request. */
static void tell(struct cli *c, const struct json *study)
{
    const char *reason = field_string(study, "reason");
    const struct json *counts = field_get(study, "counts");
    int64_t n = field_int(counts, "RUNNING", 0);
    int64_t n_waiting = field_int(counts, "WAITING", 0);
    char running[64] = "", waiting[64] = "";
    if (n > 0) {
        snprintf(running, sizeof(running), ", %" PRId64 " running", n);
    }
    if (n_waiting > 0) {
        snprintf(waiting, sizeof(waiting), ", %" PRId64 " waiting", n_waiting);
    }
    cli_say(
        c, "study '%s' %s%s%s: %" PRId64 " of %" PRId64 " trials finished%s%s",
        field_text(study, "name"), live_view_state(field_text(study, "state")),
        reason != NULL ? " - " : "", reason != NULL ? reason : "",
        field_int(study, "finished", 0), field_int(study, "n_trials", 0),
        running, waiting);
}

/* Takes reply. */
static int answer(struct cli *c, struct json *reply)
{
    if (c->json) {
        cli_put_json(reply);
    } else {
        tell(c, reply);
    }
    json_free(reply);
    return CLI_OK;
}

static int post(struct cli *c, const char *study, const char *rest,
                const char *body)
{
    struct json *reply;
    struct err err;
    int rc = cli_study_call(c, "POST", study, rest, body, &reply, &err);
    return rc != 0 ? cli_fail(c, &err) : answer(c, reply);
}

/* --- resume, pause, stop -------------------------------------------------- */

static int read_config(const struct input *in, const char *study,
                       struct spec *out, struct err *err)
{
    const struct config_flags flags = {.name = study};
    int rc = config_read(in->config, &flags, out, err);
    if (rc == 0) {
        rc = config_check_sources(in->config, out, err);
        if (rc != 0) {
            spec_fini(out);
        }
    }
    return rc;
}

/* A target that was raised since the config was written is kept, as by `run`:
 * --trials lowers it, as far as trials do not fill it already. */
static void say_kept(const struct cli *c, const struct json *study,
                     int64_t target, int64_t said)
{
    char lowers[64] = "";
    if (field_takes_target(study, said)) {
        snprintf(lowers, sizeof(lowers), " (--trials %" PRId64 " lowers it)",
                 said);
    }
    cli_say(c, "n_trials: %" PRId64 " is kept, the config says %" PRId64 "%s",
            target, said, lowers);
}

static void put_resume(const struct input *in, const struct spec *spec,
                       struct buf *body)
{
    struct json_out w;
    json_out_init(&w, body, JSON_COMPACT);
    json_open(&w, '{');
    if (in->n_trials > 0) {
        json_put_key(&w, "n_trials");
        json_put_int(&w, in->n_trials);
    }
    if (spec != NULL) {
        struct buf json;
        buf_init(&json, BUF_MAX_CONFIG);
        spec_to_json(spec, &json);
        json_put_key(&w, "config");
        json_put_raw(&w, json.data);
        buf_fini(&json);
    }
    json_close(&w, '}');
}

/* Takes reply. How the study stands is the first that is seen of it. */
static int answer_followed(struct cli *c, struct json *reply)
{
    int code = follow_to_end(c, reply, 0);
    json_free(reply);
    return code;
}

static int post_resume(struct cli *c, const struct input *in, const char *study,
                       const struct spec *spec, struct json **reply,
                       struct err *err)
{
    struct buf body;
    buf_init(&body, BUF_MAX_CONFIG);
    put_resume(in, spec, &body);
    int rc = cli_study_call(c, "POST", study, "/resume", body.data, reply, err);
    buf_fini(&body);
    return rc;
}

/* Of a config that the study cannot have: is it the one of another? */
static void name_other(const struct input *in, const char *study,
                       struct err *err)
{
    static const struct config_flags none = {.name = NULL};
    struct spec spec;
    struct err ignored;
    if (config_read(in->config, &none, &spec, &ignored) == 0) {
        if (strcmp(spec.name, study) != 0) {
            err_wrap(err, "the config is of study '%s'", spec.name);
        }
        spec_fini(&spec);
    }
}

/* With another config: one that Optuna's study gets has none before it. What is
 * refused as a whole keeps nothing. */
static int change(struct cli *c, const struct input *in, const char *study,
                  struct spec *spec, struct json **reply, struct err *err)
{
    struct json *before;
    int rc = cli_study_call(c, "GET", study, "", NULL, &before, err);
    if (rc != 0) {
        return rc;
    }
    bool has_config = field_first(before, "config") != NULL;
    int64_t target = field_int(before, "n_trials", 0), said = spec->n_trials;
    bool is_kept = in->n_trials == 0 && has_config && target > said;
    spec->n_trials = is_kept ? target : said;
    rc = post_resume(c, in, study, spec, reply, err);
    if (rc == ERR_INVALID) {
        name_other(in, study, err);
    } else if (is_kept && (rc == 0 || rc == ERR_CONFLICT)) {
        say_kept(c, before, target, said);
    }
    if (rc == 0 && has_config) {
        changes_say(c, field_get(before, "config"),
                    field_get(*reply, "config"));
    }
    json_free(before);
    return rc;
}

/* spec: NULL, or what it shall be from now on. */
static int resume(struct cli *c, const struct input *in, const char *study,
                  struct spec *spec)
{
    struct err err;
    struct json *reply;
    int rc = launch_ensure(c, &err); /* it may have ended with the machine */
    if (rc == 0) {
        rc = spec != NULL ? change(c, in, study, spec, &reply, &err)
                          : post_resume(c, in, study, NULL, &reply, &err);
    }
    return rc != 0      ? cli_fail(c, &err)
           : in->follow ? answer_followed(c, reply)
                        : answer(c, reply);
}

/* Of --config; owned. */
static char *config_help(void)
{
    struct buf changeable;
    buf_init(&changeable, BUF_MAX_CONFIG);
    spec_changeable(&changeable);
    char *help = mem_printf("go on with this config: choices may be appended "
                            "to the study's, and %s may change; a study that "
                            "Optuna made needs one",
                            changeable.data);
    buf_fini(&changeable);
    return help;
}

int cmd_resume(struct cli *c, int argc, char **argv)
{
    char *of_config = config_help();
    const struct argp_option options[] = {
        {"trials", KEY_TRIALS, "N", 0, "finish so many trials in all", 0},
        {"config", KEY_CONFIG, "FILE", 0, of_config, 0},
        {"follow", KEY_FOLLOW, NULL, 0,
         "follow the study to its end, as `parzen run` does", 0},
        {0}};
    const struct cli_command command = {
        .name = "resume",
        .args = "STUDY",
        .doc =
            "Continues an interrupted, paused, stopped or failed study, or "
            "one that a stop rule ended; one that came to its target needs a "
            "larger one (--trials). Or goes on with a changed config, as far "
            "as it keeps its trials true. Starts the daemon if none runs.",
        .n_min = 1,
        .n_max = 1,
        .needs_daemon = true,
        .options = options,
        .on_option = on_option};
    struct input in = {.n_trials = 0};
    struct spec spec;
    struct err err;
    cli_parse(c, &command, argc, argv, &in);
    free(of_config);
    if (in.config == NULL) {
        return resume(c, &in, argv[1], NULL);
    }
    if (read_config(&in, argv[1], &spec, &err) != 0) {
        return cli_fail(c, &err);
    }
    int code = resume(c, &in, argv[1], &spec);
    spec_fini(&spec);
    return code;
}

int cmd_pause(struct cli *c, int argc, char **argv)
{
    static const struct cli_command command = {
        .name = "pause",
        .args = "STUDY",
        .doc = "Lets the running trials end and starts no new ones until "
               "`parzen resume`. A paused study is meant to go on: `parzen "
               "run` of its config continues it, too. (`parzen stop` ends it "
               "instead, and with --now at once.)",
        .n_min = 1,
        .n_max = 1,
        .needs_daemon = true};
    cli_parse(c, &command, argc, argv, NULL);
    return post(c, argv[1], "/pause", NULL);
}

int cmd_stop(struct cli *c, int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"now", KEY_NOW, NULL, 0,
         "do not wait for running trials: checkpoint them and put them back",
         0},
        {0}};
    static const struct cli_command command = {
        .name = "stop",
        .args = "STUDY",
        .doc = "Ends a study: no new trials are started; those that run end, "
               "or with --now are checkpointed and wait. Nothing is lost: "
               "`parzen resume` goes on from there. (`parzen pause` does the "
               "same without --now, and marks the study as one that goes on.)",
        .n_min = 1,
        .n_max = 1,
        .needs_daemon = true,
        .options = options,
        .on_option = on_option};
    struct input in = {.now = false};
    cli_parse(c, &command, argc, argv, &in);
    return post(c, argv[1], "/stop", in.now ? "{\"now\":true}" : NULL);
}

/* --- retry, delete -------------------------------------------------------- */

/* Ask for trials, beyond the target if need be. target: 0, else what it was; a
 * study that is not there is the request's to tell. */
static int post_trials(struct cli *c, const char *study, const char *rest,
                       const char *body, int64_t *target, struct json **reply,
                       struct err *err)
{
    struct json *before;
    *target = 0;
    if (cli_study_call(c, "GET", study, "", NULL, &before, err) == 0) {
        *target = field_int(before, "n_trials", 0);
        json_free(before);
    }
    return cli_study_call(c, "POST", study, rest, body, reply, err);
}

/* Say what became of them: does the target make room, does the study run? */
static void tell_trials(struct cli *c, const struct json *study, int64_t target)
{
    const char *name = field_text(study, "name");
    const char *state = field_text(study, "state");
    int64_t now = field_int(study, "n_trials", 0);
    if (target > 0 && now > target) {
        cli_say(c,
                "The target is raised from %" PRId64 " to %" PRId64 " trials.",
                target, now);
    }
    tell(c, study);
    if (strcmp(state, "running") != 0 &&
        field_int(field_get(study, "counts"), "WAITING", 0) > 0) {
        char *resume = cli_command(c, "resume", name);
        cli_say(c, "They wait: %s lets it go on.", resume);
        free(resume);
    }
}

static void put_retry(const struct input *in, struct buf *body)
{
    struct json_out w;
    json_out_init(&w, body, JSON_COMPACT);
    json_open(&w, '{');
    if (in->state != NULL) {
        json_put_key(&w, "state");
        json_put_string(&w, in->state);
    }
    if (in->cause != NULL) {
        json_put_key(&w, "cause");
        json_put_string(&w, in->cause);
    }
    json_close(&w, '}');
}

int cmd_retry(struct cli *c, int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"state", KEY_STATE, "STATE", 0,
         "FAIL, the only state that can be retried, and the default", 0},
        {"cause", KEY_CAUSE, "CAUSE", 0,
         "only trials that failed of this cause, as `parzen trials` shows it",
         0},
        {0}};
    static const struct cli_command command = {
        .name = "retry",
        .args = "STUDY",
        .doc = "Puts failed trials back, to be tried again: a study that had "
               "failed or nothing left to do runs again until they are done. "
               "They count towards the target again, which is raised where "
               "it has no room for them; one that fails again leaves its place "
               "to a new one." CLI_STATE_BEFORE,
        .n_min = 1,
        .n_max = 1,
        .needs_daemon = true,
        .options = options,
        .on_option = on_option};
    struct input in = {.state = NULL};
    struct buf body;
    cli_parse(c, &command, argc, argv, &in);
    buf_init(&body, BUF_MAX_CONFIG);
    put_retry(&in, &body);
    struct json *study;
    struct err err;
    int64_t target;
    int rc =
        post_trials(c, argv[1], "/retry", body.data, &target, &study, &err);
    buf_fini(&body);
    if (rc != 0) {
        return cli_fail(c, &err);
    }
    if (c->json) {
        cli_put_json(study);
    } else {
        tell_trials(c, study, target);
    }
    json_free(study);
    return CLI_OK;
}

int cmd_delete(struct cli *c, int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"yes", KEY_YES, NULL, 0, "yes, delete it", 0}, {0}};
    static const struct cli_command command = {
        .name = "delete",
        .args = "STUDY",
        .doc = "Deletes a study with its trials and checkpoints.",
        .n_min = 1,
        .n_max = 1,
        .needs_daemon = true,
        .options = options,
        .on_option = on_option};
    struct input in = {.yes = false};
    struct json *reply;
    struct err err;
    cli_parse(c, &command, argc, argv, &in);
    if (cli_study_call(c, in.yes ? "DELETE" : "GET", argv[1], "", NULL, &reply,
                       &err) != 0) {
        return cli_fail(c, &err);
    }
    if (!in.yes) { /* the study is there */
        json_free(reply);
        err_set(&err, ERR_INVALID,
                "this deletes study '%s' with its trials and checkpoints; "
                "say --yes if you mean it",
                argv[1]);
        return cli_fail(c, &err);
    }
    if (c->json) {
        cli_put_json(reply);
    }
    cli_say(c, "study '%s' is deleted", argv[1]);
    json_free(reply);
    return CLI_OK;
}

/* --- enqueue -------------------------------------------------------------- */

/* What the study searches; false: nobody knows, or it is not there, which the
 * request that follows tells. */
static bool read_spec(struct cli *c, const char *study, struct spec *out)
{
    struct json *view;
    struct err ignored;
    if (cli_study_call(c, "GET", study, "", NULL, &view, &ignored) != 0) {
        return false;
    }
    const struct json *config = field_get(view, "config");
    bool is_read = field_first(view, "config") != NULL &&
                   spec_from_json(config, out, &ignored) == 0;
    json_free(view);
    return is_read;
}

/* {"params": {"lr": 0.001}} */
static int put_params(struct cli *c, const char *study, char **words, int n,
                      struct buf *body, struct err *err)
{
    struct spec spec;
    struct json_out w;
    bool is_read = read_spec(c, study, &spec);
    int rc = 0;
    json_out_init(&w, body, JSON_COMPACT);
    json_open(&w, '{');
    json_put_key(&w, "params");
    json_open(&w, '{');
    for (int i = 0; rc == 0 && i < n; i++) {
        rc = assignment_put(&w, words[i], is_read ? &spec.space : NULL, err);
    }
    json_close(&w, '}');
    json_close(&w, '}');
    if (is_read) {
        spec_fini(&spec);
    }
    return rc;
}

/* The trial, with the study's target, and what it was if it was raised. */
static void put_enqueued(const struct json *trial, int64_t now, int64_t target)
{
    struct buf text;
    struct json_out w;
    buf_init(&text, BUF_MAX_RESPONSE);
    json_out_init(&w, &text, JSON_COMPACT);
    json_open(&w, '{');
    for (const struct json *m = json_first(trial); m != NULL;
         m = json_next(m)) {
        json_put_key(&w, json_key(m));
        json_put_node(&w, m);
    }
    json_put_key(&w, "n_trials");
    json_put_int(&w, now);
    json_put_key(&w, "raised_from");
    if (target > 0 && now > target) {
        json_put_int(&w, target);
    } else {
        json_put_null(&w);
    }
    json_close(&w, '}');
    printf("%s\n", text.data);
    buf_fini(&text);
}

/* Say which trial it became; takes it. */
static int tell_enqueued(struct cli *c, const char *name, struct json *trial,
                         int64_t target)
{
    struct json *study = NULL;
    struct err err;
    bool is_there = cli_study_call(c, "GET", name, "", NULL, &study, &err) == 0;
    if (c->json) {
        put_enqueued(trial, field_int(study, "n_trials", target), target);
    } else {
        cli_say(c, "study '%s': this is trial %" PRId64 ", tried next", name,
                field_int(trial, "number", -1));
    }
    if (!c->json && is_there) {
        tell_trials(c, study, target);
    }
    json_free(study);
    json_free(trial);
    return CLI_OK;
}

int cmd_enqueue(struct cli *c, int argc, char **argv)
{
    static const struct cli_command command = {
        .name = "enqueue",
        .args = "STUDY NAME=VALUE...",
        .doc = "These parameters are tried next, exactly once; those not "
               "named are chosen by the sampler. A value must be one that "
               "the study searches, and what its condition ('when') looks at "
               "is named beside it. It is one of the study's "
               "trials: a target that has no room for it is raised by one, "
               "and a study that had nothing left to do runs again. A study "
               "that is paused or stopped, has failed or was ended by a stop "
               "rule keeps it until `parzen resume`.",
        .n_min = 2,
        .n_max = -1,
        .needs_daemon = true};
    struct buf body;
    struct err err;
    int n = cli_parse(c, &command, argc, argv, NULL);
    buf_init(&body, BUF_MAX_CONFIG);
    int rc = put_params(c, argv[1], argv + 2, n - 1, &body, &err);
    struct json *trial;
    int64_t target;
    if (rc == 0) {
        rc = post_trials(c, argv[1], "/enqueue", body.data, &target, &trial,
                         &err);
    }
    buf_fini(&body);
    return rc != 0 ? cli_fail(c, &err)
                   : tell_enqueued(c, argv[1], trial, target);
}
