/* suggest: what one suggestion costs after n finished trials, as one JSON
 * object: suggest_us and tell_us are medians.
 *
 * n=1000 params=5: the parameters take turns to be a log float, a float, an int
 * of 1,000 values, a choice of 4 and a stepped float; past values are uniform
 * and the objective is random, so no kernels coincide that need not. Each
 * measured trial is suggested by all of sampler_suggest, then told. */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "daemon/history.h"
#include "daemon/search/sampler.h"
#include "daemon/search/sampler_random.h"
#include "tests/lib/bench_args.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { N_MEASURED = 201, N_CHOICES = 4, N_MAX = 1000000, PARAMS_MAX = 256 };

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof(*v), compare);
    return v[n / 2];
}

static void make_space(struct space *space, size_t n_params)
{
    static struct choice choices[N_CHOICES] = {
        {.kind = CHOICE_INT, .number = 0},
        {.kind = CHOICE_INT, .number = 1},
        {.kind = CHOICE_INT, .number = 2},
        {.kind = CHOICE_INT, .number = 3}};
    const struct dist kinds[] = {
        {.kind = DIST_FLOAT, .low = 1e-5, .high = 1e-1, .log = true},
        {.kind = DIST_FLOAT, .low = 0, .high = 1},
        {.kind = DIST_INT, .low = 1, .high = 1000, .step = 1},
        {.kind = DIST_CATEGORICAL,
         .high = N_CHOICES - 1,
         .choices = choices,
         .n_choices = N_CHOICES},
        {.kind = DIST_FLOAT, .low = -5, .high = 5, .step = 0.1}};
    *space = (struct space){.params = mem_alloc(n_params, sizeof(struct param)),
                            .n = n_params};
    for (size_t i = 0; i < n_params; i++) {
        space->params[i].name = mem_printf("p%zu", i);
        space->params[i].field = -1;
        dist_copy(&space->params[i].dist, &kinds[i % ARRAY_LEN(kinds)]);
    }
}

static void tell(struct history *h, const struct space *space,
                 const double *values, double objective)
{
    int64_t number = history_n_trials(h);
    history_add(h);
    history_set_state(h, number, TRIAL_RUNNING, NAN);
    for (size_t i = 0; i < space->n; i++) {
        history_set_param(h, number, space->params[i].name,
                          &space->params[i].dist, values[i]);
    }
    history_set_state(h, number, TRIAL_COMPLETE, objective);
}

static void fill(struct history *h, const struct space *space, int64_t n,
                 struct rng *rng)
{
    double *values = mem_alloc(space->n, sizeof(*values));
    for (int64_t t = 0; t < n; t++) {
        for (size_t i = 0; i < space->n; i++) {
            values[i] = random_param(rng, &space->params[i].dist);
        }
        tell(h, space, values, rng_double(rng));
    }
    free(values);
}

static void measure(int64_t n, size_t n_params)
{
    struct spec spec;
    spec_defaults(&spec);
    space_fini(&spec.space);
    make_space(&spec.space, n_params);
    struct rng rng;
    rng_stream(&rng, 1, 0, RNG_STARTUP, 0);
    struct history *h = history_new();
    fill(h, &spec.space, n, &rng);
    double *values = mem_alloc(n_params, sizeof(*values));
    double suggest_us[N_MEASURED], tell_us[N_MEASURED];
    for (size_t i = 0; i < N_MEASURED; i++) {
        double start = now_us();
        sampler_suggest(&spec, h, history_n_trials(h), NULL, values);
        double middle = now_us();
        tell(h, &spec.space, values, rng_double(&rng));
        tell_us[i] = now_us() - middle;
        suggest_us[i] = middle - start;
    }
    struct buf buf;
    struct json_out w;
    buf_init(&buf, BUF_MAX_FRAME);
    json_out_init(&w, &buf, JSON_PYTHON);
    json_open(&w, '{');
    json_put_key(&w, "n");
    json_put_int(&w, n);
    json_put_key(&w, "params");
    json_put_int(&w, (int64_t)n_params);
    json_put_key(&w, "suggest_us");
    json_put_double(&w, median(suggest_us, N_MEASURED));
    json_put_key(&w, "tell_us");
    json_put_double(&w, median(tell_us, N_MEASURED));
    json_close(&w, '}');
    puts(buf.data);
    buf_fini(&buf);
    free(values);
    history_free(h);
    spec_fini(&spec);
}

int main(int argc, char **argv)
{
    long n = 1000, n_params = 5;
    for (int i = 1; i < argc; i++) {
        if (!bench_number(argv[i], "n", N_MAX, &n) &&
            !bench_number(argv[i], "params", PARAMS_MAX, &n_params)) {
            fprintf(stderr, "suggest: %s: expected n=N or params=P\n", argv[i]);
            return 2;
        }
    }
    mem_keep(); /* as parzend does */
    measure(n, (size_t)n_params);
    return EXIT_SUCCESS;
}
