#include "core/train/confusion.h"
#include "core/base/rng.h"
#include "tests/lib/test_main.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define EQUAL(a, b) ck_assert_double_eq_tol(a, b, 1e-12)

static void add_many(struct confusion *c, size_t is, size_t predicted, int n)
{
    for (int i = 0; i < n; i++) {
        confusion_add(c, is, predicted);
    }
}

static void init(struct confusion *c, size_t n_classes)
{
    struct err err = {0};
    ck_assert_msg(confusion_init(c, n_classes, &err) == 0, "%s", err.msg);
}

/* True a: 2 a, 1 b. True b: 1 a, 3 b. c never occurs and is predicted once
 * (for an a). d occurs twice and is never predicted (taken for b). */
START_TEST(test_figures_by_hand)
{
    struct confusion c;
    struct confusion_class k[4];
    init(&c, 4);
    add_many(&c, 0, 0, 2);
    add_many(&c, 0, 1, 1);
    add_many(&c, 0, 2, 1);
    add_many(&c, 1, 0, 1);
    add_many(&c, 1, 1, 3);
    add_many(&c, 3, 1, 2);
    confusion_classes(&c, k);
    struct confusion_summary s = confusion_summary(&c, k);
    ck_assert_uint_eq(c.n, 10);
    ck_assert_uint_eq(k[0].support, 4);
    ck_assert_uint_eq(k[0].predicted, 3);
    ck_assert_uint_eq(k[0].correct, 2);
    EQUAL(k[0].scores.precision, 2.0 / 3);
    EQUAL(k[0].scores.recall, 0.5);
    EQUAL(k[0].scores.f1, 4.0 / 7);
    EQUAL(k[1].scores.precision, 0.5);
    EQUAL(k[1].scores.recall, 0.75);
    EQUAL(k[1].scores.f1, 0.6);
    ck_assert_uint_eq(k[2].support, 0);
    ck_assert_uint_eq(k[2].predicted, 1);
    EQUAL(k[2].scores.precision, 0);
    EQUAL(k[2].scores.recall, 0);
    EQUAL(k[2].scores.f1, 0);
    ck_assert_uint_eq(k[3].support, 2);
    ck_assert_uint_eq(k[3].predicted, 0);
    EQUAL(k[3].scores.f1, 0);
    EQUAL(s.accuracy, 0.5);
    EQUAL(s.macro.precision, (2.0 / 3 + 0.5) / 4);
    EQUAL(s.macro.recall, 1.25 / 4);
    EQUAL(s.macro.f1, (4.0 / 7 + 0.6) / 4);
    EQUAL(s.weighted.precision, (4 * 2.0 / 3 + 4 * 0.5) / 10);
    EQUAL(s.weighted.recall, (4 * 0.5 + 4 * 0.75) / 10);
    EQUAL(s.weighted.f1, (4 * 4.0 / 7 + 4 * 0.6) / 10);
    ck_assert_uint_eq(s.n_predicted_classes, 3);
    confusion_fini(&c);
}
END_TEST

START_TEST(test_too_many_classes)
{
    struct confusion c;
    struct err err = {0};
    ck_assert_int_eq(confusion_init(&c, SIZE_MAX / 2, &err), ERR_LIMIT);
    ck_assert_ptr_nonnull(strstr(err.msg, "classes"));
}
END_TEST

/* --- the peer ------------------------------------------------------------- */

static void write_list(FILE *f, const char *key, const size_t *values, int n)
{
    fprintf(f, ", \"%s\": [", key);
    for (int i = 0; i < n; i++) {
        fprintf(f, "%s%zu", i > 0 ? ", " : "", values[i]);
    }
    fprintf(f, "]");
}

static double next_number(FILE *peer)
{
    char line[64];
    ck_assert_ptr_nonnull(fgets(line, sizeof(line), peer));
    return strtod(line, NULL);
}

static void scores_equal(const struct confusion_scores *s, FILE *peer)
{
    EQUAL(s->precision, next_number(peer));
    EQUAL(s->recall, next_number(peer));
    EQUAL(s->f1, next_number(peer));
}

static void compare(const struct confusion *c, FILE *peer)
{
    struct confusion_class *k = calloc(c->n_classes, sizeof(*k));
    confusion_classes(c, k);
    struct confusion_summary s = confusion_summary(c, k);
    EQUAL(s.accuracy, next_number(peer));
    scores_equal(&s.macro, peer);
    scores_equal(&s.weighted, peer);
    for (size_t i = 0; i < c->n_classes; i++) {
        scores_equal(&k[i].scores, peer);
        EQUAL((double)k[i].support, next_number(peer));
    }
    for (size_t i = 0; i < c->n_classes; i++) {
        for (size_t j = 0; j < c->n_classes; j++) {
            EQUAL((double)confusion_at(c, i, j), next_number(peer));
        }
    }
    free(k);
}

/* Random rows in which the last class never occurs and the first is never
 * predicted. */
static void must_equal_sklearn(uint32_t seed, size_t n_classes, int n)
{
    struct rng rng;
    struct confusion c;
    size_t *labels = calloc((size_t)n, sizeof(*labels));
    size_t *predicted = calloc((size_t)n, sizeof(*predicted));
    init(&c, n_classes);
    rng_mt19937(&rng, seed);
    for (int i = 0; i < n; i++) {
        labels[i] = rng_below(&rng, (uint32_t)n_classes - 1);
        predicted[i] = rng_below(&rng, 2) != 0 && labels[i] != 0
                           ? labels[i]
                           : 1 + rng_below(&rng, (uint32_t)n_classes - 1);
        confusion_add(&c, labels[i], predicted[i]);
    }
    char path[] = "/tmp/parzen-sklearn-XXXXXX", command[256];
    FILE *f = fdopen(mkstemp(path), "w");
    ck_assert_ptr_nonnull(f);
    fprintf(f, "{\"n_classes\": %zu", n_classes);
    write_list(f, "labels", labels, n);
    write_list(f, "predicted", predicted, n);
    fprintf(f, "}");
    ck_assert_int_eq(fclose(f), 0);
    snprintf(command, sizeof(command),
             "PATH=/usr/bin:$PATH python3 tests/golden/sklearn/scores.py %s",
             path);
    FILE *peer = popen(command, "r");
    ck_assert_ptr_nonnull(peer);
    int first = fgetc(peer);
    if (first != EOF) {
        ungetc(first, peer);
        compare(&c, peer);
    }
    int status = pclose(peer);
    unlink(path);
    bool is_absent = WIFEXITED(status) &&
                     (WEXITSTATUS(status) == 77 || WEXITSTATUS(status) == 127);
    if (first == EOF && is_absent) {
        fprintf(stderr, "SKIPPED: test_confusion: figures beside scikit-learn "
                        "need python3-sklearn\n");
    } else {
        ck_assert_int_eq(status, 0);
    }
    confusion_fini(&c);
    free(labels);
    free(predicted);
}

START_TEST(test_equal_to_sklearn)
{
    must_equal_sklearn(1, 19, 189);
    must_equal_sklearn(2, 77, 3080);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("confusion");
    TCase *t = tcase_create("confusion");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_figures_by_hand);
    tcase_add_test(t, test_too_many_classes);
    tcase_add_test(t, test_equal_to_sklearn);
    suite_add_tcase(s, t);
    return s;
}
