#include "tests/lib/fix_daemon.h"
#include "core/base/buf.h"
#include "core/base/file.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REQUEST_MAX = 4096 };

/* The path of "GET /api/v1/studies HTTP/1.1", in place; NULL: none came. */
static const char *read_path(int fd, char request[REQUEST_MAX])
{
    size_t len = 0;
    ssize_t n = 1;
    request[0] = '\0';
    while (strstr(request, "\r\n\r\n") == NULL && n > 0) {
        n = read(fd, request + len, REQUEST_MAX - 1 - len);
        len += n > 0 ? (size_t)n : 0;
        request[len] = '\0';
    }
    char *path = strstr(request, "/api/v1");
    if (path == NULL) {
        return NULL;
    }
    path += strlen("/api/v1");
    path[strcspn(path, " ")] = '\0';
    return path;
}

static void write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return;
        }
        bytes += n;
        len -= (size_t)n;
    }
}

static void serve(int listener, int *n_requests, fix_daemon_answer *answer)
{
    char request[REQUEST_MAX], head[256];
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        const char *path = fd >= 0 ? read_path(fd, request) : NULL;
        if (path != NULL) {
            struct buf body;
            buf_init(&body, BUF_MAX_RESPONSE);
            int status = answer(path, (*n_requests)++, &body);
            snprintf(head, sizeof(head),
                     "HTTP/1.1 %d Said\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\n",
                     status, body.len);
            write_all(fd, head, strlen(head));
            write_all(fd, body.data, body.len);
            buf_fini(&body);
        }
        close(fd);
    }
}

void fix_daemon_start(struct fix_daemon *d, const char *dir,
                      fix_daemon_answer *answer)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct err err;
    ck_assert_int_eq(file_mkdirs(dir, 0700, &err), 0);
    snprintf(at.sun_path, sizeof(at.sun_path), "%.90s/sock", dir);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    ck_assert_int_eq(listen(fd, 8), 0);
    d->n_requests = mmap(NULL, sizeof(*d->n_requests), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(d->n_requests, MAP_FAILED);
    d->pid = fork();
    if (d->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(fd, d->n_requests, answer);
    }
    close(fd);
}

void fix_daemon_stop(struct fix_daemon *d)
{
    kill(d->pid, SIGKILL);
    waitpid(d->pid, NULL, 0);
    munmap(d->n_requests, sizeof(*d->n_requests));
}
