/* bench_args: the command line of a bench tool. */
#ifndef TESTS_LIB_BENCH_ARGS_H
#define TESTS_LIB_BENCH_ARGS_H
#include <stdbool.h>

/* "key=123" into *out; false when it is not that, or out of [1, max]. */
bool bench_number(const char *text, const char *key, long max, long *out);

#endif
