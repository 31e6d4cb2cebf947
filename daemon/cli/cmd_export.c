/* export: a model as a folder; a study's trials as CSV or JSON. */
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/train/predictor.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/cmd.h"
#include "daemon/cli/field.h"
#include "daemon/cli/pages.h"
#include "daemon/cli/pick.h"
#include "daemon/cli/target.h"
#include "daemon/cli/trials_csv.h"

#include <inttypes.h>
#include <string.h>

enum { KEY_TRIAL = 1, KEY_CSV, KEY_JSON, KEY_OPTUNA, KEY_STAMP, KEY_FORCE };

struct input {
    int64_t trial;
    const char *csv, *json, *optuna, *stamp;
    bool force;
};

static void on_option(int key, const char *arg, struct argp_state *state,
                      void *ctx)
{
    struct input *in = ctx;
    switch (key) {
    case KEY_TRIAL:
        in->trial = pick_trial(state, arg);
        return;
    case KEY_CSV:
        in->csv = arg;
        return;
    case KEY_JSON:
        in->json = arg;
        return;
    case KEY_OPTUNA:
        in->optuna = arg;
        return;
    case KEY_STAMP:
        if (strcmp(arg, "3.1") != 0) {
            argp_error(state, "--stamp: '%s' is not 3.1", arg);
        }
        in->stamp = arg;
        return;
    default:
        in->force = true;
    }
}

/* Say what was written where: a model (n_trials: -1) or a study's trials. With
 * the global --json that is a value on stdout. */
static void say_written(const struct cli *c, const char *name, int64_t n_trials,
                        const char *path)
{
    struct buf text;
    struct json_out w;
    if (!c->json) {
        cli_say(c, "%s: written to %s", name, path);
        return;
    }
    buf_init(&text, BUF_MAX_CONFIG);
    json_out_init(&w, &text, JSON_COMPACT);
    json_open(&w, '{');
    json_put_key(&w, n_trials < 0 ? "dir" : "file");
    json_put_string(&w, path);
    if (n_trials < 0) {
        json_put_key(&w, "model");
        json_put_string(&w, name);
    } else {
        json_put_key(&w, "trials");
        json_put_int(&w, n_trials);
    }
    json_close(&w, '}');
    puts(text.data);
    buf_fini(&text);
}

/* --- the model ------------------------------------------------------------ */

static int export_model(struct cli *c, const char *what, int64_t trial,
                        const char *dir, struct err *err)
{
    struct pick p;
    int rc = target_folder(c, dir, err);
    rc = rc == 0 ? pick_open(c, what, trial, &p, err) : rc;
    if (rc != 0) {
        return rc;
    }
    rc = predictor_export(p.predictor, dir, err);
    if (rc == 0) {
        say_written(c, p.name, -1, dir);
    } else if (rc == ERR_NOTFOUND) {
        rc = err->code = ERR_IO;
    }
    pick_fini(&p);
    return rc;
}

/* --- the trials ----------------------------------------------------------- */

/* Hand each trial to take; *n: how many there were. */
static int each_trial(struct cli *c, const char *study,
                      void (*take)(void *ctx, const struct json *trial),
                      void *ctx, int64_t *n, struct err *err)
{
    struct pages pages;
    struct json *page;
    pages_init(&pages, c, study, NULL);
    int rc = pages_next(&pages, &page, err);
    for (*n = 0; rc == 0 && page != NULL; rc = pages_next(&pages, &page, err)) {
        for (const struct json *t = pages_first(page); t != NULL;
             t = json_next(t)) {
            take(ctx, t);
            ++*n;
        }
        json_free(page);
    }
    return rc;
}

static void add_row(void *ctx, const struct json *trial)
{
    trials_csv_add(ctx, trial);
}

static int make_csv(struct cli *c, const char *name, const struct json *study,
                    struct buf *out, int64_t *n, struct err *err)
{
    struct trials_csv *table = trials_csv_new(study);
    int rc = each_trial(c, name, add_row, table, n, err);
    trials_csv_put(table, out);
    trials_csv_free(table);
    return rc;
}

static void add_node(void *ctx, const struct json *trial)
{
    json_put_node(ctx, trial);
}

static int make_json(struct cli *c, const char *name, const struct json *study,
                     struct buf *out, int64_t *n, struct err *err)
{
    struct json_out w;
    json_out_init(&w, out, JSON_COMPACT);
    json_open(&w, '{');
    json_put_key(&w, "study");
    json_put_node(&w, study);
    json_put_key(&w, "trials");
    json_open(&w, '[');
    int rc = each_trial(c, name, add_node, &w, n, err);
    json_close(&w, ']');
    json_close(&w, '}');
    buf_char(out, '\n');
    return rc;
}

static int write_out(const char *path, const struct buf *text, struct err *err)
{
    if (text->overflow) {
        return err_set(err, ERR_LIMIT, "%s would be longer than %zu bytes",
                       path, text->max);
    }
    if (strcmp(path, "-") == 0) {
        fwrite(text->data, 1, text->len, stdout);
        return 0;
    }
    int rc = file_write_atomic(path, text->data, text->len, 0644, err);
    if (rc == ERR_NOTFOUND) { /* of the folder: no study is missing */
        rc = err->code = ERR_IO;
    }
    return rc;
}

/* Nothing is written before the last page is there. */
static int export_trials(struct cli *c, const char *name, const char *path,
                         bool as_json, struct err *err)
{
    struct json *study;
    struct buf text;
    int64_t n = 0;
    int rc = target_file(c, path, err);
    rc = rc == 0 ? cli_study_call(c, "GET", name, "", NULL, &study, err) : rc;
    if (rc != 0) {
        return rc;
    }
    buf_init(&text, BUF_MAX_RESPONSE);
    rc = (as_json ? make_json : make_csv)(c, name, study, &text, &n, err);
    rc = rc == 0 ? write_out(path, &text, err) : rc;
    if (rc == 0 && strcmp(path, "-") != 0) {
        say_written(c, name, n, path);
    }
    buf_fini(&text);
    json_free(study);
    return rc;
}

/* --- for Optuna ----------------------------------------------------------- */

/* parzend writes it: the database is its alone. */
static int export_optuna(struct cli *c, const char *name,
                         const struct input *in, struct err *err)
{
    struct json *reply;
    const char *more[6] = {"--to", in->optuna};
    size_t n = 2;
    if (in->stamp != NULL) {
        more[n++] = "--stamp";
        more[n++] = in->stamp;
    }
    if (in->force) {
        more[n++] = "--overwrite";
    }
    int rc = target_file(c, in->optuna, err);
    rc = rc == 0 ? cli_ask_parzend(c, "--export", name, more, &reply, err) : rc;
    if (rc == ERR_CONFLICT) {
        return err_set(err, ERR_CONFLICT,
                       "%s is there already: --force replaces it", in->optuna);
    }
    if (rc != 0) {
        return rc;
    }
    if (c->json) {
        cli_put_json(reply);
    }
    int64_t n_trials = field_int(reply, "trials", 0);
    cli_say(c, "%s: %" PRId64 " trial%s written to %s, for Optuna %s", name,
            n_trials, n_trials == 1 ? "" : "s", in->optuna,
            in->stamp != NULL ? in->stamp : "5 (--stamp 3.1: for 3.1)");
    json_free(reply);
    return 0;
}

/* --- the command ---------------------------------------------------------- */

static const struct argp_option OPTIONS[] = {
    {"trial", KEY_TRIAL, "N", 0, "this trial's model, not the best's", 0},
    {"csv", KEY_CSV, "FILE", 0,
     "write the table of trials to FILE instead (- is standard output); "
     "metrics are those of the best epoch, or of the last where none is best; "
     "a "
     "parameter's value null is the word null, one that a trial does not have "
     "an empty cell",
     0},
    {"json", KEY_JSON, "FILE", 0,
     "write study and trials to FILE as JSON instead (- is standard "
     "output)",
     0},
    {"optuna", KEY_OPTUNA, "FILE", 0,
     "write the study to FILE, a database for Optuna 5 and its dashboard", 0},
    {"stamp", KEY_STAMP, "VERSION", 0,
     "make that database Optuna 3.1's: its stamp, and local times", 0},
    {"force", KEY_FORCE, NULL, 0, "replace FILE of --optuna", 0},
    {0}};
static const struct cli_command COMMAND = {
    .name = "export",
    .args = "STUDY|MODEL_DIR DIR\nSTUDY --csv FILE\nSTUDY --json FILE\n"
            "STUDY --optuna FILE",
    .doc = "Writes a model as a folder (config.json, labels.json, "
           "tokenizer.json, model.safetensors) that predict and evaluate "
           "use without a daemon, or a study's trials as CSV or JSON, or "
           "the study as a database for Optuna."
           "\vTwo options are called --json: after the command it names the "
           "file for the trials, before it (parzen --json export ...) it "
           "asks for one JSON value on stdout that names what was "
           "written. Trials are asked for in pages: each is as it was when "
           "its page came.",
    .n_min = 1,
    .n_max = 2,
    .options = OPTIONS,
    .on_option = on_option};

/* To the one target that was named; n: arguments, of which DIR is the second.
 */
static int export_to(struct cli *c, char **argv, int n, const struct input *in,
                     struct err *err)
{
    int n_targets = (n == 2) + (in->csv != NULL) + (in->json != NULL) +
                    (in->optuna != NULL);
    if (n_targets != 1 || (n != 2 && in->trial >= 0)) {
        return err_set(err, ERR_INVALID,
                       "export takes one of DIR, --csv FILE, --json FILE and "
                       "--optuna FILE, and --trial only with DIR");
    }
    if (c->json && in->csv != NULL && strcmp(in->csv, "-") == 0) {
        return err_set(err, ERR_INVALID,
                       "--csv - writes to standard output, where --json "
                       "before the command promises one JSON value");
    }
    if (in->optuna != NULL) {
        return export_optuna(c, argv[1], in, err);
    }
    if (n == 2) {
        return export_model(c, argv[1], in->trial, argv[2], err);
    }
    bool as_json = in->json != NULL;
    return export_trials(c, argv[1], as_json ? in->json : in->csv, as_json,
                         err);
}

int cmd_export(struct cli *c, int argc, char **argv)
{
    struct input in = {.trial = -1};
    struct err err;
    int n = cli_parse(c, &COMMAND, argc, argv, &in);
    int rc = export_to(c, argv, n, &in, &err);
    return rc == 0 ? CLI_OK : cli_fail(c, &err);
}
