#include "tests/lib/search_run.h"
#include "core/base/mem.h"
#include "core/spec/spec_json.h"
#include "core/spec/trial.h"
#include "daemon/history.h"
#include "daemon/search/sampler.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void search_run_init(struct search_run *r, const char *members,
                     const char *params)
{
    char *text = mem_printf("{\"study\":\"s\",\"objective\":{\"type\":"
                            "\"function\",\"function\":\"sphere\"},%s"
                            "\"params\":{%s}}",
                            members, params);
    struct err err = {0};
    ck_assert_msg(spec_parse(text, strlen(text), &r->spec, &err) == 0, "%s: %s",
                  err.msg, text);
    free(text);
    r->history = history_new();
}

void search_run_fini(struct search_run *r)
{
    spec_fini(&r->spec);
    history_free(r->history);
}

int64_t search_run_ask(struct search_run *r, double *out)
{
    int64_t number = history_n_trials(r->history);
    const struct space *space = &r->spec.space;
    sampler_suggest(&r->spec, r->history, number, NULL, out);
    history_add(r->history);
    for (size_t i = 0; i < space->n; i++) {
        if (!isnan(out[i])) {
            history_set_param(r->history, number, space->params[i].name,
                              &space->params[i].dist, out[i]);
        }
    }
    history_set_state(r->history, number, TRIAL_RUNNING, NAN);
    return number;
}

void search_run_tell(struct search_run *r, int64_t number, double value)
{
    history_set_state(r->history, number, TRIAL_COMPLETE, value);
}
