/* First values, as PyTorch's layers draw them (torch/nn/modules/linear.py,
 * sparse.py, normalization.py). */
#include "core/nn/model_parts.h"

#include "core/base/rng.h"
#include "core/nn/ops.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum init { NORMAL, UNIFORM, ONE, ZERO };

/* U(-bound, bound): element i takes word i of the stream. */
static void fill_uniform(float *x, size_t n, float bound,
                         const struct rng *stream, const struct kernels *k)
{
    struct kernels_stream s = {.key = {stream->key[0], stream->key[1]},
                               .counter = {stream->counter[1],
                                           stream->counter[2],
                                           stream->counter[3]}};
    for (size_t at = 0; at < n; at += 64) {
        uint32_t words[4][16];
        k->philox(words, &s, (uint32_t)(at / 4));
        size_t end = n - at < 64 ? n - at : 64;
        for (size_t i = 0; i < end; i++) {
            float u = (float)(words[i % 4][i / 4] >> 8) * 0x1p-23f; /* [0, 2) */
            x[at + i] = (u - 1.0f) * bound;
        }
    }
}

static void fill_normal(float *x, size_t n, float std, struct rng *stream)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)rng_normal(stream) * std;
    }
}

static void fill_constant(float *x, size_t n, float value)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = value;
    }
}

static void fill(const struct model *m, struct model_tensor *t, enum init init,
                 size_t fan_in, struct rng *stream)
{
    switch (init) {
    case NORMAL:
        fill_normal(t->weight, t->n, m->config.embedding_std, stream);
        break;
    case UNIFORM:
        fill_uniform(t->weight, t->n, (float)(1.0 / sqrt((double)fan_in)),
                     stream, m->kernels);
        break;
    case ONE:
        fill_constant(t->weight, t->n, 1.0f);
        break;
    case ZERO:
        fill_constant(t->weight, t->n, 0.0f);
        break;
    }
}

/* Each layer has its own block of streams. */
enum { LAYER_STREAMS = 64 };

static size_t id_at(size_t place, size_t *layer)
{
    if (place < MODEL_N_TENSORS) {
        *layer = 0;
        return place;
    }
    *layer = 1 + (place - MODEL_N_TENSORS) / MODEL_N_LAYER_TENSORS;
    return MODEL_QUERY_W + (place - MODEL_N_TENSORS) % MODEL_N_LAYER_TENSORS;
}

void model_init(struct model *m, uint64_t seed, uint32_t trial)
{
    const struct model_config *c = &m->config;
    static const enum init inits[] = {
#define X(id, name, rows, columns, init, fan_in) init,
        MODEL_TENSORS(X)
#undef X
    };
    const size_t fan_ins[] = {
#define X(id, name, rows, columns, init, fan_in) (size_t)(fan_in),
        MODEL_TENSORS(X)
#undef X
    };
    m->is_split = false; /* all is written anew, as floats */
    for (size_t i = 0; i < m->n_table; i++) {
        struct model_tensor *t = &m->tensors[m->table[i]];
        size_t layer, id = id_at(m->table[i], &layer);
        struct rng stream;
        rng_stream(&stream, seed, trial, RNG_INIT,
                   (uint32_t)(layer * LAYER_STREAMS + id));
        fill(m, t, inits[id], fan_ins[id], &stream);
        if (m->trainable && m->moments_may_differ) {
            memset(t->m, 0, t->n * sizeof(*t->m));
            memset(t->v, 0, t->n * sizeof(*t->v));
        }
        if (t->average != NULL) {
            memcpy(t->average, t->weight, t->n * sizeof(*t->average));
        }
    }
    m->moments_may_differ = false;
    m->step = 0;
}

void model_sinusoid(float *out, size_t L, size_t d)
{
    for (size_t i = 0; i < d; i++) {
        float exponent = (float)(i / 2 * 2) / (float)d;
        float frequency = 1.0f / powf(10000.0f, exponent);
        for (size_t p = 0; p < L; p++) {
            float angle = (float)p * frequency;
            out[p * d + i] = i % 2 == 0 ? sinf(angle) : cosf(angle);
        }
    }
}

/* --- what the bits depend on ---------------------------------------------- */

void model_set_threads(int n)
{
    ops_set_threads(n);
}

bool model_precision_is_here(enum model_precision precision)
{
    return precision != MODEL_PRECISION_BF16_MIXED || bf16_get() != NULL;
}

static const char *with_precision(char text[32], const char *kernels,
                                  enum model_precision precision)
{
    bool bf16 = precision == MODEL_PRECISION_BF16_MIXED &&
                model_precision_is_here(precision);
    snprintf(text, 32, "%s%s", kernels, bf16 ? " bf16" : "");
    return text;
}

const char *model_kernels(enum model_precision precision)
{
    static char text[32];
    return with_precision(text, kernels_get()->name, precision);
}

const char *model_kernels_bits(enum model_precision precision)
{
    static char text[32];
    return with_precision(text, kernels_get()->bits, precision);
}

const char *model_blas(void)
{
    static char text[256];
    snprintf(text, sizeof(text), "%s, core %s, %d thread%s", ops_blas_config(),
             ops_blas_core(), ops_threads(), ops_threads() == 1 ? "" : "s");
    return text;
}
