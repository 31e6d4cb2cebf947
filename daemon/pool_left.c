#include "daemon/pool_left.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/proc.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

/* Who starts a daemon by hand may do so in what a trial once started, a
 * terminal multiplexer, say: from a shell that has the mark, whose other jobs,
 * and the reader of what the daemon prints, are of the same session. That of a
 * shell without the mark spares nobody: a daemon that it ran before may have
 * left what is there. Nor does init's, which in a container may be
 * everybody's. */
static bool is_spared(pid_t pid, const char *mark)
{
    struct proc p = {.parent = getpid()};
    pid_t session = getsid(pid), of_init = getsid(1);
    do {
        if (p.parent == pid) {
            return true;
        }
        if (session > 0 && session != of_init && getsid(p.parent) == session &&
            proc_has_env(p.parent, mark)) {
            return true;
        }
    } while (proc_read(p.parent, &p) && p.parent > 0);
    return false;
}

/* By a descriptor: the number may become another's between look and kill.
 * (glibc has functions for these calls only since 2.36.) */
static bool kill_marked(pid_t pid, const char *mark)
{
    if (!proc_has_env(pid, mark) || is_spared(pid, mark)) {
        return false;
    }
    long fd = syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0 && errno != ESRCH) {
        LOG_WARN("not ended: left by an earlier life", "pid=%d: %s", (int)pid,
                 strerror(errno));
    }
    bool is_left = fd >= 0 && proc_has_env(pid, mark) &&
                   syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;
    if (fd >= 0) {
        close((int)fd);
    }
    return is_left;
}

/* How many there were. */
static int kill_all(const char *mark)
{
    DIR *dir = opendir("/proc");
    int n = 0;
    for (struct dirent *e = dir != NULL ? readdir(dir) : NULL; e != NULL;
         e = readdir(dir)) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        n += pid > 0 && kill_marked(pid, mark);
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return n;
}

/* What begins another program shows no environment for a moment, so once there
 * was anything, it is looked a few times more. */
void pool_left_end(const char *mark)
{
    const struct timespec nap = {.tv_nsec = LOOK_EVERY_NS};
    int n = kill_all(mark), n_none = 0;
    if (n == 0) {
        return;
    }
    LOG_WARN("ended what an earlier life left", "processes=%d", n);
    for (int i = 0; i < LOOKS && n_none < LOOKS_MORE; i++) {
        nanosleep(&nap, NULL);
        n_none = kill_all(mark) > 0 ? 0 : n_none + 1;
    }
    if (n_none < LOOKS_MORE) {
        LOG_WARN("what an earlier life left does not end", "%s", mark);
    }
}
