#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/data/dataset.h"
#include "core/nn/model.h"
#include "core/text/bpe.h"
#include "core/train/checkpoint.h"
#include "core/train/predictor.h"
#include "tests/lib/fix_training.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fix_training fix;

static void set_up(void)
{
    fix_training_init(&fix, 61);
}

static void tear_down(void)
{
    fix_training_fini(&fix);
}

static struct fix_record train(const struct run *run)
{
    static const struct fix_plan to_the_end = {.n_steps = -1};
    struct fix_record record = {0};
    fix_training_go(&fix, run, &to_the_end, &record);
    ck_assert(record.is_done);
    return record;
}

static struct trainer *must_open(const struct trainer_options *options)
{
    struct trainer *t = NULL;
    struct err err = {0};
    int rc = trainer_new(options, &t, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    return t;
}

/* --- against a loop that anybody would write --------------------------------
 */

struct naive {
    const struct run *run;
    struct bpe *tokenizer;
    struct bpe_encoder *encoder;
    struct model *model;
};

static struct model_result naive_batch(struct naive *n, const uint32_t *rows,
                                       int n_rows, bool train)
{
    int32_t ids[5 * 12] = {0}, lengths[5], labels[5];
    const struct model_batch batch = {ids, lengths, labels, n_rows};
    const struct model_adamw opt = {.lr = (float)n->run->lr,
                                    .weight_decay = (float)n->run->weight_decay,
                                    .beta1 = 0.9f,
                                    .beta2 = 0.999f,
                                    .eps = 1e-8f};
    struct model_result result;
    for (int i = 0; i < n_rows; i++) {
        size_t length;
        ck_assert_int_eq(bpe_encode(n->encoder,
                                    dataset_text(fix.dataset, rows[i]),
                                    ids + 12 * i, 12, &length, NULL),
                         0);
        lengths[i] = (int32_t)length;
        labels[i] = dataset_label(fix.dataset, rows[i]);
    }
    if (train) {
        model_train_step(n->model, &batch, &opt, n->run->seed,
                         (uint32_t)n->run->trial, &result);
    } else {
        model_evaluate(n->model, &batch, NULL, &result);
    }
    return result;
}

static void naive_pass(struct naive *n, const uint32_t *rows, size_t n_rows,
                       bool train, double *loss, double *acc)
{
    double sum = 0, correct = 0;
    for (size_t at = 0; at < n_rows; at += 5) {
        int size = n_rows - at < 5 ? (int)(n_rows - at) : 5;
        struct model_result r = naive_batch(n, rows + at, size, train);
        sum += r.loss_sum;
        correct += r.n_correct;
    }
    *loss = sum / (double)n_rows;
    *acc = correct / (double)n_rows;
}

static void naive_init(struct naive *n, const struct run *run)
{
    struct span texts[20];
    const struct bpe_options options = {.vocab_size = 300};
    *n = (struct naive){.run = run};
    for (size_t i = 0; i < 20; i++) {
        texts[i] = dataset_text(fix.dataset, i);
    }
    ck_assert_int_eq(bpe_train(texts, 20, &options, &n->tokenizer, NULL), 0);
    n->encoder = bpe_encoder_new(n->tokenizer);
    const struct model_config config = {
        .vocab_size = bpe_vocab_size(n->tokenizer),
        .max_len = 12,
        .emb_dim = 8,
        .num_heads = 2,
        .ffn_dim = 16,
        .num_layers = 1,
        .head1_dim = 16,
        .head2_dim = 8,
        .n_classes = 3,
        .max_batch = 5,
        .embedding_std = 1,
        .attention_dropout = 0.2f,
        .ffn_dropout = 0.2f,
        .head_dropout = 0.2f,
    };
    ck_assert_int_eq(model_new(&config, true, &n->model, NULL), 0);
    model_init(n->model, run->seed, (uint32_t)run->trial);
}

static void naive_fini(struct naive *n)
{
    model_free(n->model);
    bpe_encoder_free(n->encoder);
    bpe_free(n->tokenizer);
}

START_TEST(test_equals_a_naive_loop)
{
    struct run run;
    struct naive n;
    struct dataset_split split;
    fix_training_run(&run);
    struct fix_record record = train(&run);
    ck_assert_int_eq(record.n_epochs, 3);
    naive_init(&n, &run);
    ck_assert_int_eq(dataset_split(fix.dataset, DATASET_SPLIT_RANDOM,
                                   run.fractions, run.seed, &split, NULL),
                     0);
    ck_assert_uint_ne(split.n[0] % 5, 0); /* the last batch is smaller */
    for (uint32_t epoch = 0; epoch < 3; epoch++) {
        struct run_metrics m;
        struct rng rng;
        double ignored;
        uint32_t order[61];
        memcpy(order, split.rows[0], split.n[0] * sizeof(*order));
        rng_stream(&rng, run.seed, (uint32_t)run.trial, RNG_SHUFFLE, epoch);
        rng_shuffle(&rng, order, (uint32_t)split.n[0]);
        naive_pass(&n, order, split.n[0], true, &m.value[RUN_TRAIN_LOSS],
                   &m.value[RUN_TRAIN_ACC]);
        naive_pass(&n, split.rows[1], split.n[1], false, &m.value[RUN_VAL_LOSS],
                   &m.value[RUN_VAL_ACC]);
        naive_pass(&n, split.rows[2], split.n[2], false, &ignored,
                   &m.value[RUN_TEST_ACC]);
        ck_assert_mem_eq(&m, &record.metrics[epoch], sizeof(m));
    }
    dataset_split_fini(&split);
    naive_fini(&n);
}
END_TEST

/* --- learning and the best epoch --------------------------------------------
 */

START_TEST(test_learns_what_can_be_learnt)
{
    struct run run;
    struct fix_training big;
    static const struct fix_plan to_the_end = {.n_steps = -1};
    struct fix_record record = {0};
    fix_training_init(&big, 300);
    fix_training_run(&run);
    run.emb_dim = 16;
    run.head1_dim = 32;
    run.head2_dim = 16;
    run.max_epochs = 12;
    run.tokenizer_length = 300;
    fix_training_go(&big, &run, &to_the_end, &record);
    const struct run_metrics *last = &record.metrics[record.n_epochs - 1];
    ck_assert_double_gt(last->value[RUN_VAL_ACC], 0.9);
    ck_assert_double_gt(last->value[RUN_TEST_ACC], 0.9);
    ck_assert_double_lt(last->value[RUN_TRAIN_LOSS],
                        record.metrics[0].value[RUN_TRAIN_LOSS] / 2);
    fix_training_fini(&big);
}
END_TEST

/* The order in which an epoch's end is told, and what the best epoch is. */
START_TEST(test_best_then_report_then_last)
{
    struct run run;
    struct trainer_event e = {0};
    enum { NOTHING, BEST, REPORT } before = NOTHING;
    double best = -INFINITY;
    int64_t best_epoch = -1;
    fix_training_run(&run);
    run.max_epochs = 8;
    struct trainer_options options = fix_training_options(&fix, &run);
    options.metric = RUN_VAL_ACC; /* coarse: it has ties */
    options.maximize = true;
    options.of_last = true;
    struct trainer *t = must_open(&options);
    double value = NAN;
    while (e.what != TRAINER_DONE) {
        ck_assert_int_eq(trainer_step(t, 0, &e, NULL), 0);
        if (e.what == TRAINER_CHECKPOINT && e.checkpoint.best) {
            ck_assert_int_eq(before, NOTHING);
            best_epoch = e.checkpoint.epoch;
            before = BEST;
        } else if (e.what == TRAINER_EPOCH) {
            value = e.metrics.value[RUN_VAL_ACC];
            ck_assert_int_eq(before == BEST, value > best);
            ck_assert(before != BEST || best_epoch == e.progress.epoch);
            best = fmax(best, value);
            before = REPORT;
        } else if (e.what == TRAINER_CHECKPOINT) {
            ck_assert_int_eq(before, REPORT);
            before = NOTHING;
        }
    }
    ck_assert_int_eq(e.result.best_epoch, best_epoch);
    ck_assert_double_eq(e.result.best_value, best);
    ck_assert_double_eq(e.result.value, value);
    ck_assert_int_eq(e.result.n_epochs, 8);
    ck_assert_str_eq(e.result.why, "all 8 epochs are done");
    ck_assert_int_eq(e.progress.phase, TRAINER_FINISHED);
    ck_assert_int_eq(e.progress.step, 8 * trainer_sizes(t).n_batches);
    trainer_free(t);
}
END_TEST

START_TEST(test_phases_follow_each_other)
{
    struct run run;
    struct trainer_event e = {0};
    char seen[256] = "tokenize";
    fix_training_run(&run);
    run.max_epochs = 1;
    struct trainer_options options = fix_training_options(&fix, &run);
    struct trainer *t = must_open(&options);
    ck_assert_int_eq(trainer_sizes(t).vocab_size, 0);
    while (e.what != TRAINER_DONE) {
        ck_assert_int_eq(trainer_step(t, 0, &e, NULL), 0);
        const char *phase = trainer_phase_name(e.progress.phase);
        const char *last = strrchr(seen, ' ');
        ck_assert_int_ge(e.progress.at, 0);
        ck_assert_int_le(e.progress.at, e.progress.n);
        if (strcmp(last == NULL ? seen : last + 1, phase) != 0) {
            strcat(strcat(seen, " "), phase);
        }
    }
    ck_assert_str_eq(seen, "tokenize encode train eval save done");
    ck_assert_int_gt(trainer_sizes(t).vocab_size, 257);
    ck_assert_uint_gt(trainer_bytes(t), 10000);
    ck_assert_uint_eq(trainer_sizes(t).n_rows[0],
                      49); /* 48 and the remainder */
    trainer_free(t);
}
END_TEST

START_TEST(test_an_empty_test_part_is_nan)
{
    struct run run;
    fix_training_run(&run);
    run.fractions[1] = 0.2;
    run.fractions[2] = 0;
    run.max_epochs = 1;
    struct dataset_split split;
    ck_assert_int_eq(dataset_split(fix.dataset, DATASET_SPLIT_RANDOM,
                                   run.fractions, run.seed, &split, NULL),
                     0);
    ck_assert_uint_eq(split.n[2], 0);
    dataset_split_fini(&split);
    struct fix_record record = train(&run);
    ck_assert(isnan(record.metrics[0].value[RUN_TEST_ACC]));
    ck_assert(isfinite(record.metrics[0].value[RUN_VAL_LOSS]));
    struct trainer_event e = {0};
    struct trainer_options options = fix_training_options(&fix, &run);
    options.metric = RUN_TEST_ACC;
    struct trainer *t = must_open(&options);
    while (e.what != TRAINER_DONE) {
        ck_assert_int_eq(trainer_step(t, 0, &e, NULL), 0);
        ck_assert(e.what != TRAINER_CHECKPOINT || !e.checkpoint.best);
    }
    ck_assert(isnan(e.result.value));
    ck_assert_str_eq(e.result.why,
                     "the one epoch is done, but test-acc never was a number");
    trainer_free(t);
}
END_TEST

START_TEST(test_a_folder_that_is_gone)
{
    struct run run;
    struct err err = {0};
    struct trainer_event e = {0};
    fix_training_run(&run);
    struct trainer_options options = fix_training_options(&fix, &run);
    struct trainer *t = must_open(&options);
    while (e.progress.step == 0) {
        ck_assert_int_eq(trainer_step(t, 0, &e, &err), 0);
    }
    ck_assert_int_eq(rmdir(fix.trial_dir), 0);
    ck_assert_int_eq(trainer_checkpoint_now(t, &e, &err), ERR_IO);
    ck_assert_int_eq(mkdir(fix.trial_dir, 0700), 0);
    ck_assert_int_eq(trainer_checkpoint_now(t, &e, &err), 0);
    ck_assert_int_eq(e.what, TRAINER_CHECKPOINT);
    trainer_free(t);
}
END_TEST

START_TEST(test_nan_ends_the_training_at_the_epoch)
{
    struct run run;
    fix_training_run(&run);
    run.lr = 1e3;
    run.weight_decay = 1e3; /* each step multiplies the weights by -1e6 */
    struct fix_record record = train(&run);
    ck_assert_int_eq(record.n_epochs, 1);
    for (int i = 0; i < RUN_N_METRICS; i++) {
        ck_assert(isnan(record.metrics[0].value[i]));
    }
    ck_assert_int_eq(record.result.end, TRAINER_END_NAN);
    ck_assert(isnan(record.result.value));
    ck_assert_int_eq(record.result.best_epoch, -1);
    ck_assert_str_eq(record.best.file, "");
    ck_assert_ptr_nonnull(strstr(record.result.why,
                                 "the training loss is not a number: epoch 1"));
}
END_TEST

/* Weights that no text of the data uses: the loss never meets them. */
static void spoil(const struct trainer_checkpoint *last, float by,
                  char sha256[65])
{
    struct checkpoint c;
    struct model *m;
    uint64_t size;
    struct err err = {0};
    char *path = mem_printf("%s/%s", fix.trial_dir, last->file);
    int rc = checkpoint_open(path, last->sha256, true, 5, &c, &m, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    struct model_tensor t = model_tensor_at(m, 0);
    ck_assert_str_eq(t.name, "embedding.weight");
    t.weight[(BPE_FIRST_MERGE - 1) * t.dims[1]] = by;
    rc = checkpoint_write(&c, m, path, sha256, &size, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    model_free(m);
    checkpoint_fini(&c);
    free(path);
}

START_TEST(test_weights_that_are_no_numbers_are_never_the_best)
{
    struct run run;
    struct trainer_event e = {0}, last = {0};
    struct err err = {0};
    char sha256[65];
    fix_training_run(&run);
    struct trainer_options options = fix_training_options(&fix, &run);
    struct trainer *t = must_open(&options);
    while (e.progress.step < 3) {
        ck_assert_int_eq(trainer_step(t, 0, &e, &err), 0);
    }
    ck_assert_int_eq(trainer_checkpoint_now(t, &last, &err), 0);
    trainer_free(t);
    spoil(&last.checkpoint, _i == 0 ? NAN : INFINITY, sha256);
    options.resume_file = last.checkpoint.file;
    options.resume_sha256 = sha256;
    t = must_open(&options);
    while (e.what != TRAINER_DONE) {
        ck_assert_int_eq(trainer_step(t, 0, &e, &err), 0);
        ck_assert(e.progress.step == 3 || isfinite(e.progress.loss));
        ck_assert(e.what != TRAINER_CHECKPOINT || !e.checkpoint.best);
        ck_assert(e.what != TRAINER_EPOCH ||
                  isnan(e.metrics.value[RUN_VAL_LOSS]));
    }
    ck_assert_int_eq(e.result.end, TRAINER_END_NAN);
    ck_assert_int_eq(e.result.best_epoch, -1);
    ck_assert_int_eq(e.result.n_epochs, 1);
    ck_assert_str_eq(
        e.result.why,
        "the weights are not all finite: epoch 1, optimiser step 10");
    trainer_free(t);
}
END_TEST

START_TEST(test_early_stopping_ends_it)
{
    struct run run;
    fix_training_run(&run);
    run.monitor = RUN_MONITOR_VAL_LOSS;
    run.patience = 2;
    run.min_delta = 1e6; /* nothing but the first epoch is better */
    run.max_epochs = 50;
    struct fix_record record = train(&run);
    ck_assert_int_eq(record.n_epochs, 3);
    ck_assert_int_eq(record.result.end, TRAINER_END_EARLY);
    ck_assert_str_eq(record.result.why,
                     "early stopping: val-loss has not improved for 2 epochs");
}
END_TEST

START_TEST(test_works_without_a_folder)
{
    struct run run;
    struct trainer_event e = {0};
    fix_training_run(&run);
    struct fix_record record = train(&run);
    struct trainer_options options = fix_training_options(&fix, &run);
    options.dir = NULL;
    struct trainer *t = must_open(&options);
    while (e.what != TRAINER_DONE) {
        ck_assert_int_eq(trainer_step(t, 0, &e, NULL), 0);
        ck_assert_int_ne(e.what, TRAINER_CHECKPOINT);
    }
    ck_assert_double_eq(e.result.value, record.result.value);
    ck_assert_int_eq(trainer_checkpoint_now(t, &e, NULL), 0);
    ck_assert_int_eq(e.what, TRAINER_WORKED);
    trainer_free(t);
}
END_TEST

/* --- what is refused ---------------------------------------------------------
 */

START_TEST(test_what_does_not_fit_is_refused)
{
    struct run run;
    struct trainer *t = NULL;
    struct err err = {0};
    fix_training_run(&run);
    struct trainer_options options = fix_training_options(&fix, &run);
    options.run.emb_dim = 9;
    ck_assert_int_eq(trainer_new(&options, &t, &err), ERR_INVALID);
    ck_assert_msg(strstr(err.msg, "num_heads") != NULL, "%s", err.msg);
    options.run = run;
    options.run.max_len = 8192;
    options.run.emb_dim = 8192;
    options.run.head1_dim = 65536;
    ck_assert_int_eq(trainer_new(&options, &t, &err), ERR_LIMIT);
    ck_assert_msg(strstr(err.msg, "bytes") != NULL, "%s", err.msg);
    ck_assert_ptr_null(t);
}
END_TEST

/* --- using the result --------------------------------------------------------
 */

START_TEST(test_predictor_says_what_evaluation_said)
{
    struct run run;
    struct predictor *p;
    struct dataset_split split;
    struct err err = {0};
    fix_training_run(&run);
    run.weight_average = _i == 0 ? 0 : 0.9;
    struct fix_record record = train(&run);
    char *path = mem_printf("%s/%s", fix.trial_dir, record.best.file);
    int rc = predictor_open(path, record.best.sha256, &p, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    const struct checkpoint *c = predictor_checkpoint(p);
    ck_assert_int_eq(c->kind, CHECKPOINT_BEST);
    ck_assert_uint_eq(c->n_classes, 3);
    ck_assert_str_eq(c->classes[2], "train");
    ck_assert_str_eq(c->dataset_sha256, fix.sha256);
    ck_assert_mem_eq(&c->metrics, &record.metrics[record.result.best_epoch],
                     sizeof(c->metrics));
    ck_assert_int_eq(dataset_split(fix.dataset, DATASET_SPLIT_RANDOM,
                                   run.fractions, run.seed, &split, NULL),
                     0);
    double loss = 0;
    struct span texts[61];
    float logprob[61 * 3];
    for (size_t i = 0; i < split.n[1]; i++) {
        texts[i] = dataset_text(fix.dataset, split.rows[1][i]);
    }
    rc = predictor_run(p, texts, split.n[1], logprob, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    for (size_t i = 0; i < split.n[1]; i++) {
        loss -= logprob[3 * i +
                        (size_t)dataset_label(fix.dataset, split.rows[1][i])];
    }
    ck_assert_double_eq_tol(
        loss / (double)split.n[1],
        record.metrics[record.result.best_epoch].value[RUN_VAL_LOSS], 1e-5);
    ck_assert_int_eq(predictor_run(p, texts, 0, logprob, &err), 0);
    dataset_split_fini(&split);
    predictor_free(p);
    free(path);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("trainer");
    TCase *tc = tcase_create("training");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_equals_a_naive_loop);
    tcase_add_test(tc, test_learns_what_can_be_learnt);
    tcase_add_test(tc, test_best_then_report_then_last);
    tcase_add_test(tc, test_phases_follow_each_other);
    tcase_add_test(tc, test_an_empty_test_part_is_nan);
    tcase_add_test(tc, test_a_folder_that_is_gone);
    tcase_add_test(tc, test_nan_ends_the_training_at_the_epoch);
    tcase_add_loop_test(tc, test_weights_that_are_no_numbers_are_never_the_best,
                        0, 2);
    tcase_add_test(tc, test_early_stopping_ends_it);
    tcase_add_test(tc, test_works_without_a_folder);
    tcase_add_test(tc, test_what_does_not_fit_is_refused);
    tcase_add_loop_test(tc, test_predictor_says_what_evaluation_said, 0, 2);
    suite_add_tcase(s, tc);
    return s;
}
