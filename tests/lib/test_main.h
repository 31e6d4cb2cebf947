/* test_main: the door between a test program and libcheck's runner. */
#ifndef TESTS_LIB_TEST_MAIN_H
#define TESTS_LIB_TEST_MAIN_H
#include <check.h>
#include <stddef.h>

/* Defined once by each test program. */
Suite *suite(void);

/* A suite of one case, which has these tests in this order. */
Suite *suite_of(const char *name, const TTest *const *tests, size_t n);

#endif
