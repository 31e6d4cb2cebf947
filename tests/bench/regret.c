/* regret TABLE.json [N_TRIALS [N_SEEDS]]: the best value so far of TPE and of
 * random search on a table of finished trainings, seed by seed, as one JSON
 * object with the keys of the project's Optuna oracle. A parameter whose values
 * are strings is categorical; any other is an index into its values. */
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "daemon/history.h"
#include "daemon/search/sampler.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t MARKS[] = {25, 50, 100, 200};

struct table {
    struct json *root;
    double *values;
    size_t n_values;
    struct spec spec; /* its space, direction and sampler */
};

static void read_param(const struct json *p, struct param *out)
{
    const struct json *values = json_get(p, "values");
    size_t n = (size_t)json_size(values);
    struct dist d = {.kind = DIST_INT, .high = (double)n - 1.0, .step = 1.0};
    if (json_kind(json_first(values)) == JSON_STRING) {
        d = (struct dist){.kind = DIST_CATEGORICAL,
                          .high = (double)n - 1.0,
                          .choices = mem_alloc(n, sizeof(struct choice))};
        for (const struct json *v = json_first(values); v != NULL;
             v = json_next(v)) {
            d.choices[d.n_choices++] = (struct choice){
                .kind = CHOICE_STRING, .string = mem_strdup(json_string(v))};
        }
    }
    *out = (struct param){.name = mem_strdup(json_string(json_get(p, "name"))),
                          .field = -1,
                          .dist = d};
}

static int table_read(const char *path, struct table *t, struct err *err)
{
    struct buf text;
    buf_init(&text, BUF_MAX_RESPONSE);
    int rc = file_read(path, &text, err);
    if (rc == 0) {
        rc = json_parse(text.data, text.len, &t->root, err);
    }
    buf_fini(&text);
    if (rc != 0) {
        return err_wrap(err, "%s", path);
    }
    const struct json *space = json_get(t->root, "space");
    const struct json *values = json_get(t->root, "values");
    spec_defaults(&t->spec);
    t->spec.direction =
        strcmp(json_string(json_get(t->root, "direction")), "maximize") == 0
            ? SPEC_MAXIMIZE
            : SPEC_MINIMIZE;
    t->spec.space.params =
        mem_alloc((size_t)json_size(space), sizeof(struct param));
    for (const struct json *p = json_first(space); p != NULL;
         p = json_next(p)) {
        read_param(p, &t->spec.space.params[t->spec.space.n++]);
    }
    t->values = mem_alloc((size_t)json_size(values), sizeof(double));
    for (const struct json *v = json_first(values); v != NULL;
         v = json_next(v)) {
        t->values[t->n_values++] =
            json_kind(v) == JSON_NUMBER ? json_number(v) : (double)NAN;
    }
    return 0;
}

static double look_up(const struct table *t, const double *point)
{
    size_t cell = 0;
    for (size_t i = 0; i < t->spec.space.n; i++) {
        const struct dist *d = &t->spec.space.params[i].dist;
        cell = cell * (size_t)(d->high + 1.0) + (size_t)point[i];
    }
    return t->values[cell];
}

/* Best so far at each mark. */
static void run_one(struct table *t, uint64_t seed, int64_t n_trials,
                    double *at_mark)
{
    struct history *h = history_new();
    const struct space *space = &t->spec.space;
    double *point = mem_alloc(space->n, sizeof(*point));
    double best = NAN;
    size_t mark = 0;
    t->spec.base.seed = seed;
    for (int64_t i = 0; i < n_trials; i++) {
        sampler_suggest(&t->spec, h, i, NULL, point);
        history_add(h);
        for (size_t p = 0; p < space->n; p++) {
            history_set_param(h, i, space->params[p].name,
                              &space->params[p].dist, point[p]);
        }
        double v = look_up(t, point);
        bool is_better =
            t->spec.direction == SPEC_MAXIMIZE ? v > best : v < best;
        best = isnan(best) || is_better ? v : best;
        history_set_state(h, i, isnan(v) ? TRIAL_FAIL : TRIAL_COMPLETE, v);
        if (mark < ARRAY_LEN(MARKS) && i + 1 == MARKS[mark]) {
            at_mark[mark++] = best;
        }
    }
    free(point);
    history_free(h);
}

static void put_sampler(struct json_out *w, struct table *t, const char *name,
                        enum spec_sampler sampler, int64_t n_trials,
                        int64_t n_seeds)
{
    size_t n_marks = ARRAY_LEN(MARKS);
    double *best = mem_alloc((size_t)n_seeds * n_marks, sizeof(*best));
    t->spec.sampler = sampler;
    for (int64_t s = 0; s < n_seeds; s++) {
        run_one(t, (uint64_t)s, n_trials, best + (size_t)s * n_marks);
    }
    json_put_key(w, name);
    json_open(w, '{');
    for (size_t m = 0; m < n_marks && MARKS[m] <= n_trials; m++) {
        char key[24];
        snprintf(key, sizeof(key), "%lld", (long long)MARKS[m]);
        json_put_key(w, key);
        json_open(w, '[');
        for (int64_t s = 0; s < n_seeds; s++) {
            json_put_double(w, best[(size_t)s * n_marks + m]);
        }
        json_close(w, ']');
    }
    json_close(w, '}');
    free(best);
}

int main(int argc, char **argv)
{
    struct table t = {0};
    struct err err;
    int64_t n_trials = argc > 2 ? atoll(argv[2]) : 100;
    int64_t n_seeds = argc > 3 ? atoll(argv[3]) : 30;
    if (argc < 2 || argc > 4 || n_trials < 1 || n_seeds < 1) {
        fprintf(stderr, "usage: regret TABLE.json [N_TRIALS [N_SEEDS]]\n");
        return 2;
    }
    if (table_read(argv[1], &t, &err) != 0) {
        fprintf(stderr, "regret: %s\n", err.msg);
        return 1;
    }
    struct buf text;
    struct json_out w;
    buf_init(&text, BUF_MAX_RESPONSE);
    json_out_init(&w, &text, JSON_PYTHON);
    json_open(&w, '{');
    json_put_key(&w, "table");
    json_put_node(&w, json_get(t.root, "source"));
    json_put_key(&w, "n_trials");
    json_put_int(&w, n_trials);
    json_put_key(&w, "best_at");
    json_open(&w, '{');
    put_sampler(&w, &t, "tpe", SPEC_SAMPLER_TPE, n_trials, n_seeds);
    put_sampler(&w, &t, "random", SPEC_SAMPLER_RANDOM, n_trials, n_seeds);
    json_close(&w, '}');
    json_close(&w, '}');
    puts(text.data);
    buf_fini(&text);
    spec_fini(&t.spec);
    free(t.values);
    json_free(t.root);
    return 0;
}
