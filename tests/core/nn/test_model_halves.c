/* A model that keeps its wide layer in halves while it works: nobody outside
 * may see it. On a CPU without AVX512-BF16 all is float32, and holds too. */
#include "tests/lib/small_model.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct model_config small(void)
{
    struct model_config c = small_model_config();
    c.precision = MODEL_PRECISION_BF16_MIXED;
    c.ffn_dropout = 0;
    return c;
}

static void train(struct model *m, int steps, float clip_norm)
{
    struct model_adamw opt = small_model_adamw;
    opt.clip_norm = clip_norm;
    for (int i = 0; i < steps; i++) {
        struct model_result r;
        model_train_step(m, &small_model_three, &opt, 9, 4, &r);
    }
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
    struct model *alone = small_model_new(&c, true);
    struct model *watched = small_model_new(&c, true);
    for (int i = 0; i < 6; i++) {
        train(alone, 1, clip_norm);
        train(watched, 1, clip_norm);
        ck_assert(model_is_finite(watched));
        ck_assert(isfinite(wide(watched).weight[i]));
        if (i % 2 == 1) {
            ck_assert_double_gt(small_model_loss(watched), 0);
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
    struct model *used = small_model_new(&c, true);
    struct model *fresh = small_model_new(&c, true);
    ck_assert_double_gt(small_model_loss(used), 0);
    same_state(used, fresh);
    ck_assert_double_gt(small_model_loss(used), 0);
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
    struct model *whole = small_model_new(&c, true);
    struct model *first = small_model_new(&c, true);
    struct model *second = small_model_new(&c, true);
    train(whole, 6, clip_norm);
    train(first, 2, clip_norm);
    train(second, 1, clip_norm); /* what it did before must not matter */
    small_model_copy_state(second, first);
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
    enum { N = 3 * SMALL_MODEL_CLASSES };
    float clip_norm, trained_says[N], other_says[N];
    struct model_config c = kind(_i, &clip_norm);
    struct model *trained = small_model_new(&c, true);
    struct model *other = small_model_new(&c, false);
    train(trained, 5, clip_norm);
    model_evaluate(trained, &small_model_three, trained_says, NULL);
    small_model_copy_weights(other, trained);
    model_evaluate(other, &small_model_three, other_says, NULL);
    ck_assert_mem_eq(trained_says, other_says, sizeof(other_says));
    model_free(trained);
    model_free(other);
}
END_TEST

/* A norm that nothing reaches: the input's gradient comes by itself then. */
START_TEST(a_large_clip_norm_changes_nothing)
{
    struct model_config c = small();
    struct model *plain = small_model_new(&c, true);
    struct model *clipping = small_model_new(&c, true);
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

/* So small products are float32 but for the wide layer's: its weight's rounding
 * is all that differs, and every gradient shows that it is small. */
START_TEST(gradients_are_near_those_of_float32)
{
    struct model_config c = small();
    struct model *mixed = small_model_new(&c, true);
    c.precision = MODEL_PRECISION_FLOAT32;
    struct model *plain = small_model_new(&c, true);
    float *a[SMALL_MODEL_TENSORS], *b[SMALL_MODEL_TENSORS];
    struct model_result r;
    small_model_gradients(mixed, &small_model_three, a, &r);
    small_model_gradients(plain, &small_model_three, b, &r);
    for (size_t i = 0; i < model_n_tensors(mixed); i++) {
        struct model_tensor t = model_tensor_at(mixed, i);
        double diff = 0, norm = 0;
        for (size_t j = 0; j < t.n; j++) {
            diff += pow((double)a[i][j] - b[i][j], 2);
            norm += pow((double)b[i][j], 2);
        }
        ck_assert_msg(sqrt(diff) <= 0.02 * sqrt(norm) + 1e-7, "%s: %g of %g",
                      t.name, sqrt(diff), sqrt(norm));
    }
    small_model_free_gradients(a);
    small_model_free_gradients(b);
    ck_assert_double_eq_tol(small_model_loss(mixed), small_model_loss(plain),
                            0.01);
    model_free(mixed);
    model_free(plain);
}
END_TEST

/* Too many rows at a time for the kernels of few: floats all the way. */
START_TEST(larger_batches)
{
    struct model_config c = small();
    struct model *few = small_model_new(&c, true);
    c.max_batch = 17;
    struct model *many = small_model_new(&c, true);
    ck_assert_double_eq_tol(small_model_loss(few), small_model_loss(many),
                            0.01);
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
    struct model *m = small_model_new(&c, true);
    ck_assert_double_gt(small_model_loss(m), 0);
    ck_assert(model_is_finite(m));
    struct model_tensor t = wide(m);
    float *at = t.average != NULL ? t.average : t.weight;
    at[t.n - 2] = _i < 2 ? NAN : -INFINITY;
    (void)small_model_loss(m);
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
