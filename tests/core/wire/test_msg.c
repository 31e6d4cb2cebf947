#include "core/wire/msg.h"
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "tests/lib/fix_msg.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>
#include <string.h>

static void encoded(const struct msg *m, struct buf *out)
{
    buf_init(out, BUF_MAX_FRAME);
    msg_encode(m, out);
    ck_assert(!out->overflow);
}

START_TEST(every_message_returns_bit_for_bit)
{
    size_t n;
    const int *types = fix_msg_types(&n);
    struct rng r;
    rng_stream(&r, 1, 0, RNG_SAMPLER, 0);
    for (size_t i = 0; i < n * 100; i++) {
        struct msg m, back;
        struct buf bytes, again;
        struct err err;
        fix_msg_random(&r, types[i % n], &m);
        encoded(&m, &bytes);
        int rc = msg_decode(m.type, bytes.data, bytes.len, &back, &err);
        ck_assert_msg(rc == 0, "%s", err.msg);
        ck_assert_int_eq(back.type, m.type);
        encoded(&back, &again);
        ck_assert_uint_eq(bytes.len, again.len);
        ck_assert_mem_eq(bytes.data, again.data, bytes.len);
        msg_fini(&m);
        msg_fini(&back);
        buf_fini(&bytes);
        buf_fini(&again);
    }
}
END_TEST

START_TEST(a_payload_cut_anywhere_or_too_long_is_refused)
{
    size_t n_types;
    const int *types = fix_msg_types(&n_types);
    struct rng r;
    rng_stream(&r, 2, 0, RNG_SAMPLER, 0);
    for (size_t i = 0; i < n_types; i++) {
        struct msg m, back;
        struct buf bytes;
        struct err err;
        fix_msg_random(&r, types[i], &m);
        encoded(&m, &bytes);
        for (size_t len = 0; len < bytes.len; len++) {
            /* a copy of exactly len bytes: the sanitizer sees a read past it */
            char *cut = mem_strndup(bytes.data, len);
            ck_assert_int_eq(msg_decode(m.type, cut, len, &back, &err),
                             ERR_PROTO);
            free(cut);
        }
        buf_char(&bytes, 0);
        ck_assert_int_eq(msg_decode(m.type, bytes.data, bytes.len, &back, &err),
                         ERR_PROTO);
        ck_assert_ptr_nonnull(strstr(err.msg, "after the last field"));
        msg_fini(&m);
        buf_fini(&bytes);
    }
}
END_TEST

START_TEST(the_bytes_are_these)
{
    struct msg m = {.type = MSG_FAILED,
                    .failed = {.id = {1, 2, 3},
                               .cause = -2,
                               .message = (char[]){"h\xC3\xA9"}}};
    static const unsigned char want[] = {
        1,    0,    0,    0,    0,    0,    0, 0, 2, 0, 0,   0,    0,
        0,    0,    0,    3,    0,    0,    0, 0, 0, 0, 0,   0xFE, 0xFF,
        0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 3, 0, 0, 0, 'h', 0xC3, 0xA9};
    struct buf bytes;
    encoded(&m, &bytes);
    ck_assert_uint_eq(bytes.len, sizeof(want));
    ck_assert_mem_eq(bytes.data, want, sizeof(want));
    buf_fini(&bytes);
}
END_TEST

START_TEST(strings_must_be_utf8_without_nul)
{
    struct msg m = {.type = MSG_PREPARE_FAILED,
                    .prepare_failed = {.message = (char[]){"ab"}}};
    struct msg back;
    struct err err;
    struct buf bytes;
    encoded(&m, &bytes);
    bytes.data[bytes.len - 1] = '\xFF';
    ck_assert_int_eq(msg_decode(m.type, bytes.data, bytes.len, &back, &err),
                     ERR_PROTO);
    ck_assert_str_eq(err.msg, "PREPARE_FAILED.message: not text in UTF-8");
    bytes.data[bytes.len - 1] = '\0';
    ck_assert_int_eq(msg_decode(m.type, bytes.data, bytes.len, &back, &err),
                     ERR_PROTO);
    /* a length of 4 GiB - 1 in front of nothing */
    memset(bytes.data + 8, 0xFF, 4);
    ck_assert_int_eq(msg_decode(m.type, bytes.data, bytes.len, &back, &err),
                     ERR_PROTO);
    buf_fini(&bytes);
}
END_TEST

START_TEST(unknown_types_are_refused)
{
    struct msg back;
    struct err err;
    static const int types[] = {0, 17, 255, -1};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        ck_assert_int_eq(msg_decode(types[i], "", 0, &back, &err), ERR_PROTO);
        ck_assert_str_eq(msg_name(types[i]), "UNKNOWN");
    }
    ck_assert_str_eq(msg_name(MSG_REPORT), "REPORT");
}
END_TEST

START_TEST(null_strings_are_empty)
{
    struct msg m = {.type = MSG_HELLO, .hello = {.protocol = 1}};
    struct msg back;
    struct err err;
    struct buf bytes;
    encoded(&m, &bytes);
    ck_assert_int_eq(msg_decode(m.type, bytes.data, bytes.len, &back, &err), 0);
    ck_assert_str_eq(back.hello.build_id, "");
    msg_fini(&back);
    buf_fini(&bytes);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("msg");
    TCase *t = tcase_create("msg");
    tcase_add_test(t, every_message_returns_bit_for_bit);
    tcase_add_test(t, a_payload_cut_anywhere_or_too_long_is_refused);
    tcase_add_test(t, the_bytes_are_these);
    tcase_add_test(t, strings_must_be_utf8_without_nul);
    tcase_add_test(t, unknown_types_are_refused);
    tcase_add_test(t, null_strings_are_empty);
    suite_add_tcase(s, t);
    return s;
}
