/* run: THE table of everything a training can be told.
 *
 * A run is plain data: base values with one point of the search space applied.
 * The worker gets a run and never hears of search. Config parsing, bounds,
 * defaults, the wire format, the JSON Schema and --help all come from this one
 * list: to add a setting, add a row. */
#ifndef CORE_SPEC_RUN_H
#define CORE_SPEC_RUN_H
#include "core/base/err.h"
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

enum { RUN_MAX_THREADS = 256 };
enum run_split { RUN_SPLIT_RANDOM, RUN_SPLIT_STRATIFIED };
enum run_mask { RUN_MASK_PADDING, RUN_MASK_NOTEBOOK };
enum run_position { RUN_POSITION_SINUSOID, RUN_POSITION_LEARNED };
enum run_norm { RUN_NORM_POST, RUN_NORM_PRE };
enum run_residual { RUN_RESIDUAL_NONE, RUN_RESIDUAL_ADD };
enum run_pooling {
    RUN_POOLING_FLATTEN,
    RUN_POOLING_MEAN,
    RUN_POOLING_MAX,
    RUN_POOLING_FIRST
};
enum run_activation { RUN_ACTIVATION_RELU, RUN_ACTIVATION_GELU };
enum run_lr_schedule {
    RUN_LR_SCHEDULE_CONSTANT,
    RUN_LR_SCHEDULE_LINEAR,
    RUN_LR_SCHEDULE_COSINE
};
enum run_class_weights { RUN_CLASS_WEIGHTS_NONE, RUN_CLASS_WEIGHTS_BALANCED };
enum run_precision { RUN_PRECISION_FLOAT32, RUN_PRECISION_BF16_MIXED };
/* The epoch metrics, in the order of struct run_metrics.value. */
enum run_metric {
    RUN_TRAIN_LOSS,
    RUN_TRAIN_ACC,
    RUN_VAL_LOSS,
    RUN_VAL_ACC,
    RUN_TEST_ACC,
    RUN_N_METRICS
};
extern const char *const RUN_METRIC_NAMES[RUN_N_METRICS]; /* "train-loss" */
/* -1 when there is no such metric. */
int run_metric_by_name(const char *name);
bool run_metric_is_loss(enum run_metric metric); /* smaller is better */

enum run_monitor { /* early stopping watches a metric, or nothing */
                   RUN_MONITOR_NONE,
                   RUN_MONITOR_TRAIN_LOSS,
                   RUN_MONITOR_TRAIN_ACC,
                   RUN_MONITOR_VAL_LOSS,
                   RUN_MONITOR_VAL_ACC
};

/* The key was there from the first. */
#define RUN_ALWAYS NAN

/* X(section, key, TYPE, member, default, before, low, high, search, help)
 * before: what was done before there was the key: what is meant by a file of
 * that time (a checkpoint, a model folder, a stored config), which lacks it.
 * TYPE: INT (int64_t), REAL (double), or the name of an enum list below.
 * Bounds are inclusive; enums ignore them. search: may be a distribution. */
#define RUN_FIELDS(X)                                                          \
    X(data, split, SPLIT, split, RUN_SPLIT_RANDOM, RUN_ALWAYS, 0, 0, 0,        \
      "how rows are divided into train, validation and test")                  \
    X(tokenizer, tokenizer_length, INT, tokenizer_length, 10000, RUN_ALWAYS,   \
      1, 10000000, 1,                                                          \
      "texts, from the first, that the tokenizer is trained on")               \
    X(tokenizer, vocab_size, INT, vocab_size, 8000, RUN_ALWAYS, 257, 1000000,  \
      1, "largest vocabulary, bytes and special token included")               \
    X(tokenizer, min_frequency, INT, min_frequency, 0, RUN_ALWAYS, 0,          \
      1000000000, 1, "pairs rarer than this are not merged")                   \
    X(model, max_len, INT, max_len, 350, RUN_ALWAYS, 1, 8192, 1,               \
      "tokens of a text that the model sees")                                  \
    X(model, emb_dim, INT, emb_dim, 128, RUN_ALWAYS, 1, 8192, 1,               \
      "embedding size d")                                                      \
    X(model, num_heads, INT, num_heads, 8, RUN_ALWAYS, 1, 1024, 1,             \
      "attention heads; divides emb_dim")                                      \
    X(model, ffn_dim, INT, ffn_dim, 512, RUN_ALWAYS, 1, 65536, 1,              \
      "width of the feed-forward layer")                                       \
    X(model, num_layers, INT, num_layers, 1, 1, 1, 64, 1,                      \
      "transformer layers")                                                    \
    X(model, residual, RESIDUAL, residual, RUN_RESIDUAL_ADD,                   \
      RUN_RESIDUAL_NONE, 0, 0, 1,                                              \
      "add: what a part of a layer reads is added to what it makes")           \
    X(model, norm, NORM, norm, RUN_NORM_PRE, RUN_NORM_POST, 0, 0, 1,           \
      "layer normalisation before each part of a layer, or after it")          \
    X(model, activation, ACTIVATION, activation, RUN_ACTIVATION_GELU,          \
      RUN_ACTIVATION_RELU, 0, 0, 1,                                            \
      "of the feed-forward and the classifier layers; gelu is the one by "     \
      "tanh (PyTorch: approximate='tanh'), not by erf")                        \
    X(model, pooling, POOLING, pooling, RUN_POOLING_MEAN, RUN_POOLING_FLATTEN, \
      0, 0, 1,                                                                 \
      "what the classifier reads: all max_len tokens, padding included, "      \
      "or their mean, their maximum or the first one without padding")         \
    X(model, head1_dim, INT, head1_dim, 0, RUN_ALWAYS, 0, 65536, 1,            \
      "width of the first classifier layer; 0: there is none")                 \
    X(model, head2_dim, INT, head2_dim, 0, RUN_ALWAYS, 0, 65536, 1,            \
      "width of the second classifier layer; 0: there is none")                \
    X(model, dropout, REAL, dropout, 0.1, RUN_ALWAYS, 0.0, 0.95, 1,            \
      "share of activations dropped while training")                           \
    X(model, token_dropout, REAL, token_dropout, 0.1, 0, 0.0, 0.95, 1,         \
      "share of tokens that training hides behind the special token")          \
    X(model, embedding_dropout, REAL, embedding_dropout, -1, 0, -1, 0.95, 1,   \
      "dropout of the embedded tokens; below 0: as dropout")                   \
    X(model, attention_dropout, REAL, attention_dropout, -1, -1, -1, 0.95, 1,  \
      "dropout of the attention's result; below 0: as dropout")                \
    X(model, ffn_dropout, REAL, ffn_dropout, -1, -1, -1, 0.95, 1,              \
      "dropout inside the feed-forward layer; below 0: as dropout")            \
    X(model, head_dropout, REAL, head_dropout, -1, -1, -1, 0.95, 1,            \
      "dropout after the classifier's layers, or before it if it has "         \
      "none; below 0: as dropout")                                             \
    X(model, embedding_std, REAL, embedding_std, 0.02, 1, 0.0, 100, 1,         \
      "standard deviation of the first embeddings")                            \
    X(model, mask, MASK, mask, RUN_MASK_PADDING, RUN_ALWAYS, 0, 0, 1,          \
      "padding: padded keys are never attended to; notebook: their logits "    \
      "are "                                                                   \
      "set to -9e-15")                                                         \
    X(model, position, POSITION, position, RUN_POSITION_LEARNED, RUN_ALWAYS,   \
      0, 0, 1, "position encoding added to the embeddings")                    \
    X(training, max_epochs, INT, max_epochs, 10, RUN_ALWAYS, 1, 100000, 1,     \
      "passes over the training rows")                                         \
    X(training, batch_size, INT, batch_size, 16, RUN_ALWAYS, 1, 65536, 1,      \
      "rows of one optimiser step")                                            \
    X(training, lr, REAL, lr, 1e-3, RUN_ALWAYS, 1e-12, 1e3, 1,                 \
      "AdamW's learning rate")                                                 \
    X(training, weight_decay, REAL, weight_decay, 1e-2, RUN_ALWAYS, 0.0, 1e3,  \
      1, "AdamW's decoupled weight decay")                                     \
    X(training, beta1, REAL, beta1, 0.9, RUN_ALWAYS, 0.0, 0.999999, 1,         \
      "AdamW's decay of the first moment")                                     \
    X(training, beta2, REAL, beta2, 0.999, RUN_ALWAYS, 0.0, 0.99999999, 1,     \
      "AdamW's decay of the second moment")                                    \
    X(training, eps, REAL, eps, 1e-8, RUN_ALWAYS, 1e-20, 1.0, 1,               \
      "AdamW's term against division by zero")                                 \
    X(training, lr_schedule, LR_SCHEDULE, lr_schedule, RUN_LR_SCHEDULE_COSINE, \
      RUN_LR_SCHEDULE_CONSTANT, 0, 0, 1,                                       \
      "how lr goes on after the warm-up: it stays, or falls to 0 at the "      \
      "end of max_epochs")                                                     \
    X(training, warmup, REAL, warmup, 0.1, 0, 0.0, 1.0, 1,                     \
      "share of max_epochs in which lr rises from 0")                          \
    X(training, clip_norm, REAL, clip_norm, 1, 0, 0.0, 1e9, 1,                 \
      "largest norm of the gradient of all parameters; 0: any")                \
    X(training, label_smoothing, REAL, label_smoothing, 0, 0, 0.0, 0.95, 1,    \
      "share of each label that is spread over all classes")                   \
    X(training, merge_dropout, REAL, merge_dropout, 0, 0, 0.0, 0.95, 1,        \
      "share of the merged tokens that training takes back to the two that "   \
      "they were made of, and these again: the same text in other pieces")     \
    X(training, weight_average, REAL, weight_average, 0, 0, 0.0, 0.99999, 1,   \
      "decay of the weights' average over the steps, which is evaluated "      \
      "and kept; 0: the weights themselves are")                               \
    X(training, class_weights, CLASS_WEIGHTS, class_weights,                   \
      RUN_CLASS_WEIGHTS_NONE, RUN_CLASS_WEIGHTS_NONE, 0, 0, 1,                 \
      "balanced: a row's gradient counts n / (classes x n of its class) "      \
      "times, so all classes alike; divided by the rows of the batch, "        \
      "not by their weights as PyTorch's CrossEntropyLoss(weight)")            \
    X(training, precision, PRECISION, precision, RUN_PRECISION_FLOAT32,        \
      RUN_ALWAYS, 0, 0, 0,                                                     \
      "bf16-mixed: products in bfloat16 where the CPU has "                    \
      "AVX512-BF16, elsewhere in float32")                                     \
    X(training, checkpoint_seconds, REAL, checkpoint_seconds, 30, RUN_ALWAYS,  \
      1, 86400, 0,                                                             \
      "a checkpoint is taken at least this often, beside every epoch's")       \
    X(early_stopping, monitor, MONITOR, monitor, RUN_MONITOR_NONE, RUN_ALWAYS, \
      0, 0, 0, "metric to watch")                                              \
    X(early_stopping, patience, INT, patience, 3, RUN_ALWAYS, 1, 100000, 1,    \
      "epochs in a row without improvement that end the training")             \
    X(early_stopping, min_delta, REAL, min_delta, 0.0, RUN_ALWAYS, 0.0, 1e9,   \
      1, "an improvement is better by more than this")

/* X(TYPE, value, "name"): the words that configs use, type by type. */
#define RUN_SPLITS(X)                                                          \
    X(SPLIT, RUN_SPLIT_RANDOM, "random")                                       \
    X(SPLIT, RUN_SPLIT_STRATIFIED, "stratified")
#define RUN_MASKS(X)                                                           \
    X(MASK, RUN_MASK_PADDING, "padding")                                       \
    X(MASK, RUN_MASK_NOTEBOOK, "notebook")
#define RUN_POSITIONS(X)                                                       \
    X(POSITION, RUN_POSITION_SINUSOID, "sinusoid")                             \
    X(POSITION, RUN_POSITION_LEARNED, "learned")
#define RUN_RESIDUALS(X)                                                       \
    X(RESIDUAL, RUN_RESIDUAL_NONE, "none")                                     \
    X(RESIDUAL, RUN_RESIDUAL_ADD, "add")
#define RUN_NORMS(X)                                                           \
    X(NORM, RUN_NORM_POST, "post")                                             \
    X(NORM, RUN_NORM_PRE, "pre")
#define RUN_ACTIVATIONS(X)                                                     \
    X(ACTIVATION, RUN_ACTIVATION_RELU, "relu")                                 \
    X(ACTIVATION, RUN_ACTIVATION_GELU, "gelu")
#define RUN_POOLINGS(X)                                                        \
    X(POOLING, RUN_POOLING_FLATTEN, "flatten")                                 \
    X(POOLING, RUN_POOLING_MEAN, "mean")                                       \
    X(POOLING, RUN_POOLING_MAX, "max")                                         \
    X(POOLING, RUN_POOLING_FIRST, "first")
#define RUN_LR_SCHEDULES(X)                                                    \
    X(LR_SCHEDULE, RUN_LR_SCHEDULE_CONSTANT, "constant")                       \
    X(LR_SCHEDULE, RUN_LR_SCHEDULE_LINEAR, "linear")                           \
    X(LR_SCHEDULE, RUN_LR_SCHEDULE_COSINE, "cosine")
#define RUN_CLASS_WEIGHTINGS(X)                                                \
    X(CLASS_WEIGHTS, RUN_CLASS_WEIGHTS_NONE, "none")                           \
    X(CLASS_WEIGHTS, RUN_CLASS_WEIGHTS_BALANCED, "balanced")
#define RUN_PRECISIONS(X)                                                      \
    X(PRECISION, RUN_PRECISION_FLOAT32, "float32")                             \
    X(PRECISION, RUN_PRECISION_BF16_MIXED, "bf16-mixed")
#define RUN_MONITORS(X)                                                        \
    X(MONITOR, RUN_MONITOR_NONE, "none")                                       \
    X(MONITOR, RUN_MONITOR_TRAIN_LOSS, "train-loss")                           \
    X(MONITOR, RUN_MONITOR_TRAIN_ACC, "train-acc")                             \
    X(MONITOR, RUN_MONITOR_VAL_LOSS, "val-loss")                               \
    X(MONITOR, RUN_MONITOR_VAL_ACC, "val-acc")
#define RUN_ENUMS(X)                                                           \
    RUN_SPLITS(X)                                                              \
    RUN_MASKS(X)                                                               \
    RUN_POSITIONS(X)                                                           \
    RUN_RESIDUALS(X)                                                           \
    RUN_NORMS(X)                                                               \
    RUN_ACTIVATIONS(X)                                                         \
    RUN_POOLINGS(X)                                                            \
    RUN_LR_SCHEDULES(X)                                                        \
    RUN_CLASS_WEIGHTINGS(X) RUN_PRECISIONS(X) RUN_MONITORS(X)

enum run_type {
    RUN_INT,
    RUN_REAL,
    RUN_SPLIT,
    RUN_MASK,
    RUN_POSITION,
    RUN_RESIDUAL,
    RUN_NORM,
    RUN_ACTIVATION,
    RUN_POOLING,
    RUN_LR_SCHEDULE,
    RUN_CLASS_WEIGHTS,
    RUN_PRECISION,
    RUN_MONITOR
};

#define RUN_CTYPE_INT           int64_t
#define RUN_CTYPE_REAL          double
#define RUN_CTYPE_SPLIT         int64_t
#define RUN_CTYPE_MASK          int64_t
#define RUN_CTYPE_POSITION      int64_t
#define RUN_CTYPE_RESIDUAL      int64_t
#define RUN_CTYPE_NORM          int64_t
#define RUN_CTYPE_ACTIVATION    int64_t
#define RUN_CTYPE_POOLING       int64_t
#define RUN_CTYPE_LR_SCHEDULE   int64_t
#define RUN_CTYPE_CLASS_WEIGHTS int64_t
#define RUN_CTYPE_PRECISION     int64_t
#define RUN_CTYPE_MONITOR       int64_t

struct run {
#define X(section, key, type, member, def, before, low, high, search, help)    \
    RUN_CTYPE_##type member;
    RUN_FIELDS(X)
#undef X
    double fractions[3]; /* data.fractions: train, validation, test */
    int64_t threads;     /* threads_per_worker */
    uint64_t seed;       /* of the study */
    int64_t trial;       /* number; with seed it keys every random stream, as
                            a uint32_t: checked by run_validate */
};

/* Where a section stands in a config. */
#define RUN_PATH_data           "data"
#define RUN_PATH_tokenizer      "tokenizer"
#define RUN_PATH_model          "model"
#define RUN_PATH_training       "training"
#define RUN_PATH_early_stopping "training.early_stopping"

/* One row of the table, for code that walks it. */
struct run_field {
    const char *section, *key, *help; /* section "early_stopping" stands in the
                                         config inside "training" */
    const char *path;                 /* "training.early_stopping.patience" */
    enum run_type type;
    size_t offset; /* of the int64_t or double in struct run */
    double before; /* NaN: no file lacks it */
    double low, high;
    bool searchable;
};
enum {
#define X(section, key, type, member, def, before, low, high, search, help)    \
    RUN_FIELD_##member,
    RUN_FIELDS(X)
#undef X
        RUN_N_FIELDS
};
extern const struct run_field RUN_FIELD[RUN_N_FIELDS];

void run_defaults(struct run *run);
/* What a file means that lacks every key it may lack: `before` where the table
 * has one, else the default. */
void run_before(struct run *run);
/* A field as a number: the int, the double, the enum's value. */
double run_get(const struct run *run, int field);
void run_set(struct run *run, int field, double value);
/* NULL when value is not one of the type's; -1 when name is not. */
const char *run_enum_name(enum run_type type, int64_t value);
int64_t run_enum_value(enum run_type type, const char *name);
/* "padding, notebook": for error sentences. Static string. */
const char *run_enum_names(enum run_type type);
/* Bounds of every field and what must fit together: emb_dim divisible by
 * num_heads; fractions that sum to 1 and leave rows to train and validate on.
 * The sentence begins with the path: "model.num_heads: ...". */
MUST_CHECK int run_validate(const struct run *run, struct err *err);

/* What one epoch measured. NaN where there is nothing (an empty test part). */
struct run_metrics {
    double value[RUN_N_METRICS];
};

#endif
