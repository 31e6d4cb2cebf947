#include "daemon/search/density.h"
#include "core/base/rng.h"
#include "tests/lib/normal.h"
#include "tests/lib/test_main.h"

#include <math.h>

static double uniform(struct rng *rng, double low, double high)
{
    return low + (high - low) * rng_double(rng);
}

static void check_close(double value, double expected, double tolerance)
{
    ck_assert_msg(fabs(value - expected) <= tolerance, "%.15g instead of %.15g",
                  value, expected);
}

/* Every vector width that runs here gives the plain sums. */
START_TEST(test_sums)
{
    enum { N = 523, N_POINTS = 2 * DENSITY_POINTS, N_IDS = 8 };
    static double scale[N], expo[N], mu[2][N], sigma[2][N], y[2 * N_POINTS];
    static double odds[N_IDS * N_POINTS], out[N_POINTS];
    static uint32_t id[N];
    struct rng rng;
    rng_mt19937(&rng, 11);
    for (size_t i = 0; i < N; i++) {
        scale[i] = rng_double(&rng);
        expo[i] = uniform(&rng, -1, 1);
        id[i] = rng_below(&rng, N_IDS);
        for (size_t d = 0; d < 2; d++) {
            mu[d][i] = rng_double(&rng);
            sigma[d][i] = exp(uniform(&rng, -12, 3));
        }
    }
    for (size_t i = 0; i < 2 * N_POINTS; i++) {
        y[i] = rng_double(&rng);
    }
    for (size_t i = 0; i < N_IDS * N_POINTS; i++) {
        odds[i] = i % 5 == 0 ? 1e-200 : rng_double(&rng);
    }
    struct density_kernels k = {.n = N,
                                .n_cont = 2,
                                .n_table = 1,
                                .floor = -INFINITY,
                                .scale = scale,
                                .expo = expo,
                                .mu = (const double *[]){mu[0], mu[1]},
                                .sigma = (const double *[]){sigma[0], sigma[1]},
                                .id = (const uint32_t *[]){id},
                                .has_piece = (const uint8_t *[]){NULL}};
    for (size_t v = 0; density_variant(v) != NULL; v++) {
        density_variant(v)->sum(&k, N_POINTS, y, (const double *[]){odds}, out);
        for (size_t c = 0; c < N_POINTS; c++) {
            double sum = 0.0;
            for (size_t i = 0; i < N; i++) {
                double a = (y[c] - mu[0][i]) / sigma[0][i];
                double b = (y[N_POINTS + c] - mu[1][i]) / sigma[1][i];
                sum += scale[i] *
                       exp2(expo[i] - M_LOG2E / 2 * (a * a + b * b)) *
                       odds[id[i] * N_POINTS + c];
            }
            check_close(out[c] / sum, 1.0, DENSITY_ERROR);
        }
    }
}
END_TEST

enum { FAR = 40 };

struct rows {
    double odds[FAR * DENSITY_POINTS];
    uint8_t has[FAR * DENSITY_POINTS / DENSITY_PIECE];
};

static void fill(void *ctx, size_t t, uint32_t id, size_t point)
{
    struct rows *r = ctx;
    size_t at = id * DENSITY_POINTS + point;
    ck_assert_uint_eq(t, 0);
    ck_assert_uint_eq(point % DENSITY_PIECE, 0);
    ck_assert_uint_eq(r->has[at / DENSITY_PIECE], 0);
    r->has[at / DENSITY_PIECE] = 1;
    for (size_t c = 0; c < DENSITY_PIECE; c++) {
        r->odds[at + c] = 0.5;
    }
}

/* Kernels at 0 .. n - 1, points at 0 and far away: kernels that are below the
 * floor are not summed, and their rows are never wanted. */
START_TEST(test_far_kernels_are_left_out)
{
    static const double zeros[FAR];
    enum { N_PIECES = DENSITY_POINTS / DENSITY_PIECE };
    double mu[FAR], ones[FAR], y[DENSITY_POINTS], out[DENSITY_POINTS];
    uint32_t id[FAR];
    for (size_t c = 0; c < DENSITY_POINTS; c++) {
        y[c] = c < DENSITY_PIECE ? 0.0 : -1e3;
    }
    for (uint32_t i = 0; i < FAR; i++) {
        mu[i] = i;
        ones[i] = 1.0;
        id[i] = i;
    }
    for (size_t v = 0; density_variant(v) != NULL; v++) {
        struct rows rows = {.has = {0}};
        struct density_kernels k = {.n = FAR,
                                    .n_cont = 1,
                                    .n_table = 1,
                                    .floor = -M_LOG2E / 2 * 4.5 * 4.5,
                                    .scale = ones,
                                    .expo = zeros,
                                    .mu = (const double *[]){mu},
                                    .sigma = (const double *[]){ones},
                                    .id = (const uint32_t *[]){id},
                                    .has_piece = (const uint8_t *[]){rows.has},
                                    .fill = fill,
                                    .ctx = &rows};
        density_variant(v)->sum(&k, DENSITY_POINTS, y,
                                (const double *[]){rows.odds}, out);
        double sum = 0.0;
        for (int i = 0; i <= 4; i++) {
            sum += 0.5 * exp(-i * i / 2.0);
        }
        for (uint32_t i = 0; i < FAR * N_PIECES; i++) {
            ck_assert_uint_eq(rows.has[i],
                              i % N_PIECES == 0 && i / N_PIECES <= 4);
        }
        check_close(out[0], sum, DENSITY_ERROR * sum);
        check_close(out[DENSITY_PIECE - 1], sum, DENSITY_ERROR * sum);
        ck_assert(out[DENSITY_PIECE] == 0.0);
    }
}
END_TEST

/* One kernel whose exponent leaves the doubles' range: 0, or infinity, which
 * tells the caller to sum otherwise; never a number that looks like a sum.
 * Where it depends on the processor (NAN here) it is not finite. */
START_TEST(test_extremes)
{
    static const struct extreme {
        double expo, mu, sum;
    } rows[] = {{-900, 0, 0x1p-900}, {-1e6, 0, 0},          {0, 1e4, 0},
                {0, 1e200, 0},       {1000, 0, 0x1p1000},   {1024, 0, INFINITY},
                {1e12, 0, INFINITY}, {INFINITY, 1e200, NAN}};
    const double y[DENSITY_POINTS] = {0}, one = 1.0;
    double out[DENSITY_POINTS];
    const struct extreme *r = &rows[_i];
    const struct density_kernels k = {.n = 1,
                                      .n_cont = 1,
                                      .floor = -INFINITY,
                                      .scale = &one,
                                      .expo = &r->expo,
                                      .mu = (const double *[]){&r->mu},
                                      .sigma = (const double *[]){&one}};
    for (size_t v = 0; density_variant(v) != NULL; v++) {
        density_variant(v)->sum(&k, DENSITY_POINTS, y, NULL, out);
        for (size_t c = 0; c < DENSITY_POINTS; c++) {
            ck_assert(isnan(r->sum) ? !isfinite(out[c]) : out[c] == r->sum);
        }
    }
}
END_TEST

static void check_mass(double mass, double a, double b)
{
    a /= sqrt(2);
    b /= sqrt(2);
    double expected =
        a > 0 ? (erfc(a) - erfc(b)) / 2 : (erfc(-b) - erfc(-a)) / 2;
    check_close(mass, expected, 1e-15 + 1e-11 * expected);
}

START_TEST(test_masses)
{
    enum { N = 240 };
    double mu[N], sigma[N], left[N], right[N], out[N];
    struct rng rng;
    rng_mt19937(&rng, 12);
    for (size_t i = 0; i < N; i++) {
        mu[i] = rng_double(&rng);
        sigma[i] = exp(uniform(&rng, -12, 3));
        left[i] = uniform(&rng, -1, 2);
        right[i] = left[i] + exp(uniform(&rng, -9, 1));
    }
    for (size_t v = 0; density_variant(v) != NULL; v++) {
        const struct density_ops *ops = density_variant(v);
        ops->mass(N, mu, sigma, 0.2, 0.21, out);
        for (size_t i = 0; i < N; i++) {
            check_mass(out[i], (0.2 - mu[i]) / sigma[i],
                       (0.21 - mu[i]) / sigma[i]);
        }
        ops->row(N, 0.4, 30, 0.5, left, right, out);
        for (size_t i = 0; i < N; i++) {
            check_mass(2 * out[i], (left[i] - 0.4) * 30, (right[i] - 0.4) * 30);
        }
    }
}
END_TEST

/* Narrow intervals lose no digits: from 1e-12 sigma to widths where the tails
 * are told apart again, in rows of alike and of different widths. */
START_TEST(test_narrow_masses)
{
    enum { N = 2400, ALIKE = N / 2 };
    const double mu = 0.4, inv = 32;
    static double left[N], right[N], out[N];
    struct rng rng;
    rng_mt19937(&rng, 14);
    double width = 0.0;
    for (size_t i = 0; i < N; i++) {
        if (i >= ALIKE || i % DENSITY_POINTS == 0) {
            width = exp(uniform(&rng, log(1e-12), log(1e-2))) / inv;
        }
        left[i] = mu + uniform(&rng, -22, 22) / inv;
        right[i] = left[i] + width;
    }
    for (size_t v = 0; density_variant(v) != NULL; v++) {
        density_variant(v)->row(N, mu, inv, 0.5, left, right, out);
        for (size_t i = 0; i < N; i++) {
            double expected =
                (double)normal_mass(left[i], right[i], mu, 1 / inv);
            check_close(2 * out[i] / expected, 1.0, 2e-11);
        }
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("density");
    TCase *t = tcase_create("variants");
    tcase_add_test(t, test_sums);
    tcase_add_test(t, test_far_kernels_are_left_out);
    tcase_add_loop_test(t, test_extremes, 0, 8);
    tcase_add_test(t, test_masses);
    tcase_add_test(t, test_narrow_masses);
    suite_add_tcase(s, t);
    return s;
}
