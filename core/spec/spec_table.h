/* spec_table: every key of a study config in one list, for the code that
 * reads, prints, compares and describes configs. Private to core/spec. */
#ifndef CORE_SPEC_SPEC_TABLE_H
#define CORE_SPEC_SPEC_TABLE_H
#include "core/base/err.h"
#include "core/spec/spec.h"
struct buf;
struct json;
struct json_out;

enum spec_type {
    SPEC_INT,          /* int64_t */
    SPEC_SEED,         /* uint64_t, within 2^53 */
    SPEC_REAL,         /* double */
    SPEC_OPTIONAL,     /* double or null (NaN) */
    SPEC_BOOL,         /* bool */
    SPEC_NAME,         /* char *: a study's or a column's name */
    SPEC_SOURCES,      /* data.sources: a string or a list of strings */
    SPEC_TEST_SOURCES, /* data.test_source: likewise, maybe none */
    SPEC_SPLITS,       /* data.splits: a list of strings, maybe empty */
    SPEC_FRACTIONS,
    SPEC_METRIC, /* enums: of spec_words(); a command has other metrics, too */
    SPEC_DIRECTION,
    SPEC_OF,
    SPEC_SAMPLER,
    SPEC_PRUNER,
    SPEC_OBJECTIVE,
    SPEC_DUPLICATES,
    SPEC_QMC,
    SPEC_TEXT,        /* char *: as a NAME, may be empty */
    SPEC_COMMAND,     /* work.command: a list of strings, maybe empty */
    SPEC_CONSTRAINTS, /* work.constraints: likewise */
    SPEC_PARAMS,      /* parameters that no field of the run is */
    SPEC_FIELD        /* of the run: fixed, or a distribution */
};

struct spec_row {
    const char *section; /* "", "objective", ..., "early_stopping" */
    const char *key, *path;
    const char *help; /* without its takers, which who shows it names */
    enum spec_type type;
    size_t offset; /* in struct spec; of a FIELD: 0 */
    double low, high;
    bool is_required;
    bool may_change; /* while the study lives */
    unsigned takers; /* who looks at it: 1 << enum of each sampler or pruner,
                        outside of their sections of each objective; 0: all */
    int field;       /* of a FIELD: RUN_FIELD_* */
};
/* In canonical order; the rows of a section stand together and
 * early_stopping's come last, inside training's. */
extern const struct spec_row SPEC_ROWS[];
extern const size_t SPEC_N_ROWS;

/* X(section, path): the objects of a config, the root first. */
#define SPEC_SECTIONS(X)                                                       \
    X("", "")                                                                  \
    X("objective", "objective")                                                \
    X("sampler", "sampler")                                                    \
    X("pruner", "pruner")                                                      \
    X("stop", "stop")                                                          \
    X("data", "data")                                                          \
    X("tokenizer", "tokenizer")                                                \
    X("model", "model")                                                        \
    X("training", "training")                                                  \
    X("early_stopping", "training.early_stopping")

/* What the takers of a row are: SPEC_SAMPLER, SPEC_PRUNER or SPEC_OBJECTIVE. */
enum spec_type spec_taker_kind(const struct spec_row *row);
/* "asha, hyperband"; nothing when all are. */
void spec_put_takers(const struct spec_row *row, struct buf *out);
/* Words of an enum row, *n of them; NULL: it is none. */
const char *const *spec_words(enum spec_type type, size_t *n);
/* The member of s that a row of strings is, for who may write s to write;
 * NULLs: it is none. */
struct spec_list {
    char ***items;
    size_t *n;
};
struct spec_list spec_list_of(const struct spec *s, enum spec_type type);
/* A row's member of s. */
void *spec_at(struct spec *s, const struct spec_row *row);
const void *spec_at_const(const struct spec *s, const struct spec_row *row);
/* A row's value as it stands in a canonical config. */
void spec_put_row(const struct spec *s, const struct spec_row *row,
                  struct json_out *w);
/* The parameter that searches a run field, or NULL. */
const struct param *spec_param_of(const struct spec *s, int field);

/* Read {"float": [lo, hi], ...} for a field; *out is owned. */
MUST_CHECK int spec_read_param(const struct run_field *field,
                               const struct json *node, struct param *out,
                               struct err *err);
void spec_put_param(const struct space *s, const struct param *p,
                    struct json_out *w);
/* The same as spec_read_param for a parameter of `params`. */
MUST_CHECK int spec_read_free_param(const char *name, const struct json *node,
                                    struct param *out, struct err *err);
/* Its conditions ("when"), once the whole space is read; path is its own. */
MUST_CHECK int spec_read_conditions(const struct space *s, const char *path,
                                    const struct json *node, struct param *p,
                                    struct err *err);
/* Names (of studies, columns, parameters): valid UTF-8, 1 .. SPEC_NAME_MAX
 * bytes, no control characters. */
MUST_CHECK int spec_check_text(const char *text, struct err *err);

/* Refuse a key that none of the candidates is, naming the nearest one. path
 * is the object's ("" for the root). */
MUST_CHECK int spec_unknown_key(const char *path, const char *key,
                                const char *const *known, size_t n_known,
                                struct err *err);

/* Refuse an objective that says what its type needs, but no type. */
MUST_CHECK int spec_check_type(const struct json *root, struct err *err);
/* Is it a name of the user's own for the values of s, a command? */
bool spec_is_metric_name(const struct spec *s, const struct json *node);
/* The direction of a config without one, once the objective is read. */
MUST_CHECK int spec_default_direction(const struct json *root, struct spec *s,
                                      struct err *err);
/* OWNER/NAME or OWNER/NAME/CONFIG, no part empty? */
bool spec_is_hub_name(const char *s);
/* What must fit together (spec_check.c). */
MUST_CHECK int spec_check(const struct spec *s, struct err *err);

#endif
