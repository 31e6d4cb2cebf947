#include "core/base/mem.h"
#include "core/text/piece_table.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>
#include <string.h>

START_TEST(numbers_in_order)
{
    struct piece_table t;
    piece_table_init(&t);
    ck_assert_int_eq(piece_table_find(&t, (struct span){"a", 1}), -1);
    ck_assert_int_eq(piece_table_put(&t, (struct span){"a", 1}), 0);
    ck_assert_int_eq(piece_table_put(&t, (struct span){"", 0}), 1);
    ck_assert_int_eq(piece_table_put(&t, (struct span){"a\0b", 3}), 2);
    ck_assert_int_eq(piece_table_put(&t, (struct span){"a\0c", 3}), 3);
    ck_assert_int_eq(piece_table_put(&t, (struct span){"a", 1}), 0);
    ck_assert_int_eq(piece_table_find(&t, (struct span){"a\0c", 3}), 3);
    ck_assert_int_eq(piece_table_find(&t, (struct span){"b", 1}), -1);
    ck_assert_int_eq(t.n, 4);
    piece_table_fini(&t);
}
END_TEST

/* All strings over two letters up to 15 long: every length of the hash's
 * paths, and many growths. */
START_TEST(many)
{
    enum { LONGEST = 15, N = (2 << LONGEST) - 1 };
    char(*texts)[LONGEST + 1] = mem_alloc(N, sizeof(*texts));
    struct piece_table t;
    piece_table_init(&t);
    int n = 0;
    for (size_t len = 0; len <= LONGEST; len++) {
        for (unsigned bits = 0; bits < 1u << len; bits++, n++) {
            for (size_t i = 0; i < len; i++) {
                texts[n][i] = bits >> i & 1 ? 'x' : '\0';
            }
            ck_assert_int_eq(piece_table_put(&t, (struct span){texts[n], len}),
                             n);
        }
    }
    ck_assert_int_eq(n, N);
    for (int i = 0; i < N; i++) {
        struct span piece = t.pieces[i];
        ck_assert_ptr_eq(piece.at, texts[i]);
        ck_assert_int_eq(piece_table_put(&t, piece), i);
        ck_assert_int_eq(piece_table_find(&t, piece), i);
    }
    ck_assert_int_eq(t.n, N);
    piece_table_fini(&t);
    free(texts);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("piece_table");
    TCase *tc = tcase_create("table");
    tcase_add_test(tc, numbers_in_order);
    tcase_add_test(tc, many);
    suite_add_tcase(s, tc);
    return s;
}
