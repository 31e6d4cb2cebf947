#include "tests/lib/test_main.h"

#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/mem.h"
#include "core/nn/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[64], path[96];
static struct err err;

static void setup(void)
{
    strcpy(dir, "/tmp/test_safetensors.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/x.safetensors", dir);
}

static void teardown(void)
{
    ck_assert_int_eq(file_remove_tree(dir, &err), 0);
}

/* A file with this header and n bytes of data after it. */
static void put(const char *header, size_t n_data)
{
    struct buf b;
    buf_init(&b, 1 << 16);
    size_t len = strlen(header);
    for (int i = 0; i < 8; i++) {
        buf_char(&b, (char)(len >> (8 * i)));
    }
    buf_str(&b, header);
    for (size_t i = 0; i < n_data; i++) {
        buf_char(&b, (char)i);
    }
    ck_assert_int_eq(file_write_atomic(path, b.data, b.len, 0600, &err), 0);
    buf_fini(&b);
}

static struct safetensors_out *sample(const float *f, const int64_t *i)
{
    struct safetensors_out *w = safetensors_out_new();
    safetensors_out_metadata(w, "format", "test \"1\"");
    safetensors_out_metadata(w, "empty", "");
    safetensors_out_tensor(w, "weights", SAFETENSORS_F32,
                           (const size_t[]){2, 3}, 2, f);
    safetensors_out_tensor(w, "none", SAFETENSORS_F32, (const size_t[]){0}, 1,
                           NULL);
    safetensors_out_tensor(w, "scalar", SAFETENSORS_I64, NULL, 0, i);
    return w;
}

START_TEST(what_was_written_is_read)
{
    const float f[6] = {1, 2, 3, -4, 5.5f, 6};
    const int64_t x = -7;
    struct safetensors_out *w = sample(f, &x);
    char sha[65], again[65];
    uint64_t size, size_again;
    ck_assert_int_eq(safetensors_out_write(w, path, sha, &size, &err), 0);
    ck_assert_int_eq(file_sha256(path, again, &size_again, &err), 0);
    ck_assert_str_eq(sha, again);
    ck_assert_uint_eq(size, size_again);
    ck_assert_int_eq(safetensors_out_write(w, path, again, NULL, &err), 0);
    ck_assert_str_eq(sha, again);
    safetensors_out_free(w);

    struct safetensors *r;
    struct safetensors_view v;
    ck_assert_msg(safetensors_open(path, &r, &err) == 0, "%s", err.msg);
    ck_assert_str_eq(safetensors_metadata(r, "format"), "test \"1\"");
    ck_assert_str_eq(safetensors_metadata(r, "empty"), "");
    ck_assert_ptr_null(safetensors_metadata(r, "nothing"));
    ck_assert_int_eq(safetensors_find(r, "weights", &v, &err), 0);
    ck_assert(v.dtype == SAFETENSORS_F32 && v.n_dims == 2 && v.n == 6);
    ck_assert(v.dims[0] == 2 && v.dims[1] == 3);
    ck_assert_mem_eq(v.data, f, sizeof(f));
    ck_assert_int_eq(safetensors_find(r, "none", &v, &err), 0);
    ck_assert(v.n == 0 && v.n_dims == 1);
    ck_assert_int_eq(safetensors_find(r, "scalar", &v, &err), 0);
    ck_assert(v.dtype == SAFETENSORS_I64 && v.n_dims == 0 && v.n == 1);
    ck_assert_mem_eq(v.data, &x, sizeof(x));
    ck_assert_int_eq(safetensors_find(r, "other", &v, &err), ERR_NOTFOUND);
    ck_assert_str_eq(err.msg, "no tensor 'other'");
    safetensors_close(r);
}
END_TEST

START_TEST(others_files_are_read)
{
    struct safetensors *r;
    struct safetensors_view v;
    ck_assert_msg(
        safetensors_open("tests/golden/torch/torch-notebook.safetensors", &r,
                         &err) == 0,
        "%s", err.msg);
    ck_assert_str_eq(safetensors_metadata(r, "mask"), "notebook");
    ck_assert_int_eq(safetensors_find(r, "x", &v, &err), 0);
    ck_assert(v.dtype == SAFETENSORS_I64 && v.n == 48);
    safetensors_close(r);
}
END_TEST

#define T "\"dtype\":\"F32\",\"shape\":"
static const struct {
    const char *header;
    size_t data;
    const char *sentence; /* its beginning, after the path */
} bad[] = {
    {"[]", 0, "header must be an object"},
    {"{", 0, "header: "},
    {"{}", 4, "4 bytes of data, the tensors have 0"},
    {"{\"a\":1}", 0, "tensor 'a': must have"},
    {"{\"a\":{" T "[1]}}", 4, "tensor 'a': must have"},
    {"{\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8,
     "tensor 'a': dtype F64 is not supported"},
    {"{\"a\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
     "tensor 'a': dtype must be a string"},
    {"{\"a\":{" T "1,\"data_offsets\":[0,4]}}", 4,
     "tensor 'a': shape must be an array"},
    {"{\"a\":{" T "[-1],\"data_offsets\":[0,4]}}", 4,
     "tensor 'a': shape has no whole numbers"},
    {"{\"a\":{" T "[1.5],\"data_offsets\":[0,4]}}", 4,
     "tensor 'a': shape has no whole numbers"},
    {"{\"a\":{" T "[1,1,1,1,1],\"data_offsets\":[0,4]}}", 4,
     "tensor 'a': 5 dimensions"},
    {"{\"a\":{" T "[9007199254740992,9007199254740992],"
     "\"data_offsets\":[0,4]}}",
     4, "tensor 'a': shape overflows"},
    {"{\"a\":{" T "[4611686018427387],\"data_offsets\":[0,4]}}", 4,
     "tensor 'a': data_offsets have 4 bytes"},
    {"{\"a\":{" T "[2],\"data_offsets\":[0,4]}}", 4,
     "tensor 'a': data_offsets have 4 bytes"},
    {"{\"a\":{" T "[1],\"data_offsets\":[0,4]}}", 3,
     "tensor 'a': data_offsets must be"},
    {"{\"a\":{" T "[1],\"data_offsets\":[4,0]}}", 4,
     "tensor 'a': data_offsets must be"},
    {"{\"a\":{" T "[1],\"data_offsets\":[0]}}", 4,
     "tensor 'a': data_offsets must be"},
    {"{\"a\":{" T "[1],\"data_offsets\":[4,8]}}", 8,
     "tensor 'a' begins at 4, expected 0"},
    {"{\"a\":{" T "[1],\"data_offsets\":[0,4]},"
     "\"b\":{" T "[1],\"data_offsets\":[0,4]}}",
     4, "tensor 'b' begins at 0, expected 4"},
    {"{\"a\":{" T "[1],\"data_offsets\":[0,4]},"
     "\"a\":{" T "[1],\"data_offsets\":[4,8]}}",
     8, "header: "},
    {"{\"a\":{" T "[1],\"data_offsets\":[0,4]}}", 8,
     "8 bytes of data, the tensors have 4"},
    {"{\"__metadata__\":[]}", 0, "__metadata__ must be an object"},
    {"{\"__metadata__\":{\"k\":1}}", 0, "__metadata__ 'k' must be a string"},
};

START_TEST(damage_is_named)
{
    put(bad[_i].header, bad[_i].data);
    struct safetensors *r = NULL;
    int rc = safetensors_open(path, &r, &err);
    ck_assert_msg(rc < 0, "%s was accepted", bad[_i].header);
    char begin[256];
    snprintf(begin, sizeof(begin), "%s: %s", path, bad[_i].sentence);
    ck_assert_msg(strncmp(err.msg, begin, strlen(begin)) == 0,
                  "'%s' does not begin with '%s'", err.msg, begin);
    ck_assert_ptr_null(r);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
    const float f[6] = {0};
    const int64_t x = 1;
    struct safetensors_out *w = sample(f, &x);
    uint64_t size;
    ck_assert_int_eq(safetensors_out_write(w, path, NULL, &size, &err), 0);
    safetensors_out_free(w);
    struct buf whole;
    buf_init(&whole, 1 << 16);
    ck_assert_int_eq(file_read(path, &whole, &err), 0);
    for (size_t n = 0; n < size; n++) {
        ck_assert_int_eq(file_write_atomic(path, whole.data, n, 0600, &err), 0);
        struct safetensors *r;
        ck_assert_int_lt(safetensors_open(path, &r, &err), 0);
    }
    buf_fini(&whole);
}
END_TEST

START_TEST(a_lying_header_length_is_refused)
{
    for (int bit = 8; bit < 64; bit++) {
        put("{}", 0);
        struct buf b;
        buf_init(&b, 1 << 16);
        ck_assert_int_eq(file_read(path, &b, &err), 0);
        b.data[bit / 8] = (char)(b.data[bit / 8] | 1 << bit % 8);
        ck_assert_int_eq(file_write_atomic(path, b.data, b.len, 0600, &err), 0);
        buf_fini(&b);
        struct safetensors *r;
        ck_assert_int_eq(safetensors_open(path, &r, &err), ERR_CORRUPT);
    }
}
END_TEST

START_TEST(a_missing_file_is_told)
{
    struct safetensors *r;
    ck_assert_int_eq(safetensors_open("/nonexistent/x", &r, &err),
                     ERR_NOTFOUND);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("safetensors");
    TCase *t = tcase_create("safetensors");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, what_was_written_is_read);
    tcase_add_test(t, others_files_are_read);
    tcase_add_loop_test(t, damage_is_named, 0, (int)ARRAY_LEN(bad));
    tcase_add_test(t, every_truncation_is_refused);
    tcase_add_test(t, a_lying_header_length_is_refused);
    tcase_add_test(t, a_missing_file_is_told);
    suite_add_tcase(s, t);
    return s;
}
