/* The happy path and every refusal, over both doors. */
#include "daemon/http/server.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "tests/lib/fix_http.h"
#include "tests/lib/test_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOST  "Host: 127.0.0.1:{PORT}\r\n"
#define TOKEN "Authorization: Bearer {TOKEN}\r\n"
#define CLOSE "Connection: close\r\n\r\n"
#define JSON  "Content-Type: application/json\r\n"

static struct fix_http f;

static void start(void)
{
    fix_http_start(&f);
}

static void stop(void)
{
    fix_http_stop(&f);
}

/* The reply has this status and, somewhere, this text. */
static void expect(const char *request, int status, const char *text)
{
    char *reply = fix_http_raw(&f, request);
    ck_assert_msg(fix_http_status(reply) == status &&
                      strstr(reply, text) != NULL,
                  "expected %d and '%s' for\n%s\nbut got\n%s", status, text,
                  request, reply);
    free(reply);
}

static void expect_local(const char *request, int status, const char *text)
{
    char *reply = fix_http_raw_local(&f, request);
    ck_assert_msg(fix_http_status(reply) == status &&
                      strstr(reply, text) != NULL,
                  "expected %d and '%s' for\n%s\nbut got\n%s", status, text,
                  request, reply);
    free(reply);
}

/* --- what works --- */

START_TEST(test_request_reaches_the_handler)
{
    expect("GET /api/v1/studies/a%2Fb%20%c3%a9/trials?x=1%262+3&y "
           "HTTP/1.1\r\n" HOST TOKEN CLOSE,
           200,
           "{\"method\":\"GET\",\"segments\":[\"studies\",\"a/b \xc3\xa9\","
           "\"trials\"],\"x\":\"1&2 3\",\"body_len\":0,\"body\":\"\","
           "\"local\":false,\"wants_json\":false}");
    expect("POST /api/v1/studies HTTP/1.1\r\n" HOST TOKEN JSON
           "Content-Length: 7\r\n" CLOSE "{\"a\":1}",
           200, "\"body\":\"{\\\"a\\\":1}\"");
    expect("POST /api/v1/studies/s/pause HTTP/1.1\r\n" HOST TOKEN CLOSE, 200,
           "\"method\":\"POST\"");
    expect("DELETE /api/v1/studies/s HTTP/1.1\r\n" HOST TOKEN CLOSE, 200,
           "\"method\":\"DELETE\"");
    expect("GET /api/v1/a HTTP/1.1\r\n" HOST TOKEN
           "Accept: Application/JSON, */*;q=0.1\r\n" CLOSE,
           200, "\"wants_json\":true");
}
END_TEST

START_TEST(test_socket_needs_no_token)
{
    expect_local("GET /api/v1/studies HTTP/1.1\r\nHost: parzen\r\n" CLOSE, 200,
                 "\"local\":true");
    expect_local("POST /api/v1/a HTTP/1.1\r\nHost: parzen\r\n" JSON
                 "Content-Length: 2\r\n" CLOSE "{}",
                 200, "\"body\":\"{}\"");
    expect_local("PUT /api/v1/a HTTP/1.1\r\nHost: parzen\r\n" CLOSE, 405,
                 "METHOD");
    expect_local("POST /api/v1/a HTTP/1.1\r\nHost: parzen\r\n"
                 "Content-Length: 2\r\n" CLOSE "{}",
                 415, "Content-Type");
}
END_TEST

START_TEST(test_connection_is_kept)
{
    int fd = fix_http_tcp(&f);
    struct buf out;
    char request[512];
    buf_init(&out, 1 << 20);
    int n = snprintf(request, sizeof(request),
                     "GET /api/v1/one HTTP/1.1\r\nHost: localhost:%d\r\n"
                     "Authorization: bearer %s\r\n\r\n",
                     f.port, f.token);
    for (int i = 0; i < 3; i++) {
        buf_reset(&out);
        ck_assert(fix_http_write(fd, request, (size_t)n));
        ck_assert(fix_http_read_until(fd, &out, "\"wants_json\":false}"));
        ck_assert_int_eq(fix_http_status(out.data), 200);
    }
    close(fd);
    buf_fini(&out);
}
END_TEST

START_TEST(test_page_files)
{
    expect("GET / HTTP/1.1\r\n" HOST CLOSE, 200, "text/html; charset=utf-8");
    expect("HEAD / HTTP/1.1\r\n" HOST CLOSE, 200, "text/html");
    expect("GET /app.js HTTP/1.1\r\n" HOST CLOSE, 200, "text/javascript");
    expect("GET /echarts.min.js HTTP/1.1\r\n" HOST CLOSE, 200, "Apache");
    expect("POST / HTTP/1.1\r\n" HOST CLOSE, 405, "METHOD");
    expect("GET /../etc/passwd HTTP/1.1\r\n" HOST CLOSE, 404, "NOTFOUND");
    expect("GET /%2e%2e/etc/passwd HTTP/1.1\r\n" HOST CLOSE, 404, "NOTFOUND");
    expect("GET /index HTTP/1.1\r\n" HOST CLOSE, 404, "NOTFOUND");
    expect("GET /api/v1 HTTP/1.1\r\n" HOST CLOSE, 404, "NOTFOUND");
}
END_TEST

START_TEST(test_page_files_have_etags)
{
    char *first = fix_http_raw(&f, "GET /app.js HTTP/1.1\r\n" HOST CLOSE);
    const char *etag = strstr(first, "ETag: \"");
    ck_assert_ptr_nonnull(etag);
    char *request = mem_printf("GET /app.js HTTP/1.1\r\n" HOST
                               "If-None-Match: %.34s\r\n" CLOSE,
                               etag + strlen("ETag: "));
    expect(request, 304, "ETag: ");
    expect("GET /app.js HTTP/1.1\r\n" HOST "If-None-Match: \"old\"\r\n" CLOSE,
           200, "ETag: ");
    free(request);
    free(first);
}
END_TEST

START_TEST(test_headers_of_every_reply)
{
    static const char *const requests[] = {
        "GET / HTTP/1.1\r\n" HOST CLOSE,
        "GET /api/v1/a HTTP/1.1\r\n" HOST TOKEN CLOSE,
        "GET /api/v1/a HTTP/1.1\r\n" HOST CLOSE,
        "GET / HTTP/1.1\r\nHost: evil.example\r\n" CLOSE};
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        char *reply = fix_http_raw(&f, requests[i]);
        ck_assert_ptr_nonnull(
            strstr(reply, "Content-Security-Policy: default-src 'none'; "));
        ck_assert_ptr_null(strstr(reply, "unsafe"));
        ck_assert_ptr_nonnull(
            strstr(reply, "X-Content-Type-Options: nosniff\r\n"));
        ck_assert_ptr_nonnull(
            strstr(reply, "Referrer-Policy: no-referrer\r\n"));
        ck_assert_ptr_nonnull(
            strstr(reply, "Cross-Origin-Resource-Policy: same-origin\r\n"));
        ck_assert_ptr_nonnull(
            strstr(reply, "Cross-Origin-Opener-Policy: same-origin\r\n"));
        ck_assert_ptr_nonnull(
            strstr(reply, i == 0 ? "Cache-Control: no-cache\r\n"
                                 : "Cache-Control: no-store\r\n"));
        ck_assert_ptr_null(strstr(reply, "Access-Control"));
        free(reply);
    }
}
END_TEST

/* --- who is refused --- */

START_TEST(test_foreign_hosts)
{
    static const char *const methods[] = {"GET", "POST", "DELETE", "OPTIONS",
                                          "FOO"};
    static const char *const paths[] = {"/", "/api/v1/studies", "/none"};
    static const char *const hosts[] = {
        "Host: evil.example:{PORT}\r\n",
        "Host: 127.0.0.1\r\n",
        "Host: 127.0.0.1:{PORT}.evil.example\r\n",
        "Host: localhost:1\r\n",
        "Host: \r\n",
        "",
        HOST HOST};
    for (size_t m = 0; m < ARRAY_LEN(methods); m++) {
        for (size_t p = 0; p < ARRAY_LEN(paths); p++) {
            for (size_t h = 0; h < ARRAY_LEN(hosts); h++) {
                char *request = mem_printf("%s %s HTTP/1.1\r\n%s" TOKEN CLOSE,
                                           methods[m], paths[p], hosts[h]);
                expect(request, 421, "HOST");
                free(request);
            }
        }
    }
    expect("GET / HTTP/1.0\r\n\r\n", 421, "HOST");
    expect_local("GET /api/v1/a HTTP/1.1\r\n" CLOSE, 400, "Host");
    expect("GET / HTTP/1.1\r\nHost: LOCALHOST:{PORT}\r\n" CLOSE, 200, "");
    expect("GET / HTTP/1.1\r\nHost: [::1]:{PORT}\r\n" CLOSE, 200, "");
}
END_TEST

START_TEST(test_foreign_origins)
{
    static const char *const bad[] = {
        "Origin: null\r\n",
        "Origin: http://evil.example\r\n",
        "Origin: https://127.0.0.1:{PORT}\r\n",
        "Origin: http://127.0.0.1:1\r\n",
        "Origin: http://127.0.0.1:{PORT}\r\nOrigin: http://a\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
        "Sec-Fetch-Site: \r\n"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char *request = mem_printf(
            "GET /api/v1/a HTTP/1.1\r\n" HOST TOKEN "%s" CLOSE, bad[i]);
        expect(request, 403, "FORBIDDEN");
        free(request);
    }
    expect("GET /api/v1/a HTTP/1.1\r\n" HOST TOKEN
           "Origin: http://127.0.0.1:{PORT}\r\n"
           "Sec-Fetch-Site: same-origin\r\n" CLOSE,
           200, "");
    expect("GET / HTTP/1.1\r\n" HOST "Sec-Fetch-Site: none\r\n" CLOSE, 200, "");
}
END_TEST

START_TEST(test_tokens)
{
    static const char *const bad[] = {"",
                                      "Authorization: Bearer\r\n",
                                      "Authorization: Bearer \r\n",
                                      "Authorization: {TOKEN}\r\n",
                                      "Authorization: Basic {TOKEN}\r\n",
                                      "Authorization: Bearer {TOKEN}x\r\n",
                                      "Authorization: Bearer AAAA\r\n",
                                      TOKEN TOKEN};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char *request =
            mem_printf("GET /api/v1/a HTTP/1.1\r\n" HOST "%s" CLOSE, bad[i]);
        expect(request, 401, "{\"error\":{\"code\":\"TOKEN\",\"message\":");
        free(request);
    }
}
END_TEST

START_TEST(test_wrong_tokens_are_slowed_down)
{
    int n_slowed = 0;
    for (int i = 0; i < 40; i++) {
        char *reply = fix_http_raw(&f, "GET /api/v1/a HTTP/1.1\r\n" HOST CLOSE);
        int status = fix_http_status(reply);
        ck_assert(status == 401 || status == 429);
        n_slowed += status == 429;
        free(reply);
    }
    ck_assert_int_gt(n_slowed, 0);
    ck_assert_int_eq(fix_http_get(&f, "/api/v1/a"), 200);
}
END_TEST

START_TEST(test_methods)
{
    static const char *const bad[] = {"OPTIONS", "PUT", "PATCH", "TRACE",
                                      "CONNECT", "get", "FOO",   "HEAD"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char *request =
            mem_printf("%s /api/v1/a HTTP/1.1\r\n" HOST TOKEN CLOSE, bad[i]);
        expect(request, 405, "Allow: GET, POST, DELETE");
        free(request);
    }
}
END_TEST

START_TEST(test_bodies)
{
    expect("POST /api/v1/a HTTP/1.1\r\n" HOST TOKEN
           "Content-Length: 2\r\n" CLOSE "{}",
           415, "application/json");
    expect("POST /api/v1/a HTTP/1.1\r\n" HOST TOKEN
           "Content-Type: text/plain\r\nContent-Length: 2\r\n" CLOSE "{}",
           415, "");
    expect("POST /api/v1/a HTTP/1.1\r\n" HOST TOKEN
           "Content-Type: application/jsonx\r\nContent-Length: 2\r\n" CLOSE
           "{}",
           415, "");
    expect("POST /api/v1/a HTTP/1.1\r\n" HOST TOKEN
           "Content-Type: Application/JSON; charset=utf-8\r\n"
           "Content-Length: 2\r\n" CLOSE "{}",
           200, "");
    expect("GET /api/v1/a HTTP/1.1\r\n" HOST TOKEN JSON
           "Content-Length: 2\r\n" CLOSE "{}",
           400, "only POST takes a body");
    /* Refused by its length, before a byte of it is here. */
    expect("POST /api/v1/a HTTP/1.1\r\n" HOST TOKEN JSON
           "Content-Length: 1048577\r\n" CLOSE,
           413, "1 MiB");
    expect("POST /api/v1/a HTTP/1.1\r\n" HOST TOKEN JSON
           "Content-Length: 99999999999999999\r\n" CLOSE,
           413, "1 MiB");
    expect("POST /api/v1/a HTTP/1.1\r\n" HOST TOKEN JSON
           "Content-Length: -1\r\n" CLOSE,
           400, "");
}
END_TEST

/* Not even well-formed ones, on either door. */
START_TEST(test_chunks)
{
    expect("POST /api/v1/a HTTP/1.1\r\n" HOST TOKEN JSON
           "Transfer-Encoding: chunked\r\n" CLOSE
           "4\r\n{\"a\"\r\n3\r\n:1}\r\n0\r\n\r\n",
           411, "Content-Length");
    expect("POST /api/v1/a HTTP/1.1\r\n" HOST TOKEN JSON
           "Transfer-Encoding: chunked\r\n" CLOSE "2\n{}\n0\n\n",
           411, "Content-Length");
    expect("GET /api/v1/a HTTP/1.1\r\n" HOST TOKEN
           "Transfer-Encoding: chunked\r\n" CLOSE "0\r\n\r\n",
           411, "Content-Length");
    expect_local("POST /api/v1/a HTTP/1.1\r\nHost: parzen\r\n" JSON
                 "Transfer-Encoding: gzip\r\n" CLOSE "{}",
                 411, "Content-Length");
}
END_TEST

START_TEST(test_framing)
{
    expect("POST /api/v1/a HTTP/1.1\r\n" HOST TOKEN JSON
           "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" CLOSE
           "0\r\n\r\n",
           400, "exactly once");
    expect("POST /api/v1/a HTTP/1.1\r\n" HOST TOKEN JSON
           "Content-Length: 2\r\nContent-Length: 2\r\n" CLOSE "{}",
           400, "exactly once");
    expect("POST /api/v1/a HTTP/1.1\r\n" HOST TOKEN JSON
           "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n" CLOSE
           "{}",
           400, "exactly once");
}
END_TEST

/* What one reader takes for an end of a line, another does not. */
START_TEST(test_line_ends)
{
    static const char *const bad[] = {
        "GET /api/v1/a HTTP/1.1\n" HOST TOKEN CLOSE,
        "GET /api/v1/a HTTP/1.1\r\nX: y\n" HOST TOKEN CLOSE,
        "GET /api/v1/a HTTP/1.1\r\n" HOST TOKEN "Connection: close\r\n\n",
        "GET /api/v1/a HTTP/1.1\r\nX: y\r\n z\r\n" HOST TOKEN CLOSE,
        "GET /api/v1/a HTTP/1.1\r\n" HOST TOKEN "X: y\r\n\tz\r\n" CLOSE,
        "GET /api/v1/a?b=1&c&=&d= HTTP/1.1\r\nX: y\n" HOST TOKEN CLOSE,
        "GET /api/v1/a HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\n \r\n" TOKEN CLOSE,
        "GET  /api/v1/a HTTP/1.1\r\n" HOST TOKEN CLOSE,
        "GET /api/v1/a b HTTP/1.1\r\n" HOST TOKEN CLOSE,
        "GET /api/v1/a?b=1 &c=2 HTTP/1.1\r\n" HOST TOKEN CLOSE,
        "GET /api/v1/a HTTP/1.1 HTTP/1.1\r\n" HOST TOKEN CLOSE,
        "GET /api/v1/a HTTP/1.1\r\n X: y\r\n" HOST TOKEN CLOSE,
        "GET /api/v1/a HTTP/1.1\r\nX : y\r\n" HOST TOKEN CLOSE,
        "GET /api/v1/a HTTP/1.1\r\n: y\r\n" HOST TOKEN CLOSE};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        expect(bad[i], 400, "ended by CR LF");
    }
}
END_TEST

/* What one line lacks, another has too much. */
START_TEST(test_line_ends_that_add_up)
{
    static const char *const bad[] = {
        "GET /api/v1/a HTTP/1.1\r\nX:  y\n" HOST TOKEN CLOSE,
        "GET /api/v1/a HTTP/1.1\nX:  y\r\n" HOST TOKEN CLOSE,
        "GET /api/v1/a HTTP/1.1\r\nX: y\nZ:  z\r\n" HOST TOKEN CLOSE,
        "GET /api/v1/a HTTP/1.1\r\nX: \t y\n" HOST TOKEN
        "Connection: close\r\n\n",
        "GET /api/v1/a HTTP/1.1\n" HOST TOKEN "Connection:   close\n\n",
        "GET  /api/v1/a HTTP/1.1\n" HOST TOKEN CLOSE,
        "GET  /api/v1/a HTTP/1.1\r\nX:y\r\n" HOST TOKEN CLOSE,
        "GET /api/v1/a HTTP/1.1\r\n" HOST "X: y\r" TOKEN CLOSE,
        "GET /api/v1/a HTTP/1.1\r\n" HOST "X:  y\r" TOKEN CLOSE,
        "GET /api/v1/a HTTP/1.1\r\n" TOKEN "Connection: close\r\n"
        "Host: 127.0.0.1:{PORT}\n  \r\n\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        expect(bad[i], 400, "ended by CR LF");
    }
    expect("POST /api/v1/a HTTP/1.1\r\n" HOST TOKEN JSON
           "X:  y\nContent-Length: 2\r\n" CLOSE "{}",
           400, "ended by CR LF");
}
END_TEST

START_TEST(test_blanks_around_a_value)
{
    static const char *const good[] = {
        "GET /api/v1/a?b=1&c&=&d=%41 HTTP/1.1\r\nX: \r\n" HOST TOKEN CLOSE,
        "GET /api/v1/a HTTP/1.1\r\nX:\r\n" HOST TOKEN CLOSE,
        "GET /api/v1/a HTTP/1.1\r\nX:y\r\n" HOST TOKEN CLOSE,
        "GET /api/v1/a HTTP/1.1\r\nX: y \r\n" HOST TOKEN CLOSE,
        "GET /api/v1/a HTTP/1.1\r\nHost:127.0.0.1:{PORT}\r\n" TOKEN CLOSE,
        "GET /api/v1/a HTTP/1.1\r\nHost: \t127.0.0.1:{PORT}\r\n" TOKEN CLOSE,
        "GET /api/v1/a HTTP/1.1\r\nCookie: a=b; c=\"d\"\r\n" HOST TOKEN CLOSE,
        "GET /api/v1/a HTTP/1.0\r\n" HOST TOKEN "\r\n",
        "GET /api/v1/a HTTP/1.1\r\n" HOST TOKEN "Connection: close\r\n"
        "X:\r\n\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        expect(good[i], 200, "");
    }
    expect_local("GET /api/v1/a HTTP/1.0\r\n\r\n", 200, "");
}
END_TEST

/* A NUL in the address, in a name, in a value: "#" here. */
START_TEST(test_nul_bytes)
{
    static const char *const bad[] = {
        "GET /api/v1/a# HTTP/1.1\r\nHost: p\r\n" CLOSE,
        "GET /api/v1/a HTTP/1.1\r\nX#: y\r\nHost: p\r\n" CLOSE,
        "GET /api/v1/a HTTP/1.1\r\nX: #y\r\nHost: p\r\n" CLOSE,
        "GET# /api/v1/a HTTP/1.1\r\nHost: p\r\n" CLOSE,
        "GET /api/v1/a HTTP/1.1#\r\nHost: p\r\n" CLOSE,
        "GET /api/v1/a HTTP/1.1\r\nX:y#\r\nHost: p\r\n" CLOSE,
        "GET /api/v1/a HTTP/1.1\r\nX:y#z: a\nHost: p\r\n" CLOSE,
        "GET /api/v1/a HTTP/1.1\r\nHost: p#q\r\n" CLOSE};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char *request = mem_strdup(bad[i]);
        size_t n = strlen(request);
        *strchr(request, '#') = '\0';
        struct buf reply;
        buf_init(&reply, 1 << 20);
        buf_str(&reply, "");
        int fd = fix_http_local(&f);
        ck_assert(fix_http_write(fd, request, n));
        fix_http_read_all(fd, &reply);
        ck_assert_msg(fix_http_status(reply.data) == 400, "%zu: %s", i,
                      reply.data);
        close(fd);
        buf_fini(&reply);
        free(request);
    }
}
END_TEST

START_TEST(test_malformed_addresses)
{
    static const char *const bad[] = {"/api/v1/%00",
                                      "/api/v1/a%",
                                      "/api/v1/a%4",
                                      "/api/v1/%zz",
                                      "/api/v1/%ff",
                                      "/api/v1/%c0%af",
                                      "/api/v1/a?x=%00",
                                      "/api/v1/a?x=%ed%a0%80",
                                      "/api/v1/a?%ff=1",
                                      "/api/v1/a\xff",
                                      "/api/v1/a?1&2&3&4&5&6&7&8&9"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char *request =
            mem_printf("GET %s HTTP/1.1\r\n" HOST TOKEN CLOSE, bad[i]);
        expect(request, 400, "INVALID");
        free(request);
    }
    expect("GET /api/v1/1/2/3/4/5/6 HTTP/1.1\r\n" HOST TOKEN CLOSE, 200, "");
    expect("GET /api/v1/1/2/3/4/5/6/7 HTTP/1.1\r\n" HOST TOKEN CLOSE, 404, "");
    expect("GET http://evil.example/ HTTP/1.1\r\n" HOST CLOSE, 404, "");
}
END_TEST

static char *repeat(const char *before, const char *what, int n,
                    const char *after)
{
    struct buf b;
    buf_init(&b, 4 << 20);
    buf_str(&b, before);
    for (int i = 0; i < n; i++) {
        buf_str(&b, what);
    }
    buf_str(&b, after);
    return buf_take(&b);
}

START_TEST(test_largest_body)
{
    char *request = repeat("POST /api/v1/a HTTP/1.1\r\n" HOST TOKEN JSON
                           "Content-Length: 1048576\r\n" CLOSE,
                           " ", 1048576, "");
    char *reply = fix_http_raw(&f, request);
    ck_assert_int_eq(fix_http_status(reply), 200);
    ck_assert_ptr_nonnull(strstr(reply, "\"body_len\":1048576"));
    free(reply);
    free(request);
}
END_TEST

START_TEST(test_large_heads)
{
    char *url =
        repeat("GET /api/v1/", "a", 5000, " HTTP/1.1\r\n" HOST TOKEN CLOSE);
    char *query = repeat("GET /api/v1/health?", "a", 5000,
                         " HTTP/1.1\r\n" HOST TOKEN CLOSE);
    char *huge =
        repeat("GET /api/v1/", "a", 100000, " HTTP/1.1\r\n" HOST TOKEN CLOSE);
    char *many =
        repeat("GET /api/v1/a HTTP/1.1\r\n" HOST TOKEN, "A: b\r\n", 70, CLOSE);
    char *large = repeat("GET /api/v1/a HTTP/1.1\r\n" HOST TOKEN "A: ", "a",
                         100000, "\r\n" CLOSE);
    char *line = repeat("GET /api/v1/a HTTP/1.1\r\n" HOST TOKEN "A: ", "a",
                        16384, "\r\n" CLOSE);
    char *fits = repeat("GET /api/v1/a HTTP/1.1\r\n" HOST TOKEN "A: ", "a",
                        16000, "\r\n" CLOSE);
    expect(url, 414, "");
    expect(query, 414, "");
    expect(line, 431, "16 KiB");
    expect(fits, 200, "");
    free(line);
    free(fits);
    free(query);
    expect(many, 431, "");
    /* The library refuses before it has read all of these; what is left
     * unread may make the kernel reset the connection under the reply. */
    char *reply = fix_http_raw(&f, huge);
    int status = fix_http_status(reply);
    ck_assert_msg(status == 414 || status == 0, "%s", reply);
    free(reply);
    reply = fix_http_raw(&f, large);
    status = fix_http_status(reply);
    ck_assert_msg(status == 431 || status == 0, "%s", reply);
    free(reply);
    free(url);
    free(huge);
    free(many);
    free(large);
}
END_TEST

/* --- other users --- */

static int status_as_nobody(void)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/sock", f.state_dir);
    chmod(f.state_dir, 0755);
    chmod(path, 0666);
    pid_t child = fork();
    if (child == 0) {
        if (setuid(65534) != 0) {
            _exit(255);
        }
        char *reply = fix_http_raw_local(
            &f, "GET /api/v1/a HTTP/1.1\r\nHost: parzen\r\n" CLOSE);
        _exit(fix_http_status(reply) == 403 ? 43 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

START_TEST(test_socket_knows_its_user)
{
    if (geteuid() != 0) {
        printf("SKIPPED: test_socket_knows_its_user needs root\n");
        return;
    }
    ck_assert_int_eq(status_as_nobody(), 43);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("http server");
    TCase *works = tcase_create("works"), *refuses = tcase_create("refuses");
    tcase_add_checked_fixture(works, start, stop);
    tcase_add_checked_fixture(refuses, start, stop);
    tcase_set_timeout(works, 60);
    tcase_set_timeout(refuses, 60);
    tcase_add_test(works, test_request_reaches_the_handler);
    tcase_add_test(works, test_socket_needs_no_token);
    tcase_add_test(works, test_connection_is_kept);
    tcase_add_test(works, test_page_files);
    tcase_add_test(works, test_page_files_have_etags);
    tcase_add_test(works, test_headers_of_every_reply);
    tcase_add_test(refuses, test_foreign_hosts);
    tcase_add_test(refuses, test_foreign_origins);
    tcase_add_test(refuses, test_tokens);
    tcase_add_test(refuses, test_wrong_tokens_are_slowed_down);
    tcase_add_test(refuses, test_methods);
    tcase_add_test(refuses, test_bodies);
    tcase_add_test(refuses, test_chunks);
    tcase_add_test(refuses, test_framing);
    tcase_add_test(refuses, test_line_ends);
    tcase_add_test(refuses, test_line_ends_that_add_up);
    tcase_add_test(refuses, test_blanks_around_a_value);
    tcase_add_test(refuses, test_nul_bytes);
    tcase_add_test(refuses, test_malformed_addresses);
    tcase_add_test(refuses, test_largest_body);
    tcase_add_test(refuses, test_large_heads);
    tcase_add_test(refuses, test_socket_knows_its_user);
    suite_add_tcase(s, works);
    suite_add_tcase(s, refuses);
    return s;
}
