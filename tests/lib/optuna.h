/* optuna: Debian's python3-optuna, where it is. */
#ifndef TESTS_LIB_OPTUNA_H
#define TESTS_LIB_OPTUNA_H
#include "tests/lib/home.h"

/* False, with a word, where it is not; test: who does without it. */
bool optuna_is_here(const char *test);
/* What tests/e2e/SCRIPT prints of the home's database, which must end with 0;
 * args: more of its command line, quoted for a shell. Owned. */
char *optuna_says(const struct home *h, const char *script, const char *args);

#endif
