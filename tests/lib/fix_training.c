#include "tests/lib/fix_training.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/data/dataset.h"
#include "core/train/checkpoint.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each text has one telling word among words that tell nothing. */
static void write_texts(const char *path, size_t n_rows)
{
    static const char *const telling[] = {"apple", "train", "music"};
    static const char *const filler[] = {"the", "of",   "a",    "and",
                                         "in",  "well", "some", "more"};
    struct buf text;
    struct rng rng;
    struct err err = {0};
    buf_init(&text, BUF_MAX_RESPONSE);
    rng_mt19937(&rng, 7);
    for (size_t i = 0; i < n_rows; i++) {
        uint32_t at = rng_below(&rng, 5);
        buf_str(&text, "{\"text\": \"");
        for (uint32_t w = 0; w < 5; w++) {
            buf_printf(&text, "%s%s", w > 0 ? " " : "",
                       w == at ? telling[i % 3] : filler[rng_below(&rng, 8)]);
        }
        buf_printf(&text, "\", \"label\": \"%s\"}\n", telling[i % 3]);
    }
    int rc = file_write_atomic(path, text.data, text.len, 0600, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    buf_fini(&text);
}

void fix_training_init(struct fix_training *f, size_t n_rows)
{
    struct err err = {0};
    *f = (struct fix_training){0};
    strcpy(f->dir, "/tmp/parzen-training-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(f->dir));
    snprintf(f->trial_dir, sizeof(f->trial_dir), "%s/trial", f->dir);
    int rc = file_mkdirs(f->trial_dir, 0700, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    char *path = mem_printf("%s/texts.jsonl", f->dir);
    write_texts(path, n_rows);
    const char *const sources[] = {path};
    const struct dataset_query query = {.sources = sources,
                                        .n_sources = 1,
                                        .text = "text",
                                        .label = "label",
                                        .min_class_count = 1};
    rc = dataset_read(&query, &f->dataset, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    rc = dataset_save(f->dataset, f->dir, f->sha256, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    free(path);
}

void fix_training_fini(struct fix_training *f)
{
    dataset_free(f->dataset);
    ck_assert_int_eq(file_remove_tree(f->dir, NULL), 0);
}

void fix_training_run(struct run *run)
{
    run_defaults(run);
    run->seed = 11;
    run->trial = 3;
    run->threads = 1;
    run->fractions[0] = 0.8;
    run->fractions[1] = 0.1;
    run->fractions[2] = 0.1;
    run->tokenizer_length = 20;
    run->vocab_size = 300;
    run->max_len = 12;
    run->emb_dim = 8;
    run->num_heads = 2;
    run->ffn_dim = 16;
    run->residual = RUN_RESIDUAL_NONE;
    run->norm = RUN_NORM_POST;
    run->activation = RUN_ACTIVATION_RELU;
    run->pooling = RUN_POOLING_FLATTEN;
    run->dropout = 0.2;
    run->token_dropout = 0;
    run->embedding_dropout = 0;
    run->embedding_std = 1;
    run->position = RUN_POSITION_SINUSOID;
    run->head1_dim = 16;
    run->head2_dim = 8;
    run->max_epochs = 3;
    run->batch_size = 5;
    run->lr = 3e-3;
    run->weight_decay = 1e-5;
    run->lr_schedule = RUN_LR_SCHEDULE_CONSTANT;
    run->warmup = 0;
    run->clip_norm = 0;
    run->weight_average = 0;
    run->checkpoint_seconds = 1;
}

struct trainer_options fix_training_options(const struct fix_training *f,
                                            const struct run *run)
{
    return (struct trainer_options){
        .run = *run,
        .metric = RUN_VAL_LOSS,
        .maximize = f->maximize,
        .dataset = f->dataset,
        .dataset_sha256 = f->sha256,
        .dir = f->trial_dir,
        .shared_dir = f->shared_dir,
    };
}

static void commit_checkpoint(const struct fix_training *f,
                              const struct trainer_checkpoint *told,
                              struct fix_record *record)
{
    struct err err = {0};
    *(told->best ? &record->best : &record->last) = *told;
    const char *const keep[] = {record->last.file, record->best.file};
    int rc = checkpoint_remove_others(f->trial_dir, keep, 2, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
}

static void commit_epoch(const struct trainer_event *e,
                         struct fix_record *record)
{
    int64_t epoch = e->progress.epoch;
    ck_assert_int_lt(epoch, FIX_MAX_EPOCHS);
    if (epoch < record->n_epochs) {
        ck_assert_mem_eq(&record->metrics[epoch], &e->metrics,
                         sizeof(e->metrics));
        return;
    }
    ck_assert_int_eq(epoch, record->n_epochs);
    record->metrics[epoch] = e->metrics;
    record->n_epochs++;
}

static void commit(const struct fix_training *f, const struct trainer_event *e,
                   struct fix_record *record)
{
    if (e->what == TRAINER_CHECKPOINT) {
        commit_checkpoint(f, &e->checkpoint, record);
    } else if (e->what == TRAINER_EPOCH) {
        commit_epoch(e, record);
    } else if (e->what == TRAINER_DONE) {
        record->is_done = true;
        record->result = e->result;
    }
}

void fix_training_go(const struct fix_training *f, const struct run *run,
                     const struct fix_plan *plan, struct fix_record *record)
{
    struct trainer_options options = fix_training_options(f, run);
    struct trainer *t = NULL;
    struct trainer_event event;
    struct err err = {0};
    options.resume_file = record->last.file;
    options.resume_sha256 = record->last.sha256;
    options.best_file = record->best.file;
    options.best_sha256 = record->best.sha256;
    int rc = trainer_new(&options, &t, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    ck_assert_msg(trainer_warning(t) == NULL, "%s", trainer_warning(t));
    int64_t now_ms = 5000;
    for (int i = 0; i != plan->n_steps && !record->is_done; i++) {
        rc = trainer_step(t, now_ms, &event, &err);
        ck_assert_msg(rc == 0, "%s", err.msg);
        if (!plan->lose_last || i != plan->n_steps - 1) {
            commit(f, &event, record);
        }
        record->n_steps++;
        now_ms += plan->ms_per_step;
    }
    if (plan->stop && !record->is_done) {
        rc = trainer_checkpoint_now(t, &event, &err);
        ck_assert_msg(rc == 0, "%s", err.msg);
        commit(f, &event, record);
    }
    trainer_free(t);
}

void fix_record_must_equal(const struct fix_record *a,
                           const struct fix_record *b)
{
    ck_assert(a->is_done && b->is_done);
    ck_assert_int_eq(a->n_epochs, b->n_epochs);
    ck_assert_mem_eq(a->metrics, b->metrics,
                     sizeof(a->metrics[0]) * (size_t)a->n_epochs);
    ck_assert_str_eq(a->best.file, b->best.file);
    ck_assert_str_eq(a->best.sha256, b->best.sha256);
    ck_assert_uint_eq(a->best.size, b->best.size);
    ck_assert_mem_eq(&a->result.value, &b->result.value, sizeof(double));
    ck_assert_int_eq(a->result.best_epoch, b->result.best_epoch);
    ck_assert_int_eq(a->result.n_epochs, b->result.n_epochs);
    ck_assert_int_eq(a->result.end, b->result.end);
    ck_assert_str_eq(a->result.why, b->result.why);
}
