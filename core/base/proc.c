#include "core/base/proc.h"
#include "core/base/buf.h"
#include "core/base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ENV_MAX = 8 << 20 };

/* What of a file in /proc fits, as text; -1: it cannot be read. */
static ssize_t read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, size - 1) : -1;
    if (fd >= 0) {
        close(fd);
    }
    text[n > 0 ? n : 0] = '\0';
    return n;
}

bool proc_read(pid_t pid, struct proc *out)
{
    char path[64], text[1024];
    long parent, pages;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (read_text(path, text, sizeof(text)) <= 0) {
        return false;
    }
    *out = (struct proc){.pid = pid};
    const char *at = strrchr(text, ')'); /* names may hold anything */
    /* rss is 20 fields after ppid */
    if (at == NULL || sscanf(at + 1,
                             " %c %ld %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u"
                             " %*u %*d %*d %*d %*d %*d %*d %*u %*u %ld",
                             &out->state, &parent, &pages) != 3) {
        return false;
    }
    out->parent = (pid_t)parent;
    out->memory = (int64_t)pages * sysconf(_SC_PAGESIZE);
    return true;
}

int64_t proc_share(pid_t pid)
{
    char path[64], text[1024];
    long long kb;
    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
    const char *at =
        read_text(path, text, sizeof(text)) > 0 ? strstr(text, "\nPss:") : NULL;
    if (at != NULL && sscanf(at, " Pss: %lld kB", &kb) == 1) {
        return (int64_t)kb << 10;
    }
    struct proc p; /* it ended since, or is another user's */
    return proc_read(pid, &p) ? p.memory : 0;
}

int proc_children(pid_t *out, int max)
{
    char text[4096];
    int n = 0;
    pid_t pid = 0;
    (void)read_text("/proc/thread-self/children", text, sizeof(text));
    for (const char *at = text; *at != '\0' && n < max; at++) {
        if (*at >= '0' && *at <= '9') {
            pid = 10 * pid + (*at - '0');
        } else if (pid > 0) { /* a number that was cut off waits */
            out[n++] = pid;
            pid = 0;
        }
    }
    return n;
}

bool proc_has_env(pid_t pid, const char *entry)
{
    char path[64];
    struct buf env;
    bool has = false;
    snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    buf_init(&env, ENV_MAX);
    if (file_read(path, &env, NULL) == 0) {
        for (size_t at = 0; at < env.len && !has;
             at += strlen(env.data + at) + 1) {
            has = strcmp(env.data + at, entry) == 0;
        }
    }
    buf_fini(&env);
    return has;
}
