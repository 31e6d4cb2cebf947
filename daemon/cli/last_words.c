#include "daemon/cli/last_words.h"
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_BYTES = 2000, SHOWN_LINES = 20 };

int last_words_get(struct cli *c, const char *study, int64_t number,
                   int64_t n_bytes, struct buf *out, struct err *err)
{
    struct buf path;
    int rc = cli_connect(c, err);
    if (rc != 0) {
        return rc;
    }
    char *tail =
        n_bytes > 0 ? mem_printf("?tail=%" PRId64, n_bytes) : mem_strdup("");
    char *rest = number >= 0
                     ? mem_printf("/trials/%" PRId64 "/log%s", number, tail)
                     : mem_printf("/log%s", tail);
    buf_init(&path, BUF_MAX_CONFIG);
    client_study_path(&path, study, rest);
    rc = client_get_text(c->client, path.data, out, err);
    buf_fini(&path);
    free(tail);
    free(rest);
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
