#include "worker/command_given.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/proc.h"
#include "core/spec/space.h"
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

/* --- arguments ------------------------------------------------------------ */

struct argument {
    struct buf text;
    bool lacks_one;  /* it names a parameter that this trial does not have */
    bool has_blanks; /* beside those in names: it is a sentence or a script */
};

static bool is_name(const struct json *names, const char *name)
{
    bool is_one = false;
    for (const struct json *it = names != NULL ? json_first(names) : NULL;
         it != NULL; it = json_next(it)) {
        is_one = is_one || (json_kind(it) == JSON_STRING &&
                            strcmp(json_string(it), name) == 0);
    }
    return is_one;
}

/* If this is a {NAME}, write its value; returns its length, 0 if it is none. */
static size_t put_value(const char *at, const struct json *names,
                        const struct json *params, struct argument *out)
{
    const char *end = *at == '{' ? strchr(at, '}') : NULL;
    if (end == NULL) {
        return 0;
    }
    char *name = mem_strndup(at + 1, (size_t)(end - at) - 1);
    const struct json *value = json_get(params, name);
    bool is_lacking = value == NULL && is_name(names, name);
    free(name);
    if (value != NULL) {
        char *text = text_of(value);
        buf_str(&out->text, text);
        free(text);
    }
    out->lacks_one = out->lacks_one || is_lacking;
    return value != NULL || is_lacking ? (size_t)(end - at) + 1 : 0;
}

static void read_argument(const char *arg, const struct json *names,
                          const struct json *params, struct argument *out)
{
    *out = (struct argument){.lacks_one = false};
    buf_init(&out->text, BUF_MAX_CONFIG);
    while (*arg != '\0') {
        size_t n = put_value(arg, names, params, out);
        if (n == 0) {
            out->has_blanks =
                out->has_blanks || isspace((unsigned char)*arg) != 0;
            buf_char(&out->text, *arg);
            n = 1;
        }
        arg += n;
    }
}

/* As the config has it: -5 and a {NAME} are values, -- ends the options. */
static bool is_option(const char *arg)
{
    return arg[0] == '-' && arg[1] != '\0' && strcmp(arg, "--") != 0 &&
           isdigit((unsigned char)arg[1]) == 0 && arg[1] != '.' &&
           strchr(arg, '=') == NULL;
}

static void drop_last(struct strings *s)
{
    free(s->items[--s->n]);
    s->items[s->n] = NULL;
}

void given_arguments(const struct json *command, const struct json *names,
                     const struct json *params, struct strings *argv)
{
    const char *before = ""; /* "": no argument, or one that is left out */
    for (const struct json *arg = json_first(command); arg != NULL;
         arg = json_next(arg)) {
        struct argument a;
        const char *text =
            json_kind(arg) == JSON_STRING ? json_string(arg) : "";
        read_argument(text, names, params, &a);
        if (!a.lacks_one || a.has_blanks || argv->n == 0) {
            strings_add(argv, buf_take(&a.text));
            before = argv->n > 1 ? text : "";
            continue;
        }
        if (text[0] != '-' && is_option(before)) {
            drop_last(argv);
        }
        before = "";
        buf_fini(&a.text);
    }
}

/* --- environment ---------------------------------------------------------- */

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
    /* Python keeps what it prints until a block of it is full, unless told
     * otherwise: its steps would come with its end, too late for a pruner. */
    if (getenv("PYTHONUNBUFFERED") == NULL) {
        strings_add(env, mem_strdup("PYTHONUNBUFFERED=1"));
    }
    strings_add(env, mem_printf("PARZEN_PARAMS_FILE=%s", params_file));
    strings_add(env, mem_printf("PARZEN_CHECKPOINT_DIR=%s", checkpoints));
    strings_add(env, mem_printf("PARZEN_TRIAL=%" PRId64, a->id.number));
    strings_add(env, mem_printf("PARZEN_ATTEMPT=%" PRId64, a->id.attempt));
    strings_add(env, mem_printf("PARZEN_SEED=%" PRIu64, a->run.seed));
    for (const struct json *p = json_first(task->params); p != NULL;
         p = json_next(p)) {
        char *variable = space_variable(json_key(p)), *text = text_of(p);
        strings_add(env, mem_printf("%s=%s", variable, text));
        free(variable);
        free(text);
    }
}
