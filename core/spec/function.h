/* function: the list of test functions, for those who check a config and for
 * the worker that computes them. */
#ifndef CORE_SPEC_FUNCTION_H
#define CORE_SPEC_FUNCTION_H
#include "core/base/err.h"
#include <stddef.h>
#include <stdint.h>

/* X(name, identifier, fewest, most parameters) */
#define SPEC_FUNCTIONS(X)                                                      \
    X("sphere", sphere, 1, SIZE_MAX)                                           \
    X("branin", branin, 2, 2)                                                  \
    X("hartmann6", hartmann6, 6, 6)                                            \
    X("rosenbrock", rosenbrock, 2, SIZE_MAX)                                   \
    X("rastrigin", rastrigin, 1, SIZE_MAX)                                     \
    X("ackley", ackley, 1, SIZE_MAX)                                           \
    X("levy", levy, 1, SIZE_MAX)                                               \
    X("styblinski-tang", styblinski_tang, 1, SIZE_MAX)                         \
    X("michalewicz", michalewicz, 1, SIZE_MAX)                                 \
    X("shekel10", shekel10, 4, 4)

/* Its place in the list; INVALID, naming what there is, for an unknown one. */
MUST_CHECK int spec_find_function(const char *name, size_t *at,
                                  struct err *err);
/* May a trial have as many parameters as the function at this place takes, when
 * trials have from fewest to most? INVALID says how many it takes. */
MUST_CHECK int spec_check_arity(size_t at, size_t fewest, size_t most,
                                struct err *err);

#endif
