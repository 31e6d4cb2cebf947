/* sweep: remove files that no row refers to: half-written temporaries,
 * checkpoints made durable but never committed, folders of deleted studies. */
#ifndef DAEMON_SWEEP_H
#define DAEMON_SWEEP_H
#include "core/base/err.h"
struct mirror;

/* At start, before any worker runs. What cannot be removed is logged; only a
 * state directory that cannot be read is an error. */
MUST_CHECK int daemon_sweep(const struct mirror *m, const char *state_dir,
                            struct err *err);

#endif
