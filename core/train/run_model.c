#include "core/train/run_model.h"

#include <limits.h>
#include <unistd.h>

/* Memory of the machine: an allocation beyond it may be granted, and the
 * process killed when it uses what it was given. */
static size_t physical_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (size_t)pages * (size_t)size : SIZE_MAX;
}

static float dropout_or(double own, double base)
{
    return (float)(own < 0 ? base : own);
}

/* The words of a run and of a model are the same, in the same order. */
_Static_assert((int)RUN_POOLING_FIRST == (int)MODEL_POOLING_FIRST &&
                   (int)RUN_POOLING_FLATTEN == (int)MODEL_POOLING_FLATTEN &&
                   (int)RUN_POOLING_MEAN == (int)MODEL_POOLING_MEAN &&
                   (int)RUN_POOLING_MAX == (int)MODEL_POOLING_MAX,
               "poolings");

enum model_precision run_model_precision(const struct run *run)
{
    return run->precision == RUN_PRECISION_BF16_MIXED
               ? MODEL_PRECISION_BF16_MIXED
               : MODEL_PRECISION_FLOAT32;
}

static void configure_variant(const struct run *run, struct model_config *out)
{
    out->mask = run->mask == RUN_MASK_NOTEBOOK ? MODEL_MASK_NOTEBOOK
                                               : MODEL_MASK_PADDING;
    out->position = run->position == RUN_POSITION_LEARNED
                        ? MODEL_POSITION_LEARNED
                        : MODEL_POSITION_SINUSOID;
    out->norm = run->norm == RUN_NORM_PRE ? MODEL_NORM_PRE : MODEL_NORM_POST;
    out->residual = run->residual == RUN_RESIDUAL_ADD;
    out->pooling = (enum model_pooling)run->pooling;
    out->activation = run->activation == RUN_ACTIVATION_GELU
                          ? MODEL_ACTIVATION_GELU
                          : MODEL_ACTIVATION_RELU;
    out->precision = run_model_precision(run);
    out->embedding_std = (float)run->embedding_std;
    out->embedding_dropout = dropout_or(run->embedding_dropout, run->dropout);
    out->attention_dropout = dropout_or(run->attention_dropout, run->dropout);
    out->ffn_dropout = dropout_or(run->ffn_dropout, run->dropout);
    out->head_dropout = dropout_or(run->head_dropout, run->dropout);
    out->token_dropout = (float)run->token_dropout;
    out->weight_average = (float)run->weight_average;
    out->label_smoothing = (float)run->label_smoothing;
}

static int configure(const struct run *run, size_t vocab_size, size_t n_classes,
                     int64_t max_batch, bool trainable,
                     struct model_config *out, struct err *err)
{
    if (vocab_size > INT_MAX || n_classes > INT_MAX || max_batch > INT_MAX) {
        return err_set(err, ERR_LIMIT,
                       "a vocabulary of %zu, %zu classes, batches of %lld: "
                       "more than the model can hold",
                       vocab_size, n_classes, (long long)max_batch);
    }
    *out = (struct model_config){
        .vocab_size = (int)vocab_size,
        .max_len = (int)run->max_len,
        .emb_dim = (int)run->emb_dim,
        .num_heads = (int)run->num_heads,
        .ffn_dim = (int)run->ffn_dim,
        .num_layers = (int)run->num_layers,
        .head1_dim = (int)run->head1_dim,
        .head2_dim = (int)run->head2_dim,
        .n_classes = (int)n_classes,
        .max_batch = (int)max_batch,
    };
    configure_variant(run, out);
    size_t need = model_bytes(out, trainable), have = physical_bytes();
    if (need > have) {
        return err_set(err, ERR_LIMIT,
                       "the model needs %zu bytes of memory, this machine "
                       "has %zu",
                       need, have);
    }
    return 0;
}

int run_model_check(const struct run *run, size_t vocab_size, size_t n_classes,
                    int64_t max_batch, bool trainable, struct err *err)
{
    struct model_config config;
    return configure(run, vocab_size, n_classes, max_batch, trainable, &config,
                     err);
}

int run_model_new(const struct run *run, size_t vocab_size, size_t n_classes,
                  int64_t max_batch, bool trainable, struct model **out,
                  struct err *err)
{
    struct model_config config;
    int rc = configure(run, vocab_size, n_classes, max_batch, trainable,
                       &config, err);
    return rc != 0 ? rc : model_new(&config, trainable, out, err);
}

struct model_adamw run_model_adamw(const struct run *run)
{
    return (struct model_adamw){
        .lr = (float)run->lr,
        .weight_decay = (float)run->weight_decay,
        .beta1 = (float)run->beta1,
        .beta2 = (float)run->beta2,
        .eps = (float)run->eps,
        .clip_norm = (float)run->clip_norm,
    };
}
