#include "daemon/search/numpy_math.h"

#include <math.h>

/* e^x = 2^N e^r, N = x log2 e rounded down to a multiple of 1/16. */
double numpy_exp(double x)
{
    const double log2e = 0x1.71547652b82fep+0;
    if (!(fabs(x) < 0x1.61da04cbafe44p+9)) {
        return exp(x); /* over- or underflows, or nearly */
    }
    double n16 = x * log2e * 16.0;
    double n = floor(n16) / 16.0;
    if (n * 16.0 == n16 && fma(x, log2e * 16.0, -n16) < 0.0) {
        n -= 1.0 / 16.0; /* the product was rounded up to it */
    }
    double r = fma(-n, 0x1.62e42fefa39efp-1, x);
    r = fma(-n, 0x1.abc9e3b39803fp-56, r);
    double r2 = r * r;
    double p56 = fma(r, 0x1.72eb5ef0d213dp-10, 0x1.1106603d97c00p-7);
    double p34 = fma(r, 0x1.555564bb4f5f0p-5, 0x1.5555554b508a2p-3);
    double p12 = fma(r2, 0x1.0000000002622p-1, r);
    double p = fma(r2 * r, fma(r2, p56, p34), p12); /* e^r - 1 */
    double whole = floor(n), power = exp2(n - whole);
    return ldexp(fma(power, p, power), (int)whole);
}

/* ln x = E ln 2 - ln c + ln(1 + r) with c ~ 1 / mantissa, a multiple of 1/32
 * in [1/2, 1], and r = c * mantissa - 1. */
double numpy_log(double x)
{
    if (!(x >= 0x1p-1022 && x < INFINITY)) {
        return log(x);
    }
    int exponent;
    double mantissa = 2.0 * frexp(x, &exponent);
    double e = exponent - 1;
    double c = rint(32.0 / mantissa) / 32.0;
    double r = fma(c, mantissa, -1.0);
    double minus_log_c = -log(c);
    if (c < 0.75) { /* count from 2c: keeps the parts of one sign */
        e += 1.0;
        minus_log_c = -log(2.0 * c);
    }
    double r2 = r * r;
    double p78 = fma(r, 0x1.c81cd309d7c70p-4, -0x1.007357e93af62p-3);
    double p56 = fma(r, 0x1.249229cee81efp-3, -0x1.55553fb28db06p-3);
    double p34 = fma(r, 0x1.9999999cc9f5cp-3, -0x1.00000000c05bdp-2);
    double p12 = fma(r, 0x1.5555555555466p-2, -0x1.fffffffffffc6p-2);
    double p = fma(r2 * r2, fma(r2, p78, p56), fma(r2, p34, p12));
    return fma(e, 0x1.62e42fefa39efp-1, minus_log_c + fma(r2, p, r));
}

double numpy_sum(const double *v, size_t n)
{
    if (n < 8) {
        double sum = 0.0;
        for (size_t i = 0; i < n; i++) {
            sum += v[i];
        }
        return sum;
    }
    if (n > 128) {
        size_t half = n / 2 - n / 2 % 8;
        return numpy_sum(v, half) + numpy_sum(v + half, n - half);
    }
    double r[8];
    size_t i;
    for (i = 0; i < 8; i++) {
        r[i] = v[i];
    }
    for (; i < n - n % 8; i++) {
        r[i % 8] += v[i];
    }
    double sum =
        ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (; i < n; i++) {
        sum += v[i];
    }
    return sum;
}
