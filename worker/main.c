/* parzen-worker: spawned by parzend; file descriptor 3 is its channel. */
#include "core/base/build.h"
#include "core/base/heritage.h"
#include "worker/session.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>
#include <uv.h>

enum { CHANNEL_FD = 3 };

static int usage(FILE *to)
{
    fprintf(to,
            "usage: parzen-worker   (started by parzend, never by hand:\n"
            "file descriptor 3 must be a socket to the daemon)\n"
            "version %s\n",
            BUILD_ID);
    return to == stdout ? 0 : 2;
}

static bool has_channel(void)
{
    struct stat st;
    return fstat(CHANNEL_FD, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* What a process needs that must never outlive, outrank or betray its daemon.
 */
static void settle_in(void)
{
    pid_t parent = getppid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(1); /* it died before the line above */
    }
    signal(SIGPIPE, SIG_IGN); /* uv_spawn set both back to the default */
    signal(SIGXFSZ, SIG_IGN);
    heritage_hide();
    /* Out of memory: a trial goes before the daemon does. */
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t ignored = write(fd, "500", 3);
        (void)ignored;
        close(fd);
    }
    close_range(CHANNEL_FD + 1, ~0u, 0);
    fcntl(CHANNEL_FD, F_SETFD, FD_CLOEXEC);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        bool is_help =
            strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "--version") == 0;
        return usage(is_help ? stdout : stderr);
    }
    if (!has_channel()) {
        return usage(stderr);
    }
    settle_in();
    struct err err;
    uv_loop_t loop;
    uv_loop_init(&loop);
    int rc = session_run(&loop, CHANNEL_FD, &err);
    if (rc != 0) {
        fprintf(stderr, "parzen-worker: %s\n", err.msg);
    }
    uv_loop_close(&loop);
    return rc == 0 ? 0 : 1;
}
