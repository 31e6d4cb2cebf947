/* log: what a trial's workers, or a study's preparation, had to say. */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/tail.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/cmd.h"
#include "daemon/cli/last_words.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES = 1 };

static const struct argp_option log_options[] = {
    {"bytes", KEY_BYTES, "N", 0, "only the last so many bytes", 0},
    {0},
};

static bool parse_number(const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    *out = v;
    return errno == 0 && end != text && *end == '\0' && v >= 0;
}

static void on_option(int key, const char *arg, struct argp_state *state,
                      void *ctx)
{
    if (key == KEY_BYTES) {
        *(int64_t *)ctx = cli_number(state, "bytes", arg, 1, BUF_MAX_RESPONSE);
    }
}

static int print_lines(const struct buf *text, struct err *err)
{
    struct buf json;
    struct json_out w;
    buf_init(&json, BUF_MAX_RESPONSE);
    json_out_init(&w, &json, JSON_COMPACT);
    tail_put_lines(&w, text->len > 0 ? text->data : "", text->len);
    int rc = 0;
    if (json.overflow) {
        rc = err_set(err, ERR_LIMIT, "the log is too large: give --bytes N");
    } else {
        puts(json.data);
    }
    buf_fini(&json);
    return rc;
}

/* Nobody printed anything, or it is elsewhere. */
static void say_none(const struct cli *c, const char *study, int64_t number)
{
    char *folder = cli_folder(c);
    char *whose = number >= 0 ? mem_printf("trial %" PRId64, number)
                              : mem_strdup("the preparation");
    cli_say(c, "No log of %s of study '%s' is in %s.", whose, study, folder);
    if (number < 0) {
        char *log = cli_command(c, "log", study);
        cli_say(c, "%s N  shows what trial N printed", log);
        free(log);
    }
    free(whose);
    free(folder);
}

int cmd_log(struct cli *c, int argc, char **argv)
{
    static const struct cli_command command = {
        .name = "log",
        .args = "STUDY [N]",
        .doc = "What the workers of trial N printed, in all its attempts; "
               "without N, what the preparation of the study's data printed. "
               "With --json one object: its list of \"lines\". With --db FILE: "
               "what stands beside that database.",
        .n_min = 1,
        .n_max = 2,
        .options = log_options,
        .on_option = on_option};
    struct err err;
    struct buf text;
    int64_t bytes = 0, number = -1;
    int n = cli_parse(c, &command, argc, argv, &bytes);
    if (n > 1 && !parse_number(argv[2], &number)) {
        err_set(&err, ERR_INVALID, "log: '%s' is not the number of a trial",
                argv[2]);
        return cli_fail(c, &err);
    }
    buf_init(&text, BUF_MAX_RESPONSE);
    int rc = last_words_get(c, argv[1], number, bytes, &text, &err);
    if (rc == 0 && text.len == 0) {
        say_none(c, argv[1], number);
    }
    if (rc == 0 && c->json) {
        rc = print_lines(&text, &err);
    } else if (rc == 0 && text.len > 0) {
        fwrite(text.data, 1, text.len, stdout);
    }
    buf_fini(&text);
    return rc == 0 ? CLI_OK : cli_fail(c, &err);
}
