#include "daemon/search/density.h"
#include "core/base/rng.h"
#include "tests/lib/normal.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <string.h>

static double uniform(struct rng *rng, double low, double high)
{
    return low + (high - low) * rng_double(rng);
}

static void check_close(double value, double expected, double tolerance)
{
    ck_assert_msg(fabs(value - expected) <= tolerance, "%.15g instead of %.15g",
                  value, expected);
}

enum { N = 520, ROW = 3 * DENSITY_POINTS };

/* Every vector width that runs here gives the plain terms: of many kernels at a
 * point, and of some at many points. */
START_TEST(test_terms)
{
    enum { SOME = 7 };
    static double block[SOME * ROW];
    double start[N], mu[N], sigma[N], expo[N], y[ROW], sum[ROW];
    struct rng rng;
    rng_mt19937(&rng, 11);
    for (size_t i = 0; i < N; i++) {
        start[i] = uniform(&rng, -1, 1);
        mu[i] = rng_double(&rng);
        sigma[i] = exp(uniform(&rng, -12, 3));
    }
    for (size_t c = 0; c < ROW; c++) {
        y[c] = rng_double(&rng);
    }
    for (size_t v = 0; density_variant(v) != NULL; v++) {
        const struct density_ops *ops = density_variant(v);
        memcpy(expo, start, sizeof(expo));
        ops->exponents(N, mu, sigma, 0.3, expo);
        ops->powers(N, expo);
        for (size_t i = 0; i < N; i++) {
            double z = (0.3 - mu[i]) / sigma[i];
            double e = exp2(start[i] - M_LOG2E / 2 * z * z);
            check_close(expo[i], e, 1e-300 + DENSITY_ERROR * e);
        }
        memset(block, 0, sizeof(block));
        ops->block_exponents(SOME, mu, sigma, ROW, y, block);
        ops->powers(SOME * ROW, block);
        for (size_t c = 0; c < ROW; c++) {
            sum[c] = 1.0;
        }
        ops->block_sum(SOME, start, ROW, block, sum);
        for (size_t c = 0; c < ROW; c++) {
            double e = 1.0;
            for (size_t i = 0; i < SOME; i++) {
                double z = (y[c] - mu[i]) / sigma[i];
                e += start[i] * exp(-z * z / 2);
            }
            check_close(sum[c], e, SOME * DENSITY_ERROR);
        }
    }
}
END_TEST

/* Of normal densities: as plainly, by kernel and by the moments of cells. */
START_TEST(test_normals)
{
    enum { DIMS = 3, N_CELLS = 30, SERIES = N_CELLS + 2 * DENSITY_PAD };
    static double at[DIMS][N], width[DIMS][N], y[DIMS][ROW];
    double scale[N], sum[ROW];
    struct rng rng;
    rng_mt19937(&rng, 17);
    const double *mu[DIMS], *sigma[DIMS], *points[DIMS];
    for (size_t d = 0; d < DIMS; d++) {
        for (size_t i = 0; i < N; i++) {
            at[d][i] = uniform(&rng, 0, 1);
            width[d][i] = d == 0 ? 0.1 : exp(uniform(&rng, -6, 1));
            scale[i] = uniform(&rng, 0, 2);
        }
        for (size_t c = 0; c < ROW; c++) {
            y[d][c] = uniform(&rng, 0, 1);
        }
        mu[d] = at[d];
        sigma[d] = width[d];
        points[d] = y[d];
    }
    at[0][0] = 0.0;
    at[0][1] = at[0][2] = 1.0;
    for (size_t v = 0; density_variant(v) != NULL; v++) {
        const struct density_ops *ops = density_variant(v);
        static double moment[N_CELLS * DENSITY_MOMENTS];
        static double series[SERIES * DENSITY_MOMENTS];
        const struct density_cells cells = {.sigma = 0.1,
                                            .n = N_CELLS,
                                            .moment = moment,
                                            .row = SERIES,
                                            .series = series};
        memset(moment, 0, sizeof(moment));
        ops->add_moments(&cells, N, at[0], scale);
        for (size_t k = 0; k < N_CELLS * DENSITY_MOMENTS; k++) {
            size_t c = k / DENSITY_MOMENTS, j = k % DENSITY_MOMENTS;
            series[j * SERIES + c] = moment[k] / tgamma((double)j + 1.0);
        }
        for (size_t dims = 1; dims <= DIMS; dims += DIMS - 1) {
            memset(sum, 0, sizeof(sum));
            ops->block_normals(N, scale, dims, mu, sigma, ROW, points, sum);
            for (size_t c = 0; c < ROW; c++) {
                double e = 0.0;
                for (size_t i = 0; i < N; i++) {
                    double zz = 0.0;
                    for (size_t d = 0; d < dims; d++) {
                        double z = (y[d][c] - at[d][i]) / width[d][i];
                        zz += z * z;
                    }
                    e += scale[i] * exp(-zz / 2);
                }
                check_close(sum[c], e, DENSITY_ERROR * e);
                if (dims == 1) {
                    check_close(ops->sum_moments(&cells, y[0][c], 9.0), e,
                                DENSITY_ERROR * e);
                }
            }
        }
    }
}
END_TEST

/* In floats: as many digits as these have. */
START_TEST(test_rough_normals)
{
    enum { DIMS = 3, MANY = 4 * DENSITY_ROUGH_PAD };
    static float scale[MANY], at[DIMS][MANY], inv[DIMS][MANY];
    const float *mu[DIMS], *w[DIMS];
    float y[DIMS];
    struct rng rng;
    rng_mt19937(&rng, 19);
    for (size_t i = 0; i < MANY; i++) {
        scale[i] = (float)uniform(&rng, 0, 2);
        for (size_t d = 0; d < DIMS; d++) {
            at[d][i] = (float)rng_double(&rng);
            inv[d][i] = (float)exp(uniform(&rng, -1, 5)); /* up to 2^-20000 */
        }
    }
    for (size_t d = 0; d < DIMS; d++) {
        y[d] = (float)rng_double(&rng);
        mu[d] = at[d];
        w[d] = inv[d];
    }
    for (size_t v = 0; density_variant(v) != NULL; v++) {
        for (size_t dims = 1; dims <= DIMS; dims++) {
            double e = 0.0;
            for (size_t i = 0; i < MANY; i++) {
                double zz = 0.0;
                for (size_t d = 0; d < dims; d++) {
                    double z = ((double)y[d] - at[d][i]) * inv[d][i];
                    zz += z * z;
                }
                e += scale[i] * exp2(-zz);
            }
            check_close(
                density_variant(v)->rough_normals(MANY, scale, dims, mu, w, y),
                e, 1e-5 * e);
        }
    }
}
END_TEST

START_TEST(test_choices)
{
    enum { N_IDS = 8 };
    double scale[N], table[2][N_IDS * ROW], out[ROW];
    uint32_t id[2][N];
    struct rng rng;
    rng_mt19937(&rng, 13);
    for (size_t i = 0; i < N; i++) {
        scale[i] = rng_double(&rng);
        id[0][i] = rng_below(&rng, N_IDS);
        id[1][i] = rng_below(&rng, N_IDS);
    }
    for (size_t i = 0; i < N_IDS * ROW; i++) {
        table[0][i] = rng_double(&rng);
        table[1][i] = i % 5 == 0 ? 1e-200 : rng_double(&rng);
    }
    for (size_t v = 0; density_variant(v) != NULL; v++) {
        density_variant(v)->choices(
            N, scale, 2, (const uint32_t *[]){id[0], id[1]},
            (const double *[]){table[0], table[1]}, ROW, out);
        for (size_t c = 0; c < ROW; c++) {
            double sum = 0.0;
            for (size_t i = 0; i < N; i++) {
                sum += scale[i] * table[0][id[0][i] * ROW + c] *
                       table[1][id[1][i] * ROW + c];
            }
            check_close(out[c] / sum, 1.0, DENSITY_ERROR);
        }
    }
}
END_TEST

/* Exactly those that are near, in order, of any run: its ends are no vector's.
 */
START_TEST(test_screen)
{
    static float mu[2][N + DENSITY_SCREEN_PAD], inv[2][N + DENSITY_SCREEN_PAD];
    static float expo[N + DENSITY_SCREEN_PAD];
    static uint32_t kernel[N + DENSITY_SCREEN_PAD];
    const float middle[] = {0.5f, 0.25f}, half[] = {0.0f, 0.125f};
    struct rng rng;
    rng_mt19937(&rng, 15);
    for (uint32_t i = 0; i < N;
         i++) { /* in multiples that floats add exactly */
        mu[0][i] = (float)rng_below(&rng, 65) / 64;
        mu[1][i] = (float)rng_below(&rng, 65) / 64;
        inv[0][i] = inv[1][i] = (float)(1 << rng_below(&rng, 5));
        expo[i] = i % 16 == 0 ? INFINITY : (float)rng_below(&rng, 4);
        kernel[i] = 7 * i;
    }
    const struct density_screen s = {.n_dims = 2,
                                     .mu = {mu[0], mu[1]},
                                     .inv = {inv[0], inv[1]},
                                     .expo = expo,
                                     .kernel = kernel};
    for (size_t v = 0; density_variant(v) != NULL; v++) {
        for (size_t first = 0; first < 40; first++) {
            uint32_t near[N];
            float above[N];
            size_t end = N - 2 * first, n = 0;
            size_t n_near = density_variant(v)->near(&s, first, end, middle,
                                                     half, -2.0f, near, above);
            for (size_t i = first; i < end; i++) {
                float a = fabsf(mu[0][i] - 0.5f) * inv[0][i];
                float b =
                    fmaxf(fabsf(mu[1][i] - 0.25f) - 0.125f, 0.0f) * inv[1][i];
                if (expo[i] - a * a - b * b >= -2.0f) {
                    ck_assert_uint_lt(n, n_near);
                    ck_assert_float_eq(above[n],
                                       expo[i] - a * a - b * b + 2.0f);
                    ck_assert_uint_eq(near[n++], kernel[i]);
                }
            }
            ck_assert_uint_eq(n, n_near);
            ck_assert(n > 0 && n < end - first);
        }
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
    const struct extreme *r = &rows[_i];
    double mu[DENSITY_PAD], ones[DENSITY_PAD], expo[DENSITY_PAD];
    for (size_t v = 0; density_variant(v) != NULL; v++) {
        for (size_t i = 0; i < DENSITY_PAD; i++) {
            mu[i] = r->mu;
            ones[i] = 1.0;
            expo[i] = r->expo;
        }
        density_variant(v)->exponents(DENSITY_PAD, mu, ones, 0.0, expo);
        for (size_t i = 0; i < DENSITY_PAD; i++) {
            expo[i] = expo[i] > 1024.0 ? 1024.0 : expo[i];
        }
        density_variant(v)->powers(DENSITY_PAD, expo);
        for (size_t i = 0; i < DENSITY_PAD; i++) {
            ck_assert(isnan(r->sum) ? !isfinite(expo[i]) : expo[i] == r->sum);
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
        ops->step_mass(N, mu, sigma, 0.2, 0.21, out);
        for (size_t i = 0; i < N; i++) {
            check_mass(out[i], (0.2 - mu[i]) / sigma[i],
                       (0.21 - mu[i]) / sigma[i]);
        }
        ops->row_mass(N, 0.4, 1.0 / 30, left, right, out);
        for (size_t i = 0; i < N; i++) {
            check_mass(out[i], (left[i] - 0.4) * 30, (right[i] - 0.4) * 30);
        }
    }
}
END_TEST

/* Narrow intervals lose no digits: from 1e-12 sigma to widths where the tails
 * are told apart again, in rows of alike and of different widths. */
START_TEST(test_narrow_masses)
{
    enum { MANY = 2400, ALIKE = MANY / 2 };
    const double mu = 0.4, inv = 32;
    static double left[MANY], right[MANY], out[MANY];
    struct rng rng;
    rng_mt19937(&rng, 14);
    double width = 0.0;
    for (size_t i = 0; i < MANY; i++) {
        if (i >= ALIKE || i % DENSITY_POINTS == 0) {
            width = exp(uniform(&rng, log(1e-12), log(1e-2))) / inv;
        }
        left[i] = mu + uniform(&rng, -22, 22) / inv;
        right[i] = left[i] + width;
    }
    for (size_t v = 0; density_variant(v) != NULL; v++) {
        density_variant(v)->row_mass(MANY, mu, 1.0 / inv, left, right, out);
        for (size_t i = 0; i < MANY; i++) {
            double expected =
                (double)normal_mass(left[i], right[i], mu, 1 / inv);
            check_close(out[i] / expected, 1.0, 2e-11);
        }
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("density");
    TCase *t = tcase_create("variants");
    tcase_add_test(t, test_terms);
    tcase_add_test(t, test_normals);
    tcase_add_test(t, test_rough_normals);
    tcase_add_test(t, test_choices);
    tcase_add_test(t, test_screen);
    tcase_add_loop_test(t, test_extremes, 0, 8);
    tcase_add_test(t, test_masses);
    tcase_add_test(t, test_narrow_masses);
    suite_add_tcase(s, t);
    return s;
}
