#include "daemon/cli/cli.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/nearest.h"
#include "core/base/paths.h"
#include "daemon/cli/client.h"
#include "daemon/cli/program.h"
#include "daemon/cli/width.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

enum { MESSAGE_MAX = 64 << 10, FULL_BYTES = 1 << 20 };

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
    free(c->own_db);
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
    {"h", 'h', NULL, OPTION_HIDDEN, NULL, 100}, /* argp's own is -? */
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
    case 'h':
        argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool has_own(const struct cli_command *command, const char *name)
{
    const struct argp_option *o = command->options;
    for (; o != NULL && o->name != NULL; o++) {
        if (strcmp(o->name, name) == 0) {
            return true;
        }
    }
    return false;
}

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

/* "STUDY N" with one given: N is missing. */
static void say_missing(const struct line *l, struct argp_state *state)
{
    const char *word = l->command->args;
    if (strchr(word, '\n') != NULL) { /* several forms */
        argp_error(state, "an argument is missing");
    }
    for (int i = 0; i < l->n; i++) {
        word += strcspn(word, " ");
        word += strspn(word, " ");
    }
    argp_error(state, "%.*s is missing", (int)strcspn(word, " "), word);
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
            say_missing(l, state);
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

/* The names of all long options that the command has. */
static size_t option_names(const struct cli_command *command,
                           const char **names, size_t max)
{
    static const char *const of_all[] = {"json", "state", "db",
                                         "help", "usage", "version"};
    size_t n = 0;
    for (; n < ARRAY_LEN(of_all); n++) {
        names[n] = of_all[n];
    }
    const struct argp_option *o = command != NULL ? command->options : NULL;
    for (; o != NULL && o->name != NULL && n < max; o++) {
        names[n++] = o->name;
    }
    return n;
}

/* getopt says that an option is unknown; we say which one was meant. */
static void check_options(struct cli *c, const char *program,
                          const struct cli_command *command, char **words,
                          int n_words)
{
    const char *names[64];
    size_t n = option_names(command, names, ARRAY_LEN(names));
    for (int i = 1; i < n_words && strcmp(words[i], "--") != 0; i++) {
        char *word = mem_strndup(words[i], strcspn(words[i], "="));
        bool is_known = strncmp(word, "--", 2) != 0;
        for (size_t k = 0; k < n && !is_known; k++) {
            is_known = strncmp(names[k], word + 2, strlen(word + 2)) == 0;
        }
        const char *meant = is_known ? NULL : nearest(word + 2, names, n);
        free(word);
        if (meant != NULL) {
            cli_say(c, "%s: there is no option %s (did you mean --%s?)",
                    program, words[i], meant);
            exit(CLI_USAGE);
        }
    }
}

int cli_parse(struct cli *c, const struct cli_command *command, int argc,
              char **argv, void *input)
{
    /* What a command has under the same name (a trial's --state, export's
     * --json FILE) is its own; everyone's stands before the command then. */
    struct argp_option left[ARRAY_LEN(everyones)] = {{0}};
    size_t n_left = 0;
    for (const struct argp_option *o = everyones; o->name != NULL; o++) {
        if (!has_own(command, o->name)) {
            left[n_left++] = *o;
        }
    }
    struct argp left_argp = {.options = left, .parser = take_everyones};
    struct argp_child children[] = {{.argp = &left_argp}, {0}};
    struct argp argp = {.options = command->options,
                        .parser = take,
                        .args_doc = command->args,
                        .doc = command->doc,
                        .children = children};
    char *name = mem_printf("parzen %s", command->name);
    char **words = mem_alloc((size_t)argc + 1, sizeof(*words));
    memcpy(words, argv, (size_t)argc * sizeof(*words));
    words[0] = name;
    check_options(c, name, command, words, argc);
    struct line line = {
        .cli = c, .command = command, .input = input, .argv = argv};
    c->needs_daemon = command->needs_daemon;
    argp_parse(&argp, argc, words, 0, NULL, &line);
    free(words);
    free(name);
    return line.n;
}

int cli_parse_global(struct cli *c, const char *doc, int argc, char **argv)
{
    struct argp everyones_argp = {.options = everyones,
                                  .parser = take_everyones};
    struct argp_child children[] = {{.argp = &everyones_argp}, {0}};
    struct argp argp = {.parser = take,
                        .args_doc = "COMMAND [ARGUMENTS]",
                        .doc = doc,
                        .children = children};
    struct line line = {.cli = c, .index = argc};
    char *path = argv[0];
    argv[0] = (char *)"parzen"; /* getopt names it */
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &line);
    argv[0] = path;
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
    char *start = cli_command(c, "daemon start", NULL);
    int rc = client_new(c->state_dir, start, &c->client, err);
    free(start);
    return rc;
}

int cli_check_db(const struct cli *c, struct err *err)
{
    if (c->db == NULL || c->db == c->own_db || file_exists(c->db)) {
        return 0;
    }
    err_sys(err, ENOENT, "%s", c->db);
    return err->code = ERR_INVALID; /* no study is missing */
}

int cli_ask_parzend(const struct cli *c, const char *option, const char *value,
                    const char *const *more, struct json **out, struct err *err)
{
    const char *argv[16] = {NULL, option, value};
    size_t n = 3;
    if (cli_check_db(c, err) != 0) {
        return err->code;
    }
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

char *cli_folder(const struct cli *c)
{
    return c->db != NULL ? paths_state_of_db(c->db) : mem_strdup(c->state_dir);
}

/* In quotes, as a shell reads it; an apostrophe stands outside of them. */
static char *quoted(const char *text)
{
    struct buf out;
    buf_init(&out, BUF_MAX_CONFIG);
    buf_char(&out, '\'');
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '\'') {
            buf_str(&out, "'\\''");
        } else {
            buf_char(&out, *at);
        }
    }
    buf_char(&out, '\'');
    return buf_take(&out);
}

char *cli_command(const struct cli *c, const char *verb, const char *study)
{
    char *usual = paths_default_state(), *dir = cli_folder(c);
    char *state = usual != NULL && strcmp(dir, usual) == 0 ? NULL : quoted(dir);
    char *name = study != NULL ? quoted(study) : NULL;
    char *command =
        mem_printf("parzen %s%s%s%s%s%s", state != NULL ? "--state " : "",
                   state != NULL ? state : "", state != NULL ? " " : "", verb,
                   name != NULL ? " " : "", name != NULL ? name : "");
    free(name);
    free(state);
    free(dir);
    free(usual);
    return command;
}

static bool has_room(const char *folder)
{
    struct statvfs fs;
    return statvfs(folder, &fs) != 0 ||
           (uint64_t)fs.f_bavail * fs.f_frsize >= FULL_BYTES;
}

/* A daemon cannot start on a full disk, but what is there can be read. */
static int look_without_daemon(struct cli *c, const char *path,
                               struct json **out, struct err *err)
{
    char *start = cli_command(c, "daemon start", NULL);
    cli_say(c,
            "The disk of %s is full and no daemon answers: this is what its "
            "database says. Make room, then: %s",
            c->state_dir, start);
    free(start);
    c->own_db = paths_in_state(c->state_dir, "parzen.db");
    c->db = c->own_db; /* from now on */
    return cli_ask_parzend(c, "--look", path, NULL, out, err);
}

/* Nothing needs a daemon to be read. */
static int say_db(const struct cli *c, struct err *err)
{
    char *db = paths_in_state(c->state_dir, "parzen.db");
    if (!c->needs_daemon && file_exists(db)) {
        err_set(err, err->code,
                "%s; commands that only look read its database with --db %s",
                err->msg, db);
    }
    free(db);
    return err->code;
}

int cli_call(struct cli *c, const char *method, const char *path,
             const char *body, struct json **out, struct err *err)
{
    bool looks = strcmp(method, "GET") == 0;
    if (c->db != NULL && looks) {
        return cli_ask_parzend(c, "--look", path, NULL, out, err);
    }
    int rc = cli_connect(c, err);
    if (rc == 0) {
        rc = client_call(c->client, method, path, body, NULL, out, err);
    }
    if (rc != ERR_UNREACHABLE || !looks) {
        return rc;
    }
    return has_room(c->state_dir) ? say_db(c, err)
                                  : look_without_daemon(c, path, out, err);
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
