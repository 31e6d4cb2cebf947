#include "daemon/search/truncnorm.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

#define LN_SQRT_2PI 0.91893853320467274178

enum { NEWTON_MAX_STEPS = 100 };

/* Phi by whichever of erf and erfc does not cancel. */
static double ndtr(double a)
{
    double x = a / M_SQRT2;
    if (x < -M_SQRT1_2) {
        return 0.5 * erfc(-x);
    }
    return x < M_SQRT1_2 ? 0.5 + 0.5 * erf(x) : 1.0 - 0.5 * erfc(x);
}

/* ln Phi(a) for a <= -20: the asymptotic series
 * Phi(a) ~ phi(a) / -a * (1 - 1/a^2 + 3/a^4 - 15/a^6 ...). */
static double log_ndtr_tail(double a)
{
    double last = 0.0, sum = 1.0, term = 1.0;
    for (int i = 1; fabs(last - sum) > DBL_EPSILON; i++) {
        last = sum;
        term *= -(double)(2 * i - 1) / (a * a);
        sum += term;
    }
    return -0.5 * a * a - log(-a) - LN_SQRT_2PI + log(sum);
}

double truncnorm_log_ndtr(double a)
{
    if (a > 6.0) {
        return -ndtr(-a);
    }
    return a > -20.0 ? log(ndtr(a)) : log_ndtr_tail(a);
}

/* ln(e^p - e^q), p >= q. */
static double log_diff(double p, double q)
{
    return p + log1p(-exp(q - p));
}

static double log_sum(double p, double q)
{
    if (p == q) {
        return p + M_LN2;
    }
    double high = fmax(p, q), low = fmin(p, q);
    return high + log1p(exp(low - high));
}

double truncnorm_log_mass(double a, double b)
{
    if (b <= 0.0) {
        return log_diff(truncnorm_log_ndtr(b), truncnorm_log_ndtr(a));
    }
    if (a > 0.0) {
        return log_diff(truncnorm_log_ndtr(-a), truncnorm_log_ndtr(-b));
    }
    double below = 0.5 + 0.5 * erf(a / M_SQRT2);
    double above = 0.5 + 0.5 * erf(-b / M_SQRT2);
    return log1p(-below - above);
}

/* Of the logarithm of a probability: ratios of polynomials with a relative
 * error below 1.2e-9 (P. J. Acklam, "An algorithm for computing the inverse
 * normal cumulative distribution function", 2003); far out the tail's
 * asymptote. */
static double guess_low(double log_p)
{
    double q = sqrt(-2.0 * log_p);
    double num = -7.784894002430293e-03;
    num = num * q - 3.223964580411365e-01;
    num = num * q - 2.400758277161838e+00;
    num = num * q - 2.549732539343734e+00;
    num = num * q + 4.374664141464968e+00;
    num = num * q + 2.938163982698783e+00;
    double den = 7.784695709041462e-03;
    den = den * q + 3.224671290700398e-01;
    den = den * q + 2.445134137142996e+00;
    den = den * q + 3.754408661907416e+00;
    return num / (den * q + 1.0);
}

static double guess_middle(double p)
{
    double q = p - 0.5, r = q * q;
    double num = -3.969683028665376e+01;
    num = num * r + 2.209460984245205e+02;
    num = num * r - 2.759285104469687e+02;
    num = num * r + 1.383577518672690e+02;
    num = num * r - 3.066479806614716e+01;
    num = num * r + 2.506628277459239e+00;
    double den = -5.447609879822406e+01;
    den = den * r + 1.615858368580409e+02;
    den = den * r - 1.556989798598866e+02;
    den = den * r + 6.680131188771972e+01;
    den = den * r - 1.328068155288572e+01;
    return num * q / (den * r + 1.0);
}

static double guess_ndtri(double log_p)
{
    const double low = 0.02425;
    if (log_p < -300.0) {
        return -sqrt(-2.0 * (log_p + LN_SQRT_2PI));
    }
    double p = exp(log_p);
    return p < low         ? guess_low(log_p)
           : p > 1.0 - low ? -guess_low(log1p(-p))
                           : guess_middle(p);
}

/* Newton's method on ln Phi. Close to y = 0 the mirrored problem is the
 * well-conditioned one. */
double truncnorm_ndtri_exp(double y)
{
    if (y == -INFINITY || y >= 0.0) {
        return y >= 0.0 ? INFINITY : -INFINITY;
    }
    bool is_mirrored = y > -1e-2;
    double z = is_mirrored ? log(-expm1(y)) : y;
    double x = guess_ndtri(z);
    for (int i = 0; i < NEWTON_MAX_STEPS; i++) {
        double log_cdf = truncnorm_log_ndtr(x);
        double log_pdf = -0.5 * x * x - LN_SQRT_2PI;
        double dx = (log_cdf - z) * exp(log_cdf - log_pdf);
        x -= dx;
        /* quadratic convergence: the next step would be below rounding */
        if (fabs(dx) < 1e-8 * fabs(x) || fabs(dx) < 1e-12) {
            break;
        }
    }
    return is_mirrored ? -x : x;
}

double truncnorm_ppf(double u, double a, double b)
{
    if (u <= 0.0 || u >= 1.0) {
        return u <= 0.0 ? a : b;
    }
    double log_mass = truncnorm_log_mass(a, b), x;
    if (a < 0.0) {
        x = truncnorm_ndtri_exp(
            log_sum(truncnorm_log_ndtr(a), log(u) + log_mass));
    } else {
        x = -truncnorm_ndtri_exp(
            log_sum(truncnorm_log_ndtr(-b), log1p(-u) + log_mass));
    }
    return fmin(fmax(x, a), b);
}
