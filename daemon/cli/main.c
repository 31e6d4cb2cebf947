/* parzen: the command line. */
#include "core/base/build.h"
#include "core/base/buf.h"
#include "core/base/nearest.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/cmd.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *word;
    int (*run)(struct cli *c, int argc, char **argv);
} commands[] = {
#define X(word, function, help) {word, function},
    CMD_LIST(X)
#undef X
};

static char *make_doc(void)
{
    static const char *const helps[] = {
#define X(word, function, help) help,
        CMD_LIST(X)
#undef X
    };
    struct buf doc;
    buf_init(&doc, 16 << 10);
    buf_str(&doc,
            "Finds good hyperparameters and can be left alone."
            "\vCommands (each has --help; parzen help COMMAND is the same):\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        buf_printf(&doc, "  %-12s %s\n", commands[i].word, helps[i]);
    }
    return buf_take(&doc);
}

static int unknown(struct cli *c, const char *word)
{
    const char *words[ARRAY_LEN(commands)];
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        words[i] = commands[i].word;
    }
    const char *meant = nearest(word, words, ARRAY_LEN(words));
    struct err err;
    err_set(&err, ERR_INVALID,
            "no command '%s'%s%s%s; parzen --help lists them", word,
            meant != NULL ? " (did you mean '" : "", meant != NULL ? meant : "",
            meant != NULL ? "'?)" : "");
    return cli_fail(c, &err);
}

/* `parzen help [COMMAND]`: as --help, which ends the program. */
static int help(struct cli *c, int argc, char **argv)
{
    char option[] = "--help", name[] = "parzen";
    char *words[] = {argc > 1 ? argv[1] : name, option, NULL};
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].word, words[0]) == 0) {
            return commands[i].run(c, 2, words);
        }
    }
    if (argc > 1 && strcmp(words[0], "help") != 0) {
        return unknown(c, words[0]);
    }
    char *doc = make_doc();
    (void)cli_parse_global(c, doc, 2, words);
    free(doc);
    return CLI_OK;
}

static int dispatch(struct cli *c, int argc, char **argv)
{
    if (strcmp(argv[0], "help") == 0) {
        return help(c, argc, argv);
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].word, argv[0]) == 0) {
            return commands[i].run(c, argc, argv);
        }
    }
    return unknown(c, argv[0]);
}

static void print_version(FILE *to, struct argp_state *state)
{
    (void)state;
    fprintf(to, "parzen %s\n", BUILD_ID);
}

int main(int argc, char **argv)
{
    struct cli c;
    argp_program_version_hook = print_version;
    argp_err_exit_status = CLI_USAGE;
    signal(SIGPIPE, SIG_IGN); /* a write to a dead daemon is an error */
    signal(SIGXFSZ, SIG_IGN); /* so is one past a file-size limit */
    cli_init(&c);
    char *doc = make_doc();
    int at = cli_parse_global(&c, doc, argc, argv);
    free(doc);
    int code = dispatch(&c, argc - at, argv + at);
    if (fflush(stdout) != 0 && errno != EPIPE) { /* who stopped reading knows */
        cli_say(&c, "standard output: %s", strerror(errno));
    }
    if (ferror(stdout)) {
        code = code == CLI_OK ? CLI_FAILED : code;
    }
    cli_fini(&c);
    return code;
}
