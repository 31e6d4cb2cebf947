/* test_main: the door between a test program and libcheck's runner. */
#ifndef TESTS_LIB_TEST_MAIN_H
#define TESTS_LIB_TEST_MAIN_H
#include <check.h>

/* Defined once by each test program. */
Suite *suite(void);

#endif
