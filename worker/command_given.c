#include "worker/command_given.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/proc.h"
#include "core/wire/msg.h"
#include "worker/objective.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void strings_add(struct strings *s, char *item)
{
    s->items = mem_grow(s->items, s->n + 2, sizeof(*s->items));
    s->items[s->n++] = item;
    s->items[s->n] = NULL;
}

void strings_fini(struct strings *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->items[i]);
    }
    free(s->items);
}

/* A parameter as a program reads it: 0.001, 64, adam, true; "" for null. */
static char *text_of(const struct json *value)
{
    char text[32];
    switch (json_kind(value)) {
    case JSON_STRING:
        return mem_strdup(json_string(value));
    case JSON_BOOL:
        return mem_strdup(json_bool(value) ? "true" : "false");
    case JSON_NUMBER:
        if (json_is_int(value)) {
            return mem_printf("%.0f", json_number(value));
        }
        json_repr(json_number(value), text);
        return mem_strdup(text);
    default:
        return mem_strdup("");
    }
}

char *given_argument(const char *arg, const struct json *params)
{
    struct buf out;
    buf_init(&out, BUF_MAX_CONFIG);
    while (*arg != '\0') {
        const char *end = *arg == '{' ? strchr(arg, '}') : NULL;
        char *name =
            end != NULL ? mem_strndup(arg + 1, (size_t)(end - arg) - 1) : NULL;
        const struct json *value = name != NULL ? json_get(params, name) : NULL;
        if (value != NULL) {
            char *text = text_of(value);
            buf_str(&out, text);
            free(text);
            arg = end + 1;
        } else {
            buf_char(&out, *arg++);
        }
        free(name);
    }
    return buf_take(&out);
}

void given_environment(const struct objective_task *task,
                       const char *params_file, const char *checkpoints,
                       struct strings *env)
{
    const struct msg_assign *a = task->assign;
    for (char **e = environ; *e != NULL; e++) {
        bool is_mark = strncmp(*e, PROC_POOL "=", sizeof(PROC_POOL)) == 0;
        if (is_mark || strncmp(*e, "PARZEN_", 7) != 0) {
            strings_add(env, mem_strdup(*e));
        }
    }
    strings_add(env, mem_printf("PARZEN_PARAMS_FILE=%s", params_file));
    strings_add(env, mem_printf("PARZEN_CHECKPOINT_DIR=%s", checkpoints));
    strings_add(env, mem_printf("PARZEN_TRIAL=%" PRId64, a->id.number));
    strings_add(env, mem_printf("PARZEN_ATTEMPT=%" PRId64, a->id.attempt));
    strings_add(env, mem_printf("PARZEN_SEED=%" PRIu64, a->run.seed));
    for (const struct json *p = json_first(task->params); p != NULL;
         p = json_next(p)) {
        char *name = mem_strdup(json_key(p)), *text = text_of(p);
        for (char *at = name; *at != '\0'; at++) {
            *at = isalnum((unsigned char)*at) ? *at : '_';
        }
        strings_add(env, mem_printf("PARZEN_PARAM_%s=%s", name, text));
        free(name);
        free(text);
    }
}
