#include "core/base/heritage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* "0022 0": umask and core limit. A command does not get it (PARZEN_*). */
static const char NOTE[] = "PARZEN_HERITAGE";

static void limit_core(uint64_t bytes)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_CORE, &limit) == 0) {
        limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
        setrlimit(RLIMIT_CORE, &limit);
    }
}

static void read_own(struct heritage *out)
{
    struct rlimit limit = {0, 0};
    getrlimit(RLIMIT_CORE, &limit);
    out->core = limit.rlim_cur;
    out->umask = umask(077); /* there is no other way to ask */
    umask(out->umask);
}

void heritage_note(void)
{
    char text[64];
    struct heritage own;
    read_own(&own);
    snprintf(text, sizeof(text), "%04o %" PRIu64, (unsigned)own.umask,
             own.core);
    setenv(NOTE, text, 1);
}

void heritage_hide(void)
{
    umask(077);
    limit_core(0);
}

void heritage_read(struct heritage *out)
{
    unsigned mask;
    uint64_t core;
    const char *text = getenv(NOTE);
    if (text != NULL && sscanf(text, "%o %" SCNu64, &mask, &core) == 2) {
        *out = (struct heritage){.umask = mask & 0777, .core = core};
    } else {
        read_own(out);
    }
}

void heritage_take(const struct heritage *h)
{
    umask(h->umask);
    limit_core(h->core);
}
