/* train: the notebook's fixed run: one training, no daemon. */
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/data/dataset.h"
#include "core/spec/spec.h"
#include "core/train/checkpoint.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/cmd.h"
#include "daemon/cli/downloading.h"
#include "daemon/cli/config.h"
#include "daemon/cli/format.h"
#include "daemon/cli/table.h"
#include "daemon/cli/target.h"
#include "daemon/cli/training.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { KEY_OUT = 1, KEY_FORCE };

struct input {
    struct config_flags flags;
    const char *out;
    bool force;
};

static void on_option(int key, const char *arg, struct argp_state *state,
                      void *ctx)
{
    struct input *in = ctx;
    if (config_on_option(&in->flags, key, arg, state)) {
        return;
    }
    if (key == KEY_FORCE) {
        in->force = true;
    } else {
        in->out = arg;
    }
}

static const struct argp_option options[] = {
    CONFIG_OPTION_SET,
    CONFIG_OPTION_SEED,
    {"out", KEY_OUT, "DIR", 0,
     "folder for checkpoints, of which the best epoch's stays with its SHA-256 "
     "beside it, and for a TensorBoard log (default: none are kept)",
     0},
    {"force", KEY_FORCE, NULL, 0,
     "replace the model that an earlier training left in DIR", 0},
    {0},
};

static const struct cli_command command = {
    .name = "train",
    .args = "CONFIG",
    .doc =
        "Does one training with the config's fixed values, without a "
        "daemon. What the config searches must be fixed by --set." CLI_EPOCHS,
    .n_min = 1,
    .n_max = 1,
    .options = options,
    .on_option = on_option};

/* Is there a training at all, and but one? */
static int check_single(const char *file, const struct spec *spec,
                        struct err *err)
{
    static const char *const objectives[] = {
        [SPEC_OBJECTIVE_CLASSIFIER] = "the classifier",
        [SPEC_OBJECTIVE_TABLE] = "a table",
        [SPEC_OBJECTIVE_FUNCTION] = "a function",
        [SPEC_OBJECTIVE_COMMAND] = "a command"};
    if (spec->objective != SPEC_OBJECTIVE_CLASSIFIER) {
        return err_set(err, ERR_INVALID,
                       "%s: the objective is %s; train does one training of "
                       "the classifier",
                       file, objectives[spec->objective]);
    }
    if (spec->space.n == 0) {
        return 0;
    }
    const char *path = RUN_FIELD[spec->space.params[0].field].path;
    return err_set(err, ERR_INVALID,
                   "%s: %s: is searched, but one training needs one value "
                   "(--set %s=...)",
                   file, path, path);
}

/* --- the data ------------------------------------------------------------- */

/* Read the sources; *sha256 is "" when nothing needs to be kept. */
static int read_data(struct cli *c, const struct spec *spec, bool keep,
                     struct dataset **out, char sha256[65], struct err *err)
{
    const struct spec_data *data = &spec->data;
    char *cache =
        c->state_dir != NULL ? paths_in_state(c->state_dir, "cache") : NULL;
    struct downloading downloading;
    downloading_init(&downloading, c);
    const struct dataset_query query = {
        .sources = (const char *const *)data->sources,
        .n_sources = data->n_sources,
        .test_sources = (const char *const *)data->test_sources,
        .n_test_sources = data->n_test_sources,
        .splits = (const char *const *)data->splits,
        .n_splits = data->n_splits,
        .text = data->text,
        .label = data->label,
        .min_class_count = (int)data->min_class_count,
        .cache_dir = cache,
        .watch = &downloading.watch};
    sha256[0] = '\0';
    int rc = downloading_end(&downloading, dataset_read(&query, out, err), err);
    if (rc == 0 && keep && cache != NULL) {
        char *dir = paths_in_state(cache, "datasets");
        rc = file_mkdirs(dir, 0700, err);
        if (rc == 0) {
            rc = dataset_save(*out, dir, sha256, err);
        }
        if (rc != 0) {
            dataset_free(*out);
        }
        free(dir);
    }
    free(cache);
    return rc;
}

/* --- the end -------------------------------------------------------------- */

static void put_epochs(struct json_out *w, const struct training *t)
{
    json_put_key(w, "epochs");
    json_open(w, '[');
    for (size_t i = 0; i < t->n_epochs; i++) {
        json_open(w, '{');
        json_put_key(w, "epoch");
        json_put_int(w, (int64_t)i);
        for (int m = 0; m < RUN_N_METRICS; m++) {
            json_put_key(w, RUN_METRIC_NAMES[m]);
            json_put_double(w, t->epochs[i].metrics.value[m]);
        }
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void print_json(const struct training *t)
{
    struct buf text;
    struct json_out w;
    buf_init(&text, BUF_MAX_RESPONSE);
    json_out_init(&w, &text, JSON_COMPACT);
    json_open(&w, '{');
    put_epochs(&w, t);
    json_put_key(&w, "best_epoch");
    if (t->result.best_epoch >= 0) {
        json_put_int(&w, t->result.best_epoch);
    } else {
        json_put_null(&w);
    }
    json_put_key(&w, "value");
    json_put_double(&w, t->result.value);
    json_put_key(&w, "why");
    json_put_string(&w, t->result.why);
    json_put_key(&w, "checkpoint");
    json_put_string(&w, t->checkpoint);
    json_put_key(&w, "peak_bytes");
    json_put_int(&w, t->peak_bytes);
    json_put_key(&w, "planned_bytes");
    json_put_int(&w, t->planned_bytes);
    json_put_key(&w, "seconds");
    json_put_double(&w, t->seconds);
    json_close(&w, '}');
    printf("%s\n", text.data);
    buf_fini(&text);
}

static void print_summary(const struct cli *c, const struct spec *spec,
                          const struct training *t)
{
    char text[FORMAT_SIZE];
    struct table *table = table_new();
    table_left(table, "");
    table_left(table, "");
    json_repr(t->result.value, text);
    table_cell(table, TERM_DIM, RUN_METRIC_NAMES[spec->metric]);
    table_cell(table, TERM_GOOD, text);
    if (t->result.best_epoch >= 0) {
        table_cell(table, TERM_DIM, "best epoch");
        table_cellf(table, TERM_PLAIN, "%" PRId64 " of %zu",
                    t->result.best_epoch + 1, t->n_epochs);
    }
    table_cell(table, TERM_DIM, "end");
    table_cell(table, TERM_PLAIN, t->result.why);
    if (t->checkpoint != NULL) {
        table_cell(table, TERM_DIM, "checkpoint");
        table_cell(table, TERM_PLAIN, t->checkpoint);
    }
    format_duration((int64_t)(1000.0 * t->seconds), text);
    table_cell(table, TERM_DIM, "time");
    table_cell(table, TERM_PLAIN, text);
    char planned[FORMAT_SIZE];
    format_bytes((uint64_t)t->peak_bytes, text);
    format_bytes((uint64_t)t->planned_bytes, planned);
    table_cell(table, TERM_DIM, "memory");
    table_cellf(table, TERM_PLAIN, "%s at most, %s planned", text, planned);
    table_print(table, &c->out);
    table_free(table);
}

static int train(struct cli *c, const struct spec *spec, const char *out_dir)
{
    struct dataset *d;
    struct training t;
    struct err err;
    char sha256[65];
    if (read_data(c, spec, out_dir != NULL, &d, sha256, &err) != 0) {
        err_wrap(&err, "data");
        return cli_fail_here(c, &err);
    }
    int rc = training_run(c, spec, d, sha256, out_dir, &t, &err);
    dataset_free(d);
    int code = rc != 0 ? cli_fail_here(c, &err)
               : t.result.end == TRAINER_END_NAN || isnan(t.result.value)
                   ? CLI_FAILED
                   : CLI_OK;
    if (rc == 0 && c->json) {
        print_json(&t);
    } else if (rc == 0) {
        print_summary(c, spec, &t);
    }
    training_fini(&t);
    return code;
}

/* The best model of another training is hours of work. */
static int check_out(const struct cli *c, const struct input *in,
                     struct err *err)
{
    char name[CHECKPOINT_NAME_MAX];
    int rc = target_folder(c, in->out, err);
    bool is_taken = rc == 0 && in->out != NULL && !in->force &&
                    checkpoint_find_best(in->out, name);
    return is_taken ? err_set(err, ERR_INVALID,
                              "%s has the model of another training, %s: name "
                              "another folder (--force replaces it)",
                              in->out, name)
                    : rc;
}

int cmd_train(struct cli *c, int argc, char **argv)
{
    struct input in = {.out = NULL};
    struct spec spec;
    struct err err;
    cli_parse(c, &command, argc, argv, &in);
    int rc = config_read(argv[1], &in.flags, &spec, &err);
    config_flags_fini(&in.flags);
    if (rc != 0) {
        return cli_fail(c, &err);
    }
    rc = check_single(argv[1], &spec, &err);
    if (rc == 0) {
        rc = config_check_sources(argv[1], &spec, &err);
    }
    rc = rc == 0 ? check_out(c, &in, &err) : rc;
    int code = rc != 0 ? cli_fail(c, &err) : train(c, &spec, in.out);
    spec_fini(&spec);
    return code;
}
