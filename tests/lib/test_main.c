/* Every test_X.c below tests/ defines `Suite *suite(void)`; this is the main.
 */
#include "tests/lib/test_main.h"

#include <stdlib.h>

Suite *suite_of(const char *name, const TTest *const *tests, size_t n)
{
    Suite *s = suite_create(name);
    TCase *c = tcase_create(name);
    for (size_t i = 0; i < n; i++) {
        tcase_add_test(c, tests[i]);
    }
    suite_add_tcase(s, c);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
