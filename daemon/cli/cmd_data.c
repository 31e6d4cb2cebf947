/* data stat: section 1 of the notebook: what is in a data set; data fetch:
 * bring one into the cache. */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/paths.h"
#include "core/base/utf8.h"
#include "core/data/dataset.h"
#include "core/data/download.h"
#include "core/data/hub.h"
#include "core/spec/run.h"
#include "daemon/cli/bars.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/cmd.h"
#include "daemon/cli/downloading.h"
#include "daemon/cli/format.h"
#include "daemon/cli/table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_TEXT = 1,
    KEY_LABEL,
    KEY_MIN,
    KEY_FRACTIONS,
    KEY_SEED,
    KEY_SPLITS,
    KEY_SPLIT
};
enum { MAX_SPLITS = 64, BAR_WIDTH = 30 };

struct input {
    const char *text, *label;
    int min_class_count;
    double fractions[3];
    uint64_t seed;
    enum dataset_split_kind kind;
    char *splits[MAX_SPLITS]; /* point into argv's text */
    size_t n_splits;
};

static const struct argp_option options[] = {
    {"text", KEY_TEXT, "COLUMN", 0, "column of the texts (default: text)", 0},
    {"label", KEY_LABEL, "COLUMN", 0, "column of the labels (default: label)",
     0},
    {"min-class-count", KEY_MIN, "N", 0,
     "keep classes with at least so many rows (default 1)", 0},
    {"fractions", KEY_FRACTIONS, "A,B,C", 0,
     "shares of train, validation and test (default 0.8,0.1,0.1)", 0},
    {"split", KEY_SPLIT, "KIND", 0, "random (default) or stratified", 0},
    {"seed", KEY_SEED, "N", 0, "seed of the split (default 0)", 0},
    {"splits", KEY_SPLITS, "A,B", 0, "splits of an hf: source", 0},
    {0},
};

static void take_fractions(struct input *in, const char *arg,
                           struct argp_state *state)
{
    const char *at = arg;
    for (int i = 0; i < 3; i++) {
        char *end;
        in->fractions[i] = strtod(at, &end);
        bool is_good = end != at && *end == (i < 2 ? ',' : '\0');
        if (!is_good) {
            argp_error(state,
                       "--fractions: expected three numbers as in "
                       "0.8,0.1,0.1, not '%s'",
                       arg);
        }
        at = end + 1;
    }
}

static void take_splits(struct input *in, char *arg, struct argp_state *state)
{
    char *save = NULL;
    for (char *s = strtok_r(arg, ",", &save); s != NULL;
         s = strtok_r(NULL, ",", &save)) {
        if (in->n_splits == MAX_SPLITS) {
            argp_error(state, "--splits: at most %d", MAX_SPLITS);
        }
        in->splits[in->n_splits++] = s;
    }
}

static void on_option(int key, const char *arg, struct argp_state *state,
                      void *ctx)
{
    struct input *in = ctx;
    switch (key) {
    case KEY_TEXT:
        in->text = arg;
        return;
    case KEY_LABEL:
        in->label = arg;
        return;
    case KEY_MIN:
        in->min_class_count =
            (int)cli_number(state, "min-class-count", arg, 1, 1000000000);
        return;
    case KEY_FRACTIONS:
        take_fractions(in, arg, state);
        return;
    case KEY_SEED:
        in->seed =
            (uint64_t)cli_number(state, "seed", arg, 0, (int64_t)1 << 53);
        return;
    case KEY_SPLITS:
        take_splits(in, (char *)arg, state);
        return;
    default:
        if (run_enum_value(RUN_SPLIT, arg) < 0) {
            argp_error(state, "--split: expected one of %s, not '%s'",
                       run_enum_names(RUN_SPLIT), arg);
        }
        in->kind = (enum dataset_split_kind)run_enum_value(RUN_SPLIT, arg);
    }
}

static const struct cli_command command = {
    .name = "data",
    .args = "stat SOURCE...\nfetch SOURCE...",
    .doc = "stat: rows per class before and after the filter, lengths of the "
           "texts in characters, sizes of the split; several sources are "
           "concatenated. fetch: download sources into the cache, going on "
           "where an interrupted download was. A source is a .jsonl, .json, "
           ".csv or .tsv file, the http(s) address of one, or "
           "hf:OWNER/NAME[/CONFIG]. Environment: HF_TOKEN (else the file "
           "~/.cache/huggingface/token) for private and gated data sets, "
           "HF_DATASETS_SERVER (else HF_ENDPOINT) for another server than "
           "https://datasets-server.huggingface.co.",
    .n_min = 2,
    .n_max = -1,
    .options = options,
    .on_option = on_option};

/* --- figures -------------------------------------------------------------- */

struct figures {
    const struct dataset_count *counts;
    size_t n_counts, n_kept; /* classes: all, behind the filter */
    size_t n_rows, n_kept_rows;
    size_t shortest, longest; /* characters, of the rows kept */
    double mean;
    size_t n_split[3];
};

static void measure(const struct dataset *d, struct figures *f)
{
    size_t total = 0;
    f->n_kept_rows = dataset_size(d);
    f->n_kept = dataset_n_classes(d);
    f->n_counts = dataset_counts(d, &f->counts);
    for (size_t i = 0; i < f->n_counts; i++) {
        f->n_rows += f->counts[i].n;
    }
    f->shortest = SIZE_MAX;
    for (size_t i = 0; i < f->n_kept_rows; i++) {
        struct span text = dataset_text(d, i);
        size_t n = utf8_length(text.at, text.len);
        f->shortest = n < f->shortest ? n : f->shortest;
        f->longest = n > f->longest ? n : f->longest;
        total += n;
    }
    f->mean = (double)total / (double)f->n_kept_rows;
}

static void print_classes(const struct cli *c, const struct figures *f)
{
    struct table *t = table_new();
    table_left(t, "class");
    table_right(t, "rows");
    table_left(t, "");
    for (size_t i = 0; i < f->n_counts; i++) {
        bool is_kept = i < f->n_kept;
        enum term_style style = is_kept ? TERM_PLAIN : TERM_DIM;
        struct buf bar;
        buf_init(&bar, 4096);
        bars_solid(&bar, &(struct term){.has_unicode = c->out.has_unicode},
                   (double)f->counts[i].n / (double)f->counts[0].n, BAR_WIDTH,
                   TERM_PLAIN);
        table_cell(t, style, f->counts[i].label);
        table_cellf(t, style, "%zu", f->counts[i].n);
        table_cellf(t, is_kept ? TERM_ACCENT : TERM_DIM, "%s%s",
                    bar.data != NULL ? bar.data : "",
                    is_kept ? "" : " dropped");
        buf_fini(&bar);
    }
    table_print(t, &c->out);
    table_free(t);
}

static void print_figures(const struct cli *c, const struct figures *f)
{
    print_classes(c, f);
    struct table *t = table_new();
    table_left(t, "");
    table_left(t, "");
    table_cell(t, TERM_DIM, "rows");
    table_cellf(t, TERM_PLAIN, "%zu in %zu classes", f->n_rows, f->n_counts);
    table_cell(t, TERM_DIM, "kept");
    table_cellf(t, TERM_PLAIN, "%zu in %zu classes", f->n_kept_rows, f->n_kept);
    table_cell(t, TERM_DIM, "characters");
    table_cellf(t, TERM_PLAIN, "shortest %zu, longest %zu, mean %.1f",
                f->shortest, f->longest, f->mean);
    table_cell(t, TERM_DIM, "split");
    table_cellf(t, TERM_PLAIN, "%zu train, %zu validation, %zu test",
                f->n_split[0], f->n_split[1], f->n_split[2]);
    printf("\n");
    table_print(t, &c->out);
    table_free(t);
}

static void put_count(struct json_out *w, const char *key, size_t n)
{
    json_put_key(w, key);
    json_put_int(w, (int64_t)n);
}

static void put_classes(struct json_out *w, const struct figures *f)
{
    json_put_key(w, "classes");
    json_open(w, '[');
    for (size_t i = 0; i < f->n_counts; i++) {
        json_open(w, '{');
        json_put_key(w, "label");
        json_put_string(w, f->counts[i].label);
        put_count(w, "rows", f->counts[i].n);
        json_put_key(w, "kept");
        json_put_bool(w, i < f->n_kept);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void print_json(const struct figures *f)
{
    struct buf text;
    struct json_out w;
    buf_init(&text, BUF_MAX_RESPONSE);
    json_out_init(&w, &text, JSON_COMPACT);
    json_open(&w, '{');
    put_count(&w, "rows", f->n_rows);
    put_count(&w, "kept_rows", f->n_kept_rows);
    put_count(&w, "kept_classes", f->n_kept);
    put_classes(&w, f);
    json_put_key(&w, "characters");
    json_open(&w, '{');
    put_count(&w, "shortest", f->shortest);
    put_count(&w, "longest", f->longest);
    json_put_key(&w, "mean");
    json_put_double(&w, f->mean);
    json_close(&w, '}');
    json_put_key(&w, "split");
    json_open(&w, '{');
    put_count(&w, "train", f->n_split[DATASET_TRAIN]);
    put_count(&w, "val", f->n_split[DATASET_VAL]);
    put_count(&w, "test", f->n_split[DATASET_TEST]);
    json_close(&w, '}');
    json_close(&w, '}');
    printf("%s\n", text.data);
    buf_fini(&text);
}

static int stat_sources(struct cli *c, const struct input *in, char **sources,
                        size_t n, struct err *err)
{
    char *cache =
        c->state_dir != NULL ? paths_in_state(c->state_dir, "cache") : NULL;
    struct downloading downloading;
    downloading_init(&downloading, c);
    const struct dataset_query query = {.sources = (const char *const *)sources,
                                        .n_sources = n,
                                        .splits =
                                            (const char *const *)in->splits,
                                        .n_splits = in->n_splits,
                                        .text = in->text,
                                        .label = in->label,
                                        .named_by = "--text and --label (of a "
                                                    "config data.text and "
                                                    "data.label)",
                                        .min_class_count = in->min_class_count,
                                        .cache_dir = cache,
                                        .watch = &downloading.watch};
    struct dataset *d;
    struct dataset_split split;
    int rc = downloading_end(&downloading, dataset_read(&query, &d, err), err);
    free(cache);
    if (rc != 0) {
        return rc;
    }
    rc = dataset_split(d, in->kind, in->fractions, in->seed, &split, err);
    if (rc != 0) {
        source_wrap(query.sources, query.n_sources, err);
    } else {
        struct figures f = {.n_split = {split.n[0], split.n[1], split.n[2]}};
        measure(d, &f);
        if (c->json) {
            print_json(&f);
        } else {
            print_figures(c, &f);
        }
        dataset_split_fini(&split);
    }
    dataset_free(d);
    return rc;
}

/* --- fetch ---------------------------------------------------------------- */

static void tell_fetched(const struct cli *c, struct json_out *list,
                         const char *source, const struct hub_result *rows,
                         const char *path)
{
    if (c->json) {
        json_open(list, '{');
        json_put_key(list, "source");
        json_put_string(list, source);
        json_put_key(list, path != NULL ? "path" : "rows");
        if (path != NULL) {
            json_put_string(list, path);
        } else {
            json_put_int(list, (int64_t)rows->n_rows);
        }
        json_close(list, '}');
    } else if (path != NULL) {
        cli_say(c, "%s: in the cache as %s", source, path);
    } else {
        cli_say(c, "%s: %" PRIu64 " rows in the cache", source, rows->n_rows);
    }
}

static int fetch_source(struct cli *c, const struct input *in,
                        const char *source, const char *cache,
                        struct json_out *list, struct err *err)
{
    struct downloading downloading;
    downloading_init(&downloading, c);
    const struct source_query q = {.splits = (const char *const *)in->splits,
                                   .n_splits = in->n_splits,
                                   .cache_dir = cache,
                                   .watch = &downloading.watch};
    struct hub_result rows = {0};
    char *path = NULL;
    int rc;
    if (hub_is_source(source)) {
        rc = hub_fetch(source, &q, &rows, err);
    } else if (download_is_url(source)) {
        rc = download_file(source, cache, &downloading.watch, &path, err);
    } else {
        rc =
            err_set(err, ERR_INVALID,
                    "%s: neither hf:OWNER/NAME nor an http(s) address", source);
    }
    rc = downloading_end(&downloading, rc, err);
    if (rc == 0) {
        tell_fetched(c, list, source, &rows, path);
    }
    free(path);
    return rc;
}

/* The list of --json is printed at the end: one value, or nothing. */
static int fetch_sources(struct cli *c, const struct input *in, char **sources,
                         size_t n, struct err *err)
{
    char *cache =
        c->state_dir != NULL ? paths_in_state(c->state_dir, "cache") : NULL;
    struct buf text;
    struct json_out list;
    int rc = 0;
    buf_init(&text, BUF_MAX_RESPONSE);
    json_out_init(&list, &text, JSON_COMPACT);
    json_open(&list, '[');
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = fetch_source(c, in, sources[i], cache, &list, err);
    }
    json_close(&list, ']');
    if (c->json && rc == 0) {
        printf("%s\n", text.data);
    }
    buf_fini(&text);
    free(cache);
    return rc;
}

int cmd_data(struct cli *c, int argc, char **argv)
{
    struct input in = {.text = "text",
                       .label = "label",
                       .min_class_count = 1,
                       .fractions = {0.8, 0.1, 0.1}};
    struct err err;
    int n = cli_parse(c, &command, argc, argv, &in);
    bool is_stat = strcmp(argv[1], "stat") == 0;
    if (!is_stat && strcmp(argv[1], "fetch") != 0) {
        err_set(&err, ERR_INVALID, "data: '%s' is neither stat nor fetch",
                argv[1]);
        return cli_fail(c, &err);
    }
    int rc = is_stat ? stat_sources(c, &in, argv + 2, (size_t)n - 1, &err)
                     : fetch_sources(c, &in, argv + 2, (size_t)n - 1, &err);
    if (rc == ERR_NOTFOUND) {
        err.code = ERR_INVALID; /* a file that the user named */
    }
    return rc != 0 ? cli_fail(c, &err) : CLI_OK;
}
