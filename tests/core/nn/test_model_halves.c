/* A model that keeps its wide layer in halves while it works: nobody outside
 * may see it. On a CPU without AVX512-BF16 all is float32, and holds too. */
#include "tests/lib/test_main.h"

#include "core/base/mem.h"
#include "core/nn/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { B = 3, L = 7, V = 23, C = 4 };

static struct model_config small(void)
{
    return (struct model_config){.vocab_size = V,
                                 .max_len = L,
                                 .emb_dim = 6,
                                 .num_heads = 3,
                                 .ffn_dim = 10,
                                 .num_layers = 1,
                                 .head1_dim = 9,
                                 .head2_dim = 5,
                                 .n_classes = C,
                                 .max_batch = B,
                                 .mask = MODEL_MASK_PADDING,
                                 .position = MODEL_POSITION_LEARNED,
                                 .precision = MODEL_PRECISION_BF16_MIXED,
                                 .embedding_std = 1,
                                 .attention_dropout = 0.25f,
                                 .head_dropout = 0.25f};
}

static const int32_t ids[B * L] = {3, 9, 22, 1, 1, 7, 4,  5, 8, 0, 0,
                                   0, 0, 0,  2, 2, 6, 13, 1, 0, 0};
static const int32_t lengths[B] = {7, 2, 5}, labels[B] = {3, 0, 2};
static const struct model_batch batch = {
    .ids = ids, .lengths = lengths, .labels = labels, .n = B};

static struct model *make(const struct model_config *config, bool trainable)
{
    struct model *m;
    struct err err;
    ck_assert_msg(model_new(config, trainable, &m, &err) == 0, "%s", err.msg);
    model_init(m, 5, 1);
    return m;
}

static void train(struct model *m, int steps, float clip_norm)
{
    struct model_adamw opt = {.lr = 1e-2f,
                              .weight_decay = 1e-2f,
                              .beta1 = 0.9f,
                              .beta2 = 0.999f,
                              .eps = 1e-8f,
                              .clip_norm = clip_norm};
    for (int i = 0; i < steps; i++) {
        struct model_result r;
        model_train_step(m, &batch, &opt, 9, 4, &r);
    }
}

static double loss(struct model *m)
{
    struct model_result r;
    model_evaluate(m, &batch, NULL, &r);
    return r.loss_sum / B;
}

/* The tensor that is wide here. */
static struct model_tensor wide(struct model *m)
{
    for (size_t i = 0; i < model_n_tensors(m); i++) {
        struct model_tensor t = model_tensor_at(m, i);
        if (strcmp(t.name, "head.1.weight") == 0) {
            return t;
        }
    }
    ck_abort_msg("there is no head.1.weight");
}

static void same_state(struct model *a, struct model *b)
{
    for (size_t i = 0; i < model_n_tensors(a); i++) {
        struct model_tensor x = model_tensor_at(a, i);
        struct model_tensor y = model_tensor_at(b, i);
        size_t bytes = x.n * sizeof(float);
        ck_assert_msg(memcmp(x.weight, y.weight, bytes) == 0 &&
                          memcmp(x.m, y.m, bytes) == 0 &&
                          memcmp(x.v, y.v, bytes) == 0,
                      "%s", x.name);
        ck_assert_int_eq(x.average != NULL, y.average != NULL);
        ck_assert_msg(x.average == NULL ||
                          memcmp(x.average, y.average, bytes) == 0,
                      "%s's average", x.name);
    }
}

/* Averages (1, 3), clips (2, 3), or neither. */
static struct model_config kind(int i, float *clip_norm)
{
    struct model_config c = small();
    c.weight_average = i % 2 == 1 ? 0.6f : 0.0f;
    *clip_norm = i >= 2 ? 0.05f : 0.0f;
    return c;
}

START_TEST(looking_changes_nothing)
{
    float clip_norm;
    struct model_config c = kind(_i, &clip_norm);
    struct model *alone = make(&c, true), *watched = make(&c, true);
    for (int i = 0; i < 6; i++) {
        train(alone, 1, clip_norm);
        train(watched, 1, clip_norm);
        ck_assert(model_is_finite(watched));
        ck_assert(isfinite(wide(watched).weight[i]));
        if (i % 2 == 1) {
            ck_assert_double_gt(loss(watched), 0);
        }
    }
    same_state(alone, watched);
    model_free(alone);
    model_free(watched);
}
END_TEST

START_TEST(an_evaluation_leaves_the_weights)
{
    float clip_norm;
    struct model_config c = kind(_i, &clip_norm);
    struct model *used = make(&c, true), *fresh = make(&c, true);
    ck_assert_double_gt(loss(used), 0);
    same_state(used, fresh);
    ck_assert_double_gt(loss(used), 0);
    model_init(used, 5, 1); /* from halves to floats */
    same_state(used, fresh);
    model_free(used);
    model_free(fresh);
}
END_TEST

/* The state of one in the middle of a training, given to another. */
START_TEST(resumed_training_is_the_same_to_the_bit)
{
    float clip_norm;
    struct model_config c = kind(_i, &clip_norm);
    struct model *whole = make(&c, true), *first = make(&c, true);
    struct model *second = make(&c, true);
    train(whole, 6, clip_norm);
    train(first, 2, clip_norm);
    train(second, 1, clip_norm); /* what it did before must not matter */
    for (size_t i = 0; i < model_n_tensors(first); i++) {
        struct model_tensor to = model_tensor_at(second, i);
        struct model_tensor from = model_tensor_at(first, i);
        size_t bytes = to.n * sizeof(float);
        memcpy(to.weight, from.weight, bytes);
        memcpy(to.m, from.m, bytes);
        memcpy(to.v, from.v, bytes);
        if (to.average != NULL) {
            memcpy(to.average, from.average, bytes);
        }
    }
    model_set_step(second, model_step(first));
    train(second, 4, clip_norm);
    same_state(second, whole);
    model_free(whole);
    model_free(first);
    model_free(second);
}
END_TEST

/* What is saved to predict gives what the training measured. */
START_TEST(predicts_as_trained)
{
    float clip_norm, trained_says[B * C], other_says[B * C];
    struct model_config c = kind(_i, &clip_norm);
    struct model *trained = make(&c, true), *other = make(&c, false);
    train(trained, 5, clip_norm);
    model_evaluate(trained, &batch, trained_says, NULL);
    for (size_t i = 0; i < model_n_tensors(trained); i++) {
        struct model_tensor t = model_tensor_at(trained, i);
        memcpy(model_tensor_at(other, i).weight,
               t.average != NULL ? t.average : t.weight, t.n * sizeof(float));
    }
    model_evaluate(other, &batch, other_says, NULL);
    ck_assert_mem_eq(trained_says, other_says, sizeof(other_says));
    model_free(trained);
    model_free(other);
}
END_TEST

/* A norm that nothing reaches: the input's gradient comes by itself then. */
START_TEST(a_large_clip_norm_changes_nothing)
{
    struct model_config c = small();
    struct model *plain = make(&c, true), *clipping = make(&c, true);
    train(plain, 4, 0);
    train(clipping, 4, 1e9f);
    if (model_precision_is_here(MODEL_PRECISION_BF16_MIXED)) {
        same_state(plain, clipping);
    } else {
        fprintf(stderr, "SKIPPED: this CPU has no AVX512-BF16\n");
    }
    model_free(plain);
    model_free(clipping);
}
END_TEST

static void gradients(struct model *m, float **grads)
{
    struct model_result r;
    for (size_t i = 0; i < model_n_tensors(m); i++) {
        grads[i] = mem_alloc(model_tensor_at(m, i).n, sizeof(float));
    }
    model_gradients(m, &batch, grads, &r);
}

/* So small products are float32 but for the wide layer's: its weight's rounding
 * is all that differs, and every gradient shows that it is small. */
START_TEST(gradients_are_near_those_of_float32)
{
    enum { MOST = 32 };
    struct model_config c = small();
    struct model *mixed = make(&c, true);
    c.precision = MODEL_PRECISION_FLOAT32;
    struct model *plain = make(&c, true);
    float *a[MOST], *b[MOST];
    ck_assert_uint_le(model_n_tensors(mixed), MOST);
    gradients(mixed, a);
    gradients(plain, b);
    for (size_t i = 0; i < model_n_tensors(mixed); i++) {
        struct model_tensor t = model_tensor_at(mixed, i);
        double diff = 0, norm = 0;
        for (size_t j = 0; j < t.n; j++) {
            diff += pow((double)a[i][j] - b[i][j], 2);
            norm += pow((double)b[i][j], 2);
        }
        ck_assert_msg(sqrt(diff) <= 0.02 * sqrt(norm) + 1e-7, "%s: %g of %g",
                      t.name, sqrt(diff), sqrt(norm));
        free(a[i]);
        free(b[i]);
    }
    ck_assert_double_eq_tol(loss(mixed), loss(plain), 0.01);
    model_free(mixed);
    model_free(plain);
}
END_TEST

/* Too many rows at a time for the kernels of few: floats all the way. */
START_TEST(larger_batches)
{
    struct model_config c = small();
    struct model *few = make(&c, true);
    c.max_batch = 17;
    struct model *many = make(&c, true);
    ck_assert_double_eq_tol(loss(few), loss(many), 0.01);
    train(many, 3, 0);
    ck_assert(model_is_finite(many));
    model_free(few);
    model_free(many);
}
END_TEST

START_TEST(no_number_is_hidden)
{
    float clip_norm;
    struct model_config c = kind(_i, &clip_norm);
    struct model *m = make(&c, true);
    ck_assert_double_gt(loss(m), 0);
    ck_assert(model_is_finite(m));
    struct model_tensor t = wide(m);
    float *at = t.average != NULL ? t.average : t.weight;
    at[t.n - 2] = _i < 2 ? NAN : -INFINITY;
    (void)loss(m);
    ck_assert(!model_is_finite(m));
    (void)wide(m); /* joined: at is floats again */
    ck_assert(!isfinite(at[t.n - 2]) && isfinite(at[t.n - 1]));
    model_free(m);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("model_halves");
    TCase *t = tcase_create("all");
    tcase_add_loop_test(t, looking_changes_nothing, 0, 4);
    tcase_add_loop_test(t, an_evaluation_leaves_the_weights, 0, 4);
    tcase_add_loop_test(t, resumed_training_is_the_same_to_the_bit, 0, 4);
    tcase_add_loop_test(t, predicts_as_trained, 0, 4);
    tcase_add_test(t, a_large_clip_norm_changes_nothing);
    tcase_add_test(t, gradients_are_near_those_of_float32);
    tcase_add_test(t, larger_batches);
    tcase_add_loop_test(t, no_number_is_hidden, 0, 4);
    suite_add_tcase(s, t);
    return s;
}
