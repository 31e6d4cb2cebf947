#include "core/wire/frame.h"
#include "core/base/mem.h"
#include "core/wire/msg.h"
#include "tests/lib/fix_msg.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>
#include <string.h>

enum { N_MESSAGES = 200 };

/* A stream of random messages. */
static void random_stream(uint64_t seed, struct buf *out)
{
    size_t n;
    const int *types = fix_msg_types(&n);
    struct rng r;
    rng_stream(&r, seed, 0, RNG_SAMPLER, 0);
    buf_init(out, BUF_MAX_RESPONSE);
    for (int i = 0; i < N_MESSAGES; i++) {
        struct msg m;
        struct err err;
        fix_msg_random(&r, types[rng_below(&r, (uint32_t)n)], &m);
        ck_assert_int_eq(frame_encode(&m, out, &err), 0);
        msg_fini(&m);
    }
}

/* Take all messages there are now and write them as frames to out. */
static int drain(struct frame_reader *r, struct buf *out)
{
    int n = 0, rc;
    struct msg m;
    struct err err;
    while ((rc = frame_reader_next(r, &m, &err)) == 1) {
        ck_assert_int_eq(frame_encode(&m, out, &err), 0);
        msg_fini(&m);
        n++;
    }
    ck_assert_msg(rc == 0, "%s", err.msg);
    return n;
}

/* Pieces of one byte, of odd sizes, of 64 KiB, and all at once. */
START_TEST(any_cut_of_the_stream_gives_the_same)
{
    static const size_t pieces[] = {1, 3, 1021, 65536, SIZE_MAX};
    struct buf stream, back;
    struct frame_reader r;
    struct err err;
    random_stream(7, &stream);
    buf_init(&back, BUF_MAX_RESPONSE);
    frame_reader_init(&r);
    int n = 0;
    for (size_t at = 0; at < stream.len;) {
        size_t left = stream.len - at;
        size_t len = pieces[_i] < left ? pieces[_i] : left;
        ck_assert_int_eq(frame_reader_feed(&r, stream.data + at, len, &err), 0);
        n += drain(&r, &back);
        at += len;
    }
    ck_assert_int_eq(n, N_MESSAGES);
    ck_assert_uint_eq(back.len, stream.len);
    ck_assert_mem_eq(back.data, stream.data, stream.len);
    ck_assert_uint_eq(r.pending.len, r.at);
    frame_reader_fini(&r);
    buf_fini(&stream);
    buf_fini(&back);
}
END_TEST

static void expect_broken(const char *bytes, size_t n)
{
    struct frame_reader r;
    struct msg m;
    struct err err;
    frame_reader_init(&r);
    ck_assert_int_eq(frame_reader_feed(&r, bytes, n, &err), 0);
    ck_assert_int_eq(frame_reader_next(&r, &m, &err), ERR_PROTO);
    ck_assert_int_gt((int)strlen(err.msg), 0);
    /* and stays so */
    ck_assert_int_eq(frame_reader_next(&r, &m, &err), ERR_PROTO);
    ck_assert_int_eq(frame_reader_feed(&r, "", 0, &err), ERR_PROTO);
    frame_reader_fini(&r);
}

START_TEST(broken_streams_stay_broken)
{
    expect_broken("\0\0\0\0", 4);           /* no type */
    expect_broken("\1\0\x10\0\x0D", 5);     /* 1 MiB + 1 */
    expect_broken("\xFF\xFF\xFF\xFF\1", 5); /* 4 GiB - 1 */
    expect_broken("\1\0\0\0\0", 5);         /* type 0 */
    expect_broken("\1\0\0\0\x0D", 5);       /* QUIT, no payload */
    expect_broken("GET / HTTP/1.1\r\n\r\n", 18);
}
END_TEST

START_TEST(half_a_frame_waits)
{
    struct msg m = {.type = MSG_QUIT}, back;
    struct buf b;
    struct frame_reader r;
    struct err err;
    buf_init(&b, 1000);
    ck_assert_int_eq(frame_encode(&m, &b, &err), 0);
    ck_assert_uint_eq(b.len, 4 + 1 + 8);
    frame_reader_init(&r);
    for (size_t i = 0; i + 1 < b.len; i++) {
        ck_assert_int_eq(frame_reader_feed(&r, b.data + i, 1, &err), 0);
        ck_assert_int_eq(frame_reader_next(&r, &back, &err), 0);
    }
    ck_assert_int_eq(frame_reader_feed(&r, b.data + b.len - 1, 1, &err), 0);
    ck_assert_int_eq(frame_reader_next(&r, &back, &err), 1);
    ck_assert_int_eq(back.type, MSG_QUIT);
    frame_reader_fini(&r);
    buf_fini(&b);
}
END_TEST

START_TEST(too_large_messages_leave_out_alone)
{
    struct err err;
    struct buf b;
    struct msg m = {.type = MSG_PREPARE_FAILED,
                    .prepare_failed.message = mem_alloc(BUF_MAX_FRAME, 1)};
    memset(m.prepare_failed.message, 'x', BUF_MAX_FRAME - 1);
    buf_init(&b, BUF_MAX_RESPONSE);
    buf_str(&b, "before");
    ck_assert_int_eq(frame_encode(&m, &b, &err), ERR_LIMIT);
    ck_assert_str_eq(b.data, "before");
    /* type, study, length and text are exactly 1 MiB */
    m.prepare_failed.message[BUF_MAX_FRAME - 1 - 8 - 4] = '\0';
    ck_assert_int_eq(frame_encode(&m, &b, &err), 0);
    ck_assert_uint_eq(b.len, 6 + 4 + BUF_MAX_FRAME);
    msg_fini(&m);
    buf_fini(&b);
}
END_TEST

START_TEST(a_feeder_that_never_takes_is_stopped)
{
    struct frame_reader r;
    struct err err;
    char *bytes = mem_alloc(BUF_MAX_FRAME, 1);
    frame_reader_init(&r);
    ck_assert_int_eq(frame_reader_feed(&r, bytes, BUF_MAX_FRAME, &err), 0);
    ck_assert_int_eq(frame_reader_feed(&r, bytes, BUF_MAX_FRAME, &err), 0);
    ck_assert_int_eq(frame_reader_feed(&r, bytes, BUF_MAX_FRAME, &err),
                     ERR_PROTO);
    frame_reader_fini(&r);
    free(bytes);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("frame");
    TCase *t = tcase_create("frame");
    tcase_add_loop_test(t, any_cut_of_the_stream_gives_the_same, 0, 5);
    tcase_add_test(t, broken_streams_stay_broken);
    tcase_add_test(t, half_a_frame_waits);
    tcase_add_test(t, too_large_messages_leave_out_alone);
    tcase_add_test(t, a_feeder_that_never_takes_is_stopped);
    suite_add_tcase(s, t);
    return s;
}
