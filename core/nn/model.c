#include "core/nn/model_parts.h"

#include "core/base/mem.h"
#include "core/nn/dropout.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

/* --- the layout: run once to count, once to place ------------------------- */

static void fill_table(struct model *m)
{
    const struct model_config *c = &m->config;
#define X(id, title, rows, columns, init, fan_in)                              \
    m->tensors[MODEL_##id] = (struct model_tensor){                            \
        .name = title,                                                         \
        .n_dims = (columns) != 0 ? 2 : 1,                                      \
        .dims = {(size_t)(rows), (size_t)(columns)},                           \
        .n = (size_t)(rows) * ((columns) != 0 ? (size_t)(columns) : 1),        \
    };
    MODEL_TENSORS(X)
#undef X
    if (c->position != MODEL_POSITION_LEARNED) {
        m->tensors[MODEL_POSITION].n = 0;
    }
}

/* Memory order of the flat tensors. q, k and v follow each other without a
 * gap, weights and biases, so that each triple is one matrix or vector. */
static const enum model_tensor_id flat_order[] = {
    MODEL_QUERY_W, MODEL_KEY_W,   MODEL_VALUE_W, MODEL_QUERY_B, MODEL_KEY_B,
    MODEL_VALUE_B, MODEL_OUT_W,   MODEL_OUT_B,   MODEL_FFN0_W,  MODEL_FFN0_B,
    MODEL_FFN3_W,  MODEL_FFN3_B,  MODEL_NORM1_W, MODEL_NORM1_B, MODEL_NORM2_W,
    MODEL_NORM2_B, MODEL_HEAD1_B, MODEL_HEAD4_W, MODEL_HEAD4_B, MODEL_HEAD7_W,
    MODEL_HEAD7_B, MODEL_POSITION};

static size_t flat_size(const struct model *m)
{
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(flat_order); i++) {
        n += m->tensors[flat_order[i]].n;
    }
    return n;
}

static void place_flat(struct model *m)
{
    struct model_flat *f = &m->flat;
    size_t at = 0;
    for (size_t i = 0; i < ARRAY_LEN(flat_order); i++) {
        struct model_tensor *t = &m->tensors[flat_order[i]];
        t->weight = f->weight + at;
        if (m->trainable) {
            t->m = f->m + at;
            t->v = f->v + at;
            m->grads[flat_order[i]] = f->grad + at;
        }
        at += t->n;
    }
    assert(at == f->n);
}

static float *take(struct model *m, size_t n)
{
    return arena_take(&m->arena, n, sizeof(float));
}

/* A times B elements. */
static float *take2(struct model *m, size_t a, size_t b)
{
    size_t n;
    return arena_take(&m->arena, mem_mul(a, b, &n) ? n : SIZE_MAX,
                      sizeof(float));
}

static void lay_out_parameters(struct model *m)
{
    struct model_flat *f = &m->flat;
    f->n = flat_size(m);
    f->weight = take(m, f->n);
    f->m = m->trainable ? take(m, f->n) : NULL;
    f->v = m->trainable ? take(m, f->n) : NULL;
    f->grad = m->trainable ? take(m, f->n) : NULL;
    static const enum model_tensor_id huge[] = {MODEL_EMBEDDING, MODEL_HEAD1_W};
    for (size_t i = 0; i < ARRAY_LEN(huge); i++) {
        struct model_tensor *t = &m->tensors[huge[i]];
        t->weight = take(m, t->n);
        t->m = m->trainable ? take(m, t->n) : NULL;
        t->v = m->trainable ? take(m, t->n) : NULL;
    }
    if (m->config.position == MODEL_POSITION_SINUSOID) {
        m->sinusoid =
            take2(m, (size_t)m->config.max_len, (size_t)m->config.emb_dim);
    }
}

static void lay_out_forward(struct model *m)
{
    const struct model_config *c = &m->config;
    struct model_buffers *u = &m->buffers;
    size_t B = (size_t)c->max_batch, L = (size_t)c->max_len;
    size_t N = B * L, d = (size_t)c->emb_dim, ffn = (size_t)c->ffn_dim;
    m->ld_p = (L + 15) / 16 * 16;
    u->x = take2(m, N, d);
    u->qkv = take2(m, N, 3 * d);
    size_t tiles = m->trainable ? B * (size_t)c->num_heads : 1;
    u->p = take2(m, tiles, L * m->ld_p);
    u->attended = take2(m, N, d);
    u->a = take2(m, N, d);
    u->y1 = take2(m, N, d);
    u->hidden = take2(m, N, ffn);
    u->f = take2(m, N, d);
    u->y2 = take2(m, N, d);
    u->mean1 = take(m, N);
    u->rstd1 = take(m, N);
    u->mean2 = take(m, N);
    u->rstd2 = take(m, N);
    u->h1 = take2(m, B, (size_t)c->head1_dim);
    u->h2 = take2(m, B, (size_t)c->head2_dim);
    u->logprob = take2(m, B, (size_t)c->n_classes);
}

static uint16_t *take_bits(struct model *m, size_t rows, size_t n)
{
    return arena_take(&m->arena, dropout_words(rows, n), sizeof(uint16_t));
}

static void lay_out_backward(struct model *m)
{
    const struct model_config *c = &m->config;
    struct model_buffers *u = &m->buffers;
    size_t B = (size_t)c->max_batch, L = (size_t)c->max_len;
    size_t N = B * L, d = (size_t)c->emb_dim, ffn = (size_t)c->ffn_dim;
    u->bits_attention = take_bits(m, N, d);
    u->bits_ffn = take_bits(m, N, ffn);
    u->bits_head1 = take_bits(m, B, (size_t)c->head1_dim);
    u->bits_head2 = take_bits(m, B, (size_t)c->head2_dim);
    u->grad_a = take2(m, N, d);
    u->grad_b = take2(m, N, d);
    u->grad_hidden = take2(m, N, ffn);
    u->grad_qkv = take2(m, N, 3 * d);
    u->grad_p = take2(m, L, m->ld_p);
    u->grad_h1 = take2(m, B, (size_t)c->head1_dim);
    u->grad_h2 = take2(m, B, (size_t)c->head2_dim);
    u->grad_logits = take2(m, B, (size_t)c->n_classes);
    u->first = arena_take(&m->arena, (size_t)c->vocab_size, sizeof(int32_t));
    u->next = arena_take(&m->arena, N, sizeof(int32_t));
    u->row = take(m, d);
}

static void lay_out(struct model *m)
{
    fill_table(m);
    lay_out_parameters(m);
    lay_out_forward(m);
    if (m->trainable) {
        lay_out_backward(m);
    }
}

/* --- checks and life ------------------------------------------------------ */

/* Every index that reaches the BLAS is an int: a matrix has at most INT_MAX
 * rows, columns and elements a row. Products of three such sizes fit in 64
 * bits only after this check. */
static int check_config(const struct model_config *c, struct err *err)
{
    const struct {
        const char *name;
        int value;
    } sizes[] = {{"vocab_size", c->vocab_size}, {"max_len", c->max_len},
                 {"emb_dim", c->emb_dim},       {"num_heads", c->num_heads},
                 {"ffn_dim", c->ffn_dim},       {"head1_dim", c->head1_dim},
                 {"head2_dim", c->head2_dim},   {"n_classes", c->n_classes},
                 {"max_batch", c->max_batch}};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        if (sizes[i].value < 1) {
            return err_set(err, ERR_INVALID, "%s is %d, must be at least 1",
                           sizes[i].name, sizes[i].value);
        }
    }
    if (c->emb_dim % c->num_heads != 0) {
        return err_set(err, ERR_INVALID,
                       "emb_dim %d is not divisible by num_heads %d",
                       c->emb_dim, c->num_heads);
    }
    if (!(c->dropout >= 0.0f && c->dropout < 1.0f)) {
        return err_set(err, ERR_INVALID, "dropout is %g, must be in [0, 1)",
                       (double)c->dropout);
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

size_t model_bytes(const struct model_config *config, bool trainable)
{
    if (check_config(config, NULL) != 0) {
        return SIZE_MAX;
    }
    struct model m = {.config = *config, .trainable = trainable};
    lay_out(&m);
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
    *m = (struct model){
        .config = *config, .trainable = trainable, .kernels = kernels_get()};
    lay_out(m);
    size_t bytes = m->arena.used;
    if (bytes == SIZE_MAX || !arena_map(&m->arena)) {
        free(m);
        return err_set(err, ERR_LIMIT,
                       "a model of %zu bytes does not fit into memory", bytes);
    }
    lay_out(m);
    place_flat(m);
    if (m->sinusoid != NULL) {
        model_sinusoid(m->sinusoid, (size_t)config->max_len,
                       (size_t)config->emb_dim);
    }
    *out = m;
    return 0;
}

void model_free(struct model *m)
{
    if (m != NULL) {
        arena_unmap(&m->arena);
        free(m);
    }
}

/* --- looking in ----------------------------------------------------------- */

const struct model_config *model_config(const struct model *m)
{
    return &m->config;
}

static bool has_position(const struct model *m)
{
    return m->config.position == MODEL_POSITION_LEARNED;
}

size_t model_n_tensors(const struct model *m)
{
    return MODEL_N_TENSORS - (has_position(m) ? 0 : 1);
}

size_t model_id_at(const struct model *m, size_t at)
{
    assert(at < model_n_tensors(m));
    return at >= MODEL_POSITION && !has_position(m) ? at + 1 : at;
}

struct model_tensor model_tensor_at(struct model *m, size_t at)
{
    m->moments_may_differ = true; /* the caller may write to them */
    return m->tensors[model_id_at(m, at)];
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
