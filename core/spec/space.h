/* space: distributions over run fields, and one chosen point.
 *
 * A parameter's value is a double in Optuna's internal representation: the
 * value itself (float, int) or the index of the choice (categorical). NaN in a
 * point means: this trial does not have the parameter. Rules of validation,
 * grids and compatibility: shared with Optuna 5 (optuna/distributions.py). */
#ifndef CORE_SPEC_SPACE_H
#define CORE_SPEC_SPACE_H
#include "core/base/err.h"
#include <stdbool.h>
#include <stdint.h>
struct json;
struct json_out;
struct run;

enum dist_kind { DIST_FLOAT, DIST_INT, DIST_CATEGORICAL };
enum choice_kind {
    CHOICE_NULL,
    CHOICE_BOOL,
    CHOICE_INT,
    CHOICE_REAL,
    CHOICE_STRING
};

struct choice {
    enum choice_kind kind;
    double number; /* of BOOL (0, 1), INT and REAL */
    char *string;  /* of STRING, owned */
};

/* Python's ==, as Optuna looks choices up: 1, 1.0 and true are one value. */
bool choice_equal(const struct choice *a, const struct choice *b);
/* As JSON means them: 1 and 1.0 are one value, true is another. */
bool choice_is_same(const struct choice *a, const struct choice *b);
/* The scalar of a JSON node; INVALID for a list or an object. *out is owned. */
MUST_CHECK int choice_from_json(const struct json *node, struct choice *out,
                                struct err *err);
void choice_put(const struct choice *c, struct json_out *w);
void choice_fini(struct choice *c);

struct dist {
    enum dist_kind kind;
    double low, high; /* ints as doubles; choices: 0 .. n_choices - 1 */
    double step;      /* 0: none; ints always have one */
    bool log;
    struct choice *choices; /* owned */
    size_t n_choices;
};

enum { SPACE_MAX_PARAMS = 256, SPACE_MAX_CHOICES = 10000 };

/* Check low <= high, log's bounds, step; lower high to the last grid point (in
 * decimal arithmetic on the printed numbers: [0, 1] by 0.3 ends at 0.9). The
 * sentence has no path: "low must be <= high". Repeated choices are allowed
 * here, as in Optuna; a config's are refused by spec_json. */
MUST_CHECK int dist_normalize(struct dist *d, struct err *err);
void dist_fini(struct dist *d);
void dist_copy(struct dist *to, const struct dist *from); /* deep */
/* Choices are compared as Python does: ["a", 1] equals ["a", true]. */
bool dist_equal(const struct dist *a, const struct dist *b);
bool dist_is_single(const struct dist *d);
/* In range and on the grid (within 1e-8 of a step for floats). */
bool dist_contains(const struct dist *d, double value);
/* The same with a sentence: INVALID "0.5 is not in [1e-05, 0.001]". */
MUST_CHECK int dist_check(const struct dist *d, double value, struct err *err);
/* May one study hold both under one name? (same kind, log, choices) */
bool dist_is_compatible(const struct dist *a, const struct dist *b);
/* The value's external form: 0.001, 64, "adam", true, null. null also for NaN
 * and for an index that is no choice (a damaged database may hold one). */
void dist_put_value(const struct dist *d, double value, struct json_out *w);
/* External form to internal; INVALID for a foreign type or a choice that does
 * not exist; a number out of range is allowed (as Optuna's enqueue does).
 * Of choices the same is found: true is not 1. */
MUST_CHECK int dist_value_from_json(const struct dist *d,
                                    const struct json *node, double *out,
                                    struct err *err);
/* What Optuna was told to try: where no choice is the same, the first that
 * Python finds equal, as Optuna does. */
MUST_CHECK int dist_value_from_optuna(const struct dist *d,
                                      const struct json *node, double *out,
                                      struct err *err);
/* Optuna's distribution_json, byte for byte as json.dumps writes it; reading
 * takes any key order and the legacy names of optuna.md 2.1. */
void dist_put_optuna(const struct dist *d, struct json_out *w);
MUST_CHECK int dist_from_optuna(const struct json *node, struct dist *out,
                                struct err *err);

/* A condition: the parameter exists only where another one has one of these
 * values (of a float with a step: is on one of these points of its grid). */
struct condition {
    size_t parent;  /* in the space; comes before nothing in particular */
    double *values; /* internal, owned */
    size_t n;
};

struct param {
    char *name;       /* owned; unique in the space */
    int field;        /* RUN_FIELD_*, or -1: not of this project's trainer */
    struct dist dist; /* choices of an enum field are its names */
    struct condition *when; /* owned; all must hold */
    size_t n_when;
};

struct space {
    struct param *params; /* of a config: in the order of RUN_FIELDS */
    size_t n;
};

void space_fini(struct space *s);
void space_copy(struct space *to, const struct space *from);
bool space_equal(const struct space *a, const struct space *b);
int space_find(const struct space *s, const char *name); /* -1: none */
/* What a command's environment calls a parameter: PARZEN_PARAM_NAME, with _ for
 * each byte that is no letter or digit of ASCII. Owned. */
char *space_variable(const char *name);
/* Where `wider` has the choices of a parameter of s and then others, s gets
 * those, too. What s has keeps its index. */
void space_append_choices(struct space *s, const struct space *wider);
/* Is parameter i there, where the others have these values (NaN: absent)? */
bool space_is_active(const struct space *s, const double *values, size_t i);
/* The same with a sentence: INVALID "only with optimizer = sgd". */
MUST_CHECK int space_check_active(const struct space *s, const double *values,
                                  size_t i, struct err *err);
bool space_has_conditions(const struct space *s);
/* The parameters in an order in which each comes after those its conditions
 * look at, else as they stand; order has s->n entries. False: they form a
 * circle. */
bool space_order(const struct space *s, size_t *order);
/* Write the point's values into run's fields. values has s->n entries. A field
 * keeps its base value where a value is NaN or an index is no choice. */
void space_apply(const struct space *s, const double *values, struct run *run);

#endif
