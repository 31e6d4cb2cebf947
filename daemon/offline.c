#include "daemon/offline.h"

#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "daemon/look.h"
#include "daemon/mirror.h"
#include "daemon/replay.h"
#include "daemon/search/sampler.h"
#include "daemon/store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool offline_is_asked(const struct offline_request *r)
{
    return r->look != NULL || r->replay != NULL || r->export != NULL;
}

/* A file that the user names may be older, or Optuna's: a copy of it is brought
 * up to date. Ours is read where it is. */
static int open_store(const struct offline_request *r, struct store **s,
                      struct err *err)
{
    if (r->db != NULL) {
        return store_open_copy(r->db, s, err);
    }
    char *path = paths_in_state(r->state_dir, "parzen.db");
    int rc = store_open_readonly(path, s, err);
    free(path);
    return rc;
}

/* --- replay -----------------------------------------------------------------
 */

static void put_int(struct json_out *w, const char *key, int64_t v)
{
    json_put_key(w, key);
    json_put_int(w, v);
}

static void put_value(struct json_out *w, const char *key,
                      const struct dist *dist, double value)
{
    json_put_key(w, key);
    if (isnan(value)) {
        json_put_null(w); /* the trial does not have it */
    } else {
        dist_put_value(dist, value, w);
    }
}

static void put_replay(const struct study *s, const struct replay_result *r,
                       struct json_out *w)
{
    const struct replay_difference *d = &r->first;
    json_open(w, '{');
    json_put_key(w, "study");
    json_put_string(w, s->spec.name);
    put_int(w, "suggestions", r->n_suggestions);
    put_int(w, "equal", r->n_equal);
    put_int(w, "given", r->n_given);
    put_int(w, "other_version", r->n_other_version);
    put_int(w, "sampler_version", SAMPLER_VERSION);
    json_put_key(w, "difference");
    if (d->number < 0) {
        json_put_null(w);
    } else {
        const struct param *p = &s->spec.space.params[d->param];
        json_open(w, '{');
        put_int(w, "trial", d->number);
        put_int(w, "event", d->seq);
        json_put_key(w, "param");
        json_put_string(w, p->name);
        put_value(w, "stored", &p->dist, d->stored);
        put_value(w, "recomputed", &p->dist, d->recomputed);
        json_close(w, '}');
    }
    json_close(w, '}');
}

static int replay_loaded(struct store *s, const struct mirror *m,
                         const char *name, struct json_out *w, struct err *err)
{
    const struct study *study = mirror_study_by_name(m, name);
    struct replay_event *events = NULL;
    struct replay_result result;
    size_t n = 0;
    if (study == NULL) {
        return mirror_refuse_name(m, name, err);
    }
    if (study->is_foreign) {
        return err_set(err, ERR_CONFLICT,
                       "study '%s' has no config: its suggestions cannot be "
                       "recomputed",
                       name);
    }
    int rc = store_load_events(s, study->id, m->next_seq, &events, &n, err);
    if (rc == 0) {
        rc = replay_study(study, events, n, &result, err);
    }
    if (rc == 0) {
        put_replay(study, &result, w);
    }
    replay_events_free(events, n);
    return rc;
}

/* --- all --------------------------------------------------------------------
 */

static int with_store(const struct offline_request *r, struct json_out *w,
                      struct err *err)
{
    struct store *s;
    int rc = open_store(r, &s, err);
    if (rc != 0) {
        return rc;
    }
    struct mirror *m = mirror_new(0);
    char *state_dir =
        r->db != NULL ? paths_state_of_db(r->db) : mem_strdup(r->state_dir);
    rc = store_load(s, m, err);
    if (rc == 0) {
        rc = r->replay != NULL ? replay_loaded(s, m, r->replay, w, err)
                               : look(m, state_dir, r->look, w, err);
    }
    free(state_dir);
    mirror_free(m);
    store_close(s);
    return rc;
}

static int export_study(const struct offline_request *r, struct json_out *w,
                        struct err *err)
{
    const struct store_export options = {.study = r->export,
                                         .to = r->to,
                                         .stamp = r->stamp,
                                         .overwrite = r->overwrite};
    char *ours =
        paths_in_state(r->state_dir != NULL ? r->state_dir : ".", "parzen.db");
    int64_t n_trials = 0;
    int rc =
        store_export(r->db != NULL ? r->db : ours, &options, &n_trials, err);
    if (rc == 0) {
        json_open(w, '{');
        json_put_key(w, "file");
        json_put_string(w, r->to);
        put_int(w, "trials", n_trials);
        json_close(w, '}');
    }
    free(ours);
    return rc;
}

static void put_error(const struct err *err, struct json_out *w)
{
    json_open(w, '{');
    json_put_key(w, "error");
    json_open(w, '{');
    json_put_key(w, "code");
    json_put_string(w, err_name(err->code));
    json_put_key(w, "message");
    json_put_string(w, err->msg);
    json_close(w, '}');
    json_close(w, '}');
}

int offline_run(const struct offline_request *r)
{
    struct buf text;
    struct json_out w;
    struct err err;
    log_set_level(LOG_LEVEL_ERROR);
    buf_init(&text, BUF_MAX_RESPONSE);
    json_out_init(&w, &text, JSON_COMPACT);
    int rc;
    if (r->state_dir == NULL && r->db == NULL) {
        rc = err_set(&err, ERR_INVALID,
                     "no state directory: give --state, or set HOME");
    } else {
        rc = r->export != NULL ? export_study(r, &w, &err)
                               : with_store(r, &w, &err);
    }
    if (rc == 0 && text.overflow) {
        rc = err_set(&err, ERR_LIMIT, "the answer is too large");
    }
    if (rc != 0) {
        buf_reset(&text);
        json_out_init(&w, &text, JSON_COMPACT);
        put_error(&err, &w);
    }
    printf("%s\n", text.data);
    buf_fini(&text);
    return rc == 0 ? 0 : 1;
}
