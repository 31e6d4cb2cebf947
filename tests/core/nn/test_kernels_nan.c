/* No kernel of any table may make a number of what is none: NaN stays NaN, and
 * an infinity does not become finite. */
#include "tests/lib/fix_kernels.h"
#include "tests/lib/test_main.h"

#include "core/nn/halves.h"

#include <math.h>
#include <string.h>

/* NaN of either sign, with bits that no arithmetic here leaves, and the
 * infinities. */
static const uint32_t odd_bits[] = {0x7fc00000, 0xffc00000, 0x7fc00155,
                                    0xffffffff, 0x7f800000, 0xff800000};
enum { N_NAN = 4, N_ODD = 6, MINUS_INFINITY = 5 };

static struct fix_kernels f;

static void setup(void)
{
    fix_kernels_init(&f);
}

static size_t below(size_t n)
{
    return rng_below(&f.rng, (uint32_t)n);
}

/* All above 0, so that no infinity meets its opposite by chance. */
static void fill(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = 0.5f + 0.5f * (float)rng_double(&f.rng);
    }
}

static float odd_number(int which)
{
    float x;
    memcpy(&x, &odd_bits[which], sizeof(x));
    return x;
}

/* n elements, ld apart, of which none is a number. */
static void no_numbers(const float *x, size_t n, size_t ld, int which,
                       const char *what)
{
    for (size_t i = 0; i < n; i++) {
        float is = x[i * ld];
        ck_assert_msg(which < N_NAN ? isnan(is) : !isfinite(is),
                      "%s %s: %g of %08x", f.k->name, what, is,
                      odd_bits[which]);
    }
}

static void no_number(float x, int which, const char *what)
{
    no_numbers(&x, 1, 1, which, what);
}

/* --- one row, one odd number in it ---------------------------------------- */

enum { MOST = 41 }; /* every count of lanes that are left over */
static float zero[MOST], odd[MOST], x[MOST], y[MOST], sum[MOST];
static const struct kernels_dropout everything = {0};

static void begin_row(size_t n, size_t at, int which)
{
    fill(odd, n);
    odd[at] = odd_number(which);
    fill(x, n);
    fill(y, n);
    fill(sum, n);
}

static void forward(size_t n, size_t at, int which)
{
    begin_row(n, at, which);
    f.k->add(y, zero, odd, n);
    no_number(y[at], which, "add");
    f.k->column_sums(sum, odd, 1, n);
    no_number(sum[at], which, "column_sums");
    f.k->bias(x, odd, 1, n);
    no_number(x[at], which, "bias");
    f.k->drop(x, 1, n, &everything);
    no_number(x[at], which, "drop");
    f.k->relu_forward(x, zero, 1, n, &everything);
    if (which == MINUS_INFINITY) {
        ck_assert(x[at] == 0.0f);
    } else {
        no_number(x[at], which, "relu_forward");
    }
    f.k->gelu_forward(y, odd, zero, 1, n, &everything);
    no_number(y[at], which, "gelu_forward");
}

static void backward(size_t n, size_t at, int which)
{
    struct kernels_adamw step = fix_kernels_adamw();
    begin_row(n, at, which);
    f.k->gelu_backward(x, sum, odd, 1, n, &everything);
    no_number(x[at], which, "gelu_backward of z");
    no_number(sum[at], which, "gelu_backward's bias");
    begin_row(n, at, which);
    f.k->relu_backward(odd, sum, x, 1, n, &everything);
    no_number(odd[at], which, "relu_backward");
    f.k->gelu_backward(odd, sum, x, 1, n, &everything);
    no_number(odd[at], which, "gelu_backward");
    begin_row(n, at, which);
    double dot = f.k->dot(odd, y, n);
    no_number((float)dot, which, "dot");
    f.k->blend(x, odd, 0.5f, n);
    no_number(x[at], which, "blend");
    f.k->adamw(y, x, sum, odd, n, &step);
    no_number(y[at], which, "adamw");
}

START_TEST(rows)
{
    for (size_t n = 1; fix_kernels_use(&f, _i) && n <= MOST; n++) {
        for (int which = 0; which < N_ODD; which++) {
            size_t at = below(n);
            forward(n, at, which);
            backward(n, at, which);
        }
    }
}
END_TEST

START_TEST(norms)
{
    for (int round = 0; fix_kernels_use(&f, _i) && round < N_ODD * 12;
         round++) {
        int which = round % N_ODD;
        size_t n = 2 + below(MOST - 1), at = below(n);
        float gamma[MOST], beta[MOST], dgamma[MOST], dbeta[MOST], mean, rstd;
        begin_row(n, at, which);
        fill(gamma, n);
        fill(beta, n);
        struct kernels_norm norm = {.rows = 1,
                                    .n = n,
                                    .bias = zero,
                                    .gamma = gamma,
                                    .beta = beta,
                                    .x = x,
                                    .mean = &mean,
                                    .rstd = &rstd};
        f.k->norm_forward(y, &norm);
        memcpy(y, odd, sizeof(y));
        f.k->norm_backward(y, sum, dgamma, dbeta, &norm);
        no_numbers(y, n, 1, which, "norm_backward");
        no_number(dgamma[at], which, "norm_backward's gamma");
        no_number(dbeta[at], which, "norm_backward's beta");
        norm.x = odd;
        f.k->norm_forward(y, &norm);
        no_numbers(y, n, 1, which, "norm_forward");
    }
}
END_TEST

/* --- a head --------------------------------------------------------------- */

enum { ROWS = 19, KEYS = 21, WIDTH = 10 };
struct head {
    float q[ROWS * WIDTH], k[(KEYS + 1) * WIDTH], v[(KEYS + 1) * WIDTH];
    float dq[ROWS * WIDTH], dk[(KEYS + 1) * WIDTH], dv[(KEYS + 1) * WIDTH];
    float y[ROWS * WIDTH], dy[ROWS * WIDTH];
    float max[ROWS], rest[ROWS], scratch[4096];
};
static struct head head;

static void begin_head(void)
{
    fill(head.q, ARRAY_LEN(head.q));
    fill(head.k, ARRAY_LEN(head.k));
    fill(head.v, ARRAY_LEN(head.v));
    fill(head.dy, ARRAY_LEN(head.dy));
}

static void attend(size_t n_pad)
{
    ck_assert_uint_le(kernels_head_scratch(KEYS, WIDTH),
                      ARRAY_LEN(head.scratch));
    struct kernels_head h = {.rows = ROWS,
                             .keys = KEYS,
                             .width = WIDTH,
                             .ld = WIDTH,
                             .ld_y = WIDTH,
                             .q = head.q,
                             .k = head.k,
                             .v = head.v,
                             .scale = 0.3f,
                             .n_pad = n_pad,
                             .max = head.max,
                             .rest = head.rest,
                             .scratch = head.scratch};
    f.k->head_forward(head.y, &h);
    f.k->head_backward(head.dq, head.dk, head.dv, head.y, head.dy, &h);
}

/* A logit of -inf is a probability that vanishes: of a query and a key only
 * +inf must show. Here each is above 0. */
START_TEST(heads)
{
    for (int round = 0; fix_kernels_use(&f, _i) && round < N_ODD * 16;
         round++) {
        int which = round % N_ODD;
        size_t n_pad = (size_t)round / N_ODD % 3;
        size_t row = below(ROWS), key = below(KEYS), c = below(WIDTH);
        if (which != MINUS_INFINITY) {
            begin_head();
            head.q[row * WIDTH + c] = odd_number(which);
            attend(n_pad);
            no_numbers(head.y + row * WIDTH, WIDTH, 1, which, "y of q");
            no_numbers(head.dq + row * WIDTH, WIDTH, 1, which, "dq of q");
            begin_head();
            head.k[key * WIDTH + c] = odd_number(which);
            attend(n_pad);
            no_numbers(head.y, ROWS * WIDTH, 1, which, "y of k");
            no_numbers(head.dq, ROWS * WIDTH, 1, which, "dq of k");
        }
        begin_head();
        head.v[key * WIDTH + c] = odd_number(which);
        attend(n_pad);
        no_numbers(head.y + c, ROWS, WIDTH, which, "y of v");
        no_numbers(head.dq, ROWS * WIDTH, 1, which, "dq of v");
        begin_head();
        head.dy[row * WIDTH + c] = odd_number(which);
        attend(n_pad);
        no_numbers(head.dq + row * WIDTH, WIDTH, 1, which, "dq of dy");
        no_numbers(head.dk, KEYS * WIDTH, 1, which, "dk of dy");
        no_numbers(head.dv + c, KEYS, WIDTH, which, "dv of dy");
    }
}
END_TEST

/* --- the wide layer ------------------------------------------------------- */

START_TEST(wide_layers)
{
    enum { B = 5, O = 6 };
    static float wx[B * MOST], wy[B * O], dy[B * O], dx[B * MOST];
    static float w[O * MOST], m[O * MOST], v[O * MOST];
    struct kernels_adamw step = fix_kernels_adamw();
    for (int round = 0; fix_kernels_use(&f, _i) && round < N_ODD * 12;
         round++) {
        int which = round % N_ODD;
        size_t n = 1 + below(MOST), at = below(n), b = below(B), o = below(O);
        fill(wx, B * n);
        fill(dy, B * O);
        fill(w, O * n);
        memset(m, 0, sizeof(m));
        memset(v, 0, sizeof(v));
        wx[b * n + at] = odd_number(which);
        f.k->wide_forward(wy, wx, w, B, O, n);
        no_numbers(wy + b * O, O, 1, which, "wide_forward");
        dy[b * O + o] = odd_number(which);
        f.k->wide_step(dx, w, m, v, wx, dy, B, O, n, &step);
        no_numbers(dx + b * n, n, 1, which, "wide_step's dx");
        no_numbers(w + at, O, n, which, "wide_step of x");
        no_numbers(w + o * n, n, 1, which, "wide_step of dy");
    }
}
END_TEST

/* The same in halves; the weight itself may be the odd one. */
START_TEST(split_wide_layers)
{
    enum { B = 5, O = 6 };
    static float wx[B * MOST], wy[B * O], dy[B * O], dx[B * MOST];
    static float w[O * MOST], m[O * MOST], v[O * MOST];
    static uint16_t scratch[MOST];
    uint16_t *halves = (uint16_t *)w;
    struct kernels_adamw step = fix_kernels_adamw();
    for (int round = 0; fix_kernels_use(&f, _i) && round < N_ODD * 12;
         round++) {
        int which = round % N_ODD;
        bool is_weight = round / N_ODD % 2 == 0;
        size_t n = 1 + below(MOST), at = below(n), b = below(B), o = below(O);
        fill(wx, B * n);
        fill(dy, B * O);
        fill(w, O * n);
        memset(m, 0, sizeof(m));
        memset(v, 0, sizeof(v));
        *(is_weight ? &w[o * n + at] : &wx[b * n + at]) = odd_number(which);
        halves_split(w, O, n, scratch);
        f.k->wide_forward_split(wy, wx, halves, B, O, n);
        no_number(wy[b * O + o], which, "wide_forward_split");
        f.k->wide_input_split(dx, halves, dy, B, O, n);
        if (is_weight) {
            no_numbers(dx + at, B, n, which, "wide_input_split of w");
        } else {
            dy[b * O + o] = odd_number(which);
        }
        f.k->wide_step_split(dx, halves, m, v, wx, dy, B, O, n, &step);
        f.k->blend_split(halves, halves, 0.5f, O, n);
        halves_join(w, O, n, scratch);
        no_number(dx[b * n + at], which, "wide_step_split's dx");
        no_number(w[o * n + at], which, "wide_step_split and blend_split");
        if (!is_weight) {
            no_numbers(w + at, O, n, which, "wide_step_split of x");
            no_numbers(w + o * n, n, 1, which, "wide_step_split of dy");
        }
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("kernels_nan");
    TCase *t = tcase_create("every table");
    tcase_add_checked_fixture(t, setup, NULL);
    int n = FIX_KERNELS_TABLES;
    tcase_add_loop_test(t, rows, 0, n);
    tcase_add_loop_test(t, norms, 0, n);
    tcase_add_loop_test(t, heads, 0, n);
    tcase_add_loop_test(t, wide_layers, 0, n);
    tcase_add_loop_test(t, split_wide_layers, 0, n);
    suite_add_tcase(s, t);
    return s;
}
