/* functions: test functions of global optimisation, to be minimised. Formulas
 * and optima: the collection of sigopt/evalset. */
#ifndef WORKER_FUNCTIONS_H
#define WORKER_FUNCTIONS_H
#include "core/base/err.h"

/* INVALID, naming what there is, for an unknown name or a wrong dimension. */
MUST_CHECK int function_value(const char *name, const double *x, size_t n,
                              double *out, struct err *err);

#endif
