#include "core/base/tail.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/utf8.h"

#include <stdlib.h>
#include <string.h>

static void put_lines(struct buf *out, const char *text, size_t n)
{
    const char *end = text + n;
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *stop = newline != NULL ? newline : end;
        utf8_printable_bytes(out, text, (size_t)(stop - text));
        if (newline != NULL) {
            buf_char(out, '\n');
        }
        text = stop + (newline != NULL);
    }
}

/* Where the first whole line begins in the end of a log; 0: there is none. */
static size_t first_line(const char *text, size_t n)
{
    const char *line = memchr(text, '\n', n);
    return line != NULL && line + 1 < text + n ? (size_t)(line + 1 - text) : 0;
}

int tail_read(const char *path, int64_t n_bytes, struct buf *out,
              struct err *err)
{
    char *text;
    size_t n;
    bool is_all = true;
    int rc = n_bytes > 0 && n_bytes < BUF_MAX_RESPONSE
                 ? file_load_end(path, (size_t)n_bytes, &text, &n, &is_all, err)
                 : file_load(path, BUF_MAX_RESPONSE, &text, &n, err);
    if (rc == ERR_INVALID) { /* no file: of nobody's asking */
        return err->code = ERR_IO;
    }
    if (rc != 0) {
        return rc;
    }
    size_t from = is_all ? 0 : first_line(text, n);
    put_lines(out, text + from, n - from);
    free(text);
    return !out->overflow
               ? 0
               : err_set(err, ERR_LIMIT,
                         "%s: too large to be shown whole; ask for its last "
                         "bytes",
                         path);
}

void tail_put_lines(struct json_out *w, const char *text, size_t n)
{
    const char *end = text + n;
    json_open(w, '{');
    json_put_key(w, "lines");
    json_open(w, '[');
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *stop = newline != NULL ? newline : end;
        json_put_text(w, (struct span){text, (size_t)(stop - text)});
        text = stop + (newline != NULL);
    }
    json_close(w, ']');
    json_close(w, '}');
}
