#include "daemon/http/listen.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/paths.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128, PORT_MAX = 65535, PORT_FILE_MAX = 64 };

static int open_socket(int family, int *fd, struct err *err)
{
    *fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return *fd >= 0 ? 0 : err_sys(err, errno, "socket");
}

/* A socket's address holds 107 bytes; through the folder's descriptor any
 * path fits. The mode is set before anybody can connect. */
static int bind_in(int dir, int fd, const char *state_dir, struct err *err)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof(at.sun_path), "/proc/self/fd/%d/sock", dir);
    if (unlinkat(dir, "sock", 0) != 0 && errno != ENOENT) {
        return err_sys(err, errno, "remove %s/sock", state_dir);
    }
    if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) != 0 ||
        fchmodat(dir, "sock", 0600, 0) != 0 || listen(fd, BACKLOG) != 0) {
        return err_sys(err, errno, "listen on %s/sock", state_dir);
    }
    return 0;
}

int listen_unix(const char *state_dir, int *fd, struct err *err)
{
    int sock, rc = open_socket(AF_UNIX, &sock, err);
    if (rc != 0) {
        return rc;
    }
    int dir = open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        rc = err_sys(err, errno, "open %s", state_dir);
    } else {
        rc = bind_in(dir, sock, state_dir, err);
        close(dir);
    }
    if (rc != 0) {
        close(sock);
        return rc;
    }
    *fd = sock;
    return 0;
}

ino_t listen_inode(const char *state_dir)
{
    struct stat st;
    char *path = paths_in_state(state_dir, "sock");
    bool is_there = lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
    free(path);
    return is_there ? st.st_ino : 0;
}

static int bind_loopback(int fd, int port, int *actual, struct err *err)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(at);
    int one = 1; /* an old connection in TIME_WAIT does not hold the port */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (const struct sockaddr *)&at, n) != 0 ||
        listen(fd, BACKLOG) != 0) {
        return errno == EADDRINUSE || errno == EACCES
                   ? err_set(err, ERR_CONFLICT,
                             "port %d is %s; choose another with --port N, or "
                             "--port 0 for any free one",
                             port,
                             errno == EACCES ? "the system's"
                                             : "in use by another program")
                   : err_sys(err, errno, "listen on 127.0.0.1:%d", port);
    }
    if (getsockname(fd, (struct sockaddr *)&at, &n) != 0) {
        return err_sys(err, errno, "getsockname");
    }
    *actual = ntohs(at.sin_port);
    return 0;
}

int listen_tcp(int port, int *fd, int *actual, struct err *err)
{
    int sock, rc = open_socket(AF_INET, &sock, err);
    if (rc != 0) {
        return rc;
    }
    rc = bind_loopback(sock, port, actual, err);
    if (rc != 0) {
        close(sock);
        return rc;
    }
    *fd = sock;
    return 0;
}

int listen_tell_port(const char *state_dir, int port, struct err *err)
{
    char text[16];
    int n = snprintf(text, sizeof(text), "%d\n", port);
    char *path = paths_in_state(state_dir, "port");
    int rc = file_write_atomic(path, text, (size_t)n, 0600, err);
    free(path);
    return rc;
}

int listen_last_port(const char *state_dir)
{
    struct buf text;
    buf_init(&text, PORT_FILE_MAX);
    char *path = paths_in_state(state_dir, "port");
    long port = file_read(path, &text, NULL) == 0 && text.len > 0
                    ? strtol(text.data, NULL, 10)
                    : 0;
    free(path);
    buf_fini(&text);
    return port > 0 && port <= PORT_MAX ? (int)port : 0;
}

void listen_forget(const char *state_dir)
{
    char *path = paths_in_state(state_dir, "sock");
    unlink(path);
    free(path);
}

bool listen_peer_is_ours(int fd)
{
    struct ucred peer;
    socklen_t n = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}
