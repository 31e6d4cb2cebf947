#include "core/train/run_model.h"
#include "core/nn/model.h"

#include <limits.h>
#include <unistd.h>

/* Memory of the machine: an allocation beyond it may be granted, and the
 * process killed when it uses what it was given. */
static size_t physical_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (size_t)pages * (size_t)size : SIZE_MAX;
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
        .head1_dim = (int)run->head1_dim,
        .head2_dim = (int)run->head2_dim,
        .n_classes = (int)n_classes,
        .max_batch = (int)max_batch,
        .mask = run->mask == RUN_MASK_NOTEBOOK ? MODEL_MASK_NOTEBOOK
                                               : MODEL_MASK_PADDING,
        .position = run->position == RUN_POSITION_LEARNED
                        ? MODEL_POSITION_LEARNED
                        : MODEL_POSITION_SINUSOID,
        .dropout = (float)run->dropout,
    };
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
    };
}
