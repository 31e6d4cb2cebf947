/* Streams: what is published arrives in order, readers that do not read are cut
 * and come back, and every end is clean. */
#include "core/base/mem.h"
#include "daemon/http/server.h"
#include "tests/lib/fix_http.h"
#include "tests/lib/test_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct fix_http f;

static void start(void)
{
    fix_http_start(&f);
}

static void stop(void)
{
    fix_http_stop(&f);
}

/* Open a stream on fd, with more header lines; its beginning has arrived. */
static void open_stream(int fd, const char *lines, struct buf *out)
{
    char request[512];
    int n = snprintf(request, sizeof(request),
                     "GET /api/v1/stream HTTP/1.1\r\nHost: localhost:%d\r\n"
                     "Authorization: Bearer %s\r\n%s\r\n",
                     f.port, f.token, lines);
    ck_assert(fix_http_write(fd, request, (size_t)n));
    ck_assert(fix_http_read_until(fd, out, "after: "));
}

static int post(const char *path, const char *body)
{
    char *request = mem_printf("POST /api/v1/%s HTTP/1.1\r\nHost: p\r\n"
                               "Content-Type: application/json\r\n"
                               "Content-Length: %zu\r\n"
                               "Connection: close\r\n\r\n%s",
                               path, strlen(body), body);
    char *reply = fix_http_raw_local(&f, request);
    int status = fix_http_status(reply);
    free(reply);
    free(request);
    return status;
}

static bool is_watched(void)
{
    char *reply =
        fix_http_raw_local(&f, "GET /api/v1/watched HTTP/1.1\r\nHost: p\r\n"
                               "Connection: close\r\n\r\n");
    bool is = strstr(reply, "true") != NULL;
    free(reply);
    return is;
}

/* How often the streams asked for bytes, and how many they got. */
static void ask_read(int *n_reads, size_t *n_bytes)
{
    char *reply =
        fix_http_raw_local(&f, "GET /api/v1/read HTTP/1.1\r\nHost: p\r\n"
                               "Connection: close\r\n\r\n");
    const char *at = strstr(reply, "read ");
    ck_assert_ptr_nonnull(at);
    ck_assert_int_eq(sscanf(at, "read %d %zu", n_reads, n_bytes), 2);
    free(reply);
}

static bool is_left_alone(double within_s)
{
    double end = fix_http_seconds() + within_s;
    while (is_watched()) {
        if (fix_http_seconds() > end) {
            return false;
        }
        usleep(20000);
    }
    return true;
}

START_TEST(test_published_bytes_arrive_in_order)
{
    int fd = fix_http_tcp(&f), local = fix_http_local(&f);
    struct buf tcp_out, local_out;
    buf_init(&tcp_out, 1 << 20);
    buf_init(&local_out, 1 << 20);
    open_stream(fd, "", &tcp_out);
    open_stream(local, "", &local_out);
    ck_assert_ptr_nonnull(
        strstr(tcp_out.data, "Content-Type: text/event-stream\r\n"));
    ck_assert_ptr_nonnull(strstr(tcp_out.data, "after: -1\n\n"));
    char event[32];
    for (int i = 0; i < 50; i++) {
        snprintf(event, sizeof(event), "data: %d!\n\n", i);
        double began = fix_http_seconds();
        ck_assert_int_eq(post("publish", event), 200);
        ck_assert(fix_http_read_until(fd, &tcp_out, event));
        ck_assert(fix_http_read_until(local, &local_out, event));
        ck_assert_double_lt(fix_http_seconds() - began, 5);
    }
    const char *at = tcp_out.data;
    for (int i = 0; i < 50; i++) {
        snprintf(event, sizeof(event), "data: %d!", i);
        at = strstr(at, event);
        ck_assert_ptr_nonnull(at);
    }
    close(fd);
    close(local);
    buf_fini(&tcp_out);
    buf_fini(&local_out);
}
END_TEST

START_TEST(test_stream_knows_where_it_was)
{
    static const struct {
        const char *lines, *expected;
    } cases[] = {{"Last-Event-ID: 41\r\n", "after: 41\n\n"},
                 {"Last-Event-ID: x\r\n", "after: -1\n\n"},
                 {"Last-Event-ID: -7\r\n", "after: -1\n\n"},
                 {"Last-Event-ID: 4\r\nLast-Event-ID: 5\r\n", "after: -1\n\n"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out;
        int fd = fix_http_tcp(&f);
        buf_init(&out, 1 << 20);
        open_stream(fd, cases[i].lines, &out);
        ck_assert(fix_http_read_until(fd, &out, cases[i].expected));
        close(fd);
        buf_fini(&out);
    }
}
END_TEST

START_TEST(test_topic_ends)
{
    struct buf out;
    int fd = fix_http_tcp(&f);
    buf_init(&out, 1 << 20);
    open_stream(fd, "", &out);
    double began = fix_http_seconds();
    ck_assert_int_eq(post("publish", "last words\n\n"), 200);
    ck_assert_int_eq(post("end", ""), 200);
    ck_assert(fix_http_read_until(fd, &out, "\r\n0\r\n\r\n"));
    ck_assert_ptr_nonnull(strstr(out.data, "last words\n\n"));
    ck_assert(is_left_alone(5));
    ck_assert_double_lt(fix_http_seconds() - began, 5);
    close(fd);
    buf_fini(&out);
}
END_TEST

START_TEST(test_closing_from_a_handler)
{
    struct buf out;
    int fd = fix_http_tcp(&f);
    buf_init(&out, 1 << 20);
    open_stream(fd, "", &out);
    double began = fix_http_seconds();
    ck_assert_int_eq(post("close", ""), 200); /* it has its reply */
    ck_assert(fix_http_read_all(fd, &out));
    ck_assert_double_lt(fix_http_seconds() - began, 5);
    close(fd);
    buf_fini(&out);
}
END_TEST

START_TEST(test_reader_that_has_gone)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    for (int i = 0; i < 50; i++) {
        int fd = fix_http_tcp(&f);
        buf_reset(&out);
        open_stream(fd, "", &out);
        close(fd);
    }
    buf_fini(&out);
    /* Found by writing: twice, for the first write after an end succeeds. */
    post("publish", "a\n\n");
    usleep(50000);
    post("publish", "b\n\n");
    ck_assert(is_left_alone(5));
}
END_TEST

/* A stream, and more for it than the kernel takes: 32 MiB in events of 64 KiB.
 */
static int open_flooded(struct buf *out)
{
    char *event = mem_alloc(1, 65536 + 1);
    memset(event, 'x', 65534);
    memcpy(event + 65534, "\n\n", 3);
    int fd = fix_http_tcp(&f);
    buf_init(out, 64 << 20);
    open_stream(fd, "", out);
    for (int i = 0; i < 32; i++) {
        ck_assert_int_eq(post("publish?times=16", event), 200);
    }
    free(event);
    return fd;
}

/* Who does not read costs no memory, whatever there is to say, and is closed
 * in the end. */
START_TEST(test_reader_that_does_not_read)
{
    struct buf out;
    int n_reads;
    size_t n_bytes;
    int fd = open_flooded(&out);
    usleep(200000);
    ask_read(&n_reads, &n_bytes);
    ck_assert_uint_lt(n_bytes, 12 << 20); /* what the kernel took */
    ck_assert(is_watched());
    ck_assert(is_left_alone(20));
    close(fd);
    fd = fix_http_tcp(&f);
    buf_reset(&out);
    open_stream(fd, "Last-Event-ID: 9\r\n", &out);
    ck_assert(fix_http_read_until(fd, &out, "after: 9\n\n"));
    ck_assert_int_eq(post("publish", "data: again\n\n"), 200);
    ck_assert(fix_http_read_until(fd, &out, "data: again\n\n"));
    close(fd);
    buf_fini(&out);
}
END_TEST

/* One that reads slowly is not: it gets all there is, whole. */
START_TEST(test_reader_that_is_slow)
{
    struct buf out;
    int fd = open_flooded(&out);
    ck_assert_int_eq(post("publish", "data: end\n\n"), 200);
    usleep(1000000);
    ck_assert(fix_http_read_until(fd, &out, "data: end\n\n"));
    ck_assert_uint_gt(out.len, 32 << 20);
    close(fd);
    buf_fini(&out);
}
END_TEST

/* What changes often is said only now and then. */
START_TEST(test_streams_keep_a_pace)
{
    struct buf out;
    int n_before, n_after;
    size_t n_bytes;
    int fd = fix_http_tcp(&f);
    buf_init(&out, 1 << 20);
    open_stream(fd, "", &out);
    ask_read(&n_before, &n_bytes);
    double began = fix_http_seconds();
    for (int i = 0; i < 300; i++) {
        ck_assert_int_eq(post("publish", "data: x\n\n"), 200);
    }
    ck_assert_int_eq(post("publish", "data: end\n\n"), 200);
    ck_assert(fix_http_read_until(fd, &out, "data: end\n\n"));
    ask_read(&n_after, &n_bytes);
    ck_assert_double_lt(n_after - n_before,
                        3 + (fix_http_seconds() - began) / 0.045);
    ck_assert_int_lt(n_after - n_before, 150);
    close(fd);
    buf_fini(&out);
}
END_TEST

START_TEST(test_streams_do_not_hold_up_others)
{
    enum { N = 40 };
    int fds[N];
    struct buf out;
    buf_init(&out, 4 << 20);
    for (int i = 0; i < N; i++) {
        fds[i] = fix_http_tcp(&f);
        buf_reset(&out);
        open_stream(fds[i], "", &out);
    }
    double began = fix_http_seconds();
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(post("publish", "data: x\n\n"), 200);
        ck_assert_int_eq(fix_http_get(&f, "/style.css"), 200);
    }
    ck_assert_double_lt(fix_http_seconds() - began, 8);
    ck_assert_int_eq(post("publish", "data: end\n\n"), 200);
    for (int i = 0; i < N; i++) {
        buf_reset(&out);
        ck_assert(fix_http_read_until(fds[i], &out, "data: end\n\n"));
        close(fds[i]);
    }
    buf_fini(&out);
}
END_TEST

/* --- a socket that was removed -------------------------------------------- */

/* Gone, or replaced by what nobody can connect to. */
static void lose_socket(bool is_replaced)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/sock", f.state_dir);
    ck_assert_int_eq(unlink(path), 0);
    if (is_replaced) {
        FILE *file = fopen(path, "w");
        ck_assert_ptr_nonnull(file);
        fclose(file);
    }
}

static bool is_let_in(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof(at.sun_path), "%.90s/sock", f.state_dir);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is = connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0;
    close(fd);
    return is;
}

/* It is made again, and who was connected before stays. */
START_TEST(test_a_lost_socket_is_made_again)
{
    int old = fix_http_local(&f);
    struct buf out;
    buf_init(&out, 1 << 20);
    open_stream(old, "", &out);
    for (int round = 0; round < 2; round++) {
        double end = fix_http_seconds() + 30;
        lose_socket(round == 1);
        while (!is_let_in()) {
            ck_assert_double_lt(fix_http_seconds(), end);
            usleep(20000);
        }
        ck_assert_int_eq(post("publish", "data: again\n\n"), 200);
        buf_reset(&out);
        ck_assert(fix_http_read_until(old, &out, "data: again\n\n"));
    }
    close(old);
    buf_fini(&out);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("http events");
    TCase *t = tcase_create("streams");
    tcase_add_checked_fixture(t, start, stop);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_published_bytes_arrive_in_order);
    tcase_add_test(t, test_stream_knows_where_it_was);
    tcase_add_test(t, test_topic_ends);
    tcase_add_test(t, test_closing_from_a_handler);
    tcase_add_test(t, test_reader_that_has_gone);
    tcase_add_test(t, test_reader_that_does_not_read);
    tcase_add_test(t, test_reader_that_is_slow);
    tcase_add_test(t, test_streams_keep_a_pace);
    tcase_add_test(t, test_streams_do_not_hold_up_others);
    tcase_add_test(t, test_a_lost_socket_is_made_again);
    suite_add_tcase(s, t);
    return s;
}
