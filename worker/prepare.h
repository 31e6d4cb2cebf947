/* prepare: a study's data set: read, filtered, saved under its SHA-256. */
#ifndef WORKER_PREPARE_H
#define WORKER_PREPARE_H
#include "core/base/err.h"
#include <stdint.h>
struct msg_prepare;
struct msg_prepared;

struct prepare_hooks {
    void *ctx;
    /* Called often: whenever there is something to tell (msg.h: PREPARING). */
    void (*on_progress)(void *ctx, const char *phase, uint64_t done,
                        uint64_t total, const char *unit);
    const volatile int *stop; /* non-zero: give up (CANCELED) */
};

/* A prepared file that is there and whole is taken as it is; else the sources
 * are read (and downloaded). INVALID "data changed: ..." when the study began
 * with another SHA-256. On success *out owns its strings (msg_fini). */
MUST_CHECK int prepare_data(const struct msg_prepare *p,
                            const struct prepare_hooks *hooks,
                            struct msg_prepared *out, struct err *err);

#endif
