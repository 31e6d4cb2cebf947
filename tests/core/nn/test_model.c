#include "tests/lib/slope.h"
#include "tests/lib/small_model.h"
#include "tests/lib/test_main.h"

#include "core/base/mem.h"
#include "core/base/rng.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { B = 3, L = SMALL_MODEL_LEN, C = SMALL_MODEL_CLASSES };

static struct model_config small(enum model_mask mask)
{
    struct model_config c = small_model_config();
    c.mask = mask;
    return c;
}

static struct model *make(const struct model_config *config)
{
    return small_model_new(config, true);
}

START_TEST(gradients_are_slopes)
{
    struct model_config c = small((enum model_mask)_i);
    struct model *m = make(&c);
    static const struct slope_way way = {.loss = small_model_loss,
                                         .steps = {3e-4f},
                                         .relative = 2e-2,
                                         .absolute = 1e-3};
    float *grads[SMALL_MODEL_TENSORS];
    struct model_result r;
    small_model_gradients(m, &small_model_three, grads, &r);
    ck_assert_double_eq_tol(r.loss_sum / B, small_model_loss(m), 1e-6);
    struct rng rng;
    rng_stream(&rng, 1, 2, RNG_SAMPLER, 0);
    double largest = 0;
    for (size_t i = 0; i < model_n_tensors(m); i++) {
        for (int round = 0; round < 4; round++) {
            slope_check(m, i, grads[i], &rng, &way, _i);
        }
        largest = fmax(largest, fabs(grads[i][0]));
    }
    small_model_free_gradients(grads);
    ck_assert_double_gt(largest, 1e-3); /* zeros would agree with anything */
    model_free(m);
}
END_TEST

/* All weights as one array. */
static float *weights(struct model *m, size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < model_n_tensors(m); i++) {
        *n += model_tensor_at(m, i).n;
    }
    float *all = mem_alloc(*n, sizeof(float));
    size_t at = 0;
    for (size_t i = 0; i < model_n_tensors(m); i++) {
        struct model_tensor t = model_tensor_at(m, i);
        memcpy(all + at, t.weight, t.n * sizeof(float));
        at += t.n;
    }
    return all;
}

static void train(struct model *m, int steps, uint64_t seed)
{
    for (int i = 0; i < steps; i++) {
        struct model_result r;
        model_train_step(m, &small_model_three, &small_model_adamw, seed, 4,
                         &r);
    }
}

START_TEST(resumed_training_is_the_same_to_the_bit)
{
    struct model_config c = small(MODEL_MASK_PADDING);
    struct model *whole = make(&c), *first = make(&c), *second = make(&c);
    train(whole, 6, 9);
    train(first, 2, 9);
    train(second, 1, 77); /* whatever it did before must not matter */
    small_model_copy_state(second, first);
    train(second, 4, 9);
    size_t n;
    float *a = weights(whole, &n), *b = weights(second, &n);
    ck_assert_mem_eq(a, b, n * sizeof(float));
    ck_assert_int_eq(model_step(second), 6);
    free(a);
    free(b);
    model_free(whole);
    model_free(first);
    model_free(second);
}
END_TEST

/* The average of each weight, added up beside the training. */
START_TEST(averages_are_evaluated)
{
    struct model_config c = small(MODEL_MASK_PADDING);
    c.pooling = _i == 0 ? MODEL_POOLING_FLATTEN : MODEL_POOLING_MEAN;
    struct model *plain = make(&c), *other = make(&c);
    c.weight_average = 0.6f;
    struct model *averaging = make(&c);
    size_t n;
    float *mean = weights(plain, &n);
    for (int t = 1; t <= 9; t++) {
        train(plain, 1, 9);
        train(averaging, 1, 9);
        float *now = weights(plain, &n), *same = weights(averaging, &n);
        ck_assert_mem_eq(now, same, n * sizeof(float));
        double decay = fmin(0.6, (1.0 + t) / (10.0 + t));
        for (size_t i = 0; i < n; i++) {
            mean[i] = (float)(decay * mean[i] + (1 - decay) * now[i]);
        }
        free(now);
        free(same);
    }
    size_t at = 0;
    for (size_t i = 0; i < model_n_tensors(other); i++) {
        struct model_tensor t = model_tensor_at(other, i);
        memcpy(t.weight, mean + at, t.n * sizeof(float));
        at += t.n;
    }
    ck_assert_double_eq_tol(small_model_loss(averaging),
                            small_model_loss(other), 1e-5);
    ck_assert_double_gt(fabs(small_model_loss(plain) - small_model_loss(other)),
                        1e-3);
    free(mean);
    model_free(plain);
    model_free(other);
    model_free(averaging);
}
END_TEST

/* Tokens that differ each have a row of the embedding that the first step
 * moves: unless they were dropped, then it is the row of id 0. */
START_TEST(dropped_tokens_become_the_special_one)
{
    enum { ROWS = 40, WIDTH = 25, N = ROWS * WIDTH };
    static int32_t distinct[N], full[ROWS], label[ROWS];
    for (int i = 0; i < N; i++) {
        distinct[i] = 1 + i;
        full[i / WIDTH] = WIDTH;
    }
    struct model_batch wide = {
        .ids = distinct, .lengths = full, .labels = label, .n = ROWS};
    struct model_config c = small(MODEL_MASK_PADDING);
    c.pooling = MODEL_POOLING_MEAN;
    c.vocab_size = N + 1;
    c.max_len = WIDTH;
    c.max_batch = ROWS;
    c.token_dropout = 0.3f;
    struct model *m = make(&c);
    struct model_result r;
    model_train_step(m, &wide, &small_model_adamw, 3, 4, &r);
    struct model_tensor t = model_tensor_at(m, 0);
    ck_assert_str_eq(t.name, "embedding.weight");
    int n_moved = 0;
    for (size_t i = 1; i <= N; i++) {
        n_moved += t.v[i * t.dims[1]] != 0;
    }
    ck_assert_double_eq_tol(n_moved, 0.7 * N, 5 * sqrt(0.3 * 0.7 * N));
    ck_assert_float_ne(t.v[0], 0);
    model_free(m);
}
END_TEST

START_TEST(dropout_depends_on_seed_and_only_in_training)
{
    struct model_config c = small(MODEL_MASK_PADDING);
    struct model *a = make(&c), *b = make(&c);
    ck_assert_double_eq(small_model_loss(a), small_model_loss(b));
    ck_assert_double_eq(small_model_loss(a), small_model_loss(a));
    train(a, 1, 1);
    train(b, 1, 2);
    ck_assert_double_ne(small_model_loss(a), small_model_loss(b));
    model_free(a);
    model_free(b);
}
END_TEST

START_TEST(training_learns_the_batch)
{
    struct model_config c = small((enum model_mask)_i);
    c.attention_dropout = c.ffn_dropout = c.head_dropout = 0;
    struct model *m = make(&c);
    double before = small_model_loss(m);
    train(m, 200, 3);
    struct model_result r;
    model_evaluate(m, &small_model_three, NULL, &r);
    ck_assert_double_lt(r.loss_sum / B, before / 10);
    ck_assert_int_eq(r.n_correct, B);
    model_free(m);
}
END_TEST

START_TEST(a_row_without_tokens_is_no_nan)
{
    struct model_config c = small((enum model_mask)_i);
    struct model *m = make(&c);
    static const int32_t none[B] = {0, 7, 0};
    static const int32_t blank[B * L];
    struct model_batch empty = small_model_three;
    empty.ids = blank;
    empty.lengths = none;
    struct model_result r;
    for (int i = 0; i < 3; i++) {
        model_train_step(m, &empty, &small_model_adamw, 1, 1, &r);
        ck_assert(isfinite(r.loss_sum));
    }
    float logprob[B * C];
    model_evaluate(m, &empty, logprob, &r);
    for (int i = 0; i < B * C; i++) {
        ck_assert(isfinite(logprob[i]));
    }
    model_free(m);
}
END_TEST

START_TEST(a_row_depends_on_itself_alone)
{
    struct model_config c = small(MODEL_MASK_NOTEBOOK);
    struct model *m = make(&c);
    float all[B * C], one[C];
    model_evaluate(m, &small_model_three, all, NULL);
    for (int b = 0; b < B; b++) {
        struct model_batch alone = {.ids = small_model_three.ids + b * L,
                                    .lengths = small_model_three.lengths + b,
                                    .n = 1};
        model_evaluate(m, &alone, one, NULL);
        double sum = 0;
        for (int i = 0; i < C; i++) {
            ck_assert_double_eq_tol(one[i], all[b * C + i], 1e-5);
            sum += exp(one[i]);
        }
        ck_assert_double_eq_tol(sum, 1, 1e-5);
    }
    model_free(m);
}
END_TEST

START_TEST(first_values_are_pytorchs_distributions)
{
    struct model_config c = small(MODEL_MASK_PADDING);
    c.vocab_size = 2000;
    c.head1_dim = 300;
    struct model *m = make(&c), *other = make(&c);
    for (size_t i = 0; i < model_n_tensors(m); i++) {
        struct model_tensor t = model_tensor_at(m, i);
        struct model_tensor u = model_tensor_at(other, i);
        ck_assert_mem_eq(t.weight, u.weight, t.n * sizeof(float));
        double sum = 0, squares = 0, largest = 0;
        for (size_t j = 0; j < t.n; j++) {
            sum += t.weight[j];
            squares += (double)t.weight[j] * t.weight[j];
            largest = fmax(largest, fabs(t.weight[j]));
            ck_assert(t.m[j] == 0 && t.v[j] == 0);
        }
        double n = (double)t.n, mean = sum / n;
        double deviation = sqrt(squares / n - mean * mean);
        if (strcmp(t.name, "embedding.weight") == 0) {
            ck_assert_double_eq_tol(mean, 0, 0.05);
            ck_assert_double_eq_tol(deviation, 1, 0.03);
        } else if (strcmp(t.name, "head.1.weight") == 0) {
            double bound = 1 / sqrt(6.0 * L);
            ck_assert_double_le(largest, bound * (1 + 1e-6));
            ck_assert_double_gt(largest, bound * 0.99);
            ck_assert_double_eq_tol(deviation, bound / sqrt(3), bound * 0.03);
        } else if (strcmp(t.name, "norm1.weight") == 0) {
            ck_assert_double_eq(mean, 1);
        }
    }
    model_init(other, 6, 1);
    ck_assert_float_ne(model_tensor_at(m, 0).weight[0],
                       model_tensor_at(other, 0).weight[0]);
    model_free(m);
    model_free(other);
}
END_TEST

START_TEST(init_takes_the_words_of_its_stream_in_order)
{
    struct model_config c = small(MODEL_MASK_PADDING);
    struct model *m = make(&c);
    struct model_tensor t = model_tensor_at(m, 18);
    ck_assert_str_eq(t.name, "head.1.weight");
    struct rng rng;
    rng_stream(&rng, 5, 1, RNG_INIT, 18);
    float bound = (float)(1 / sqrt(6.0 * L));
    for (size_t i = 0; i < t.n; i++) {
        float u = (float)(rng_u32(&rng) >> 8) * 0x1p-23f;
        ck_assert_float_eq(t.weight[i], (u - 1.0f) * bound);
    }
    model_free(m);
}
END_TEST

START_TEST(what_does_not_fit_is_refused)
{
    struct model_config c = small(MODEL_MASK_PADDING);
    struct model *m = NULL;
    struct err err;
    c.num_heads = 4;
    ck_assert_int_eq(model_new(&c, true, &m, &err), ERR_INVALID);
    ck_assert_str_eq(err.msg, "emb_dim 6 is not divisible by num_heads 4");
    c = small(MODEL_MASK_PADDING);
    c.max_len = 0;
    ck_assert_int_eq(model_new(&c, true, &m, &err), ERR_INVALID);
    c = small(MODEL_MASK_PADDING);
    c.ffn_dropout = 1;
    ck_assert_int_eq(model_new(&c, true, &m, &err), ERR_INVALID);
    c.ffn_dropout = NAN;
    ck_assert_int_eq(model_new(&c, true, &m, &err), ERR_INVALID);
    c = small(MODEL_MASK_PADDING);
    c.max_len = INT_MAX;
    ck_assert_int_eq(model_new(&c, true, &m, &err), ERR_LIMIT);
    c = small(MODEL_MASK_PADDING);
    c.vocab_size = c.ffn_dim = c.head1_dim = c.head2_dim = INT_MAX;
    ck_assert_int_eq(model_new(&c, true, &m, &err), ERR_LIMIT);
    ck_assert_uint_eq(model_bytes(&c, true), SIZE_MAX);
    ck_assert_ptr_null(m);
}
END_TEST

START_TEST(prediction_needs_less_and_tells_the_same)
{
    struct model_config c = small(MODEL_MASK_PADDING);
    ck_assert_uint_lt(model_bytes(&c, false), model_bytes(&c, true));
    struct model *trained = make(&c), *m;
    struct err err;
    ck_assert_int_eq(model_new(&c, false, &m, &err), 0);
    for (size_t i = 0; i < model_n_tensors(m); i++) {
        struct model_tensor t = model_tensor_at(m, i);
        ck_assert(t.m == NULL && t.v == NULL);
    }
    small_model_copy_weights(m, trained);
    float a[B * C], b[B * C];
    model_evaluate(trained, &small_model_three, a, NULL);
    model_evaluate(m, &small_model_three, b, NULL);
    ck_assert_mem_eq(a, b, sizeof(a));
    model_free(trained);
    model_free(m);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("model");
    TCase *t = tcase_create("model");
    int masks = MODEL_MASK_NOTEBOOK + 1;
    tcase_add_loop_test(t, gradients_are_slopes, 0, masks);
    tcase_add_test(t, resumed_training_is_the_same_to_the_bit);
    tcase_add_loop_test(t, averages_are_evaluated, 0, 2);
    tcase_add_test(t, dropped_tokens_become_the_special_one);
    tcase_add_test(t, dropout_depends_on_seed_and_only_in_training);
    tcase_add_loop_test(t, training_learns_the_batch, 0, masks);
    tcase_add_loop_test(t, a_row_without_tokens_is_no_nan, 0, masks);
    tcase_add_test(t, a_row_depends_on_itself_alone);
    tcase_add_test(t, first_values_are_pytorchs_distributions);
    tcase_add_test(t, init_takes_the_words_of_its_stream_in_order);
    tcase_add_test(t, what_does_not_fit_is_refused);
    tcase_add_test(t, prediction_needs_less_and_tells_the_same);
    suite_add_tcase(s, t);
    return s;
}
