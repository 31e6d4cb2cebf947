#include "daemon/pool_left.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/proc.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LOOKS = 100, LOOKS_MORE = 3, LOOK_EVERY_NS = 10000000 };

char *pool_mark(const char *state_dir)
{
    struct stat st = {0};
    (void)stat(state_dir, &st);
    return mem_printf(PROC_POOL "=%ju:%ju:%s", (uintmax_t)st.st_dev,
                      (uintmax_t)st.st_ino, state_dir);
}

/* By a descriptor: the number may become another's between look and kill. */
static bool kill_marked(pid_t pid, const char *mark)
{
    int fd = pidfd_open(pid, 0);
    bool is_left = fd >= 0 && proc_has_env(pid, mark) &&
                   pidfd_send_signal(fd, SIGKILL, NULL, 0) == 0;
    if (fd >= 0) {
        close(fd);
    }
    if (is_left) {
        LOG_WARN("ended what an earlier life left", "pid=%d", (int)pid);
    }
    return is_left;
}

/* False: there was none. */
static bool kill_all(const char *mark)
{
    DIR *dir = opendir("/proc");
    bool any = false;
    for (struct dirent *e = dir != NULL ? readdir(dir) : NULL; e != NULL;
         e = readdir(dir)) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        any |= pid > 0 && pid != getpid() && kill_marked(pid, mark);
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return any;
}

/* What begins another program shows no environment for a moment, so once there
 * was anything, it is looked a few times more. */
void pool_left_end(const char *mark)
{
    const struct timespec nap = {.tv_nsec = LOOK_EVERY_NS};
    bool any = kill_all(mark);
    for (int i = 0, n_none = 0; any && i < LOOKS && n_none < LOOKS_MORE; i++) {
        nanosleep(&nap, NULL);
        n_none = kill_all(mark) ? 0 : n_none + 1;
    }
}
