#include "daemon/descriptors.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/resource.h>

/* At rest a daemon has about 22 open, while it makes a backup or starts a
 * worker a dozen more; the rest is for those who ask it. A worker's are its
 * channel, its output and its trial's log. */
enum { FOR_DAEMON = 64, FOR_WORKER = 4 };

int descriptors_claim(int n_workers, struct err *err)
{
    struct rlimit limit;
    uint64_t needed = FOR_DAEMON + (uint64_t)n_workers * FOR_WORKER;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return err_sys(err, errno, "limit of open files");
    }
    if (limit.rlim_max < needed) {
        return err_set(err, ERR_LIMIT,
                       "the hard limit of open files (ulimit -Hn) is %" PRIu64
                       ", a daemon of %d worker(s) needs %" PRIu64
                       ": raise it, or give fewer --workers",
                       (uint64_t)limit.rlim_max, n_workers, needed);
    }
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return err_sys(err, errno, "raising the limit of open files");
    }
    return 0;
}
