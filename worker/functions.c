#include "worker/functions.h"
#include "core/spec/function.h"

#include <math.h>

static double square(double x)
{
    return x * x;
}

static double sphere(const double *x, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += square(x[i]);
    }
    return sum;
}

static double branin(const double *x, size_t n)
{
    (void)n;
    double t = 1.0 / (8.0 * M_PI);
    return square(x[1] - 5.1 / (4.0 * M_PI * M_PI) * square(x[0]) +
                  5.0 / M_PI * x[0] - 6.0) +
           10.0 * (1.0 - t) * cos(x[0]) + 10.0;
}

static double hartmann6(const double *x, size_t n)
{
    static const double alpha[4] = {1.0, 1.2, 3.0, 3.2};
    static const double a[4][6] = {{10, 3, 17, 3.5, 1.7, 8},
                                   {0.05, 10, 17, 0.1, 8, 14},
                                   {3, 3.5, 1.7, 10, 17, 8},
                                   {17, 8, 0.05, 10, 0.1, 14}};
    static const double p[4][6] = {
        {0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886},
        {0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991},
        {0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650},
        {0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381}};
    double sum = 0.0;
    for (int i = 0; i < 4; i++) {
        double inner = 0.0;
        for (size_t j = 0; j < n; j++) {
            inner += a[i][j] * square(x[j] - p[i][j]);
        }
        sum -= alpha[i] * exp(-inner);
    }
    return sum;
}

static double rosenbrock(const double *x, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i + 1 < n; i++) {
        sum += 100.0 * square(x[i + 1] - square(x[i])) + square(1.0 - x[i]);
    }
    return sum;
}

static double rastrigin(const double *x, size_t n)
{
    double sum = 10.0 * (double)n;
    for (size_t i = 0; i < n; i++) {
        sum += square(x[i]) - 10.0 * cos(2.0 * M_PI * x[i]);
    }
    return sum;
}

static double ackley(const double *x, size_t n)
{
    double squares = 0.0, cosines = 0.0;
    for (size_t i = 0; i < n; i++) {
        squares += square(x[i]);
        cosines += cos(2.0 * M_PI * x[i]);
    }
    return 20.0 + M_E - 20.0 * exp(-0.2 * sqrt(squares / (double)n)) -
           exp(cosines / (double)n);
}

static double levy(const double *x, size_t n)
{
    double first = 1.0 + (x[0] - 1.0) / 4.0;
    double last = 1.0 + (x[n - 1] - 1.0) / 4.0;
    double sum = square(sin(M_PI * first)) +
                 square(last - 1.0) * (1.0 + square(sin(2.0 * M_PI * last)));
    for (size_t i = 0; i + 1 < n; i++) {
        double w = 1.0 + (x[i] - 1.0) / 4.0;
        sum += square(w - 1.0) * (1.0 + 10.0 * square(sin(M_PI * w + 1.0)));
    }
    return sum;
}

static double styblinski_tang(const double *x, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += square(square(x[i])) - 16.0 * square(x[i]) + 5.0 * x[i];
    }
    return sum / 2.0;
}

static double michalewicz(const double *x, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        double inner = sin((double)(i + 1) * square(x[i]) / M_PI);
        sum -= sin(x[i]) * pow(inner, 20.0);
    }
    return sum;
}

/* The last well as evalset has it: (7, 3, 7, 3), elsewhere (7, 3.6, 7, 3.6). */
static double shekel10(const double *x, size_t n)
{
    static const double b[10] = {0.1, 0.2, 0.2, 0.4, 0.4,
                                 0.6, 0.3, 0.7, 0.5, 0.5};
    static const double c[10][4] = {
        {4, 4, 4, 4}, {1, 1, 1, 1}, {8, 8, 8, 8}, {6, 6, 6, 6}, {3, 7, 3, 7},
        {2, 9, 2, 9}, {5, 5, 3, 3}, {8, 1, 8, 1}, {6, 2, 6, 2}, {7, 3, 7, 3}};
    double sum = 0.0;
    for (int i = 0; i < 10; i++) {
        double inner = b[i];
        for (size_t j = 0; j < n; j++) {
            inner += square(x[j] - c[i][j]);
        }
        sum -= 1.0 / inner;
    }
    return sum;
}

/* In the list's order. */
static double (*const FUNCTIONS[])(const double *x, size_t n) = {
#define X(name, function, fewest, most) function,
    SPEC_FUNCTIONS(X)
#undef X
};

int function_value(const char *name, const double *x, size_t n, double *out,
                   struct err *err)
{
    size_t i;
    int rc = spec_find_function(name, &i, err);
    if (rc != 0) {
        return rc;
    }
    rc = spec_check_arity(i, n, n, err);
    if (rc != 0) {
        return rc;
    }
    *out = FUNCTIONS[i](x, n);
    return 0;
}
