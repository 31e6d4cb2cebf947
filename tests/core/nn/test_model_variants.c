/* Every variant of the model: against the formulas of its header, written out
 * over all rows with a mask, in double precision; gradients against
 * differences; clipping. */
#include "tests/lib/slope.h"
#include "tests/lib/small_model.h"
#include "tests/lib/test_main.h"

#include "core/base/mem.h"
#include "core/base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { B = 4, L = SMALL_MODEL_LEN, C = SMALL_MODEL_CLASSES, D = 6, FFN = 10 };

static const float class_weights[C] = {0.5f, 1.0f, 2.0f, 0.7f};

enum { N_HEADS = 4, N_VARIANTS = 2 * 4 * 2 * 2 * 2 * 2 * N_HEADS };

/* The i-th of all combinations. */
static struct model_config variant(int i)
{
    static const int heads[N_HEADS][2] = {{9, 5}, {0, 0}, {9, 0}, {0, 5}};
    struct model_config c = {.vocab_size = SMALL_MODEL_VOCAB,
                             .max_len = L,
                             .emb_dim = D,
                             .num_heads = 3,
                             .ffn_dim = FFN,
                             .n_classes = C,
                             .max_batch = B,
                             .embedding_std = 0.8f};
    c.mask = (enum model_mask)(i % 2);
    c.pooling = (enum model_pooling)(i / 2 % 4);
    c.norm = (enum model_norm)(i / 8 % 2);
    c.residual = i / 16 % 2 == 1;
    c.activation = (enum model_activation)(i / 32 % 2);
    c.num_layers = 1 + i / 64 % 2;
    c.head1_dim = heads[i / 128][0];
    c.head2_dim = heads[i / 128][1];
    c.position = i % 3 == 0 ? MODEL_POSITION_SINUSOID : MODEL_POSITION_LEARNED;
    c.label_smoothing = i % 5 == 0 ? 0.2f : 0;
    return c;
}

static struct model *make(const struct model_config *config)
{
    struct model *m = small_model_new(config, true);
    for (size_t i = 0; i < model_n_tensors(m); i++) { /* away from kinks */
        struct model_tensor t = model_tensor_at(m, i);
        for (size_t j = 0; j < t.n; j++) {
            t.weight[j] *= t.n_dims == 2 ? 1.8f : 1;
        }
    }
    model_set_class_weights(m, class_weights);
    return m;
}

/* --- the formulas --------------------------------------------------------- */

static const float *tensor(struct model *m, int layer, const char *name)
{
    char full[64];
    snprintf(full, sizeof(full), "layers.%d.%s", layer, name);
    for (size_t i = 0; i < model_n_tensors(m); i++) {
        struct model_tensor t = model_tensor_at(m, i);
        if (strcmp(t.name, layer > 0 ? full : name) == 0) {
            return t.weight;
        }
    }
    return NULL;
}

/* y (out) = w x + b of the layer `name`. */
static void linear(struct model *m, int layer, const char *name, double *y,
                   const double *x, int n_out, int n_in)
{
    char part[64];
    snprintf(part, sizeof(part), "%s.weight", name);
    const float *w = tensor(m, layer, part);
    snprintf(part, sizeof(part), "%s.bias", name);
    const float *b = tensor(m, layer, part);
    for (int o = 0; o < n_out; o++) {
        y[o] = b[o];
        for (int i = 0; i < n_in; i++) {
            y[o] += (double)w[o * n_in + i] * x[i];
        }
    }
}

static void normalise(struct model *m, int layer, const char *name, double *y,
                      const double *x)
{
    char part[64];
    snprintf(part, sizeof(part), "%s.weight", name);
    const float *gamma = tensor(m, layer, part);
    snprintf(part, sizeof(part), "%s.bias", name);
    const float *beta = tensor(m, layer, part);
    double mean = 0, squares = 0;
    for (int i = 0; i < D; i++) {
        mean += x[i] / D;
    }
    for (int i = 0; i < D; i++) {
        squares += (x[i] - mean) * (x[i] - mean) / D;
    }
    for (int i = 0; i < D; i++) {
        y[i] = gamma[i] * (x[i] - mean) / sqrt(squares + 1e-5) + beta[i];
    }
}

static double activate(const struct model_config *c, double z)
{
    if (c->activation == MODEL_ACTIVATION_RELU) {
        return z > 0 ? z : 0;
    }
    double u = sqrt(2 / 3.14159265358979323846) * (z + 0.044715 * z * z * z);
    return 0.5 * z * (1 + tanh(u));
}

static void attend(struct model *m, int layer, double out[L][D], double x[L][D],
                   int length)
{
    const struct model_config *c = model_config(m);
    int width = D / c->num_heads;
    double q[L][D], k[L][D], v[L][D], a[L][D];
    for (int r = 0; r < L; r++) {
        linear(m, layer, "attention.query", q[r], x[r], D, D);
        linear(m, layer, "attention.key", k[r], x[r], D, D);
        linear(m, layer, "attention.value", v[r], x[r], D, D);
    }
    for (int r = 0; r < L; r++) {
        for (int h = 0; h < D; h += width) {
            double p[L], sum = 0;
            for (int s = 0; s < L; s++) {
                double dot = 0;
                for (int i = h; i < h + width; i++) {
                    dot += q[r][i] * k[s][i] / sqrt(width);
                }
                bool notebook = c->mask == MODEL_MASK_NOTEBOOK;
                p[s] = s < length ? exp(dot) : notebook ? exp(-9e-15) : 0;
                sum += p[s];
            }
            for (int i = h; i < h + width; i++) {
                a[r][i] = 0;
                for (int s = 0; s < L && sum > 0; s++) {
                    a[r][i] += p[s] / sum * v[s][i];
                }
            }
        }
        linear(m, layer, "attention.out", out[r], a[r], D, D);
    }
}

static void feed_forward(struct model *m, int layer, double out[L][D],
                         double x[L][D])
{
    for (int r = 0; r < L; r++) {
        double z[FFN];
        linear(m, layer, "ffn.0", z, x[r], FFN, D);
        for (int i = 0; i < FFN; i++) {
            z[i] = activate(model_config(m), z[i]);
        }
        linear(m, layer, "ffn.3", out[r], z, D, FFN);
    }
}

/* x becomes what a layer makes of it. */
static void layer_of(struct model *m, int layer, double x[L][D], int length)
{
    static const char *const norms[] = {"norm1", "norm2"};
    const struct model_config *c = model_config(m);
    bool pre = c->norm == MODEL_NORM_PRE;
    for (int part = 0; part < 2; part++) {
        double in[L][D], out[L][D];
        memcpy(in, x, sizeof(in));
        for (int r = 0; r < L && pre; r++) {
            normalise(m, layer, norms[part], in[r], x[r]);
        }
        if (part == 0) {
            attend(m, layer, out, in, length);
        } else {
            feed_forward(m, layer, out, in);
        }
        for (int r = 0; r < L; r++) {
            for (int i = 0; i < D; i++) {
                x[r][i] = (c->residual ? x[r][i] : 0) + out[r][i];
            }
            if (!pre) {
                double y[D];
                normalise(m, layer, norms[part], y, x[r]);
                memcpy(x[r], y, sizeof(y));
            }
        }
    }
}

static int pool(const struct model_config *c, double *f, double x[L][D],
                int length)
{
    if (c->pooling == MODEL_POOLING_FLATTEN) {
        memcpy(f, x, L * D * sizeof(double));
        return L * D;
    }
    for (int i = 0; i < D; i++) {
        f[i] = length > 0 ? x[0][i] : 0;
        for (int r = 1; r < length; r++) {
            if (c->pooling == MODEL_POOLING_MEAN) {
                f[i] += x[r][i];
            } else if (c->pooling == MODEL_POOLING_MAX) {
                f[i] = fmax(f[i], x[r][i]);
            }
        }
        if (c->pooling == MODEL_POOLING_MEAN && length > 0) {
            f[i] /= length;
        }
    }
    return D;
}

static void head_of(struct model *m, double logprob[C], double *x, int n)
{
    const struct model_config *c = model_config(m);
    const int widths[] = {c->head1_dim, c->head2_dim};
    static const char *const names[] = {"head.1", "head.4"};
    double y[L * D], sum = 0;
    for (int i = 0; i < 2; i++) {
        if (widths[i] > 0) {
            linear(m, 0, names[i], y, x, widths[i], n);
            n = widths[i];
            for (int j = 0; j < n; j++) {
                x[j] = activate(c, y[j]);
            }
        }
    }
    linear(m, 0, "head.7", logprob, x, C, n);
    for (int i = 0; i < C; i++) {
        sum += exp(logprob[i]);
    }
    for (int i = 0; i < C; i++) {
        logprob[i] -= log(sum);
    }
}

static void formulas(struct model *m, int b, double logprob[C])
{
    const struct model_config *c = model_config(m);
    const float *table = tensor(m, 0, "embedding.weight");
    const float *position = tensor(m, 0, "position.weight");
    double x[L][D], f[L * D];
    for (int r = 0; r < L; r++) {
        for (int i = 0; i < D; i++) {
            double angle = r / pow(10000, i / 2 * 2 / (double)D);
            double wave = i % 2 == 0 ? sin(angle) : cos(angle);
            x[r][i] = table[small_model_four.ids[b * L + r] * D + i] +
                      (position != NULL ? position[r * D + i] : wave);
        }
    }
    for (int i = 0; i < c->num_layers; i++) {
        layer_of(m, i, x, small_model_four.lengths[b]);
    }
    for (int r = 0; r < L && c->norm == MODEL_NORM_PRE; r++) {
        double y[D];
        normalise(m, 0, "norm", y, x[r]);
        memcpy(x[r], y, sizeof(y));
    }
    head_of(m, logprob, f, pool(c, f, x, small_model_four.lengths[b]));
}

START_TEST(is_what_the_formulas_say)
{
    for (int i = _i; i < N_VARIANTS; i += N_HEADS) {
        struct model_config c = variant(i);
        struct model *m = make(&c), *small;
        float got[B * C], again[B * C];
        model_evaluate(m, &small_model_four, got, NULL);
        ck_assert_int_eq(model_new(&c, false, &small, NULL), 0);
        small_model_copy_weights(small, m);
        model_evaluate(small, &small_model_four, again, NULL);
        ck_assert_mem_eq(got, again, sizeof(got));
        for (int b = 0; b < B; b++) {
            double want[C];
            formulas(m, b, want);
            for (int j = 0; j < C; j++) {
                ck_assert_msg(fabs(got[b * C + j] - want[j]) <= 1e-5,
                              "variant %d, row %d: %g, not %g", i, b,
                              (double)got[b * C + j], want[j]);
            }
        }
        model_free(m);
        model_free(small);
    }
}
END_TEST

/* --- gradients ------------------------------------------------------------ */

/* What the gradient is of, by the formulas: smoothed and weighted. */
static double loss(struct model *m)
{
    const struct model_config *c = model_config(m);
    double sum = 0, spread = (double)c->label_smoothing / C;
    for (int b = 0; b < B; b++) {
        int label = small_model_four.labels[b];
        double logprob[C];
        formulas(m, b, logprob);
        for (int j = 0; j < C; j++) {
            double target = spread + (j == label) * (1 - spread * C);
            sum -= class_weights[label] * target * logprob[j];
        }
    }
    return sum / B;
}

static const struct slope_way in_doubles = {.loss = loss,
                                            .steps = {3e-5f, 6e-6f, 2e-4f},
                                            .relative = 1e-2,
                                            .absolute = 1e-5};

struct gradients {
    float *at[SMALL_MODEL_TENSORS];
    double norm;
};

static struct gradients gradients(struct model *m)
{
    struct gradients g = {0};
    struct model_result r;
    small_model_gradients(m, &small_model_four, g.at, &r);
    for (size_t i = 0; i < model_n_tensors(m); i++) {
        for (size_t j = 0; j < model_tensor_at(m, i).n; j++) {
            g.norm += (double)g.at[i][j] * g.at[i][j];
        }
    }
    g.norm = sqrt(g.norm);
    return g;
}

START_TEST(gradients_are_slopes)
{
    /* Every third of the combinations still has each pair of choices. */
    for (int i = _i; i < N_VARIANTS; i += 3 * N_HEADS) {
        struct model_config c = variant(i);
        struct model *m = make(&c);
        struct rng rng;
        rng_stream(&rng, 1, 2, RNG_SAMPLER, (uint32_t)i);
        struct gradients g = gradients(m);
        ck_assert_double_gt(g.norm, 1e-2);
        for (size_t t = 0; t < model_n_tensors(m); t++) {
            slope_check(m, t, g.at[t], &rng, &in_doubles, i);
        }
        small_model_free_gradients(g.at);
        model_free(m);
    }
}
END_TEST

/* After the first step m is (1 - beta1) times the clipped gradient. */
START_TEST(clipping_scales_the_whole_gradient)
{
    for (int i = _i; i < N_VARIANTS; i += N_HEADS) {
        struct model_config c = variant(i);
        struct model *m = make(&c);
        struct gradients g = gradients(m);
        struct model_result r;
        struct model_adamw opt = {
            .lr = 1e-3f, .beta1 = 0.9f, .beta2 = 0.99f, .eps = 1e-8f};
        bool clips = i % 7 != 0;
        opt.clip_norm = (float)(g.norm * (clips ? 0.3 : 1.5));
        double factor = 0.1 * (clips ? 0.3 : 1);
        model_train_step(m, &small_model_four, &opt, 1, 1, &r);
        for (size_t t = 0; t < model_n_tensors(m); t++) {
            struct model_tensor tensor_t = model_tensor_at(m, t);
            for (size_t j = 0; j < tensor_t.n; j++) {
                double want = factor * g.at[t][j];
                ck_assert_msg(fabs(tensor_t.m[j] - want) <= 2e-6 * g.norm,
                              "variant %d, %s: %g, not %g", i, tensor_t.name,
                              (double)tensor_t.m[j], want);
            }
        }
        small_model_free_gradients(g.at);
        model_free(m);
    }
}
END_TEST

/* --- with dropout: the step's own gradient -------------------------------- */

/* One step that moves nothing (rate 0): the mean loss that it had; its moments
 * are (1 - beta1) times the gradient. The mask is that of step 0. */
static double dropped_loss(struct model *m)
{
    static const struct model_adamw still = {
        .beta1 = 0.9f, .beta2 = 0.99f, .eps = 1e-8f};
    struct model_result r;
    model_set_step(m, 0);
    model_train_step(m, &small_model_four, &still, 3, 1, &r);
    return r.loss_sum / B;
}

static const struct slope_way dropped = {.loss = dropped_loss,
                                         .steps = {1e-3f, 3e-4f, 3e-3f},
                                         .relative = 2e-2,
                                         .absolute = 1e-3};

START_TEST(gradients_under_dropout_are_slopes)
{
    for (int i = _i; i < N_VARIANTS; i += 7 * N_HEADS) {
        struct model_config c = variant(i);
        float *places[] = {&c.embedding_dropout, &c.attention_dropout,
                           &c.ffn_dropout, &c.head_dropout};
        *places[i / N_HEADS % 4] = 0.3f; /* one place, or all of them */
        for (size_t k = 0; k < 4 && i % 3 == 0; k++) {
            *places[k] = 0.25f;
        }
        c.label_smoothing = 0; /* the loss that is told knows neither */
        /* Differences of float32 losses are too coarse for ReLU's kinks. */
        c.activation = MODEL_ACTIVATION_GELU;
        struct model *m = make(&c);
        model_set_class_weights(m, NULL);
        struct rng rng;
        rng_stream(&rng, 1, 3, RNG_SAMPLER, (uint32_t)i);
        (void)dropped_loss(m);
        struct gradients g = {0};
        for (size_t t = 0; t < model_n_tensors(m); t++) {
            struct model_tensor from = model_tensor_at(m, t);
            g.at[t] = mem_alloc(from.n, sizeof(float));
            for (size_t j = 0; j < from.n; j++) {
                g.at[t][j] = from.m[j] / 0.1f;
            }
        }
        for (size_t t = 0; t < model_n_tensors(m); t++) {
            slope_check(m, t, g.at[t], &rng, &dropped, i);
        }
        small_model_free_gradients(g.at);
        model_free(m);
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("model_variants");
    TCase *t = tcase_create("variants");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, is_what_the_formulas_say, 0, N_HEADS);
    tcase_add_loop_test(t, gradients_are_slopes, 0, N_HEADS);
    tcase_add_loop_test(t, gradients_under_dropout_are_slopes, 0, N_HEADS);
    tcase_add_loop_test(t, clipping_scales_the_whole_gradient, 0, N_HEADS);
    suite_add_tcase(s, t);
    return s;
}
