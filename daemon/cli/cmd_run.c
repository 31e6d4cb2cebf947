/* run and watch: commands that follow a study to its end. */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/nearest.h"
#include "core/spec/spec.h"
#include "core/spec/spec_json.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/client.h"
#include "daemon/cli/cmd.h"
#include "daemon/cli/config.h"
#include "daemon/cli/field.h"
#include "daemon/cli/follow.h"
#include "daemon/cli/launch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { HISTORY = 12, KEY_DETACH = 1 };

/* --- run ------------------------------------------------------------------ */

struct run_input {
    struct config_flags flags;
    bool detach;
};

static const struct argp_option run_options[] = {
    {"name", CONFIG_KEY_NAME, "NAME", 0, "name of the study", 0},
    {"trials", CONFIG_KEY_TRIALS, "N", 0, "finish so many trials in all", 0},
    {"workers", CONFIG_KEY_WORKERS, "N", 0,
     "use at most so many of the daemon's workers", 0},
    CONFIG_OPTION_SEED,
    CONFIG_OPTION_SET,
    {"detach", KEY_DETACH, NULL, 0, "do not follow the study", 0},
    {0},
};

static void run_on_option(int key, const char *arg, struct argp_state *state,
                          void *ctx)
{
    struct run_input *in = ctx;
    if (!config_on_option(&in->flags, key, arg, state)) {
        in->detach = true;
    }
}

static const struct cli_command run_command = {
    .name = "run",
    .args = "CONFIG",
    .doc = "Creates the study of a config file, or continues the one of that "
           "name when its config is the same, and follows it to its end. Of a "
           "study that exists only the target is raised; what else may differ "
           "(workers, stop, time and memory limits) is kept, and said; another "
           "search is refused. Starts the daemon if none runs for this state "
           "directory. Ctrl-C stops following, not the study.",
    .n_min = 1,
    .n_max = 1,
    .options = run_options,
    .on_option = run_on_option};

static int post_study(struct cli *c, const struct spec *spec, int *status,
                      struct json **out, struct err *err)
{
    struct buf body;
    buf_init(&body, BUF_MAX_CONFIG);
    spec_to_json(spec, &body);
    int rc = cli_connect(c, err);
    if (rc == 0) {
        rc = client_call(c->client, "POST", "/studies", body.data, status, out,
                         err);
    }
    buf_fini(&body);
    return rc;
}

/* An existing study goes on if it waits, or if its target was raised. */
static int continue_study(struct cli *c, const struct run_input *in,
                          const struct spec *spec, struct json **study,
                          struct err *err)
{
    const char *state = field_text(*study, "state");
    bool is_running = strcmp(state, "running") == 0;
    bool is_finished = strcmp(state, "finished") == 0;
    int64_t target = field_int(*study, "n_trials", 0);
    bool is_raised = spec->n_trials > target;
    if ((is_running || is_finished) && !is_raised) {
        return 0;
    }
    char body[64] = "{}";
    if (is_raised) {
        snprintf(body, sizeof(body), "{\"n_trials\":%" PRId64 "}",
                 spec->n_trials);
    }
    struct json *resumed;
    int rc =
        cli_study_call(c, "POST", spec->name, "/resume", body, &resumed, err);
    if (rc != 0) {
        return rc;
    }
    if (!is_running && !is_finished) {
        cli_say(c, "it %s %s and goes on",
                strcmp(state, "failed") == 0 ? "had" : "was", state);
    }
    if (is_raised) {
        cli_say(
            c, "n_trials: raised from %" PRId64 " to %" PRId64 ", as %s says",
            target, spec->n_trials, config_who_says(&in->flags, "n_trials"));
    }
    json_free(*study);
    *study = resumed;
    return 0;
}

/* "workers: 2 is kept, the config says 1", where an option may have said it. */
static void say_kept_line(struct cli *c, const struct run_input *in,
                          const char *line)
{
    static const char config[] = "the config";
    const char *at = strstr(line, ", the config says ");
    char *path = mem_strndup(line, strcspn(line, ":"));
    const char *who = config_who_says(&in->flags, path);
    if (at != NULL) {
        cli_say(c, "%.*s, %s%s", (int)(at - line), line, who,
                at + 2 + strlen(config));
    } else {
        cli_say(c, "%s", line);
    }
    free(path);
}

/* What of the config has no effect on the study that there is, a line each. */
static void say_kept(struct cli *c, const struct run_input *in,
                     const struct json *study, const struct spec *config)
{
    struct spec own;
    struct buf kept;
    if (spec_from_json(field_get(study, "config"), &own, NULL) != 0) {
        return;
    }
    bool can_be_lower = config->n_trials < own.n_trials &&
                        field_takes_target(study, config->n_trials);
    buf_init(&kept, BUF_MAX_CONFIG);
    if (spec_kept(&own, config, &kept) > 0) {
        char *save = NULL;
        for (char *line = strtok_r(kept.data, "\n", &save); line != NULL;
             line = strtok_r(NULL, "\n", &save)) {
            say_kept_line(c, in, line);
        }
    }
    if (can_be_lower) {
        char *resume = cli_command(c, "resume", own.name);
        cli_say(c, "%s --trials %" PRId64 " lowers the target", resume,
                config->n_trials);
        free(resume);
    }
    buf_fini(&kept);
    spec_fini(&own);
}

/* Fewer than the study may have: no error, but not what was asked. */
static void say_workers(const struct cli *c, const struct json *health,
                        const struct json *study)
{
    int64_t n = json_size(field_get(health, "workers"));
    int64_t wanted = field_int(field_get(study, "config"), "workers", 0);
    if (wanted > n) {
        cli_say(c,
                "note: the daemon has %" PRId64 " worker%s, the study may use "
                "%" PRId64 " (--workers of parzen daemon start)",
                n, n == 1 ? "" : "s", wanted);
    }
}

/* Where the daemon's page is, and what it lacks. */
static void say_daemon(struct cli *c, const struct json *study)
{
    struct json *health;
    struct err err;
    char *url;
    if (launch_health(c, &health, &err) != 0) {
        return;
    }
    if (launch_url(c, health, &url, &err) == 0) {
        cli_say(c, "page: %s", url);
        free(url);
    }
    say_workers(c, health, study);
    json_free(health);
}

static void say_begin(struct cli *c, int status, const struct json *study)
{
    int64_t n_trials = field_int(study, "n_trials", 0);
    if (status == 201) {
        cli_say(c, "created study '%s': %" PRId64 " trial%s",
                field_text(study, "name"), n_trials, n_trials == 1 ? "" : "s");
    } else {
        cli_say(c,
                "study '%s' exists with this config: %" PRId64 " of %" PRId64
                " trials are finished",
                field_text(study, "name"), field_int(study, "finished", 0),
                n_trials);
    }
}

static void say_unknown_name(const struct cli *c, const struct space *space,
                             const char *name)
{
    const char *known[SPACE_MAX_PARAMS];
    for (size_t i = 0; i < space->n; i++) {
        known[i] = space->params[i].name;
    }
    const char *meant = nearest(name, known, space->n);
    cli_say(c,
            "objective.command: {%s} is no parameter of this study; it is "
            "passed on as it stands%s%s%s",
            name, meant != NULL ? " (did you mean {" : "",
            meant != NULL ? meant : "", meant != NULL ? "}?)" : "");
}

/* A {NAME} of the command that is no parameter: mistyped, or awk's. Not asked:
 * the shell's ${NAME}, and what could be no name. */
static void say_unknown_names(const struct cli *c, const struct spec *spec)
{
    static const char word[] = "abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    struct buf said; /* {a}{b} */
    buf_init(&said, BUF_MAX_CONFIG);
    for (size_t i = 0; i < spec->work.n_command; i++) {
        const char *arg = spec->work.command[i];
        for (const char *at = strchr(arg, '{'); at != NULL;
             at = strchr(at + 1, '{')) {
            size_t n = strspn(at + 1, word);
            bool is_shells = at > arg && at[-1] == '$';
            if (n == 0 || at[1 + n] != '}' || is_shells) {
                continue;
            }
            char *name = mem_strndup(at + 1, n);
            char *braced = mem_printf("{%s}", name);
            bool is_new = said.len == 0 || strstr(said.data, braced) == NULL;
            if (space_find(&spec->space, name) < 0 && is_new) {
                say_unknown_name(c, &spec->space, name);
                buf_str(&said, braced);
            }
            free(braced);
            free(name);
        }
    }
    buf_fini(&said);
}

/* Trials that draw one of them fail: that is known before. */
static void say_impossible(const struct cli *c, const struct spec *spec)
{
    struct spec_heads h;
    spec_heads(spec, &h);
    if (h.n_impossible > 0) {
        cli_say(c,
                "note: %zu of %zu combinations of model.emb_dim and "
                "model.num_heads are impossible, and their trials fail: "
                "%" PRId64 " heads do not divide emb_dim %" PRId64
                "; failed trials count towards stop.max_failures (%" PRId64 ")",
                h.n_impossible, h.n, h.num_heads, h.emb_dim,
                spec->stop.max_failures);
    }
}

/* Another study has the name. */
static void say_conflict(struct cli *c, const struct run_input *in,
                         const struct spec *spec)
{
    if (in->flags.has_seed || in->flags.n_sets > 0) {
        cli_say(c, "What --seed and --set say counts as the config's.");
    }
    struct buf changeable;
    buf_init(&changeable, BUF_MAX_CONFIG);
    spec_changeable(&changeable);
    cli_say(c,
            "Give the new study another name with --name, or delete "
            "the old one. What its trials stay true under (appended choices, "
            "%s) can be changed: parzen resume '%s' --config CONFIG",
            changeable.data, spec->name);
    buf_fini(&changeable);
}

/* Trials of one training differ by their random numbers alone: that may be
 * meant (how much do they matter?), but not without knowing it. */
static void say_unsearched(const struct cli *c, const struct spec *spec)
{
    if (spec->objective == SPEC_OBJECTIVE_CLASSIFIER && spec->space.n == 0 &&
        spec->n_trials > 1) {
        cli_say(c,
                "note: nothing is searched: no value of tokenizer, model or "
                "training is a distribution, so all %" PRId64 " trials do the "
                "same training, each with other random numbers (parzen train "
                "does one)",
                spec->n_trials);
    }
}

/* It would be believed to count. */
static void say_unused(const struct cli *c, const struct spec *spec)
{
    struct buf lines;
    char *rest = NULL;
    buf_init(&lines, BUF_MAX_CONFIG);
    int n = spec_unused(spec, &lines);
    for (char *line = n > 0 ? strtok_r(lines.data, "\n", &rest) : NULL;
         line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        cli_say(c, "note: %s", line);
    }
    buf_fini(&lines);
}

static int run_study(struct cli *c, const struct run_input *in,
                     const struct spec *spec)
{
    struct err err;
    struct json *study;
    int status;
    int rc = launch_ensure(c, &err);
    if (rc == 0) {
        rc = post_study(c, spec, &status, &study, &err);
    }
    if (rc == ERR_CONFLICT) {
        cli_fail(c, &err);
        say_conflict(c, in, spec);
        return CLI_USAGE;
    }
    if (rc != 0) {
        return cli_fail(c, &err);
    }
    say_begin(c, status, study);
    if (status != 201) {
        rc = continue_study(c, in, spec, &study, &err);
    }
    int code;
    if (rc != 0) {
        code = cli_fail(c, &err);
    } else {
        if (status != 201) {
            say_kept(c, in, study, spec);
        }
        say_daemon(c, study);
        if (in->detach && c->json) {
            cli_put_json(study);
        }
        code = in->detach ? CLI_OK : follow_to_end(c, study, 0);
    }
    json_free(study);
    return code;
}

int cmd_run(struct cli *c, int argc, char **argv)
{
    struct run_input in = {.detach = false};
    struct spec spec;
    struct err err;
    cli_parse(c, &run_command, argc, argv, &in);
    int rc = config_read(argv[1], &in.flags, &spec, &err);
    if (rc != 0) {
        config_flags_fini(&in.flags);
        return cli_fail(c, &err);
    }
    say_unknown_names(c, &spec);
    say_impossible(c, &spec);
    say_unsearched(c, &spec);
    say_unused(c, &spec);
    rc = config_check_sources(argv[1], &spec, &err);
    int code = rc != 0 ? cli_fail(c, &err) : run_study(c, &in, &spec);
    spec_fini(&spec);
    config_flags_fini(&in.flags);
    return code;
}

/* --- watch ---------------------------------------------------------------- */

int cmd_watch(struct cli *c, int argc, char **argv)
{
    static const struct cli_command command = {
        .name = "watch",
        .args = "STUDY",
        .doc = "Follows a study live, from wherever it is, to its end. "
               "Ctrl-C ends the view, not the study.",
        .n_min = 1,
        .n_max = 1,
        .needs_daemon = true};
    struct json *study;
    struct err err;
    cli_parse(c, &command, argc, argv, NULL);
    if (cli_study_call(c, "GET", argv[1], "", NULL, &study, &err) != 0) {
        return cli_fail(c, &err);
    }
    int code = follow_to_end(c, study, HISTORY);
    json_free(study);
    return code;
}
