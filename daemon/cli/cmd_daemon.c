#include "core/base/json.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/cmd.h"
#include "daemon/cli/field.h"
#include "daemon/cli/launch.h"
#include "daemon/cli/table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_PORT = 1, KEY_WORKERS, MAX_WORKERS = 256 };

static const struct argp_option options[] = {
    {"port", KEY_PORT, "N", 0,
     "start: port of the page (default 7373, or the last one, or any free one; "
     "0: any)",
     0},
    {"workers", KEY_WORKERS, "N", 0,
     "start: worker processes (default: the number of cores)", 0},
    {0},
};

static void on_option(int key, const char *arg, struct argp_state *state,
                      void *ctx)
{
    struct launch_options *o = ctx;
    if (key == KEY_PORT) {
        o->port = (int)cli_number(state, "port", arg, 0, 65535);
    } else {
        o->n_workers = (int)cli_number(state, "workers", arg, 1, MAX_WORKERS);
    }
}

static const struct cli_command command = {
    .name = "daemon",
    .args = "start|stop|status|url|rotate-token",
    .doc = "Starts, ends or finds the daemon of the state directory. status "
           "exits with 3 when none runs; url prints the page's address with "
           "its token; rotate-token makes a new one (the old one opens nothing "
           "any more) and prints the new address.",
    .n_min = 1,
    .n_max = 1,
    .options = options,
    .on_option = on_option};

static int start(struct cli *c, const struct launch_options *o)
{
    struct json *health;
    struct err err;
    bool started;
    if (launch_daemon(c, o, &started, &health, &err) != 0) {
        return cli_fail(c, &err);
    }
    cli_say(c,
            started ? "the daemon runs: process %" PRId64 ", page on port "
                      "%" PRId64
                    : "a daemon runs already: process %" PRId64
                      ", page on port %" PRId64,
            field_int(health, "pid", 0), field_int(health, "port", 0));
    if (!started && (o->port >= 0 || o->n_workers > 0)) {
        cli_say(c, "it keeps its port and its workers: what --port and "
                   "--workers say counts for one that is started anew (parzen "
                   "daemon stop first)");
    }
    if (c->json) {
        cli_put_json(health);
    }
    json_free(health);
    return CLI_OK;
}

/* Trials that run now, as far as a daemon answers. */
static int64_t count_running(struct cli *c)
{
    struct json *health;
    struct err err;
    int64_t n = 0;
    if (launch_health(c, &health, &err) != 0) {
        return 0;
    }
    for (const struct json *w = field_first(health, "workers"); w != NULL;
         w = json_next(w)) {
        n += field_int(w, "trial", -1) >= 0;
    }
    json_free(health);
    return n;
}

static int stop(struct cli *c)
{
    int64_t pid, n = count_running(c);
    struct err err;
    if (launch_stop(c, &pid, &err) != 0) {
        return cli_fail(c, &err);
    }
    char trials[96] = "no trial was running";
    if (n > 0) {
        snprintf(trials, sizeof(trials),
                 n == 1 ? "%" PRId64 " running trial was put back and goes on "
                          "with the next daemon"
                        : "%" PRId64 " running trials were put back and go on "
                          "with the next daemon",
                 n);
    }
    cli_say(c, "the daemon (process %" PRId64 ") has ended; %s", pid, trials);
    if (c->json) {
        printf("{\"pid\":%" PRId64 "}\n", pid);
    }
    return CLI_OK;
}

static void print_workers(const struct cli *c, const struct json *health)
{
    struct table *t = table_new();
    table_right(t, "worker");
    table_left(t, "state");
    table_right(t, "process");
    table_left(t, "study");
    table_right(t, "trial");
    for (const struct json *w = field_first(health, "workers"); w != NULL;
         w = json_next(w)) {
        int64_t pid = field_int(w, "pid", 0), trial = field_int(w, "trial", -1);
        table_cellf(t, TERM_PLAIN, "%" PRId64, field_int(w, "slot", 0));
        table_cell(t, TERM_PLAIN, field_text(w, "state"));
        if (pid > 0) {
            table_cellf(t, TERM_PLAIN, "%" PRId64, pid);
        } else {
            table_cell(t, TERM_PLAIN, "");
        }
        table_cell(t, TERM_PLAIN, field_text(w, "study"));
        if (trial >= 0) {
            table_cellf(t, TERM_PLAIN, "%" PRId64, trial);
        } else {
            table_cell(t, TERM_PLAIN, "");
        }
    }
    table_print(t, &c->out);
    table_free(t);
}

static int status(struct cli *c)
{
    struct json *health;
    struct err err;
    if (launch_health(c, &health, &err) != 0) {
        return cli_fail(c, &err);
    }
    const char *trouble = field_string(health, "trouble");
    const char *warning = field_string(health, "warning");
    if (c->json) {
        cli_put_json(health);
    } else {
        printf("parzend %s, process %" PRId64 ", page on port %" PRId64
               ", state in %s\n",
               field_text(health, "version"), field_int(health, "pid", 0),
               field_int(health, "port", 0), c->state_dir);
        print_workers(c, health);
        if (trouble != NULL) {
            cli_say(c, "trouble: %s", trouble);
        }
        if (warning != NULL) {
            cli_say(c, "warning: %s", warning);
        }
    }
    json_free(health);
    return CLI_OK;
}

static int url(struct cli *c)
{
    struct json *health;
    struct err err;
    char *text = NULL;
    int rc = launch_health(c, &health, &err);
    if (rc == 0) {
        rc = launch_url(c, health, &text, &err);
        json_free(health);
    }
    if (rc != 0) {
        return cli_fail(c, &err);
    }
    printf(c->json ? "{\"url\":\"%s\"}\n" : "%s\n", text);
    free(text);
    return CLI_OK;
}

static int rotate_token(struct cli *c)
{
    struct json *reply;
    struct err err;
    if (cli_call(c, "POST", "/rotate-token", NULL, &reply, &err) != 0) {
        return cli_fail(c, &err);
    }
    json_free(reply);
    return url(c);
}

int cmd_daemon(struct cli *c, int argc, char **argv)
{
    struct launch_options o = {.port = -1};
    cli_parse(c, &command, argc, argv, &o);
    if (strcmp(argv[1], "start") == 0) {
        return start(c, &o);
    }
    if (strcmp(argv[1], "stop") == 0) {
        return stop(c);
    }
    if (strcmp(argv[1], "status") == 0) {
        return status(c);
    }
    if (strcmp(argv[1], "url") == 0) {
        return url(c);
    }
    if (strcmp(argv[1], "rotate-token") == 0) {
        return rotate_token(c);
    }
    struct err err;
    err_set(&err, ERR_INVALID,
            "daemon: '%s' is not one of start, stop, status, url, rotate-token",
            argv[1]);
    return cli_fail(c, &err);
}
