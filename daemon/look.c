#include "daemon/look.h"

#include "core/base/mem.h"
#include "core/spec/trial.h"
#include "daemon/http/url.h"
#include "daemon/mirror.h"
#include "daemon/views.h"

#include <stdlib.h>
#include <string.h>

enum { SEGMENTS_MAX = 5 };

struct looking {
    struct mirror *m;
    const char *state_dir;
    const char *segments[SEGMENTS_MAX];
    int n;
    char *query; /* "state=FAIL&limit=3", or NULL; borrowed */
    struct json_out *w;
    struct err *err;
};

/* The value of one key of the query as a new string, or NULL. */
static char *query(const struct looking *l, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = l->query; at != NULL; at = strchr(at, '&')) {
        at += *at == '&';
        if (strncmp(at, name, n) == 0 && at[n] == '=') {
            char *value = mem_strndup(at + n + 1, strcspn(at + n + 1, "&"));
            if (url_decode(value)) {
                return value;
            }
            free(value);
            return NULL;
        }
    }
    return NULL;
}

static int64_t query_int(const struct looking *l, const char *name,
                         int64_t absent)
{
    char *text = query(l, name);
    int64_t v = text != NULL ? strtoll(text, NULL, 10) : absent;
    free(text);
    return v;
}

static int look_trials(const struct looking *l, const struct study *s)
{
    static const struct views_time never = {0};
    struct views_filter f = {.state = -1,
                             .after = query_int(l, "after", -1),
                             .from = query_int(l, "from", -1),
                             .limit = query_int(l, "limit", 0)};
    char *state = query(l, "state");
    bool is_known = true;
    if (state != NULL) {
        f.state = trial_state_by_name(state);
        is_known = f.state >= 0;
    }
    free(state);
    if (!is_known) {
        return err_set(l->err, ERR_INVALID,
                       "state: expected WAITING, RUNNING, COMPLETE, PRUNED or "
                       "FAIL");
    }
    views_trials(s, &f, l->state_dir, &never, l->w);
    return 0;
}

static int look_trial(const struct looking *l, const struct study *s)
{
    static const struct views_time never = {0};
    char *end;
    long long number = strtoll(l->segments[3], &end, 10);
    if (end == l->segments[3] || *end != '\0' || number < 0 ||
        number >= (long long)s->n_trials) {
        return err_set(l->err, ERR_NOTFOUND, "study '%s' has no trial %s",
                       s->spec.name, l->segments[3]);
    }
    views_trial(s, s->trials[number], l->state_dir, true, &never, l->w);
    return 0;
}

static int look_importances(const struct looking *l, struct study *s)
{
    char *name = query(l, "evaluator");
    int e = name != NULL ? importance_by_name(name) : IMPORTANCE_PED_ANOVA;
    free(name);
    if (e < 0) {
        return err_set(l->err, ERR_INVALID,
                       "evaluator: expected ped-anova, fanova or mdi");
    }
    struct importances *list = &s->importances[e];
    if (list->n_trials != s->n_by_state[TRIAL_COMPLETE]) {
        importances_fini(list);
        importance_compute((enum importance_evaluator)e, s->history,
                           s->spec.direction, (uint64_t)s->spec.base.seed, true,
                           list);
    }
    views_importances(s, (enum importance_evaluator)e, false, l->w);
    return 0;
}

static int look_study(const struct looking *l)
{
    static const struct views_time never = {0};
    struct study *s = mirror_study_by_name(l->m, l->segments[1]);
    if (s == NULL) {
        return mirror_refuse_name(l->m, l->segments[1], l->err);
    }
    if (l->n == 2) {
        views_study(l->m, s, l->state_dir, NULL, &never, l->w);
        return 0;
    }
    bool is_trials = strcmp(l->segments[2], "trials") == 0;
    if (l->n == 3 && is_trials) {
        return look_trials(l, s);
    }
    if (l->n == 4 && is_trials) {
        return look_trial(l, s);
    }
    if (l->n == 3 && strcmp(l->segments[2], "importances") == 0) {
        return look_importances(l, s);
    }
    return err_set(l->err, ERR_INVALID, "that needs a daemon");
}

int look(struct mirror *m, const char *state_dir, const char *path,
         struct json_out *w, struct err *err)
{
    struct looking l = {.m = m, .state_dir = state_dir, .w = w, .err = err};
    static const struct views_time never = {0};
    char *copy = mem_strdup(path + (path[0] == '/'));
    l.query = strchr(copy, '?');
    if (l.query != NULL) {
        *l.query++ = '\0';
    }
    int rc = 0;
    if (url_split(copy, SEGMENTS_MAX, l.segments, &l.n) != URL_OK || l.n < 1 ||
        strcmp(l.segments[0], "studies") != 0) {
        rc = err_set(err, ERR_INVALID, "that needs a daemon");
    } else if (l.n == 1) {
        views_studies(m, l.state_dir, &never, w);
    } else {
        rc = look_study(&l);
    }
    free(copy);
    return rc;
}
