#include "daemon/mirror.h"

#include <string.h>

/* What is to be reported next is left out: words are told again. */
static void remember_progress(struct study_progress *p,
                              const struct study_progress *before)
{
    if (p != NULL && before != NULL) {
        *p = *before;
        p->next_epoch = -1;
    }
}

static void remember_study(struct study *s, const struct study *before)
{
    if (s->running_since_ms == before->running_since_ms) {
        s->running_since_mono_ms = before->running_since_mono_ms;
    }
    if (strcmp(s->data.sha256, before->data.sha256) == 0) {
        s->is_prepared = before->is_prepared;
        s->prepared_ms = before->prepared_ms;
    }
    s->preparation = before->preparation;
    s->n_gone = before->n_gone;
    s->n_prepares = before->n_prepares;
    memcpy(s->deaths, before->deaths, sizeof(s->deaths));
    s->n_deaths = before->n_deaths;
    for (size_t i = 0; i < s->n_trials && i < before->n_trials; i++) {
        struct study_trial *t = s->trials[i];
        if (t->attempt == before->trials[i]->attempt) {
            t->not_before_ms = before->trials[i]->not_before_ms;
            remember_progress(t->progress, before->trials[i]->progress);
        }
    }
}

void mirror_remember(struct mirror *m, const struct mirror *before)
{
    m->last_turn = before->last_turn;
    m->tick_ms = before->tick_ms;
    for (size_t i = 0; i < m->n_studies; i++) {
        const struct study *s = mirror_study(before, m->studies[i]->id);
        if (s != NULL) {
            remember_study(m->studies[i], s);
        }
    }
    for (int i = 0; i < m->n_slots; i++) {
        struct study *s = m->slots[i].state == SLOT_PREPARING
                              ? mirror_study(m, m->slots[i].study)
                              : NULL;
        if (s != NULL) {
            s->preparing_slot = i;
        }
    }
}
