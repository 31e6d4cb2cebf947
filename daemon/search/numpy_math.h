/* numpy_math: exp and ln to the last bit as numpy computes them on AVX-512.
 *
 * When TPE weighs choices that nothing tells apart (two values seen equally
 * often, say), the winner is decided by how a sum of exponentials rounds. To
 * choose as Optuna does, the exponentials must round as numpy's do: it calls
 * Intel's SVML (github.com/numpy/SVML, svml_z0_{exp,log}_d_la.s), whose
 * formulas these are. Within 1 ulp of the true value. */
#ifndef DAEMON_SEARCH_NUMPY_MATH_H
#define DAEMON_SEARCH_NUMPY_MATH_H
#include <stddef.h>

double numpy_exp(double x);
double numpy_log(double x);
/* The sum of n doubles, pairwise in blocks of up to 128, as numpy.sum. */
double numpy_sum(const double *v, size_t n);

#endif
