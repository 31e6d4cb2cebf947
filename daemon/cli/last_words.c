#include "daemon/cli/last_words.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/base/tail.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/client.h"
#include "daemon/cli/field.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_BYTES = 2000, SHOWN_LINES = 20 };

/* Where the file that --db names has the log, if it is a daemon's. */
static char *path_beside_db(const struct cli *c, int64_t study_id,
                            int64_t number)
{
    char *folder = cli_folder(c);
    char *path = number >= 0 ? paths_trial_file(folder, study_id, number, "log")
                             : paths_prepare_log(folder, study_id);
    free(folder);
    return path;
}

static int get_beside_db(struct cli *c, const struct json *study,
                         int64_t number, int64_t n_bytes, struct buf *out,
                         struct err *err)
{
    char rest[64];
    struct json *trial = NULL;
    snprintf(rest, sizeof(rest), "/trials/%" PRId64, number);
    int rc = number >= 0 ? cli_study_call(c, "GET", field_text(study, "name"),
                                          rest, NULL, &trial, err)
                         : 0;
    json_free(trial);
    if (rc != 0) {
        return rc;
    }
    char *path = path_beside_db(c, field_int(study, "id", 0), number);
    rc = tail_read(path, n_bytes, out, err);
    free(path);
    return rc == ERR_NOTFOUND ? 0 : rc; /* as the daemon has it */
}

static int get_from_daemon(struct cli *c, const char *study, int64_t number,
                           int64_t n_bytes, struct buf *out, struct err *err)
{
    struct buf path;
    char *tail =
        n_bytes > 0 ? mem_printf("?tail=%" PRId64, n_bytes) : mem_strdup("");
    char *rest = number >= 0
                     ? mem_printf("/trials/%" PRId64 "/log%s", number, tail)
                     : mem_printf("/log%s", tail);
    buf_init(&path, BUF_MAX_CONFIG);
    client_study_path(&path, study, rest);
    int rc = client_get_text(c->client, path.data, out, err);
    buf_fini(&path);
    free(tail);
    free(rest);
    return rc;
}

int last_words_get(struct cli *c, const char *study, int64_t number,
                   int64_t n_bytes, struct buf *out, struct err *err)
{
    struct json *view;
    int rc = cli_study_call(c, "GET", study, "", NULL, &view, err);
    if (rc != 0) {
        return rc;
    }
    rc = c->db != NULL ? get_beside_db(c, view, number, n_bytes, out, err)
                       : get_from_daemon(c, study, number, n_bytes, out, err);
    json_free(view);
    return rc;
}

/* Where the last lines of a text begin. */
static size_t last_lines(const char *text, size_t n)
{
    size_t from = n;
    for (int lines = 0; from > 0; from--) {
        lines += text[from - 1] == '\n' && from < n;
        if (lines == SHOWN_LINES) {
            break;
        }
    }
    return from;
}

void last_words_print(struct cli *c, const char *study, int64_t number)
{
    struct buf text;
    struct err ignored;
    buf_init(&text, BUF_MAX_RESPONSE);
    if (last_words_get(c, study, number, SHOWN_BYTES, &text, &ignored) == 0 &&
        text.len > 0) {
        size_t from = last_lines(text.data, text.len);
        printf("\nlast words:\n%s%s", text.data + from,
               text.data[text.len - 1] == '\n' ? "" : "\n");
    }
    buf_fini(&text);
}
