/* command_given: what a command is given: its arguments and its environment. */
#ifndef WORKER_COMMAND_GIVEN_H
#define WORKER_COMMAND_GIVEN_H
#include <stddef.h>
struct json;
struct objective_task;

struct strings {
    char **items; /* owned, NULL-terminated once added to */
    size_t n;
};
void strings_add(struct strings *s, char *item); /* takes item */
void strings_fini(struct strings *s);

/* The argument with each {NAME} as the parameter's value; any other brace
 * stays. Owned. */
char *given_argument(const char *arg, const struct json *params);
/* Add ours without its PARZEN_*, and those of this attempt. */
void given_environment(const struct objective_task *task,
                       const char *params_file, const char *checkpoints,
                       struct strings *env);

#endif
