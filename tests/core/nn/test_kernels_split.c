/* The wide layer in halves: each kernel table against the reference over random
 * odd shapes, and against its own floats to the bit. */
#include "tests/lib/fix_kernels.h"
#include "tests/lib/test_main.h"

#include "core/base/mem.h"
#include "core/nn/halves.h"

#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 40 };

static struct fix_kernels f;

static void setup(void)
{
    fix_kernels_init(&f);
}

static void release(void)
{
    fix_kernels_release(&f);
}

static float *floats(size_t n, float low)
{
    return fix_kernels_floats(&f, n, low, 1);
}

static float *copy(const float *from, size_t n)
{
    return fix_kernels_copy(&f, from, n);
}

static uint16_t *split(const float *from, size_t rows, size_t n)
{
    float *x = copy(from, rows * n);
    uint16_t *scratch = mem_alloc(n, sizeof(*scratch));
    halves_split(x, rows, n, scratch);
    free(scratch);
    return (uint16_t *)x;
}

static float *joined(const uint16_t *from, size_t rows, size_t n)
{
    float *x = floats(rows * n, 0);
    for (size_t i = 0; i < rows * n; i++) {
        const uint16_t *at = from + 2 * (i / n) * n + i % n;
        x[i] = halves_joined(at[0], at[n]);
    }
    return x;
}

/* The floats that the upper halves are. */
static float *rounded(const uint16_t *from, size_t rows, size_t n)
{
    float *x = floats(rows * n, 0);
    for (size_t i = 0; i < rows * n; i++) {
        x[i] = halves_upper(from[2 * (i / n) * n + i % n]);
    }
    return x;
}

static void guarded(const void *array, size_t n, const char *what)
{
    fix_kernels_guarded(&f, array, n, what);
}

static void equal(const float *is, const float *want, size_t n,
                  const char *what)
{
    ck_assert_msg(memcmp(is, want, n * sizeof(*is)) == 0, "%s %s", f.k->name,
                  what);
}

static void same(const float *is, const float *want, size_t n, const char *what)
{
    fix_kernels_same(&f, is, want, n, what);
}

/* Some batches of the usual size, some rows wider than a tile or than what
 * forward takes at once. */
static void shape(int round, size_t *B, size_t *O, size_t *N)
{
    *B = round % 2 == 0 ? 4 : 1 + rng_below(&f.rng, 16);
    *O = 1 + rng_below(&f.rng, 9);
    *N = 1 + rng_below(&f.rng, 200);
    *N += round % 5 == 0 ? 4000 : round % 9 == 0 ? 16300 : 0;
}

START_TEST(forwards)
{
    for (int round = 0; fix_kernels_use(&f, _i) && round < ROUNDS; round++) {
        size_t B, O, N;
        shape(round, &B, &O, &N);
        float *x = floats(B * N, -1), *w = floats(O * N, -1);
        uint16_t *halves = split(w, O, N);
        float *y = floats(B * O, 0), *want = floats(B * O, 0);
        f.k->wide_forward_split(y, x, halves, B, O, N);
        f.ref->wide_forward_split(want, x, halves, B, O, N);
        same(y, want, B * O, "wide_forward_split");
        f.k->wide_forward(want, x, rounded(halves, O, N), B, O, N);
        equal(y, want, B * O, "wide_forward_split, wide_forward");
        release();
    }
}
END_TEST

START_TEST(steps)
{
    struct kernels_adamw step = fix_kernels_adamw();
    for (int round = 0; fix_kernels_use(&f, _i) && round < ROUNDS; round++) {
        size_t B, O, N;
        shape(round, &B, &O, &N);
        size_t n = O * N;
        float *x = floats(B * N, -1), *dy = floats(B * O, -1);
        float *w = floats(n, -1), *m = floats(n, -1), *v = floats(n, 0);
        float *ref_m = copy(m, n), *ref_v = copy(v, n), *w_f = copy(w, n);
        float *m_f = copy(m, n), *v_f = copy(v, n), *dx = floats(B * N, 0);
        float *dx_ref = floats(B * N, 0), *dx_f = floats(B * N, 0);
        float *dx_alone = floats(B * N, 0);
        uint16_t *halves = split(w, O, N), *ref_halves = split(w, O, N);
        float *before = rounded(halves, O, N);
        f.k->wide_input_split(dx_alone, halves, dy, B, O, N);
        f.k->wide_step_split(dx, halves, m, v, x, dy, B, O, N, &step);
        f.ref->wide_step_split(dx_ref, ref_halves, ref_m, ref_v, x, dy, B, O, N,
                               &step);
        same(dx_alone, dx_ref, B * N, "wide_input_split");
        same(dx, dx_ref, B * N, "wide_step_split dx");
        same(joined(halves, O, N), joined(ref_halves, O, N), n,
             "wide_step_split w");
        guarded(halves, n, "wide_step_split w");
        same(m, ref_m, n, "wide_step_split m");
        same(v, ref_v, n, "wide_step_split v");
        equal(dx, dx_alone, B * N, "wide_step_split dx, wide_input_split");
        f.k->wide_step(dx_f, w_f, m_f, v_f, x, dy, B, O, N, &step);
        equal(joined(halves, O, N), w_f, n, "wide_step_split w, wide_step");
        equal(m, m_f, n, "wide_step_split m, wide_step");
        equal(v, v_f, n, "wide_step_split v, wide_step");
        f.k->wide_step(dx_f, before, m_f, v_f, x, dy, B, O, N, &step);
        equal(dx, dx_f, B * N, "wide_step_split dx, wide_step");
        release();
    }
}
END_TEST

START_TEST(blends)
{
    for (int round = 0; fix_kernels_use(&f, _i) && round < ROUNDS; round++) {
        size_t O = 1 + rng_below(&f.rng, 5), N = 1 + rng_below(&f.rng, 90);
        float *y = floats(O * N, -1), *x = floats(O * N, -1);
        uint16_t *halves = split(y, O, N), *from = split(x, O, N);
        f.k->blend_split(halves, from, 0.3f, O, N);
        f.k->blend(y, x, 0.3f, O * N);
        equal(joined(halves, O, N), y, O * N, "blend_split");
        guarded(halves, O * N, "blend_split");
        release();
    }
}
END_TEST

/* A step that leaves all weights as they are: of any bits it must make the
 * halves that they were. */
START_TEST(any_bits)
{
    struct kernels_adamw nothing = {.decay = 1, .scale = 1, .eps = 1};
    for (int round = 0; fix_kernels_use(&f, _i) && round < ROUNDS; round++) {
        size_t O = 1 + rng_below(&f.rng, 9), N = 1 + rng_below(&f.rng, 200);
        size_t n = O * N;
        float *w = floats(n, 0), *m = floats(n, 0), *v = floats(n, 0);
        float *x = floats(4 * N, 0), *dx = floats(4 * N, 0), dy[4 * 9] = {0};
        memset(m, 0, n * sizeof(*m));
        memset(v, 0, n * sizeof(*v));
        for (size_t i = 0; i < n; i++) {
            uint32_t kind = rng_below(&f.rng, 4), bits = rng_u32(&f.rng);
            bits = kind == 0   ? (bits & 0xffff0000) | 0x8000 /* a tie */
                   : kind == 1 ? bits | 0x7f000000 /* huge, infinite or NaN */
                   : kind == 2 ? bits & 0x80ffffff /* tiny */
                               : bits;
            w[i] = halves_float(bits);
        }
        uint16_t *halves = split(w, O, N), *was = split(w, O, N);
        f.k->wide_step_split(dx, halves, m, v, x, dy, 4, O, N, &nothing);
        ck_assert_mem_eq(halves, was, n * sizeof(float));
        release();
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("kernels_split");
    TCase *t = tcase_create("every table");
    tcase_add_checked_fixture(t, setup, release);
    int n = FIX_KERNELS_PAIRS;
    tcase_add_loop_test(t, forwards, 0, n);
    tcase_add_loop_test(t, steps, 0, n);
    tcase_add_loop_test(t, blends, 0, n);
    tcase_add_loop_test(t, any_bits, 0, n);
    suite_add_tcase(s, t);
    return s;
}
