/* Sockets, the files that tell of them, and what happens at both ends of a
 * server's life. */
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "daemon/http/listen.h"
#include "daemon/http/server.h"
#include "tests/lib/test_main.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

static uv_loop_t loop;
static char top[64];

static void start(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    snprintf(top, sizeof(top), "/tmp/parzen-listen-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(top));
    uv_loop_init(&loop);
}

static void stop(void)
{
    struct err err;
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    ck_assert_int_eq(file_remove_tree(top, &err), 0);
}

static int open_server(const char *dir, int port, struct http_server **out,
                       struct err *err)
{
    struct http_server_options o = {.state_dir = dir, .port = port};
    return http_server_new(&loop, &o, out, err);
}

static void on_closed(void *ctx)
{
    (*(int *)ctx)++;
}

static void close_server(struct http_server *s)
{
    int n_closed = 0;
    http_server_close(s, on_closed, &n_closed);
    ck_assert_int_eq(n_closed, 0); /* never from inside the call */
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(n_closed, 1);
}

static mode_t mode_of(const char *dir, const char *name)
{
    struct stat st;
    char *path = mem_printf("%s/%s", dir, name);
    mode_t mode = stat(path, &st) == 0 ? st.st_mode : 0;
    free(path);
    return mode;
}

static bool can_connect(const char *dir)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int folder = open(dir, O_PATH | O_CLOEXEC);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(at.sun_path, sizeof(at.sun_path), "/proc/self/fd/%d/sock", folder);
    bool can = connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
    close(fd);
    close(folder);
    return can;
}

START_TEST(test_files)
{
    struct http_server *s;
    struct err err;
    ck_assert_int_eq(open_server(top, 0, &s, &err), 0);
    ck_assert_uint_eq(mode_of(top, "sock"), S_IFSOCK | 0600);
    ck_assert_uint_eq(mode_of(top, "token"), S_IFREG | 0600);
    ck_assert_uint_eq(mode_of(top, "port"), S_IFREG | 0600);
    char text[16], *path = mem_printf("%s/port", top);
    struct buf port;
    buf_init(&port, 64);
    ck_assert_int_eq(file_read(path, &port, &err), 0);
    snprintf(text, sizeof(text), "%d\n", http_server_port(s));
    ck_assert_str_eq(port.data, text);
    int used = http_server_port(s);
    close_server(s);
    ck_assert_uint_eq(mode_of(top, "sock"), 0);
    ck_assert_int_eq(listen_last_port(top), used); /* for the next start */
    ck_assert_uint_eq(mode_of(top, "token"), S_IFREG | 0600);
    buf_fini(&port);
    free(path);
}
END_TEST

/* Whatever stands there, a start must not stumble over it. */
START_TEST(test_a_port_that_is_none)
{
    static const char *const texts[] = {"", "x\n", "-1\n", "0\n", "65536\n"};
    struct err err;
    char *path = mem_printf("%s/port", top);
    ck_assert_int_eq(listen_last_port(top), 0);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        ck_assert_int_eq(
            file_write_atomic(path, texts[i], strlen(texts[i]), 0600, &err), 0);
        ck_assert_int_eq(listen_last_port(top), 0);
    }
    ck_assert_int_eq(listen_tell_port(top, 65535, &err), 0);
    ck_assert_int_eq(listen_last_port(top), 65535);
    free(path);
}
END_TEST

/* The next one is tried then, as where another program has it. */
START_TEST(test_a_port_of_the_systems)
{
    int fd, actual;
    struct err err;
    if (geteuid() == 0) { /* root may take any */
        ck_assert_int_eq(seteuid(65534), 0);
    }
    int rc = listen_tcp(1, &fd, &actual, &err);
    ck_assert_msg(rc == 0 || rc == ERR_CONFLICT, "%s", err.msg);
    if (rc == 0) { /* a system where everybody may */
        close(fd);
    }
    ck_assert(getuid() != 0 || seteuid(0) == 0);
}
END_TEST

START_TEST(test_stale_socket_is_replaced)
{
    struct http_server *s;
    struct err err;
    char *path = mem_printf("%s/sock", top);
    ck_assert_int_eq(file_write_atomic(path, "x", 1, 0644, &err), 0);
    ck_assert_int_eq(open_server(top, 0, &s, &err), 0);
    ck_assert_uint_eq(mode_of(top, "sock"), S_IFSOCK | 0600);
    ck_assert(can_connect(top));
    close_server(s);
    free(path);
}
END_TEST

START_TEST(test_long_path)
{
    struct http_server *s;
    struct err err;
    char deep[512];
    int n = snprintf(deep, sizeof(deep), "%s", top);
    for (int i = 0; i < 6; i++) {
        n += snprintf(deep + n, sizeof(deep) - (size_t)n, "/%050d", i);
    }
    ck_assert_int_eq(file_mkdirs(deep, 0700, &err), 0);
    ck_assert_int_eq(open_server(deep, 0, &s, &err), 0);
    ck_assert(can_connect(deep));
    close_server(s);
}
END_TEST

START_TEST(test_port_in_use)
{
    struct http_server *first, *second = NULL;
    struct err err;
    char other[80], port[16];
    snprintf(other, sizeof(other), "%s/other", top);
    ck_assert_int_eq(file_mkdirs(other, 0700, &err), 0);
    ck_assert_int_eq(open_server(top, 0, &first, &err), 0);
    ck_assert_int_eq(open_server(other, http_server_port(first), &second, &err),
                     ERR_CONFLICT);
    ck_assert_ptr_null(second);
    snprintf(port, sizeof(port), "port %d ", http_server_port(first));
    ck_assert_ptr_nonnull(strstr(err.msg, port));
    ck_assert_ptr_nonnull(strstr(err.msg, "--port"));
    ck_assert_uint_eq(mode_of(other, "sock"), 0);
    ck_assert_uint_eq(mode_of(other, "port"), 0);
    close_server(first);
}
END_TEST

START_TEST(test_port_is_free_again)
{
    struct http_server *s;
    struct err err;
    ck_assert_int_eq(open_server(top, 0, &s, &err), 0);
    int port = http_server_port(s);
    close_server(s);
    ck_assert_int_eq(open_server(top, port, &s, &err), 0);
    ck_assert_int_eq(http_server_port(s), port);
    close_server(s);
}
END_TEST

/* The HTTP library's, too: what it needs to start. */
static bool has_no_epoll;

int epoll_create1(int flags)
{
    if (has_no_epoll) {
        errno = EMFILE;
        return -1;
    }
    return (int)syscall(SYS_epoll_create1, flags);
}

/* The socket is made again, but nobody can listen to it: not the last try. */
START_TEST(test_a_removed_socket_is_made_until_it_works)
{
    struct http_server *s;
    struct err err;
    char *path = mem_printf("%s/sock", top);
    ck_assert_int_eq(open_server(top, 0, &s, &err), 0);
    ck_assert_int_eq(unlink(path), 0);
    has_no_epoll = true;
    uv_run(&loop, UV_RUN_ONCE); /* the look at the socket */
    has_no_epoll = false;
    ck_assert(!can_connect(top));
    uv_run(&loop, UV_RUN_ONCE);
    ck_assert(can_connect(top));
    close_server(s);
    free(path);
}
END_TEST

START_TEST(test_no_folder)
{
    struct http_server *s;
    struct err err;
    ck_assert_int_ne(open_server("/nonexistent/state", 0, &s, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.msg, "/nonexistent/state"));
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("http listen");
    TCase *t = tcase_create("listen");
    tcase_add_checked_fixture(t, start, stop);
    tcase_add_test(t, test_files);
    tcase_add_test(t, test_a_port_that_is_none);
    tcase_add_test(t, test_a_port_of_the_systems);
    tcase_add_test(t, test_stale_socket_is_replaced);
    tcase_add_test(t, test_long_path);
    tcase_add_test(t, test_port_in_use);
    tcase_add_test(t, test_port_is_free_again);
    tcase_add_test(t, test_a_removed_socket_is_made_until_it_works);
    tcase_add_test(t, test_no_folder);
    suite_add_tcase(s, t);
    return s;
}
