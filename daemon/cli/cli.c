#include "daemon/cli/cli.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "daemon/cli/client.h"
#include "daemon/cli/program.h"
#include "daemon/cli/width.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_MAX = 64 << 10 };

void cli_init(struct cli *c)
{
    *c = (struct cli){.state_dir = paths_default_state()};
    term_init(&c->out, stdout);
    term_init(&c->err, stderr);
}

void cli_fini(struct cli *c)
{
    client_free(c->client);
    free(c->state_dir);
}

/* --- ends and messages ---------------------------------------------------- */

int cli_code(int rc)
{
    switch (rc) {
    case 0:
        return CLI_OK;
    case ERR_INVALID:
        return CLI_USAGE;
    case ERR_UNREACHABLE:
        return CLI_UNREACHABLE;
    case ERR_NOTFOUND:
        return CLI_NOTFOUND;
    case ERR_CANCELED:
        return CLI_INTERRUPTED;
    default:
        return CLI_FAILED;
    }
}

static void put_line(const struct term *t, const char *prefix,
                     const char *sentence)
{
    struct buf line;
    buf_init(&line, MESSAGE_MAX);
    buf_str(&line, prefix);
    width_printable(&line, sentence, strlen(sentence));
    buf_char(&line, '\n');
    fputs(line.data, t->file);
    buf_fini(&line);
}

int cli_fail(const struct cli *c, const struct err *err)
{
    char prefix[64];
    snprintf(prefix, sizeof(prefix), "%sparzen:%s ", term_on(&c->err, TERM_BAD),
             term_off(&c->err, TERM_BAD));
    fflush(stdout);
    put_line(&c->err, prefix, err->msg);
    return cli_code(err->code);
}

int cli_fail_here(const struct cli *c, struct err *err)
{
    if (err->code == ERR_NOTFOUND) {
        err->code = ERR_IO;
    }
    return cli_fail(c, err);
}

void cli_say(const struct cli *c, const char *fmt, ...)
{
    char text[4096];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    fflush(stdout);
    put_line(&c->err, "", text);
}

void cli_put_json(const struct json *value)
{
    struct buf text;
    struct json_out w;
    buf_init(&text, BUF_MAX_RESPONSE);
    json_out_init(&w, &text, JSON_COMPACT);
    json_put_node(&w, value);
    buf_char(&text, '\n');
    fwrite(text.data, 1, text.len, stdout);
    buf_fini(&text);
}

/* --- command lines -------------------------------------------------------- */

enum { KEY_JSON = 0x1000, KEY_STATE, KEY_DB };

static const struct argp_option everyones[] = {
    {"state", KEY_STATE, "DIR", 0,
     "state directory (default: $PARZEN_STATE, $XDG_STATE_HOME/parzen, "
     "~/.local/state/parzen)",
     100},
    {"db", KEY_DB, "FILE", 0,
     "look at this database, ours or Optuna's, instead of asking a daemon; it "
     "is only read",
     100},
    {"json", KEY_JSON, NULL, 0, "print one JSON value on stdout", 100},
    {0},
};

static error_t take_everyones(int key, char *arg, struct argp_state *state)
{
    struct cli *c = state->input;
    switch (key) {
    case KEY_STATE:
        if (arg[0] == '\0') {
            argp_error(state, "--state: the name of a directory is missing");
        }
        free(c->state_dir);
        c->state_dir = mem_strdup(arg);
        return 0;
    case KEY_DB:
        c->db = arg;
        return 0;
    case KEY_JSON:
        c->json = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp everyones_argp = {.options = everyones,
                                           .parser = take_everyones};
static const struct argp_child children[] = {{.argp = &everyones_argp}, {0}};

/* A command line on its way through argp. */
struct line {
    struct cli *cli;
    const struct cli_command *command; /* NULL: the global options */
    void *input;
    char **argv; /* arguments are collected at its front */
    int n;
    int index; /* global: of the command's word */
};

static void take_argument(struct line *l, char *arg, struct argp_state *state)
{
    const struct cli_command *command = l->command;
    if (command->n_max >= 0 && l->n == command->n_max) {
        argp_error(state, "'%s' is one argument too many", arg);
    }
    l->argv[++l->n] = arg;
}

static error_t take(int key, char *arg, struct argp_state *state)
{
    struct line *l = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = l->cli;
        return 0;
    case ARGP_KEY_ARG:
        if (l->command != NULL) {
            take_argument(l, arg, state);
        } else {
            l->index = state->next - 1;
            state->next = state->argc;
        }
        return 0;
    case ARGP_KEY_NO_ARGS:
        if (l->command == NULL) {
            argp_error(state, "a command is missing");
        }
        return 0;
    case ARGP_KEY_END:
        if (l->command != NULL && l->n < l->command->n_min) {
            argp_error(state, "an argument is missing");
        }
        return 0;
    default:
        if (l->command == NULL || l->command->on_option == NULL ||
            (key & ~0xFFFF) != 0) { /* argp's own keys */
            return ARGP_ERR_UNKNOWN;
        }
        l->command->on_option(key, arg, state, l->input);
        return 0;
    }
}

int cli_parse(struct cli *c, const struct cli_command *command, int argc,
              char **argv, void *input)
{
    struct argp argp = {.options = command->options,
                        .parser = take,
                        .args_doc = command->args,
                        .doc = command->doc,
                        .children = children};
    char *name = mem_printf("parzen %s", command->name);
    char **words = mem_alloc((size_t)argc + 1, sizeof(*words));
    memcpy(words, argv, (size_t)argc * sizeof(*words));
    words[0] = name;
    struct line line = {
        .cli = c, .command = command, .input = input, .argv = argv};
    argp_parse(&argp, argc, words, 0, NULL, &line);
    free(words);
    free(name);
    return line.n;
}

int cli_parse_global(struct cli *c, const char *doc, int argc, char **argv)
{
    struct argp argp = {.parser = take,
                        .args_doc = "COMMAND [ARGUMENTS]",
                        .doc = doc,
                        .children = children};
    struct line line = {.cli = c, .index = argc};
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &line);
    return line.index;
}

int64_t cli_number(struct argp_state *state, const char *option,
                   const char *text, int64_t low, int64_t high)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || v < low || v > high) {
        argp_error(state,
                   "--%s: expected a whole number from %" PRId64 " to %" PRId64
                   ", not '%s'",
                   option, low, high, text);
    }
    return v;
}

/* --- the daemon ----------------------------------------------------------- */

int cli_connect(struct cli *c, struct err *err)
{
    if (c->client != NULL) {
        return 0;
    }
    if (c->db != NULL) {
        return err_set(err, ERR_INVALID,
                       "--db FILE only looks: this command needs a daemon");
    }
    if (c->state_dir == NULL) {
        return err_set(err, ERR_INVALID,
                       "no state directory: give --state, or set HOME");
    }
    return client_new(c->state_dir, &c->client, err);
}

int cli_ask_parzend(const struct cli *c, const char *option, const char *value,
                    const char *const *more, struct json **out, struct err *err)
{
    const char *argv[16] = {NULL, option, value};
    size_t n = 3;
    if (c->state_dir != NULL) {
        argv[n++] = "--state";
        argv[n++] = c->state_dir;
    }
    if (c->db != NULL) {
        argv[n++] = "--db";
        argv[n++] = c->db;
    }
    while (more != NULL && *more != NULL && n + 1 < ARRAY_LEN(argv)) {
        argv[n++] = *more++;
    }
    return program_ask_parzend(argv, out, err);
}

int cli_call(struct cli *c, const char *method, const char *path,
             const char *body, struct json **out, struct err *err)
{
    if (c->db != NULL && strcmp(method, "GET") == 0) {
        return cli_ask_parzend(c, "--look", path, NULL, out, err);
    }
    int rc = cli_connect(c, err);
    return rc != 0 ? rc
                   : client_call(c->client, method, path, body, NULL, out, err);
}

int cli_study_call(struct cli *c, const char *method, const char *study,
                   const char *rest, const char *body, struct json **out,
                   struct err *err)
{
    struct buf path;
    buf_init(&path, MESSAGE_MAX);
    client_study_path(&path, study, rest);
    int rc = cli_call(c, method, path.data, body, out, err);
    buf_fini(&path);
    return rc;
}
