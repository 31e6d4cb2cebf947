/* told: one line that a command tells: parzen: {"step": 3, "value": 0.71}. */
#ifndef WORKER_TOLD_H
#define WORKER_TOLD_H
#include "core/base/err.h"
#include <stdbool.h>
#include <stdint.h>
struct strings;

struct told {
    bool has_step, has_value;
    int64_t step;
    double value;      /* NaN: it told one, which is no number */
    char *constraints; /* owned: a number a line; NULL: it told none */
};

/* Read what stands behind "parzen:". names are of objective.constraints. A key
 * that is none of ours is refused: what it was meant to tell would be missed
 * without a word. The sentence is for the line's author. */
MUST_CHECK int told_read(const char *text, const struct strings *names,
                         struct told *out, struct err *err);
void told_fini(struct told *t);

#endif
