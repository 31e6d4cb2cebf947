#include "daemon/action.h"
#include "core/base/mem.h"

#include <stdlib.h>

void action_fini(struct action *a)
{
    switch (a->kind) {
    case ACTION_ADD_STUDY:
    case ACTION_ADOPT_STUDY:
    case ACTION_CHANGE_STUDY:
        if (a->add_study.spec != NULL) {
            spec_fini(a->add_study.spec);
            free(a->add_study.spec);
        }
        break;
    case ACTION_SET_STUDY:
        free(a->set_study.reason);
        break;
    case ACTION_SET_IMPORTANCES:
        importances_fini(&a->importances.list);
        break;
    case ACTION_ADD_TRIAL:
    case ACTION_ADOPT_TRIAL:
        free(a->add_trial.fixed);
        break;
    case ACTION_START_TRIAL:
        free(a->start_trial.values);
        break;
    case ACTION_CHECKPOINT:
        free(a->checkpoint.file.file);
        break;
    case ACTION_DISCARD:
        free(a->discard.file);
        free(a->discard.message);
        break;
    case ACTION_END_ATTEMPT:
    case ACTION_FINISH_TRIAL:
        free(a->end.message);
        break;
    case ACTION_KILL:
        free(a->kill.message);
        break;
    case ACTION_REMOVE_FILE:
        free(a->remove_file.file);
        break;
    default:
        break; /* owns nothing */
    }
}

void actions_init(struct actions *a)
{
    *a = (struct actions){0};
}

void actions_fini(struct actions *a)
{
    for (size_t i = 0; i < a->n; i++) {
        action_fini(&a->items[i]);
    }
    free(a->items);
    *a = (struct actions){0};
}

struct action *actions_add(struct actions *a, struct action action)
{
    if (a->n == a->cap) {
        a->cap = a->cap == 0 ? 8 : 2 * a->cap;
        a->items = mem_grow(a->items, a->cap, sizeof(*a->items));
    }
    a->items[a->n] = action;
    return &a->items[a->n++];
}

static const struct {
    const char *name;
    bool durable, performed;
} KINDS[ACTION_N_KINDS] = {
#define X(name, durable, performed, help)                                      \
    [ACTION_##name] = {#name, durable != 0, performed != 0},
    ACTIONS(X)
#undef X
};

const char *action_name(enum action_kind kind)
{
    return KINDS[kind].name;
}

bool action_is_durable(enum action_kind kind)
{
    return KINDS[kind].durable;
}

bool action_is_performed(enum action_kind kind)
{
    return KINDS[kind].performed;
}

bool actions_any_durable(const struct actions *a)
{
    for (size_t i = 0; i < a->n; i++) {
        if (action_is_durable(a->items[i].kind)) {
            return true;
        }
    }
    return false;
}
