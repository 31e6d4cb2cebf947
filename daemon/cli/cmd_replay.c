/* replay: is every suggestion what the sampler makes of what it saw? */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/cmd.h"
#include "daemon/cli/field.h"
#include "daemon/cli/program.h"

#include <inttypes.h>

static void put_value(struct buf *out, const struct json *value)
{
    struct json_out w;
    json_out_init(&w, out, JSON_COMPACT);
    if (value == NULL || json_kind(value) == JSON_NULL) {
        buf_str(out, "absent");
    } else {
        json_put_node(&w, value);
    }
}

static void print_difference(struct cli *c, const struct json *d)
{
    struct buf stored, recomputed;
    buf_init(&stored, BUF_MAX_CONFIG);
    buf_init(&recomputed, BUF_MAX_CONFIG);
    put_value(&stored, field_get(d, "stored"));
    put_value(&recomputed, field_get(d, "recomputed"));
    cli_say(c,
            "trial %" PRId64 " (event %" PRId64
            "): %s is stored as %s, but the sampler says %s",
            field_int(d, "trial", -1), field_int(d, "event", -1),
            field_text(d, "param"), stored.data, recomputed.data);
    buf_fini(&stored);
    buf_fini(&recomputed);
}

static void print_replay(struct cli *c, const struct json *r)
{
    int64_t n = field_int(r, "suggestions", 0);
    int64_t given = field_int(r, "given", 0);
    int64_t other = field_int(r, "other_version", 0);
    const struct json *d = field_get(r, "difference");
    if (d != NULL && json_kind(d) == JSON_OBJECT) {
        print_difference(c, d);
    }
    if (other > 0) {
        cli_say(c,
                "%" PRId64 " were made by another version of the sampler "
                "(this one is %" PRId64 ") and cannot be recomputed",
                other, field_int(r, "sampler_version", 0));
    }
    if (given > 0) {
        cli_say(c, "%" PRId64 " trials began with parameters from Optuna",
                given);
    }
    fprintf(c->out.file, "%" PRId64 " of %" PRId64 " suggestions equal%s\n",
            field_int(r, "equal", 0), n,
            d != NULL && json_kind(d) == JSON_OBJECT
                ? " before the first difference"
                : "");
}

int cmd_replay(struct cli *c, int argc, char **argv)
{
    static const struct cli_command command = {
        .name = "replay",
        .args = "STUDY",
        .doc = "Recomputes every suggestion of a study, bit for bit, from the "
               "history that its sampler saw, and names the first that "
               "differs. A daemon may run meanwhile.",
        .n_min = 1,
        .n_max = 1};
    struct json *reply;
    struct err err;
    cli_parse(c, &command, argc, argv, NULL);
    if (cli_ask_parzend(c, "--replay", argv[1], NULL, &reply, &err) != 0) {
        return cli_fail(c, &err);
    }
    bool is_same =
        field_int(reply, "equal", 0) == field_int(reply, "suggestions", -1);
    if (c->json) {
        cli_put_json(reply);
    } else {
        print_replay(c, reply);
    }
    json_free(reply);
    return is_same ? CLI_OK : CLI_FAILED;
}
