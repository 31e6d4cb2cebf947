/* importances: which parameters matter, as bars. */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/spec/spec.h"
#include "core/spec/spec_json.h"
#include "daemon/cli/bars.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/cmd.h"
#include "daemon/cli/field.h"
#include "daemon/cli/width.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

enum { KEY_EVALUATOR = 1, BAR_WIDTH = 40, WAIT_MS = 100, WAITS_MAX = 600 };
/* PED-ANOVA compares the best tenth with all: below, that is two at most. */
enum { FEW_TRIALS = 20 };
static const double EQUAL = 1e-12; /* shares that differ by rounding alone */

#define PED_ANOVA "ped-anova"

struct input {
    const char *evaluator;
};

static void on_option(int key, const char *arg, struct argp_state *state,
                      void *ctx)
{
    struct input *in = ctx;
    (void)key;
    if (strcmp(arg, PED_ANOVA) != 0 && strcmp(arg, "fanova") != 0 &&
        strcmp(arg, "mdi") != 0) {
        argp_error(state,
                   "--evaluator: '%s' is not one of ped-anova, fanova, "
                   "mdi",
                   arg);
    }
    in->evaluator = arg;
}

/* The daemon computes in its own time: ask until what it has is of all trials.
 */
static int ask(struct cli *c, const char *study, const char *evaluator,
               struct json **out, struct err *err)
{
    char rest[64];
    snprintf(rest, sizeof(rest), "/importances?evaluator=%s", evaluator);
    for (int i = 0;; i++) {
        int rc = cli_study_call(c, "GET", study, rest, NULL, out, err);
        if (rc != 0 || !field_bool(*out, "pending") || i == WAITS_MAX) {
            return rc;
        }
        json_free(*out);
        const struct timespec wait = {.tv_nsec = WAIT_MS * 1000000L};
        nanosleep(&wait, NULL);
    }
}

static int name_width(const struct json *reply)
{
    int width = 0;
    for (const struct json *i = field_first(reply, "importances"); i != NULL;
         i = json_next(i)) {
        const char *name = field_text(i, "param");
        int n = (int)strlen(name);
        width = n > width ? n : width;
    }
    return width;
}

static void print_bars(const struct cli *c, const struct json *reply)
{
    struct buf text;
    int width = name_width(reply);
    double most = field_number(field_first(reply, "importances"), "importance");
    buf_init(&text, BUF_MAX_CONFIG);
    for (const struct json *i = field_first(reply, "importances"); i != NULL;
         i = json_next(i)) {
        const char *name = field_text(i, "param");
        double value = field_number(i, "importance");
        width_printable(&text, name, strlen(name));
        buf_printf(&text, "%*s  %6.4f  ", width - (int)strlen(name), "", value);
        bars_solid(&text, &c->out, most > 0.0 ? value / most : 0.0, BAR_WIDTH,
                   TERM_ACCENT);
        buf_char(&text, '\n');
    }
    if (text.len > 0) {
        fputs(text.data, c->out.file);
    }
    buf_fini(&text);
}

/* study may be NULL: nobody knows what was pruned. */
static void say_trials(const struct cli *c, const struct json *study,
                       const struct json *reply)
{
    char pruned[64] = "";
    int64_t n = field_int(reply, "n_trials", 0);
    int64_t n_pruned =
        study != NULL ? field_int(field_get(study, "counts"), "PRUNED", 0) : 0;
    if (n_pruned > 0) {
        snprintf(pruned, sizeof(pruned), " (%" PRId64 " pruned %s left out)",
                 n_pruned, n_pruned == 1 ? "one is" : "ones are");
    }
    cli_say(c, "%s over %" PRId64 " complete trial%s%s%s",
            field_text(reply, "evaluator"), n, n == 1 ? "" : "s", pruned,
            n < FEW_TRIALS ? ": so few say little yet" : "");
}

/* --- what the bars do not say --------------------------------------------- */

static bool is_listed(const struct json *reply, const char *name)
{
    for (const struct json *i = field_first(reply, "importances"); i != NULL;
         i = json_next(i)) {
        if (strcmp(field_text(i, "param"), name) == 0) {
            return true;
        }
    }
    return false;
}

/* PED-ANOVA takes what any complete trial has; the forests need a table without
 * a gap. */
static void say_left_out(const struct cli *c, const struct json *study,
                         const struct json *reply, const char *evaluator)
{
    struct buf names;
    size_t n = 0;
    bool is_ped_anova = strcmp(evaluator, PED_ANOVA) == 0;
    buf_init(&names, BUF_MAX_CONFIG);
    for (const struct json *p = field_first(study, "params"); p != NULL;
         p = json_next(p)) {
        if (!is_listed(reply, json_string(p))) {
            buf_printf(&names, "%s%s", names.len > 0 ? ", " : "",
                       json_string(p));
            n++;
        }
    }
    if (n > 0 && is_ped_anova) {
        cli_say(c, "left out, as no complete trial has %s: %s",
                n == 1 ? "it" : "them", names.data);
    } else if (n > 0) {
        cli_say(c,
                "left out, as not every complete trial has %s in the same "
                "range (%s needs that, ped-anova does not): %s",
                n == 1 ? "it" : "them", evaluator, names.data);
    }
    buf_fini(&names);
}

/* Shares are of 1: where there is nothing to share out, all are equal. But they
 * are so too where each parameter tells the same. */
static void say_equal(const struct cli *c, const struct json *reply)
{
    const struct json *first = field_first(reply, "importances");
    double least = NAN;
    size_t n = 0;
    for (const struct json *i = first; i != NULL; i = json_next(i)) {
        least = field_number(i, "importance");
        n++;
    }
    if (n == 1) {
        cli_say(c, "it is the only one here: its share is 1 whatever it does");
    } else if (n > 1 && field_number(first, "importance") - least < EQUAL) {
        cli_say(c, "equal shares: either the values of the complete trials "
                   "hardly differ, or each parameter tells as much of them as "
                   "any other");
    }
}

/* PED-ANOVA weighs how the best trials that have it differ from all that do. */
static void say_conditional(const struct cli *c, const struct json *study,
                            const struct json *reply)
{
    struct spec spec;
    struct err ignored;
    struct buf names;
    size_t n = 0;
    if (field_first(study, "config") == NULL ||
        spec_from_json(field_get(study, "config"), &spec, &ignored) != 0) {
        return;
    }
    buf_init(&names, BUF_MAX_CONFIG);
    for (size_t i = 0; i < spec.space.n; i++) {
        const struct param *p = &spec.space.params[i];
        if (p->n_when > 0 && is_listed(reply, p->name)) {
            buf_printf(&names, "%s%s", n > 0 ? ", " : "", p->name);
            n++;
        }
    }
    if (n > 0) {
        cli_say(c,
                "conditional, so only the trials that have %s count, and a "
                "share of 0 can mean that none of the best has %s: %s",
                n == 1 ? "it" : "them", n == 1 ? "it" : "them", names.data);
    }
    buf_fini(&names);
    spec_fini(&spec);
}

/* study NULL: it could not be had. */
static void print_all(const struct cli *c, const struct json *study,
                      const char *evaluator, const struct json *reply)
{
    bool has_any = study != NULL &&
                   field_int(field_get(study, "counts"), "COMPLETE", 0) > 0;
    bool has_shares = field_first(reply, "importances") != NULL;
    if (has_shares) {
        print_bars(c, reply);
        say_trials(c, study, reply);
        say_equal(c, reply);
    } else if (!has_any || field_first(study, "params") == NULL) {
        cli_say(c, "No complete trial has parameters yet.");
    }
    if (has_any && has_shares && strcmp(evaluator, PED_ANOVA) == 0) {
        say_conditional(c, study, reply);
    }
    if (has_any && !field_bool(reply, "pending")) {
        say_left_out(c, study, reply, evaluator);
    }
}

/* Without shares only the study tells why there are none. */
static int print_with_study(struct cli *c, const char *name,
                            const char *evaluator, const struct json *reply)
{
    struct json *study = NULL;
    struct err err;
    int rc = cli_study_call(c, "GET", name, "", NULL, &study, &err);
    if (rc != 0 && field_first(reply, "importances") == NULL) {
        return cli_fail(c, &err);
    }
    print_all(c, rc == 0 ? study : NULL, evaluator, reply);
    if (rc == 0) {
        json_free(study);
    }
    return CLI_OK;
}

int cmd_importances(struct cli *c, int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"evaluator", KEY_EVALUATOR, "NAME", 0,
         "ped-anova (default), fanova or mdi", 0},
        {0}};
    static const struct cli_command command = {
        .name = "importances",
        .args = "STUDY",
        .doc = "Shows how much each parameter matters for the objective.",
        .n_min = 1,
        .n_max = 1,
        .options = options,
        .on_option = on_option};
    struct input in = {.evaluator = PED_ANOVA};
    struct json *reply;
    struct err err;
    cli_parse(c, &command, argc, argv, &in);
    if (ask(c, argv[1], in.evaluator, &reply, &err) != 0) {
        return cli_fail(c, &err);
    }
    int code = CLI_OK;
    if (c->json) {
        cli_put_json(reply);
    } else {
        code = print_with_study(c, argv[1], in.evaluator, reply);
    }
    json_free(reply);
    return code;
}
