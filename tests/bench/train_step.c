/* train-step: how long one training step takes, beside what this machine
 * could do at best, as one JSON object.
 *
 * ms        median over the steps (the first two left out)
 * cpu_ms    the same in CPU time of all threads: what neighbours do not change
 * bound_ms  bytes / copy_gb_per_s + flops / gemm_gflops
 * bytes     what a step must move: every parameter's w, m and v read and
 *           written once, and the wide layer's w read once more by forward,
 *           with bf16-mixed its upper half alone
 * flops     2 M N K of every product that a step cannot do without; padded
 *           keys are left out, padded queries are not
 * copy_gb_per_s, gemm_gflops are measured between the steps, best of all: bytes
 * read + written by a copy of a large array; products of the model's shape.
 *
 * Arguments are key=value with the defaults of oracles/torch_reference.py. */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/nn/model.h"
#include "tests/lib/model_bench.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct options {
    struct model_config model;
    struct model_adamw opt;
    float dropout;
    int steps, threads, seed;
};

static double now_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

/* --- arguments ------------------------------------------------------------ */

static int parse_int(const char *key, const char *text, int *out,
                     struct err *err)
{
    char *end;
    errno = 0;
    long x = strtol(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || x < 0 || x > INT_MAX) {
        return err_set(err, ERR_INVALID, "%s=%s: not a whole number", key,
                       text);
    }
    *out = (int)x;
    return 0;
}

static int parse_float(const char *key, const char *text, float *out,
                       struct err *err)
{
    char *end;
    double x = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(x)) {
        return err_set(err, ERR_INVALID, "%s=%s: not a number", key, text);
    }
    *out = (float)x;
    return 0;
}

static int parse_word(const char *key, const char *value, struct options *o,
                      bool *known, struct err *err)
{
    *known = true;
    if (strcmp(key, "mask") == 0) {
        bool notebook = strcmp(value, "notebook") == 0;
        if (!notebook && strcmp(value, "padding") != 0) {
            return err_set(err, ERR_INVALID, "mask=%s: notebook or padding",
                           value);
        }
        o->model.mask = notebook ? MODEL_MASK_NOTEBOOK : MODEL_MASK_PADDING;
    } else if (strcmp(key, "pos") == 0) {
        bool learned = strcmp(value, "learned") == 0;
        if (!learned && strcmp(value, "sinusoid") != 0) {
            return err_set(err, ERR_INVALID, "pos=%s: sinusoid or learned",
                           value);
        }
        o->model.position =
            learned ? MODEL_POSITION_LEARNED : MODEL_POSITION_SINUSOID;
    } else if (strcmp(key, "precision") == 0) {
        bool bf16 = strcmp(value, "bf16-mixed") == 0;
        if (!bf16 && strcmp(value, "float32") != 0) {
            return err_set(err, ERR_INVALID,
                           "precision=%s: float32 or bf16-mixed", value);
        }
        o->model.precision =
            bf16 ? MODEL_PRECISION_BF16_MIXED : MODEL_PRECISION_FLOAT32;
        if (!model_precision_is_here(o->model.precision)) {
            return err_set(err, ERR_INVALID,
                           "precision=%s: this CPU has no AVX512-BF16", value);
        }
    } else {
        *known = false;
    }
    return 0;
}

static int parse_number(const char *key, const char *value, struct options *o,
                        struct err *err)
{
    struct model_config *m = &o->model;
    const struct {
        const char *key;
        int *out;
    } ints[] = {
        {"d", &m->emb_dim},    {"h", &m->num_heads},  {"L", &m->max_len},
        {"V", &m->vocab_size}, {"C", &m->n_classes},  {"B", &m->max_batch},
        {"ffn", &m->ffn_dim},  {"h1", &m->head1_dim}, {"h2", &m->head2_dim},
        {"steps", &o->steps},  {"seed", &o->seed},    {"threads", &o->threads}};
    const struct {
        const char *key;
        float *out;
    } floats[] = {{"lr", &o->opt.lr},
                  {"wd", &o->opt.weight_decay},
                  {"dropout", &o->dropout}};
    for (size_t i = 0; i < ARRAY_LEN(ints); i++) {
        if (strcmp(key, ints[i].key) == 0) {
            return parse_int(key, value, ints[i].out, err);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(floats); i++) {
        if (strcmp(key, floats[i].key) == 0) {
            return parse_float(key, value, floats[i].out, err);
        }
    }
    return err_set(err, ERR_INVALID, "%s: no such argument", key);
}

static int parse(int argc, char **argv, struct options *o, struct err *err)
{
    for (int i = 1; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (value == NULL) {
            return err_set(err, ERR_INVALID, "%s: expected key=value", argv[i]);
        }
        *value++ = '\0';
        bool known;
        int rc = parse_word(argv[i], value, o, &known, err);
        if (rc == 0 && !known) {
            rc = parse_number(argv[i], value, o, err);
        }
        if (rc != 0) {
            return rc;
        }
    }
    if (o->steps < 3 || o->threads < 1) {
        return err_set(err, ERR_INVALID, "steps >= 3 and threads >= 1");
    }
    return 0;
}

/* --- measuring ------------------------------------------------------------ */

/* A batch as the reference draws its own: lengths from L/3 to L. */
static struct model_batch make_batch(const struct options *o)
{
    const struct model_config *m = &o->model;
    size_t B = (size_t)m->max_batch, L = (size_t)m->max_len;
    int32_t *ids = mem_alloc(B * L, sizeof(*ids));
    int32_t *lengths = mem_alloc(B, sizeof(*lengths));
    int32_t *labels = mem_alloc(B, sizeof(*labels));
    struct rng rng;
    rng_stream(&rng, (uint64_t)o->seed, 0, RNG_SHUFFLE, 0);
    for (size_t b = 0; b < B; b++) {
        size_t least = L / 3;
        lengths[b] =
            (int32_t)(least + rng_below(&rng, (uint32_t)(L - least + 1)));
        for (int32_t i = 0; i < lengths[b] && m->vocab_size > 1; i++) {
            ids[b * L + (size_t)i] =
                1 + (int32_t)rng_below(&rng, (uint32_t)m->vocab_size - 1);
        }
        labels[b] = (int32_t)rng_below(&rng, (uint32_t)m->n_classes);
    }
    return (struct model_batch){
        .ids = ids, .lengths = lengths, .labels = labels, .n = (int)B};
}

static void free_batch(struct model_batch *batch)
{
    free((void *)batch->ids);
    free((void *)batch->lengths);
    free((void *)batch->labels);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof(*values), by_value);
    return values[n / 2];
}

struct measured {
    double ms, cpu_ms, copy_gb_per_s, gemm_gflops, loss;
};

/* Steps and the machine's own speeds in turn, so that all see the same
 * neighbours. */
static int measure(const struct options *o, struct measured *out,
                   struct err *err)
{
    struct model *model;
    int rc = model_new(&o->model, true, &model, err);
    if (rc != 0) {
        return rc;
    }
    struct model_bench *bench;
    rc = model_bench_new(&o->model, &bench, err);
    if (rc != 0) {
        model_free(model);
        return rc;
    }
    model_init(model, (uint64_t)o->seed, 0);
    struct model_batch batch = make_batch(o);
    size_t n = (size_t)o->steps;
    double *took = mem_alloc(n, sizeof(*took));
    double *worked = mem_alloc(n, sizeof(*worked));
    struct measured m = {0};
    for (size_t i = 0; i < n; i++) {
        struct model_result r;
        double start = now_ms(CLOCK_MONOTONIC);
        double started = now_ms(CLOCK_PROCESS_CPUTIME_ID);
        model_train_step(model, &batch, &o->opt, (uint64_t)o->seed, 0, &r);
        worked[i] = now_ms(CLOCK_PROCESS_CPUTIME_ID) - started;
        took[i] = now_ms(CLOCK_MONOTONIC) - start;
        m.loss = r.loss_sum / batch.n;
        m.copy_gb_per_s = fmax(m.copy_gb_per_s, model_bench_copy(bench));
        m.gemm_gflops = fmax(m.gemm_gflops, model_bench_gemm(bench));
    }
    m.ms = median(took + 2, n - 2);
    m.cpu_ms = median(worked + 2, n - 2);
    *out = m;
    free(took);
    free(worked);
    free_batch(&batch);
    model_bench_free(bench);
    model_free(model);
    return 0;
}

static void put(struct json_out *w, const char *key, double value)
{
    json_put_key(w, key);
    json_put_double(w, value);
}

static void print(const struct options *o, const struct measured *m)
{
    struct model_batch batch = make_batch(o);
    double bytes = model_bench_bytes(&o->model);
    double flops = model_bench_flops(&o->model, &batch);
    free_batch(&batch);
    double memory_ms = bytes / m->copy_gb_per_s * 1e-6;
    double gemm_ms = flops / m->gemm_gflops * 1e-6;
    struct buf text;
    struct json_out w;
    buf_init(&text, BUF_MAX_FRAME);
    json_out_init(&w, &text, JSON_COMPACT);
    json_open(&w, '{');
    put(&w, "ms", m->ms);
    put(&w, "cpu_ms", m->cpu_ms);
    put(&w, "bound_ms", memory_ms + gemm_ms);
    put(&w, "memory_ms", memory_ms);
    put(&w, "gemm_ms", gemm_ms);
    put(&w, "bytes", bytes);
    put(&w, "flops", flops);
    put(&w, "copy_gb_per_s", m->copy_gb_per_s);
    put(&w, "gemm_gflops", m->gemm_gflops);
    put(&w, "loss", m->loss);
    json_put_key(&w, "d");
    json_put_int(&w, o->model.emb_dim);
    json_put_key(&w, "B");
    json_put_int(&w, o->model.max_batch);
    json_put_key(&w, "L");
    json_put_int(&w, o->model.max_len);
    json_put_key(&w, "kernels");
    json_put_string(&w, model_kernels(o->model.precision));
    json_put_key(&w, "blas");
    json_put_string(&w, model_blas());
    json_close(&w, '}');
    puts(text.data);
    buf_fini(&text);
}

int main(int argc, char **argv)
{
    struct options o = {.model = {.emb_dim = 128,
                                  .num_heads = 8,
                                  .max_len = 350,
                                  .vocab_size = 8811,
                                  .n_classes = 19,
                                  .ffn_dim = 512,
                                  .head1_dim = 512,
                                  .head2_dim = 256,
                                  .max_batch = 4,
                                  .mask = MODEL_MASK_NOTEBOOK,
                                  .position = MODEL_POSITION_SINUSOID,
                                  .num_layers = 1,
                                  .embedding_std = 1},
                        .opt = {.lr = 2e-5f,
                                .weight_decay = 1e-5f,
                                .beta1 = 0.9f,
                                .beta2 = 0.999f,
                                .eps = 1e-8f},
                        .dropout = 0.2f,
                        .steps = 12,
                        .threads = 1,
                        .seed = 7};
    struct err err;
    struct measured m;
    if (parse(argc, argv, &o, &err) != 0) {
        fprintf(stderr, "train-step: %s\n", err.msg);
        return 2;
    }
    o.model.attention_dropout = o.dropout;
    o.model.ffn_dropout = o.dropout;
    o.model.head_dropout = o.dropout;
    model_set_threads(o.threads);
    if (measure(&o, &m, &err) != 0) {
        fprintf(stderr, "train-step: %s\n", err.msg);
        return EXIT_FAILURE;
    }
    print(&o, &m);
    return EXIT_SUCCESS;
}
