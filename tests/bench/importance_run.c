/* importance-run RUN.json: the importances of a recorded run (what tpe-run
 * prints), as one JSON object with the keys of the project's Optuna oracle;
 * forests: mean and standard deviation over eight seeds. */
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "daemon/search/importance.h"
#include "tests/lib/recorded_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_SEEDS = 8 };

static void put_plain(struct json_out *w, const char *key,
                      const struct recorded_run *run, bool normalize)
{
    struct importances got;
    importance_compute(IMPORTANCE_PED_ANOVA, run->history, run->direction, 0,
                       normalize, &got);
    json_put_key(w, key);
    json_open(w, '{');
    for (size_t i = 0; i < got.n; i++) {
        json_put_key(w, got.items[i].name);
        json_put_double(w, got.items[i].value);
    }
    json_close(w, '}');
    importances_fini(&got);
}

static double value_of(const struct importances *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++) {
        if (strcmp(list->items[i].name, name) == 0) {
            return list->items[i].value;
        }
    }
    return 0.0;
}

static void put_forests(struct json_out *w, enum importance_evaluator evaluator,
                        const struct recorded_run *run)
{
    struct importances got[N_SEEDS];
    for (uint64_t s = 0; s < N_SEEDS; s++) {
        importance_compute(evaluator, run->history, run->direction, s, true,
                           &got[s]);
    }
    json_put_key(w, importance_name(evaluator));
    json_open(w, '{');
    for (size_t i = 0; i < got[0].n; i++) {
        const char *name = got[0].items[i].name;
        double sum = 0.0, square = 0.0;
        for (int s = 0; s < N_SEEDS; s++) {
            sum += value_of(&got[s], name);
        }
        for (int s = 0; s < N_SEEDS; s++) {
            double off = value_of(&got[s], name) - sum / N_SEEDS;
            square += off * off;
        }
        json_put_key(w, name);
        json_open(w, '{');
        json_put_key(w, "mean");
        json_put_double(w, sum / N_SEEDS);
        json_put_key(w, "sd");
        json_put_double(w, sqrt(square / (N_SEEDS - 1)));
        json_close(w, '}');
    }
    json_close(w, '}');
    for (int s = 0; s < N_SEEDS; s++) {
        importances_fini(&got[s]);
    }
}

int main(int argc, char **argv)
{
    struct recorded_run run;
    struct err err;
    if (argc != 2) {
        fprintf(stderr, "usage: importance-run RUN.json\n");
        return 2;
    }
    if (recorded_run_read(argv[1], &run, &err) != 0) {
        fprintf(stderr, "importance-run: %s\n", err.msg);
        return 1;
    }
    struct buf text;
    struct json_out w;
    buf_init(&text, BUF_MAX_RESPONSE);
    json_out_init(&w, &text, JSON_PYTHON);
    json_open(&w, '{');
    put_plain(&w, "ped-anova", &run, true);
    put_plain(&w, "ped-anova-raw", &run, false);
    put_forests(&w, IMPORTANCE_FANOVA, &run);
    put_forests(&w, IMPORTANCE_MDI, &run);
    json_close(&w, '}');
    puts(text.data);
    buf_fini(&text);
    recorded_run_fini(&run);
    return 0;
}
