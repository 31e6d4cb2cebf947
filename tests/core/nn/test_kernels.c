/* Each kernel table against the plain reference over random odd shapes, and
 * the two that give the same bits against each other. A guard after every
 * output tells writes beyond the end. */
#include "tests/lib/fix_kernels.h"
#include "tests/lib/test_main.h"

#include "core/base/mem.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

enum { ROUNDS = 24 };

/* Every array is made twice: [0] for the kernel under test, [1] for the
 * reference; both begin alike. */
struct pair {
    float *at[2];
    size_t n;
};

static struct fix_kernels f;

static void setup(void)
{
    fix_kernels_init(&f);
}

static void release(void)
{
    fix_kernels_release(&f);
}

static size_t up_to(size_t n)
{
    return 1 + rng_below(&f.rng, (uint32_t)n);
}

static struct pair floats(size_t n, float low, float high)
{
    float *x = fix_kernels_floats(&f, n, low, high);
    return (struct pair){.at = {x, fix_kernels_copy(&f, x, n)}, .n = n};
}

static void same(struct pair p, const char *what)
{
    fix_kernels_same(&f, p.at[0], p.at[1], p.n, what);
}

/* Random bits for (rows, n); every third call: no dropout. */
static struct kernels_dropout dropout(size_t rows, size_t n, uint16_t **bits)
{
    size_t words = (n + 15) / 16;
    *bits = mem_alloc(rows * words, sizeof(**bits));
    for (size_t i = 0; i < rows * words; i++) {
        (*bits)[i] = (uint16_t)rng_u32(&f.rng);
    }
    bool none = rng_below(&f.rng, 3) == 0;
    return (struct kernels_dropout){
        .bits = none ? NULL : *bits, .words = words, .scale = 1.25f};
}

START_TEST(sums)
{
    for (int round = 0; fix_kernels_use(&f, _i) && round < ROUNDS; round++) {
        size_t rows = up_to(9), n = up_to(70);
        struct pair x = floats(rows * n, -1, 1), b = floats(n, -1, 1);
        struct pair out = floats(n, 0, 0);
        f.k->bias(x.at[0], b.at[0], rows, n);
        f.ref->bias(x.at[1], b.at[1], rows, n);
        same(x, "bias");
        f.k->column_sums(out.at[0], x.at[0], rows, n);
        f.ref->column_sums(out.at[1], x.at[1], rows, n);
        same(out, "column_sums");
        f.k->add(out.at[0], x.at[0], b.at[0], n);
        f.ref->add(out.at[1], x.at[1], b.at[1], n);
        same(out, "add");
        release();
    }
}
END_TEST

START_TEST(relu)
{
    for (int round = 0; fix_kernels_use(&f, _i) && round < ROUNDS; round++) {
        size_t rows = up_to(9), n = up_to(70);
        struct pair x = floats(rows * n, -1, 1), b = floats(n, -1, 1);
        struct pair dy = floats(rows * n, -1, 1), db = floats(n, 0, 0);
        uint16_t *bits;
        struct kernels_dropout d = dropout(rows, n, &bits);
        f.k->relu_forward(x.at[0], b.at[0], rows, n, &d);
        f.ref->relu_forward(x.at[1], b.at[1], rows, n, &d);
        same(x, "relu_forward");
        f.k->relu_backward(dy.at[0], db.at[0], x.at[0], rows, n, &d);
        f.ref->relu_backward(dy.at[1], db.at[1], x.at[1], rows, n, &d);
        same(dy, "relu_backward");
        same(db, "relu_backward's bias");
        free(bits);
        release();
    }
}
END_TEST

START_TEST(gelu_and_dropout)
{
    for (int round = 0; fix_kernels_use(&f, _i) && round < ROUNDS; round++) {
        size_t rows = up_to(9), n = up_to(70);
        float reach = round % 4 == 0 ? 60.0f : 4.0f;
        struct pair x = floats(rows * n, -reach, reach), b = floats(n, -1, 1);
        struct pair dy = floats(rows * n, -1, 1), db = floats(n, 0, 0);
        struct pair y = floats(rows * n, 0, 0);
        uint16_t *bits;
        struct kernels_dropout d = dropout(rows, n, &bits);
        f.k->gelu_forward(y.at[0], x.at[0], b.at[0], rows, n, &d);
        f.ref->gelu_forward(y.at[1], x.at[1], b.at[1], rows, n, &d);
        same(x, "gelu_forward's z");
        same(y, "gelu_forward");
        f.k->gelu_backward(dy.at[0], db.at[0], x.at[0], rows, n, &d);
        f.ref->gelu_backward(dy.at[1], db.at[1], x.at[1], rows, n, &d);
        same(dy, "gelu_backward");
        same(db, "gelu_backward's bias");
        f.k->drop(y.at[0], rows, n, &d);
        f.ref->drop(y.at[1], rows, n, &d);
        same(y, "drop");
        free(bits);
        release();
    }
}
END_TEST

START_TEST(dot)
{
    for (int round = 0; fix_kernels_use(&f, _i) && round < ROUNDS; round++) {
        size_t n = round % 5 == 0 ? 8000 + up_to(900) : up_to(200);
        struct pair a = floats(n, -1, 1), b = floats(n, -1, 1);
        double want = f.ref->dot(a.at[1], b.at[1], n);
        double tolerance =
            fix_kernels_same_bits(&f) ? 0 : 1e-6 * sqrt((double)n);
        ck_assert_double_le(fabs(f.k->dot(a.at[0], b.at[0], n) - want),
                            tolerance);
        release();
    }
}
END_TEST

START_TEST(layer_norm)
{
    for (int round = 0; fix_kernels_use(&f, _i) && round < ROUNDS; round++) {
        size_t rows = up_to(9), n = 3 + up_to(70);
        struct pair x = floats(rows * n, -1, 1), y = floats(rows * n, 0, 0);
        struct pair b = floats(n, -1, 1), gamma = floats(n, 0.5f, 2);
        struct pair beta = floats(n, -1, 1), mean = floats(rows, 0, 0);
        struct pair rstd = floats(rows, 0, 0), dy = floats(rows * n, -1, 1);
        struct pair db = floats(n, 0, 0), dg = floats(n, 0, 0);
        struct pair dbeta = floats(n, 0, 0), past = floats(rows * n, -1, 1);
        struct pair carry = floats(rows * n, -1, 1);
        bool has_bias = round % 3 != 0, has_past = round % 4 != 0;
        uint16_t *bits;
        struct kernels_dropout d = dropout(rows, n, &bits);
        const struct kernels *tables[] = {f.k, f.ref};
        for (int i = 0; i < 2; i++) {
            struct kernels_norm norm = {.rows = rows,
                                        .n = n,
                                        .bias = has_bias ? b.at[i] : NULL,
                                        .residual =
                                            has_past ? past.at[i] : NULL,
                                        .carry = has_past ? carry.at[i] : NULL,
                                        .carry_adds = round % 2 == 0,
                                        .gamma = gamma.at[i],
                                        .beta = beta.at[i],
                                        .dropout = d,
                                        .x = x.at[i],
                                        .mean = mean.at[i],
                                        .rstd = rstd.at[i]};
            tables[i]->norm_forward(y.at[i], &norm);
            tables[i]->norm_backward(dy.at[i], db.at[i], dg.at[i], dbeta.at[i],
                                     &norm);
        }
        same(x, "norm_forward's input");
        same(y, "norm_forward");
        same(dy, "norm_backward");
        same(db, "norm_backward's bias");
        same(dg, "norm_backward's gamma");
        same(dbeta, "norm_backward's beta");
        same(carry, "norm_backward's carry");
        same(mean, "norm_forward's mean");
        same(rstd, "norm_forward's rstd");
        free(bits);
        release();
    }
}
END_TEST

/* A key of value 1 with logit x beside a padded one of value 0 with logit 0:
 * y = exp(x) / (1 + exp(x)), in which a small exp counts as much as a large
 * one. Beside its 2 ulp there are roundings of the sum, of 1 / sum and of y. */
START_TEST(small_probabilities)
{
    enum { N = 4000 };
    static float q[N], y[N], max[N], rest[N], scratch[1024];
    const float key = 1, values[] = {1, 0};
    if (!fix_kernels_use(&f, _i)) {
        return;
    }
    ck_assert_uint_le(kernels_head_scratch(1, 1), ARRAY_LEN(scratch));
    for (size_t i = 0; i < N; i++) {
        q[i] = (float)(-87.0 * rng_double(&f.rng));
    }
    struct kernels_head h = {.rows = N,
                             .keys = 1,
                             .width = 1,
                             .ld = 1,
                             .ld_y = 1,
                             .q = q,
                             .k = &key,
                             .v = values,
                             .scale = 1,
                             .n_pad = 1,
                             .max = max,
                             .rest = rest,
                             .scratch = scratch};
    f.k->head_forward(y, &h);
    for (size_t i = 0; i < N; i++) {
        double e = exp((double)q[i]), want = e / (1 + e);
        ck_assert_double_le(fabs(y[i] - want), 3.5 * FLT_EPSILON * want);
    }
}
END_TEST

/* One head; all its arrays have rows ld or ld_y apart. */
START_TEST(head)
{
    for (int round = 0; fix_kernels_use(&f, _i) && round < ROUNDS; round++) {
        size_t rows = up_to(40), n_pad = rng_below(&f.rng, 3);
        size_t keys = up_to(70) - (n_pad > 0), width = up_to(40);
        size_t ld = width + rng_below(&f.rng, 5), ld_y = width + up_to(5);
        float reach = round % 4 == 0 ? 3.0f : 1.0f;
        struct pair q = floats(rows * ld, -reach, reach);
        struct pair keys_in = floats((keys + 1) * ld, -reach, reach);
        struct pair v = floats((keys + 1) * ld, -1, 1);
        struct pair y = floats(rows * ld_y, -1, 1);
        struct pair dy = floats(rows * ld_y, -1, 1);
        struct pair dq = floats(rows * ld, -1, 1);
        struct pair dk = floats((keys + 1) * ld, -1, 1);
        struct pair dv = floats((keys + 1) * ld, -1, 1);
        struct pair max = floats(rows, -1, 1), rest = floats(rows, -1, 1);
        /* What is left there must not get into a sum. */
        struct pair scratch =
            floats(kernels_head_scratch(keys, width), NAN, NAN);
        for (int i = 0; i < 2; i++) {
            const struct kernels *table = i == 0 ? f.k : f.ref;
            struct kernels_head h = {.rows = rows,
                                     .keys = keys,
                                     .width = width,
                                     .ld = ld,
                                     .ld_y = ld_y,
                                     .q = q.at[i],
                                     .k = keys_in.at[i],
                                     .v = v.at[i],
                                     .scale = 0.3f,
                                     .n_pad = n_pad,
                                     .pad_logit = -9e-15f,
                                     .max = max.at[i],
                                     .rest = rest.at[i],
                                     .scratch = scratch.at[i]};
            table->head_forward(y.at[i], &h);
            table->head_backward(dq.at[i], dk.at[i], dv.at[i], y.at[i],
                                 dy.at[i], &h);
        }
        same(y, "head_forward");
        same(max, "head_forward's max");
        same(rest, "head_forward's rest");
        same(dq, "head_backward's q");
        same(dk, "head_backward's k");
        same(dv, "head_backward's v");
        fix_kernels_guarded(&f, scratch.at[0], scratch.n, "a head's scratch");
        release();
    }
}
END_TEST

START_TEST(adamw)
{
    struct kernels_adamw step = fix_kernels_adamw();
    for (int round = 0; fix_kernels_use(&f, _i) && round < ROUNDS; round++) {
        size_t n = up_to(200);
        struct pair w = floats(n, -1, 1), m = floats(n, -1, 1);
        struct pair v = floats(n, 0, 1), g = floats(n, -1, 1);
        bool zero = round % 3 == 0;
        f.k->adamw(w.at[0], m.at[0], v.at[0], zero ? NULL : g.at[0], n, &step);
        f.ref->adamw(w.at[1], m.at[1], v.at[1], zero ? NULL : g.at[1], n,
                     &step);
        same(w, "adamw w");
        same(m, "adamw m");
        same(v, "adamw v");
        release();
    }
}
END_TEST

START_TEST(blend)
{
    for (int round = 0; fix_kernels_use(&f, _i) && round < ROUNDS; round++) {
        size_t n = up_to(200);
        struct pair y = floats(n, -1, 1), x = floats(n, -1, 1);
        f.k->blend(y.at[0], x.at[0], 0.3f, n);
        f.ref->blend(y.at[1], x.at[1], 0.3f, n);
        same(y, "blend");
        release();
    }
}
END_TEST

START_TEST(wide)
{
    struct kernels_adamw step = fix_kernels_adamw();
    for (int round = 0; fix_kernels_use(&f, _i) && round < ROUNDS; round++) {
        /* Some batches of the usual size, some wider than a tile. */
        size_t B = round % 2 == 0 ? 4 : up_to(11), O = up_to(9);
        size_t N = round % 5 == 0 ? 4000 + up_to(900) : up_to(200);
        struct pair x = floats(B * N, -1, 1), y = floats(B * O, 0, 0);
        struct pair dy = floats(B * O, -1, 1), dx = floats(B * N, 7, 8);
        struct pair w = floats(O * N, -1, 1), m = floats(O * N, -1, 1);
        struct pair v = floats(O * N, 0, 1);
        f.k->wide_forward(y.at[0], x.at[0], w.at[0], B, O, N);
        f.ref->wide_forward(y.at[1], x.at[1], w.at[1], B, O, N);
        same(y, "wide_forward");
        f.k->wide_step(dx.at[0], w.at[0], m.at[0], v.at[0], x.at[0], dy.at[0],
                       B, O, N, &step);
        f.ref->wide_step(dx.at[1], w.at[1], m.at[1], v.at[1], x.at[1], dy.at[1],
                         B, O, N, &step);
        same(dx, "wide_step dx");
        same(w, "wide_step w");
        same(m, "wide_step m");
        same(v, "wide_step v");
        release();
    }
}
END_TEST

START_TEST(chance_is_the_same_to_the_bit)
{
    for (int round = 0; fix_kernels_use(&f, _i) && round < ROUNDS; round++) {
        struct kernels_stream s = {
            .key = {rng_u32(&f.rng), rng_u32(&f.rng)},
            .counter = {rng_u32(&f.rng), rng_u32(&f.rng), rng_u32(&f.rng)}};
        uint32_t a[4][16], b[4][16], first = rng_u32(&f.rng);
        f.k->philox(a, &s, first);
        f.ref->philox(b, &s, first);
        ck_assert_mem_eq(a, b, sizeof(a));
        uint16_t x[24], y[24];
        uint32_t threshold = 1 + rng_below(&f.rng, 65535);
        f.k->keep_bits(x, 3, &s, threshold);
        f.ref->keep_bits(y, 3, &s, threshold);
        ck_assert_mem_eq(x, y, sizeof(x));
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("kernels");
    TCase *t = tcase_create("against the reference");
    tcase_add_checked_fixture(t, setup, release);
    int first = FIX_KERNELS_FASTER, n = FIX_KERNELS_PAIRS;
    tcase_add_loop_test(t, sums, first, n);
    tcase_add_loop_test(t, relu, first, n);
    tcase_add_loop_test(t, gelu_and_dropout, first, n);
    tcase_add_loop_test(t, dot, first, n);
    tcase_add_loop_test(t, layer_norm, first, n);
    tcase_add_loop_test(t, small_probabilities, first, n);
    tcase_add_loop_test(t, head, first, n);
    tcase_add_loop_test(t, adamw, first, n);
    tcase_add_loop_test(t, blend, first, n);
    tcase_add_loop_test(t, wide, first, n);
    tcase_add_loop_test(t, chance_is_the_same_to_the_bit, first, n);
    suite_add_tcase(s, t);
    return s;
}
