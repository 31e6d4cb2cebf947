/* Peers that are slow, many, or out of their minds. */
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "daemon/http/server.h"
#include "tests/lib/fix_http.h"
#include "tests/lib/test_main.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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

/* Has the server ended this connection? Reads what is there. */
static bool is_over(int fd)
{
    char piece[4096];
    ssize_t n;
    while ((n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT)) > 0) {
    }
    return n == 0 || (n < 0 && errno != EAGAIN);
}

/* --- slow --- */

/* Send one byte of `drip` each 100 ms; seconds until the server hangs up, or
 * -1 after 20 s. */
static double seconds_of_patience(const char *begin, const char *drip)
{
    int fd = fix_http_tcp(&f);
    double began = fix_http_seconds();
    fix_http_write(fd, begin, strlen(begin));
    for (const char *at = drip; fix_http_seconds() - began < 20; at++) {
        if (*at == '\0') {
            at = drip;
        }
        if (is_over(fd) || !fix_http_write(fd, at, 1)) {
            close(fd);
            return fix_http_seconds() - began;
        }
        usleep(100000);
    }
    close(fd);
    return -1;
}

START_TEST(test_dripping_headers)
{
    double s =
        seconds_of_patience("GET / HTTP/1.1\r\nHost: x\r\n", "X-a: b\r\n");
    ck_assert_double_gt(s, 4);
    ck_assert_double_lt(s, 8);
}
END_TEST

START_TEST(test_dripping_body)
{
    char begin[512];
    snprintf(begin, sizeof(begin),
             "POST /api/v1/a HTTP/1.1\r\nHost: localhost:%d\r\n"
             "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
             "Content-Length: 100000\r\n\r\n",
             f.port, f.token);
    double s = seconds_of_patience(begin, " ");
    ck_assert_double_gt(s, 8);
    ck_assert_double_lt(s, 13);
}
END_TEST

START_TEST(test_silent_peer)
{
    double began = fix_http_seconds();
    int fd = fix_http_tcp(&f);
    struct buf out;
    buf_init(&out, 4096);
    ck_assert(fix_http_read_all(fd, &out));
    ck_assert_double_lt(fix_http_seconds() - began, 8);
    close(fd);
    buf_fini(&out);
}
END_TEST

static void ask_for(int fd, const char *path)
{
    char request[512];
    int n = snprintf(request, sizeof(request),
                     "GET /api/v1/%s HTTP/1.1\r\nHost: localhost:%d\r\n"
                     "Authorization: Bearer %s\r\nConnection: close\r\n\r\n",
                     path, f.port, f.token);
    ck_assert(fix_http_write(fd, request, (size_t)n));
}

/* Who asked while the loop was held up (by a slow disk, say) is not slow. */
START_TEST(test_the_loop_is_slow)
{
    struct buf out;
    buf_init(&out, 4096);
    int peer = fix_http_tcp(&f), holder = fix_http_tcp(&f);
    ck_assert_int_eq(fix_http_get(&f, "/api/v1/a"), 200); /* both are in */
    ask_for(holder, "hold?ms=6000");
    usleep(200000);
    ask_for(peer, "a");
    ck_assert(fix_http_read_all(peer, &out) && out.len > 0);
    ck_assert_int_eq(fix_http_status(out.data), 200);
    close(peer);
    close(holder);
    buf_fini(&out);
}
END_TEST

/* A query takes more of the library's memory than its bytes. */
START_TEST(test_many_parameters)
{
    static const struct {
        const char *param;
        int n, status;
    } queries[] = {{"a=b&", 9, 400},
                   {"a=b&", 400, 400},
                   {"a=b&", 1000, 400},
                   {"&", 4000, 400},
                   {"a=b&", 7000, 414}};
    struct buf path;
    buf_init(&path, 1 << 20);
    buf_str(&path, "/api/v1/a?");
    for (int i = 0; i < queries[_i].n; i++) {
        buf_str(&path, queries[_i].param);
    }
    double began = fix_http_seconds();
    ck_assert_int_eq(fix_http_get(&f, path.data), queries[_i].status);
    ck_assert_double_lt(fix_http_seconds() - began, 3);
    buf_fini(&path);
}
END_TEST

/* Many slow ones do not keep the others out for long. */
START_TEST(test_crowd)
{
    enum { N = 110 };
    int fds[N];
    for (int i = 0; i < N; i++) {
        fds[i] = fix_http_tcp(&f);
        fix_http_write(fds[i], "GET / HT", 8);
    }
    usleep(2200000);
    int n_over = 0;
    for (int i = 0; i < N; i++) {
        n_over += is_over(fds[i]);
    }
    ck_assert_int_ge(n_over, N - 16);
    double began = fix_http_seconds();
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(fix_http_get(&f, "/api/v1/a"), 200);
    }
    ck_assert_double_lt(fix_http_seconds() - began, 2);
    for (int i = 0; i < N; i++) {
        close(fds[i]);
    }
}
END_TEST

/* --- many --- */

static size_t count_bytes(char *bytes, size_t size, size_t n, void *sum)
{
    (void)bytes;
    *(size_t *)sum += size * n;
    return size * n;
}

static CURL *easy(const char *url, struct curl_slist *headers, bool is_local,
                  size_t *sum)
{
    char sock[160];
    CURL *c = curl_easy_init();
    snprintf(sock, sizeof(sock), "%s/sock", f.state_dir);
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, count_bytes);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, sum);
    curl_easy_setopt(c, CURLOPT_TIMEOUT, 30L);
    if (is_local) {
        curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, sock);
    }
    return c;
}

/* Let all go at once; all must end with 200. */
static void run_all(CURL **handles, int n)
{
    CURLM *multi = curl_multi_init();
    int n_left = 0, n_messages;
    for (int i = 0; i < n; i++) {
        curl_multi_add_handle(multi, handles[i]);
    }
    do {
        ck_assert_int_eq(curl_multi_perform(multi, &n_left), CURLM_OK);
        curl_multi_poll(multi, NULL, 0, 1000, NULL);
    } while (n_left > 0);
    for (CURLMsg *m; (m = curl_multi_info_read(multi, &n_messages)) != NULL;) {
        long status = 0;
        curl_easy_getinfo(m->easy_handle, CURLINFO_RESPONSE_CODE, &status);
        ck_assert_msg(m->data.result == CURLE_OK && status == 200, "%s, %ld",
                      curl_easy_strerror(m->data.result), status);
    }
    for (int i = 0; i < n; i++) {
        curl_multi_remove_handle(multi, handles[i]);
        curl_easy_cleanup(handles[i]);
    }
    curl_multi_cleanup(multi);
}

/* 64 over each door, each with a reply of 300 kB. */
START_TEST(test_many_at_once)
{
    enum { N = 128, BYTES = 300000 };
    CURL *handles[N];
    size_t sums[N] = {0};
    char *url =
        mem_printf("http://127.0.0.1:%d/api/v1/large?n=%d", f.port, (int)BYTES);
    char *bearer = mem_printf("Authorization: Bearer %s", f.token);
    struct curl_slist *headers = curl_slist_append(NULL, bearer);
    for (int round = 0; round < 3; round++) {
        memset(sums, 0, sizeof(sums));
        for (int i = 0; i < N; i++) {
            handles[i] = easy(url, headers, i % 2 == 1, &sums[i]);
        }
        run_all(handles, N);
        for (int i = 0; i < N; i++) {
            ck_assert_uint_eq(sums[i], BYTES);
        }
    }
    curl_slist_free_all(headers);
    free(bearer);
    free(url);
}
END_TEST

START_TEST(test_more_than_may_be)
{
    enum { N = 300 };
    static int fds[N];
    for (int i = 0; i < N; i++) {
        fds[i] = fix_http_tcp(&f); /* the kernel's queue takes the rest */
    }
    for (int i = 0; i < N; i++) {
        close(fds[i]);
    }
    /* Soon there is room again. */
    double began = fix_http_seconds();
    while (fix_http_get(&f, "/api/v1/a") != 200) {
        ck_assert_double_lt(fix_http_seconds() - began, 5);
        usleep(50000);
    }
    ck_assert_int_eq(fix_http_get(&f, "/"), 200);
}
END_TEST

/* --- out of their minds --- */

/* A good request with some bytes changed, cut short or doubled. */
static void mutate(struct rng *r, struct buf *b)
{
    uint32_t n_changes = 1 + rng_below(r, 8);
    for (uint32_t i = 0; i < n_changes; i++) {
        size_t at = rng_below(r, (uint32_t)b->len);
        switch (rng_below(r, 4)) {
        case 0:
            b->data[at] = (char)rng_below(r, 256);
            break;
        case 1:
            b->data[at] = "\r\n\0 :%/?"[rng_below(r, 8)];
            break;
        case 2:
            b->len = at + 1;
            break;
        default:
            buf_add(b, "\r\nContent-Length: 5\r\n\r\n", rng_below(r, 24));
        }
    }
}

static void send_garbage(struct rng *r, bool is_local)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_printf(&b,
               "POST /api/v1/a%%20b?x=1&y=%%41 HTTP/1.1\r\nHost: localhost:%d"
               "\r\nAuthorization: Bearer %s\r\n"
               "Content-Type: application/json\r\nContent-Length: 7\r\n\r\n"
               "{\"a\":1}GET / HTTP/1.1\r\nHost: localhost:%d\r\n\r\n",
               f.port, f.token, f.port);
    mutate(r, &b);
    int fd = is_local ? fix_http_local(&f) : fix_http_tcp(&f);
    fix_http_write(fd, b.data, b.len);
    shutdown(fd, SHUT_WR);
    struct timeval limit = {.tv_usec = 20000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    buf_reset(&b);
    fix_http_read_all(fd, &b);
    close(fd);
    buf_fini(&b);
}

START_TEST(test_garbage)
{
    struct rng r;
    rng_mt19937(&r, 20240607);
    for (int i = 0; i < 600; i++) {
        send_garbage(&r, i % 2 == 0);
    }
    for (int i = 0; i < 200; i++) {
        char noise[512];
        for (size_t k = 0; k < sizeof(noise); k++) {
            noise[k] = (char)rng_below(&r, 256);
        }
        int fd = fix_http_tcp(&f);
        fix_http_write(fd, noise, sizeof(noise));
        close(fd);
    }
    ck_assert_int_eq(fix_http_get(&f, "/api/v1/a"), 200);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("http limits");
    TCase *slow = tcase_create("slow"), *many = tcase_create("many");
    tcase_add_checked_fixture(slow, start, stop);
    tcase_add_checked_fixture(many, start, stop);
    tcase_set_timeout(slow, 60);
    tcase_set_timeout(many, 90);
    tcase_add_loop_test(many, test_many_parameters, 0, 5);
    tcase_add_test(slow, test_dripping_headers);
    tcase_add_test(slow, test_dripping_body);
    tcase_add_test(slow, test_silent_peer);
    tcase_add_test(slow, test_the_loop_is_slow);
    tcase_add_test(slow, test_crowd);
    tcase_add_test(many, test_many_at_once);
    tcase_add_test(many, test_more_than_may_be);
    tcase_add_test(many, test_garbage);
    suite_add_tcase(s, slow);
    suite_add_tcase(s, many);
    return s;
}
