/* What the trials of a study can be sorted by. */
#include "tests/lib/parsed.h"
#include "tests/lib/test_main.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "daemon/cli/listing.h"

enum { MANY = 200 };

START_TEST(titles_are_columns_and_parameters_come_first)
{
    static const struct {
        const char *params, *sort, *column;
    } cases[] = {
        {"[\"lr\"]", "lr", "lr"},          {"[\"lr\"]", "val-acc", "value"},
        {"[\"lr\"]", "trial", "number"},   {"[\"lr\"]", "step", "epoch"},
        {"[\"step\"]", "step", "step"},    {"[\"trial\"]", "number", "number"},
        {"[\"value\"]", "value", "value"}, {"[]", "duration", "duration"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf text;
        struct err err;
        const char *column;
        buf_init(&text, BUF_MAX_CONFIG);
        buf_printf(&text, "{\"metric\":\"val-acc\",\"params\":%s}",
                   cases[i].params);
        struct json *study = parsed_text(text.data);
        ck_assert_int_eq(listing_column(study, cases[i].sort, &column, &err),
                         0);
        ck_assert_str_eq(column, cases[i].column);
        json_free(study);
        buf_fini(&text);
    }
}
END_TEST

START_TEST(the_last_of_many_parameters_is_one)
{
    struct buf text;
    struct err err;
    const char *column;
    buf_init(&text, BUF_MAX_CONFIG);
    buf_str(&text, "{\"params\":[\"p\"");
    for (int i = 0; i < MANY; i++) {
        buf_printf(&text, ",\"p%d\"", i);
    }
    buf_str(&text, "]}");
    struct json *study = parsed_text(text.data);
    ck_assert_int_eq(listing_column(study, "p199", &column, &err), 0);
    ck_assert_str_eq(column, "p199");
    json_free(study);
    buf_fini(&text);
}
END_TEST

START_TEST(what_is_no_column_is_refused)
{
    struct json *study = parsed_text("{\"params\":[\"lr\",\"dropout\"]}");
    struct err err;
    const char *column = "as before";
    ck_assert_int_eq(listing_column(study, "dropuot", &column, &err),
                     ERR_INVALID);
    ck_assert_str_eq(err.msg, "--sort: there is no column 'dropuot' (did you "
                              "mean 'dropout'?)");
    ck_assert_int_eq(listing_column(study, "zzzzzz", &column, &err),
                     ERR_INVALID);
    ck_assert_str_eq(err.msg,
                     "--sort: there is no column 'zzzzzz' (there are: number, "
                     "state, value, epoch, duration, attempt, start, lr, "
                     "dropout)");
    ck_assert_str_eq(column, "as before");
    json_free(study);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("cli/listing");
    TCase *c = tcase_create("listing");
    tcase_add_test(c, titles_are_columns_and_parameters_come_first);
    tcase_add_test(c, the_last_of_many_parameters_is_one);
    tcase_add_test(c, what_is_no_column_is_refused);
    suite_add_tcase(s, c);
    return s;
}
