#include "core/base/heritage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* "0022 0 1024": umask and soft limits. A command does not get it (PARZEN_*).
 */
static const char NOTE[] = "PARZEN_HERITAGE";

static void set_soft(int resource, uint64_t most)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) == 0) {
        limit.rlim_cur = most < limit.rlim_max ? most : limit.rlim_max;
        setrlimit(resource, &limit);
    }
}

static uint64_t soft_of(int resource)
{
    struct rlimit limit = {0, 0};
    getrlimit(resource, &limit);
    return limit.rlim_cur;
}

static void read_own(struct heritage *out)
{
    out->core = soft_of(RLIMIT_CORE);
    out->files = soft_of(RLIMIT_NOFILE);
    out->umask = umask(077); /* there is no other way to ask */
    umask(out->umask);
}

void heritage_note(void)
{
    char text[96];
    struct heritage own;
    read_own(&own);
    snprintf(text, sizeof(text), "%04o %" PRIu64 " %" PRIu64,
             (unsigned)own.umask, own.core, own.files);
    setenv(NOTE, text, 1);
}

void heritage_hide(void)
{
    umask(077);
    set_soft(RLIMIT_CORE, 0);
}

void heritage_read(struct heritage *out)
{
    unsigned mask;
    uint64_t core, files;
    const char *text = getenv(NOTE);
    if (text != NULL &&
        sscanf(text, "%o %" SCNu64 " %" SCNu64, &mask, &core, &files) == 3) {
        *out = (struct heritage){
            .umask = mask & 0777, .core = core, .files = files};
    } else {
        read_own(out);
    }
}

void heritage_take(const struct heritage *h)
{
    umask(h->umask);
    set_soft(RLIMIT_CORE, h->core);
    set_soft(RLIMIT_NOFILE, h->files);
}
