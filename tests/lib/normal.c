#include "tests/lib/normal.h"

#include <math.h>

static long double density(long double z)
{
    return 0.398942280401432677939946L * expl(-z * z / 2);
}

/* The density's integral over [z - half, z + half]: Gauss-Legendre's rule of
 * three points. */
static long double gauss(long double z, long double half)
{
    long double off = half * sqrtl(0.6L);
    long double sides = density(z - off) + density(z + off);
    return half * (8 * density(z) + 5 * sides) / 9;
}

long double normal_mass(double left, double right, double mu, double sigma)
{
    enum { PANELS = 8 };
    const long double narrow = 0.01L;
    long double width = ((long double)right - left) / sigma;
    long double a = ((long double)left - mu) / sigma, b = a + width, sum = 0;
    if (width > narrow) {
        a /= sqrtl(2);
        b /= sqrtl(2);
        sum = a > 0 ? erfcl(a) - erfcl(b) : erfcl(-b) - erfcl(-a);
        return sum / 2;
    }
    for (int i = 0; i < PANELS; i++) {
        sum += gauss(a + (i + 0.5L) * width / PANELS, width / PANELS / 2);
    }
    return sum;
}
