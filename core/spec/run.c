#include "core/spec/run.h"

#include <math.h>
#include <string.h>

const char *const RUN_METRIC_NAMES[RUN_N_METRICS] = {
    [RUN_TRAIN_LOSS] = "train-loss", [RUN_TRAIN_ACC] = "train-acc",
    [RUN_VAL_LOSS] = "val-loss",     [RUN_VAL_ACC] = "val-acc",
    [RUN_TEST_ACC] = "test-acc",
};

const struct run_field RUN_FIELD[RUN_N_FIELDS] = {
#define X(sec, k, t, member, def, old, lo, hi, search, h)                      \
    [RUN_FIELD_##member] = {.section = #sec,                                   \
                            .key = #k,                                         \
                            .help = h,                                         \
                            .path = RUN_PATH_##sec "." #k,                     \
                            .type = RUN_##t,                                   \
                            .offset = offsetof(struct run, member),            \
                            .before = old,                                     \
                            .low = lo,                                         \
                            .high = hi,                                        \
                            .searchable = search},
    RUN_FIELDS(X)
#undef X
};

int run_metric_by_name(const char *name)
{
    for (int i = 0; i < RUN_N_METRICS; i++) {
        if (strcmp(RUN_METRIC_NAMES[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

bool run_metric_is_loss(enum run_metric metric)
{
    return metric == RUN_TRAIN_LOSS || metric == RUN_VAL_LOSS;
}

void run_defaults(struct run *run)
{
    *run = (struct run)
    {
#define X(section, key, type, member, def, before, low, high, search, help)    \
    .member = def,
        RUN_FIELDS(X)
#undef X
            .fractions = {0.8, 0.1, 0.1},
         .threads = 1,
    };
}

void run_before(struct run *run)
{
    run_defaults(run);
    for (int i = 0; i < RUN_N_FIELDS; i++) {
        if (!isnan(RUN_FIELD[i].before)) {
            run_set(run, i, RUN_FIELD[i].before);
        }
    }
}

double run_get(const struct run *run, int field)
{
    const char *at = (const char *)run + RUN_FIELD[field].offset;
    if (RUN_FIELD[field].type == RUN_REAL) {
        return *(const double *)(const void *)at;
    }
    return (double)*(const int64_t *)(const void *)at;
}

void run_set(struct run *run, int field, double value)
{
    char *at = (char *)run + RUN_FIELD[field].offset;
    if (RUN_FIELD[field].type == RUN_REAL) {
        *(double *)(void *)at = value;
    } else {
        *(int64_t *)(void *)at = (int64_t)value;
    }
}

const char *run_enum_name(enum run_type type, int64_t value)
{
#define X(t, v, name)                                                          \
    if (type == RUN_##t && value == v) {                                       \
        return name;                                                           \
    }
    RUN_ENUMS(X)
#undef X
    return NULL;
}

int64_t run_enum_value(enum run_type type, const char *name)
{
#define X(t, v, word)                                                          \
    if (type == RUN_##t && strcmp(name, word) == 0) {                          \
        return v;                                                              \
    }
    RUN_ENUMS(X)
#undef X
    return -1;
}

const char *run_enum_names(enum run_type type)
{
/* ", a, b" without its first two characters. */
#define X(t, v, name) ", " name
    switch (type) {
    case RUN_SPLIT:
        return &(RUN_SPLITS(X))[2];
    case RUN_MASK:
        return &(RUN_MASKS(X))[2];
    case RUN_POSITION:
        return &(RUN_POSITIONS(X))[2];
    case RUN_RESIDUAL:
        return &(RUN_RESIDUALS(X))[2];
    case RUN_NORM:
        return &(RUN_NORMS(X))[2];
    case RUN_ACTIVATION:
        return &(RUN_ACTIVATIONS(X))[2];
    case RUN_POOLING:
        return &(RUN_POOLINGS(X))[2];
    case RUN_LR_SCHEDULE:
        return &(RUN_LR_SCHEDULES(X))[2];
    case RUN_CLASS_WEIGHTS:
        return &(RUN_CLASS_WEIGHTINGS(X))[2];
    case RUN_PRECISION:
        return &(RUN_PRECISIONS(X))[2];
    case RUN_MONITOR:
        return &(RUN_MONITORS(X))[2];
    case RUN_INT:
    case RUN_REAL:
        break;
    }
#undef X
    return "";
}

static int check_field(const struct run *run, int i, struct err *err)
{
    const struct run_field *f = &RUN_FIELD[i];
    double v = run_get(run, i);
    if (f->type != RUN_INT && f->type != RUN_REAL) {
        if (run_enum_name(f->type, (int64_t)v) == NULL) {
            return err_set(err, ERR_INVALID, "%s: must be one of %s", f->path,
                           run_enum_names(f->type));
        }
        return 0;
    }
    if (!(v >= f->low && v <= f->high)) { /* NaN too */
        return err_set(err, ERR_INVALID, "%s: must be between %.10g and %.10g",
                       f->path, f->low, f->high);
    }
    return 0;
}

static int check_fractions(const struct run *run, struct err *err)
{
    const double *f = run->fractions;
    for (int i = 0; i < 3; i++) {
        if (!(f[i] >= 0.0 && f[i] <= 1.0)) {
            return err_set(err, ERR_INVALID,
                           "data.fractions: each must be between 0 and 1");
        }
    }
    if (fabs(f[0] + f[1] + f[2] - 1.0) > 1e-9) {
        return err_set(err, ERR_INVALID,
                       "data.fractions: must sum to 1, not to %.10g",
                       f[0] + f[1] + f[2]);
    }
    if (f[0] == 0.0 || f[1] == 0.0) {
        return err_set(err, ERR_INVALID,
                       "data.fractions: train and validation must get rows");
    }
    return 0;
}

static int check_fit(const struct run *run, struct err *err)
{
    if (run->emb_dim % run->num_heads != 0) {
        return err_set(err, ERR_INVALID,
                       "model.num_heads: %lld heads do not divide emb_dim %lld",
                       (long long)run->num_heads, (long long)run->emb_dim);
    }
    return 0;
}

int run_validate(const struct run *run, struct err *err)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < RUN_N_FIELDS; i++) {
        rc = check_field(run, i, err);
    }
    if (rc == 0 && (run->threads < 1 || run->threads > RUN_MAX_THREADS)) {
        rc = err_set(err, ERR_INVALID,
                     "threads_per_worker: must be between 1 and %d",
                     RUN_MAX_THREADS);
    }
    if (rc == 0 && (run->trial < 0 || run->trial > UINT32_MAX)) {
        rc = err_set(err, ERR_INVALID, "trial: must be between 0 and %u",
                     UINT32_MAX);
    }
    if (rc == 0) {
        rc = check_fractions(run, err);
    }
    return rc == 0 ? check_fit(run, err) : rc;
}
