/* joe_kuo: direction numbers of Sobol's sequence, by S. Joe and F. Y. Kuo,
 * "Constructing Sobol sequences with better two-dimensional projections", SIAM
 * J. Sci. Comput. 30 (2008), 2635-2654: their table new-joe-kuo-6, as far as a
 * space has parameters. */
#ifndef DAEMON_SEARCH_JOE_KUO_H
#define DAEMON_SEARCH_JOE_KUO_H
#include <stdint.h>

enum { JOE_KUO_MAX = 256, JOE_KUO_DEGREE_MAX = 11 };

/* The primitive polynomial's degree and inner coefficients (the highest bit is
 * that of x^(degree-1)), and as many initial numbers as its degree. */
struct joe_kuo {
    uint16_t degree, inner, initial[JOE_KUO_DEGREE_MAX];
};

/* Of dimensions 2 .. JOE_KUO_MAX; the first is van der Corput's. */
extern const struct joe_kuo JOE_KUO[JOE_KUO_MAX - 1];

#endif
