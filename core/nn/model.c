#include "core/nn/model_parts.h"

#include "core/base/mem.h"
#include "core/nn/halves.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>

/* --- checks --------------------------------------------------------------- */

static int check_least(const char *name, int value, int least, struct err *err)
{
    return value >= least
               ? 0
               : err_set(err, ERR_INVALID, "%s is %d, must be at least %d",
                         name, value, least);
}

static int check_share(const char *name, float value, struct err *err)
{
    return value >= 0.0f && value < 1.0f
               ? 0
               : err_set(err, ERR_INVALID, "%s is %g, must be in [0, 1)", name,
                         (double)value);
}

static int check_values(const struct model_config *c, struct err *err)
{
    const struct {
        const char *name;
        int value, least;
    } sizes[] = {
        {"vocab_size", c->vocab_size, 1}, {"max_len", c->max_len, 1},
        {"emb_dim", c->emb_dim, 1},       {"num_heads", c->num_heads, 1},
        {"ffn_dim", c->ffn_dim, 1},       {"num_layers", c->num_layers, 1},
        {"head1_dim", c->head1_dim, 0},   {"head2_dim", c->head2_dim, 0},
        {"n_classes", c->n_classes, 1},   {"max_batch", c->max_batch, 1}};
    const struct {
        const char *name;
        float value;
    } shares[] = {{"embedding_dropout", c->embedding_dropout},
                  {"attention_dropout", c->attention_dropout},
                  {"ffn_dropout", c->ffn_dropout},
                  {"head_dropout", c->head_dropout},
                  {"token_dropout", c->token_dropout},
                  {"label_smoothing", c->label_smoothing},
                  {"weight_average", c->weight_average}};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(sizes); i++) {
        rc = check_least(sizes[i].name, sizes[i].value, sizes[i].least, err);
    }
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(shares); i++) {
        rc = check_share(shares[i].name, shares[i].value, err);
    }
    return rc;
}

/* Every index that reaches the BLAS is an int: a matrix has at most INT_MAX
 * rows, columns and elements a row. Products of three such sizes fit in 64
 * bits only after this check. */
static int check_config(const struct model_config *c, struct err *err)
{
    int rc = check_values(c, err);
    if (rc != 0) {
        return rc;
    }
    if (c->num_layers > MODEL_MAX_LAYERS) {
        return err_set(err, ERR_INVALID, "num_layers is %d, must be at most %d",
                       c->num_layers, MODEL_MAX_LAYERS);
    }
    if (c->emb_dim % c->num_heads != 0) {
        return err_set(err, ERR_INVALID,
                       "emb_dim %d is not divisible by num_heads %d",
                       c->emb_dim, c->num_heads);
    }
    if (!(isfinite(c->embedding_std) && c->embedding_std >= 0.0f)) {
        return err_set(err, ERR_INVALID, "embedding_std is %g, must be >= 0",
                       (double)c->embedding_std);
    }
    int64_t L = c->max_len, d = c->emb_dim;
    if (d > INT_MAX / 3 || L * d > INT_MAX || L * c->max_batch > INT_MAX) {
        return err_set(err, ERR_LIMIT,
                       "max_len %d x emb_dim %d, max_batch %d: a matrix would "
                       "have more than %d rows or columns",
                       c->max_len, c->emb_dim, c->max_batch, INT_MAX);
    }
    return 0;
}

static bf16_multiply *product_of(const struct model_config *c)
{
    return c->precision == MODEL_PRECISION_BF16_MIXED ? bf16_get() : NULL;
}

/* --- life ----------------------------------------------------------------- */

size_t model_bytes(const struct model_config *config, bool trainable)
{
    if (check_config(config, NULL) != 0) {
        return SIZE_MAX;
    }
    struct model m = {.config = *config,
                      .trainable = trainable,
                      .ops = {.bf16 = product_of(config)}};
    model_make_table(&m);
    model_lay_out(&m);
    model_free_table(&m);
    return m.arena.used;
}

int model_new(const struct model_config *config, bool trainable,
              struct model **out, struct err *err)
{
    int rc = check_config(config, err);
    if (rc != 0) {
        return rc;
    }
    struct model *m = mem_alloc(1, sizeof(*m));
    *m = (struct model){.config = *config,
                        .trainable = trainable,
                        .kernels = kernels_get(),
                        .ops = {.bf16 = product_of(config)}};
    model_make_table(m);
    model_lay_out(m);
    size_t bytes = m->arena.used;
    if (bytes == SIZE_MAX || !arena_map(&m->arena)) {
        model_free_table(m);
        free(m);
        return err_set(err, ERR_LIMIT,
                       "a model of %zu bytes does not fit into memory", bytes);
    }
    model_lay_out(m);
    if (m->sinusoid != NULL) {
        model_sinusoid(m->sinusoid, (size_t)config->max_len,
                       (size_t)config->emb_dim);
    }
    model_set_class_weights(m, NULL);
    *out = m;
    return 0;
}

void model_free(struct model *m)
{
    if (m != NULL) {
        arena_unmap(&m->arena);
        model_free_table(m);
        free(m);
    }
}

/* --- looking in ----------------------------------------------------------- */

const struct model_config *model_config(const struct model *m)
{
    return &m->config;
}

void model_set_class_weights(struct model *m, const float *weights)
{
    if (!m->trainable) {
        return;
    }
    for (int i = 0; i < m->config.n_classes; i++) {
        m->buffers.class_weights[i] = weights != NULL ? weights[i] : 1.0f;
    }
}

size_t model_n_tensors(const struct model *m)
{
    return m->n_table;
}

struct model_tensor model_tensor_at(struct model *m, size_t at)
{
    assert(at < m->n_table);
    model_join(m);
    m->moments_may_differ = true; /* the caller may write to them */
    return m->tensors[m->table[at]];
}

static bool all_finite(const float *x, size_t n)
{
    for (size_t i = 0; x != NULL && i < n; i++) {
        if (!isfinite(x[i])) {
            return false;
        }
    }
    return true;
}

static bool is_finite(const struct model *m, size_t place, const float *x)
{
    const struct model_tensor *t = &m->tensors[place];
    if (m->is_split && (int)place == m->wide) {
        return x == NULL ||
               halves_are_finite((uint16_t *)x, t->dims[0], t->dims[1]);
    }
    return all_finite(x, t->n);
}

bool model_is_finite(const struct model *m)
{
    for (size_t i = 0; i < m->n_table; i++) {
        const struct model_tensor *t = &m->tensors[m->table[i]];
        if (!is_finite(m, m->table[i], t->weight) ||
            !is_finite(m, m->table[i], t->average)) {
            return false;
        }
    }
    return true;
}

int64_t model_step(const struct model *m)
{
    return m->step;
}

void model_set_step(struct model *m, int64_t step)
{
    assert(step >= 0);
    m->step = step;
}
