/* json: strict reading (over cJSON, which json.c alone includes) and exact
 * writing.
 *
 * Reading rejects what cJSON lets pass: duplicate keys, text after the value,
 * malformed UTF-8, NUL (but in data) and control characters in strings, numbers
 * that overflow or are not JSON (01, +1, NaN), nesting deeper than 32. Writing
 * is ours because cJSON prints one double in six so that it reads back
 * different.
 */
#ifndef CORE_BASE_JSON_H
#define CORE_BASE_JSON_H
#include "core/base/err.h"
#include <stdbool.h>
#include <stdint.h>
struct buf;

/* --- reading: a tree of nodes owned by its root --- */
struct json;
enum json_kind {
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* Borrows text. The sentence has line and column. Free *out by json_free. */
MUST_CHECK int json_parse(const char *text, size_t len, struct json **out,
                          struct err *err);
/* The same for data, where a string (no key) may contain NUL: json_text gives
 * all of it, json_string what is before. The sentence has no position, *at is
 * the byte of text where it went wrong, or JSON_NOWHERE. */
#define JSON_NOWHERE SIZE_MAX
MUST_CHECK int json_parse_data(const char *text, size_t len, struct json **out,
                               size_t *at, struct err *err);
void json_free(struct json *root);

enum json_kind json_kind(const struct json *node);
/* "a string", "an object", ...: for error sentences. */
const char *json_kind_name(const struct json *node);
bool json_bool(const struct json *node);     /* of a JSON_BOOL */
double json_number(const struct json *node); /* of a JSON_NUMBER */
/* True, and *out set, when node is a whole number within +-2^53; that itself is
 * one where its text is 9007199254740992, not what else has its double (...993,
 * and whole numbers with a fraction or an exponent). */
bool json_integer(const struct json *node, int64_t *out);
/* Was the number written without fraction and exponent, within +-2^53? (2 but
 * not 2.0: Python's int and float.) */
bool json_is_int(const struct json *node);
const char *json_string(const struct json *node); /* of a JSON_STRING */
struct span json_text(const struct json *node);   /* the same, NULs and all */
const char *json_key(const struct json *node);    /* name in its object */
int json_size(const struct json *container);
const struct json *json_first(const struct json *container);
const struct json *json_next(const struct json *node);
/* Member of an object, or NULL. */
const struct json *json_get(const struct json *object, const char *key);

/* Put value (taken) at a dotted path like "training.lr", making objects on
 * the way. INVALID when the path runs through something that is no object. */
MUST_CHECK int json_set(struct json *root, const char *path, struct json *value,
                        struct err *err);

/* --- writing: straight into a buf --- */
enum json_style {
    JSON_COMPACT, /* no spaces; non-finite numbers as "nan", "inf", "-inf" */
    JSON_PYTHON   /* as json.dumps: ", " and ": ", \uXXXX, NaN, Infinity */
};
struct json_out {
    struct buf *buf;
    enum json_style style;
    bool comma; /* the next value needs one before it */
};

void json_out_init(struct json_out *w, struct buf *buf, enum json_style style);
void json_open(struct json_out *w, char bracket);  /* '{' or '[' */
void json_close(struct json_out *w, char bracket); /* '}' or ']' */
void json_put_key(struct json_out *w, const char *key);
void json_put_string(struct json_out *w, const char *s); /* NULL -> null */
void json_put_text(struct json_out *w, struct span s);   /* NULs and all */
void json_put_double(struct json_out *w, double v); /* shortest that returns */
void json_put_int(struct json_out *w, int64_t v);
void json_put_bool(struct json_out *w, bool v);
void json_put_null(struct json_out *w);
void json_put_raw(struct json_out *w, const char *json); /* trusted text */
void json_put_node(struct json_out *w, const struct json *node);

/* The shortest digits that read back as v, as Python's repr prints them
 * ("1e-05", "10.0"); "nan", "inf", "-inf". */
void json_repr(double v, char out[32]);

#endif
