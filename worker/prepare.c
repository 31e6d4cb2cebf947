#include "worker/prepare.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/data/dataset.h"
#include "core/data/source.h"
#include "core/data/fetch.h"
#include "core/wire/msg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Strings that travelled in one, joined by '\n' (msg.h). */
struct list {
    char *text;
    const char **items;
    size_t n;
};

static struct list split_lines(const char *text)
{
    struct list l = {.text = mem_strdup(text)};
    size_t cap = 1;
    for (const char *p = text; *p != '\0'; p++) {
        cap += *p == '\n';
    }
    l.items = mem_alloc(cap, sizeof(*l.items));
    char *at = l.text;
    while (at != NULL && *text != '\0') {
        l.items[l.n++] = strsep(&at, "\n");
    }
    return l;
}

static void list_fini(struct list *l)
{
    free(l->text);
    free(l->items);
}

struct job {
    const struct msg_prepare *p;
    const struct prepare_hooks *hooks;
    uint64_t n_notes;
};

static void tell(const struct job *j, const char *phase, uint64_t done,
                 uint64_t total, const char *unit)
{
    j->hooks->on_progress(j->hooks->ctx, phase, done, total, unit);
}

/* Of a download: to the log of the preparation. Who tries again is alive. */
static void on_note(void *ctx, const char *sentence)
{
    struct job *j = ctx;
    fprintf(stderr, "%s\n", sentence);
    tell(j, "retry", ++j->n_notes, 0, "");
}

static void on_download(void *ctx, uint64_t done, uint64_t total,
                        const char *unit)
{
    tell(ctx, "download", done, total, unit);
}

static void on_rows(void *ctx, size_t n_rows)
{
    tell(ctx, "read", n_rows, 0, "rows");
}

/* A sentence about the rows names where they come from. */
static int wrap_sources(const struct msg_prepare *p, struct err *err)
{
    struct list sources = split_lines(p->sources);
    int rc = source_wrap(sources.items, sources.n, err);
    list_fini(&sources);
    return rc;
}

static int read_sources(struct job *j, struct dataset **out, struct err *err)
{
    const struct msg_prepare *p = j->p;
    struct list sources = split_lines(p->sources);
    struct list tests = split_lines(p->test_sources);
    struct list splits = split_lines(p->splits);
    const struct fetch_watch watch = {.ctx = j,
                                      .on_progress = on_download,
                                      .on_note = on_note,
                                      .stop = j->hooks->stop};
    struct dataset_query query = {.sources = sources.items,
                                  .n_sources = sources.n,
                                  .test_sources = tests.items,
                                  .n_test_sources = tests.n,
                                  .splits = splits.items,
                                  .n_splits = splits.n,
                                  .text = p->text,
                                  .label = p->label,
                                  .min_class_count = (int)p->min_class_count,
                                  .cache_dir = p->cache_dir,
                                  .watch = &watch,
                                  .on_rows = on_rows,
                                  .rows_ctx = j};
    tell(j, "read", 0, 0, "rows");
    int rc = dataset_read(&query, out, err);
    list_fini(&sources);
    list_fini(&tests);
    list_fini(&splits);
    return rc;
}

/* The cached file, or the sources again; *sha256 says what it is. */
static int get_dataset(struct job *j, const char *dir, struct dataset **out,
                       char sha256[65], struct err *err)
{
    const struct msg_prepare *p = j->p;
    bool is_known = p->expected_sha256[0] != '\0';
    if (is_known) {
        tell(j, "verify", 0, 0, "");
    }
    if (is_known && dataset_open(dir, p->expected_sha256, out, err) == 0) {
        snprintf(sha256, 65, "%s", p->expected_sha256);
        return 0;
    }
    if (is_known) {
        fprintf(stderr, "reading the sources again: %s\n", err->msg);
    }
    struct dataset *d;
    int rc = file_mkdirs(dir, 0700, err);
    if (rc == 0) {
        rc = read_sources(j, &d, err);
    }
    if (rc != 0) {
        return rc;
    }
    tell(j, "save", dataset_size(d), dataset_size(d), "rows");
    rc = dataset_save(d, dir, sha256, err);
    if (rc == 0 && is_known && strcmp(sha256, p->expected_sha256) != 0) {
        rc = err_set(err, ERR_INVALID,
                     "data changed: the prepared copy is gone, and what its "
                     "sources give now is not what the study began with "
                     "(sha256 %.12s then, %.12s now)",
                     p->expected_sha256, sha256);
    }
    if (rc != 0) {
        dataset_free(d);
        return rc;
    }
    *out = d;
    return 0;
}

_Static_assert((int)RUN_SPLIT_RANDOM == (int)DATASET_SPLIT_RANDOM &&
                   (int)RUN_SPLIT_STRATIFIED == (int)DATASET_SPLIT_STRATIFIED,
               "prepare_data casts one to the other");

static void print_prepared(const struct msg_prepared *m)
{
    printf("prepared %.12s: %d classes, %d rows for training, %d for "
           "validation, %d for the test\n",
           m->sha256, (int)m->n_classes, (int)m->n_train, (int)m->n_val,
           (int)m->n_test);
    fflush(stdout);
}

int prepare_data(const struct msg_prepare *p, const struct prepare_hooks *hooks,
                 struct msg_prepared *out, struct err *err)
{
    struct job job = {.p = p, .hooks = hooks};
    struct dataset *d;
    struct dataset_split split;
    char sha256[65];
    char *dir = paths_in_state(p->cache_dir, "datasets");
    int rc = get_dataset(&job, dir, &d, sha256, err);
    free(dir);
    if (rc != 0) {
        return rc;
    }
    tell(&job, "split", 0, 0, "");
    rc = dataset_split(d, (enum dataset_split_kind)p->run.split,
                       p->run.fractions, p->run.seed, &split, err);
    if (rc != 0) {
        wrap_sources(p, err);
    } else {
        *out = (struct msg_prepared){.study = p->study,
                                     .sha256 = mem_strdup(sha256),
                                     .n_classes = (int64_t)dataset_n_classes(d),
                                     .n_train = (int64_t)split.n[DATASET_TRAIN],
                                     .n_val = (int64_t)split.n[DATASET_VAL],
                                     .n_test = (int64_t)split.n[DATASET_TEST]};
        dataset_split_fini(&split);
        print_prepared(out);
    }
    dataset_free(d);
    return rc;
}
