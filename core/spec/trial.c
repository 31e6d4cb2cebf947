#include "core/spec/trial.h"

#include <string.h>
#include <strings.h>

static const char *const STATE_NAMES[TRIAL_N_STATES] = {
#define X(name, text) [TRIAL_##name] = text,
    TRIAL_STATES(X)
#undef X
};

static const struct {
    const char *name;
    bool retried;
} CAUSES[TRIAL_N_CAUSES] = {
#define X(name, text, again, help) [TRIAL_CAUSE_##name] = {text, again},
    TRIAL_CAUSES(X)
#undef X
};

const char *trial_state_name(enum trial_state s)
{
    return (unsigned)s < TRIAL_N_STATES ? STATE_NAMES[s] : "UNKNOWN";
}

int trial_state_by_name(const char *name)
{
    for (int i = 0; i < TRIAL_N_STATES; i++) {
        if (strcasecmp(STATE_NAMES[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

const char *trial_cause_name(enum trial_cause c)
{
    return (unsigned)c < TRIAL_N_CAUSES ? CAUSES[c].name : "unknown";
}

int trial_cause_by_name(const char *name)
{
    for (int i = 0; i < TRIAL_N_CAUSES; i++) {
        if (strcmp(CAUSES[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

bool trial_cause_is_retried(enum trial_cause c)
{
    return (unsigned)c < TRIAL_N_CAUSES && CAUSES[c].retried;
}
