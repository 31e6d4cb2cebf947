/* What finished trials say (digest.h), kept in their rows and compared by every
 * load: a bit that flips in a value, a parameter or a reported number of the
 * past would else go on into every suggestion to come. */
#include "core/base/mem.h"
#include "daemon/digest.h"
#include "daemon/store_priv.h"

#include <inttypes.h>

static bool is_of_trial(const struct action *a, const struct action *of)
{
    return a->study == of->study && a->number == of->number;
}

/* As in memory, and after the actions of the list that come before its end: a
 * report and the pruning that follows are one decision. */
void store_digest_of_end(const struct store_write *w, struct digest *d)
{
    const struct study *study = mirror_study(w->m, w->a->study);
    const struct study_trial *t = mirror_trial(w->m, w->a->study, w->a->number);
    const struct spec *spec = store_spec_of(w);
    *d = (struct digest){0};
    if (t != NULL) {
        digest_of_trial(study, t, d);
    }
    for (size_t i = 0; spec != NULL && i <= w->at; i++) {
        if (is_of_trial(&w->list->items[i], w->a)) {
            digest_apply(d, spec, t, &w->list->items[i]);
        }
    }
}

struct store_digest {
    bool is_there;
    struct digest digest;
};

int store_read_digest(struct store_loading *l, const struct study_trial *t)
{
    if (t->number >= l->ids.n) { /* a damaged index counts otherwise */
        return store_row_bad(&l->trials, "one trial more than the study has");
    }
    if (l->digests == NULL) {
        l->digests = mem_alloc((size_t)l->ids.n, sizeof(*l->digests));
    }
    struct store_digest *d = &l->digests[t->number];
    d->is_there = !store_row_is_null(&l->trials, STORE_TRIAL_DIGEST);
    int rc = 0;
    for (int i = 0; rc == 0 && d->is_there && i < DIGEST_N_PARTS; i++) {
        rc = store_row_int(&l->trials, STORE_TRIAL_DIGEST + i, INT64_MIN,
                           INT64_MAX, &d->digest.part[i]);
    }
    return rc;
}

int store_check_digest(const struct store_loading *l,
                       const struct study_trial *t)
{
    const struct store_digest *kept = &l->digests[t->number];
    struct digest now;
    if (!kept->is_there) {
        l->store->has_undigested |=
            !l->study->is_foreign && trial_state_is_final(t->state);
        return 0;
    }
    digest_of_trial(l->study, t, &now);
    const char *differs = digest_difference(&kept->digest, &now);
    const struct store_row r = {
        .store = l->store, .table = "trials", .id = t->id, .err = l->err};
    return differs == NULL
               ? 0
               : store_row_bad(&r,
                               "study '%s', trial %" PRId64
                               ": %s is not what it was when the trial ended: "
                               "the file is damaged, or another program has "
                               "changed it",
                               l->study->spec.name, t->number, differs);
}

/* --- trials that have none ------------------------------------------------ */

static int give(struct store *s, const struct study *study,
                const struct study_trial *t, struct err *err)
{
    struct digest d;
    digest_of_trial(study, t, &d);
    return store_run(s, STORE_GIVE_DIGEST,
                     ARGS(STORE_I(t->id), DIGEST_ARGS(&d)), NULL, err);
}

/* The row's trial, and on to the next. */
static int give_row(struct store *s, const struct mirror *m,
                    struct store_row *r, struct err *err)
{
    int64_t study_id, number;
    int rc = store_row_int(r, 1, 1, INT64_MAX, &study_id);
    if (rc == 0) {
        rc = store_row_int(r, 2, 0, INT64_MAX, &number);
    }
    const struct study_trial *t =
        rc == 0 ? mirror_trial(m, study_id, number) : NULL;
    if (t != NULL) {
        rc = give(s, mirror_study(m, study_id), t, err);
    }
    return rc == 0 ? store_row_next(r) : rc;
}

static int give_all(struct store *s, const struct mirror *m, struct err *err)
{
    struct store_row r;
    int rc = store_row_open(&r, s, "parzen_trials",
                            "SELECT t.trial_id, t.study_id, t.number"
                            " FROM parzen_trials x JOIN trials t"
                            " ON t.trial_id = x.trial_id"
                            " WHERE x.end_digest IS NULL AND t.state IN"
                            " ('COMPLETE', 'PRUNED', 'FAIL')",
                            0, err);
    while (rc == 0 && r.has_row) {
        rc = give_row(s, m, &r, err);
    }
    store_row_close(&r);
    return rc;
}

int store_give_digests(struct store *s, const struct mirror *m, struct err *err)
{
    if (!s->has_undigested) {
        return 0;
    }
    int rc = store_run(s, STORE_BEGIN, NULL, 0, NULL, err);
    if (rc == 0) {
        rc = store_life_holds(s, err);
    }
    if (rc == 0) {
        rc = store_is_known(s, err);
    }
    if (rc == 0) {
        rc = give_all(s, m, err);
    }
    if (rc == 0) {
        rc = store_run(s, STORE_COMMIT, NULL, 0, NULL, err);
    }
    if (rc != 0) {
        store_rollback(s);
        return rc == ERR_STALE ? 0 : rc; /* the next start gives them */
    }
    s->has_undigested = false;
    return 0;
}
