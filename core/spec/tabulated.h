/* tabulated: the file of a table objective, finished trainings by parameters:
 *
 *   {"space": [{"name": "op", "values": ["conv", "pool"]}, ...],
 *    "values": [6, 5, ...]}
 *
 * values has one number for each point of the space (null: it has none), the
 * last parameter varies fastest. A study's parameter chooses an entry of its
 * list by the index from 0, or where that is a string by the string. */
#ifndef CORE_SPEC_TABULATED_H
#define CORE_SPEC_TABULATED_H
#include "core/base/err.h"
#include "core/spec/spec.h"
struct json;

/* One parameter of a table's space. INVALID: it is none. */
MUST_CHECK int tabulated_axis(const struct json *axis, const char **name,
                              const struct json **values, struct err *err);
/* The list of those. INVALID: the table has none. */
MUST_CHECK int tabulated_space(const struct json *table,
                               const struct json **space, struct err *err);
/* Index of a parameter's value among an axis's values. */
MUST_CHECK int tabulated_index(const struct json *values,
                               const struct json *value, int64_t *index,
                               struct err *err);
/* Has the table a place for every point of the study's space? INVALID. */
MUST_CHECK int tabulated_check(const struct json *table, const struct spec *s,
                               struct err *err);

#endif
