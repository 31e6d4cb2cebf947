#include "core/nn/pooling.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <string.h>

enum { D = 3, ROWS = 5 };

/* Two texts, of three tokens and of one with padding behind it. */
static const size_t starts[] = {0, 3, 5};
static const int32_t lengths[] = {3, 1};

static struct pooling pooling(enum model_pooling kind)
{
    return (struct pooling){
        .kind = kind, .B = 2, .d = D, .starts = starts, .lengths = lengths};
}

START_TEST(the_maximum_and_its_gradient)
{
    const float x[ROWS * D] = {1, 5,  -3, 4,  5,  -2, 2, 1,
                               0, -7, -8, -9, 50, 60, 70};
    const float dout[2 * D] = {1, 2, 3, 4, 5, 6};
    const float want[2 * D] = {4, 5, 0, -7, -8, -9};
    const float want_dx[ROWS * D] = {0, 2, 0, 1, 0, 0, 0, 0,
                                     3, 4, 5, 6, 0, 0, 0};
    float out[2 * D], dx[ROWS * D];
    int32_t chosen[2 * D];
    struct pooling p = pooling(MODEL_POOLING_MAX);
    pooling_forward(out, chosen, x, &p, kernels_get());
    ck_assert_mem_eq(out, want, sizeof(want));
    pooling_backward(dx, dout, chosen, &p);
    ck_assert_mem_eq(dx, want_dx, sizeof(want_dx));
}
END_TEST

/* Wherever it stands, and beside any other number. */
START_TEST(nan_is_the_maximum)
{
    static const enum model_pooling kinds[] = {MODEL_POOLING_MEAN,
                                               MODEL_POOLING_MAX};
    struct pooling p = pooling(kinds[_i]);
    for (size_t row = 0; row < 3; row++) {
        float x[ROWS * D] = {1, INFINITY, 3, 4, 5, -INFINITY, 7, 8, 9};
        float out[2 * D], without_chosen[2 * D];
        int32_t chosen[2 * D];
        for (size_t c = 0; c < D; c++) {
            x[row * D + c] = NAN;
        }
        pooling_forward(out, chosen, x, &p, kernels_get());
        pooling_forward(without_chosen, NULL, x, &p, kernels_get());
        for (size_t c = 0; c < D; c++) {
            ck_assert(isnan(out[c]) && isnan(without_chosen[c]));
            ck_assert(p.kind != MODEL_POOLING_MAX || (size_t)chosen[c] == row);
            ck_assert(isfinite(out[D + c]));
        }
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("pooling");
    TCase *t = tcase_create("pooling");
    tcase_add_test(t, the_maximum_and_its_gradient);
    tcase_add_loop_test(t, nan_is_the_maximum, 0, 2);
    suite_add_tcase(s, t);
    return s;
}
