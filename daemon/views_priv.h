/* views_priv: what the files of views share; nobody else includes this. */
#ifndef DAEMON_VIEWS_PRIV_H
#define DAEMON_VIEWS_PRIV_H
#include "core/base/json.h"
#include "daemon/study.h"

static inline void views_put_int(struct json_out *w, const char *key, int64_t v)
{
    json_put_key(w, key);
    json_put_int(w, v);
}

/* null for what is not there. */
static inline void views_put_time(struct json_out *w, const char *key,
                                  int64_t ms)
{
    json_put_key(w, key);
    if (ms > 0) {
        json_put_int(w, ms);
    } else {
        json_put_null(w);
    }
}

static inline void views_put_string(struct json_out *w, const char *key,
                                    const char *s)
{
    json_put_key(w, key);
    json_put_string(w, s);
}

static inline void views_put_bool(struct json_out *w, const char *key, bool v)
{
    json_put_key(w, key);
    json_put_bool(w, v);
}

/* views_trial.c */
/* The history's number of the study's parameter i: the config's order first,
 * so that columns do not move, then what only its rows know; -1 past the last.
 */
int views_param_at(const struct study *s, int i);
/* "epoch" or "step". */
const char *views_unit_name(const struct study *s);

#endif
