/* field: members of the daemon's replies, whatever is or is not there. */
#ifndef DAEMON_CLI_FIELD_H
#define DAEMON_CLI_FIELD_H
#include <stdbool.h>
#include <stdint.h>
struct json;

/* Of an object; anything else has no members. */
const struct json *field_get(const struct json *object, const char *key);
/* NULL when it is missing, null or no string. Borrowed. */
const char *field_string(const struct json *object, const char *key);
/* The same, "" instead of NULL. */
const char *field_text(const struct json *object, const char *key);
/* NaN when it is missing; "nan", "inf" and "-inf" are numbers. */
double field_number(const struct json *object, const char *key);
int64_t field_int(const struct json *object, const char *key, int64_t absent);
bool field_bool(const struct json *object, const char *key);
/* Of a trial: it told a constraint above 0, so that it is never the best. */
bool field_is_infeasible(const struct json *trial);
/* Of a study: may its target become n_trials, with the trials that it has? */
bool field_takes_target(const struct json *study, int64_t n_trials);
/* First element of a list or member of an object, NULL when it is none. */
const struct json *field_first(const struct json *object, const char *key);

#endif
