/* cli: what every command of `parzen` has in hand, and how it ends. */
#ifndef DAEMON_CLI_CLI_H
#define DAEMON_CLI_CLI_H
#include "core/base/err.h"
#include "daemon/cli/term.h"
#include <argp.h>
#include <stdbool.h>
#include <stdint.h>
struct client;
struct json;

enum { /* exit codes: a contract with scripts */
       CLI_OK = 0,
       CLI_FAILED = 1,
       CLI_USAGE = 2,       /* the command line or a config is wrong */
       CLI_UNREACHABLE = 3, /* no daemon */
       CLI_NOTFOUND = 4,    /* no such study or trial */
       CLI_INTERRUPTED = 130
};

struct cli {
    char *state_dir;   /* owned */
    const char *db;    /* --db: look at this file, not at a daemon; borrowed */
    bool json;         /* one JSON value on stdout, nothing else there */
    char *own_db;      /* of the state directory, once it is looked at itself */
    bool needs_daemon; /* the command does: as struct cli_command has it */
    struct term out, err;
    struct client *client; /* NULL until cli_connect */
};

void cli_init(struct cli *c);
void cli_fini(struct cli *c);

/* --- ends and messages --- */

/* The exit code of an ERR_*. */
int cli_code(int rc);
/* Print "parzen: SENTENCE" on stderr; returns cli_code(err->code). */
int cli_fail(const struct cli *c, const struct err *err);
/* The same for work done in this process: a missing file is no missing study
 * (CLI_FAILED). */
int cli_fail_here(const struct cli *c, struct err *err);
/* A sentence on stderr, made safe for a terminal. */
void cli_say(const struct cli *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Print a value and a newline on stdout. */
void cli_put_json(const struct json *value);

/* --- command lines --- */

/* What a command takes. --json, --state, --db, --help and --version are
 * everyone's; an option of its own with such a name is the command's behind its
 * word, and everyone's before it. */
struct cli_command {
    const char *name, *args, *doc; /* "STUDY N"; one sentence of help */
    int n_min, n_max;              /* arguments; n_max -1: any number */
    bool needs_daemon; /* it does not end with what a file can tell */
    const struct argp_option *options; /* may be NULL */
    /* Take an option; a wrong one ends in argp_error. */
    void (*on_option)(int key, const char *arg, struct argp_state *state,
                      void *input);
};
/* For the help of commands that have a --state of their own (a trial's): the
 * directory's --state is then not theirs. */
#define CLI_STATE_BEFORE                                                       \
    "\vTwo options are called --state: after the command it is the trials' "   \
    "state, before it (parzen --state DIR ...) the state directory."
/* For the help of commands that show epochs. */
#define CLI_EPOCHS                                                             \
    " Epochs are counted from 1; from 0 in --json, in files and by Optuna."
/* Parse argv (argv[0] is the command's word). Usage errors and --help end the
 * program (2, 0). The arguments are moved to argv[1] .. argv[n]; returns n. */
int cli_parse(struct cli *c, const struct cli_command *command, int argc,
              char **argv, void *input);
/* The options that stand before the command. Returns the index in argv of the
 * command's word; without one the program ends (2). */
int cli_parse_global(struct cli *c, const char *doc, int argc, char **argv);
/* A whole number from low to high, else usage error. */
int64_t cli_number(struct argp_state *state, const char *option,
                   const char *text, int64_t low, int64_t high);

/* --- the daemon --- */

/* Make c->client, if it is not there. Nothing is sent yet. INVALID with --db,
 * which has no daemon. */
MUST_CHECK int cli_connect(struct cli *c, struct err *err);
/* One call; path is below /api/v1. With --db the file answers what only looks.
 * Connects. UNREACHABLE of a command that only looks says that a file could
 * answer. */
MUST_CHECK int cli_call(struct cli *c, const char *method, const char *path,
                        const char *body, struct json **out, struct err *err);
/* Is the file there that --db names, if it does? INVALID: it is not. */
MUST_CHECK int cli_check_db(const struct cli *c, struct err *err);
/* The state directory that is looked at: that of the file that --db names, if
 * it is ours. Owned. */
char *cli_folder(const struct cli *c);
/* A command line to paste into a shell, about the studies that are looked at:
 * `parzen VERB 'STUDY'`, with --state where that directory is not the usual
 * one. study may be NULL. Owned. */
char *cli_command(const struct cli *c, const char *verb, const char *study);
/* What parzend says of the state directory's database, or --db's, without a
 * daemon: `parzend OPTION VALUE MORE...`. more may be NULL, else ends with
 * NULL. */
MUST_CHECK int cli_ask_parzend(const struct cli *c, const char *option,
                               const char *value, const char *const *more,
                               struct json **out, struct err *err);
/* One call below /studies/STUDY; rest is "" or "/pause". Connects. */
MUST_CHECK int cli_study_call(struct cli *c, const char *method,
                              const char *study, const char *rest,
                              const char *body, struct json **out,
                              struct err *err);

#endif
