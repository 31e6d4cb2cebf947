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

/* Add the command (a list of strings) with each {NAME} as the parameter's
 * value. names is a list of all parameters of the study: an argument with one
 * that this trial does not have ("when") is left out, together with the option
 * before it whose value it was; with blanks around, as in a shell's script, the
 * name becomes nothing. The program is never left out. Any other brace stays.
 *
 *     --momentum {momentum}    left out, both
 *     --momentum={momentum}    left out, and nothing before it
 *     'train -m {momentum}'    'train -m '
 */
void given_arguments(const struct json *command, const struct json *names,
                     const struct json *params, struct strings *argv);
/* Add ours without its PARZEN_*, and those of this attempt. */
void given_environment(const struct objective_task *task,
                       const char *params_file, const char *checkpoints,
                       struct strings *env);

#endif
