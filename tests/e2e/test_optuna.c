/* Optuna's own storage reads parzen.db, while the study runs and after it, and
 * sees what `parzen trials --json` shows. Needs Debian's python3-optuna. */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "tests/lib/home_study.h"
#include "tests/lib/optuna.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PARAMS = 8 };

static struct home h;
static const char *const two[] = {"--workers", "2", NULL};

/* What Optuna prints of the study; owned. */
static char *optuna_reads(const char *study)
{
    return optuna_says(&h, "optuna_reads.py", study);
}

/* --- the same of `parzen trials --json` ----------------------------------- */

/* float.hex() of Python: as %a, but the mantissa has all 13 digits. */
static void put_hex(struct buf *out, double v)
{
    if (v == 0) {
        buf_str(out, signbit(v) ? "-0x0.0p+0" : "0x0.0p+0");
    } else {
        buf_printf(out, "%.13a", v);
    }
}

static int by_key(const void *a, const void *b)
{
    const struct json *const *x = a, *const *y = b;
    return strcmp(json_key(*x), json_key(*y));
}

static void put_params(struct buf *out, const struct json *params)
{
    const struct json *sorted[MAX_PARAMS];
    size_t n = 0;
    for (const struct json *p = json_first(params); p != NULL;
         p = json_next(p)) {
        ck_assert_uint_lt(n, MAX_PARAMS);
        sorted[n++] = p;
    }
    qsort(sorted, n, sizeof(*sorted), by_key);
    for (size_t i = 0; i < n; i++) {
        int64_t whole;
        buf_printf(out, "%s%s=", i > 0 ? "," : "", json_key(sorted[i]));
        if (json_integer(sorted[i], &whole) && json_is_int(sorted[i])) {
            buf_printf(out, "%lld", (long long)whole);
        } else {
            put_hex(out, json_number(sorted[i]));
        }
    }
    buf_str(out, n > 0 ? "" : "-");
}

static void put_epochs(struct buf *out, const struct json *epochs)
{
    int n = 0;
    for (const struct json *e = json_first(epochs); e != NULL;
         e = json_next(e)) {
        buf_printf(out, "%s%d=", n > 0 ? "," : "", n);
        put_hex(out, json_number(json_get(e, "val-acc")));
        n++;
    }
    buf_str(out, n > 0 ? "" : "-");
}

static char *parzen_shows(const char *study)
{
    char *text = home_expect(
        &h, 0, NULL, (const char *const[]){"--json", "trials", study, NULL});
    struct json *root;
    struct err err;
    struct buf out;
    buf_init(&out, 16 << 20);
    ck_assert_msg(json_parse(text, strlen(text), &root, &err) == 0, "%s",
                  err.msg);
    const struct json *list =
        json_kind(root) == JSON_ARRAY ? root : json_get(root, "trials");
    for (const struct json *t = json_first(list); t != NULL; t = json_next(t)) {
        const struct json *value = json_get(t, "value");
        buf_printf(&out, "%d %s ", (int)json_number(json_get(t, "number")),
                   json_string(json_get(t, "state")));
        if (json_kind(value) == JSON_NUMBER) {
            put_hex(&out, json_number(value));
        } else {
            buf_char(&out, '-');
        }
        buf_char(&out, ' ');
        put_params(&out, json_get(t, "params"));
        buf_char(&out, ' ');
        put_epochs(&out, json_get(t, "epochs"));
        buf_char(&out, '\n');
    }
    json_free(root);
    free(text);
    return buf_take(&out);
}

START_TEST(optuna_sees_the_same)
{
    if (!optuna_is_here("e2e/optuna")) {
        return;
    }
    home_init(&h);
    home_data(&h, 300, 4);
    home_start(&h, two);
    EXPECT(&h, 0, NULL, "run", "--detach",
           home_config(&h, "shared", "\"n_trials\": 16,",
                       "\"max_epochs\": 60, \"batch_size\": 2,"));
    int n_reads = 0;
    do { /* a reader beside the writer disturbs neither */
        free(optuna_reads("shared"));
        n_reads++;
    } while (home_count(&h, "SELECT count(*) FROM parzen_configs WHERE "
                            "state = 'running'") > 0);
    ck_assert_int_ge(n_reads, 2);
    char *theirs = optuna_reads("shared"), *ours = parzen_shows("shared");
    home_same(ours, theirs, "Optuna");
    ck_assert_ptr_nonnull(strstr(theirs, "COMPLETE 0x"));
    free(theirs);
    free(ours);
    home_end(&h, "read by Optuna");
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("e2e/optuna");
    TCase *c = tcase_create("read");
    tcase_set_timeout(c, 120);
    tcase_add_test(c, optuna_sees_the_same);
    suite_add_tcase(s, c);
    return s;
}
