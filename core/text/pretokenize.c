/* PCRE2 must be given valid UTF-8 (its own check would read the whole subject
 * for every piece), so the text is validated here, once, in a window that
 * moves ahead of the pieces. PCRE2 sees the text only up to the window's end:
 * a match that comes near it might have gone on, so it is thrown away and made
 * again in a window twice as wide. A piece of n bytes costs O(n), and the tail
 * of a text that is never asked for costs nothing. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "core/text/pretokenize.h"
#include "core/base/mem.h"
#include "core/base/utf8.h"

#include <assert.h>
#include <pcre2.h>
#include <stdbool.h>
#include <stdlib.h>

/* \s under UCP would take U+180E too, which is no White_Space. The classes of
 * a piece exclude each other, hence the possessive quantifiers. */
static const char PATTERN[] =
    "'(?:[stmd]|re|ve|ll)"
    "| ?(?:\\p{L}++|\\p{N}++|[^\\p{White_Space}\\p{L}\\p{N}]++)"
    "|\\p{White_Space}+(?!\\P{White_Space})"
    "|\\p{White_Space}+";

enum {
    WINDOW = 4096,
    /* A match is decided by at most this many bytes after its end: "'" by the
     * "re" that would have made it longer, white space by one character. */
    LOOK_AHEAD = 4,
};

struct pretokenizer {
    pcre2_code *code;
    pcre2_match_data *match;
    bool has_jit;
    const char *text;
    size_t len, at;
    size_t window; /* text[0..window) is valid and ends between characters */
};

struct pretokenizer *pretokenizer_new(void)
{
    struct pretokenizer *p = mem_alloc(1, sizeof(*p));
    int code;
    size_t where;
    p->code = pcre2_compile((PCRE2_SPTR)PATTERN, PCRE2_ZERO_TERMINATED,
                            PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED, &code,
                            &where, NULL);
    assert(p->code != NULL); /* a constant; lint and tests compile it */
    /* Refused where no page may be written and executed: slower, same cuts. */
    p->has_jit = pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE) == 0;
    p->match = pcre2_match_data_create(1, NULL);
    assert(p->match != NULL);
    return p;
}

void pretokenizer_free(struct pretokenizer *p)
{
    if (p != NULL) {
        pcre2_match_data_free(p->match);
        pcre2_code_free(p->code);
        free(p);
    }
}

void pretokenizer_start(struct pretokenizer *p, struct span text)
{
    p->text = text.at;
    p->len = text.len;
    p->at = 0;
    p->window = 0;
}

/* Validate up to `end`, or to the last whole character before it. */
static int widen(struct pretokenizer *p, size_t end, struct err *err)
{
    size_t to = end < p->len ? end : p->len;
    size_t n = utf8_valid_prefix(p->text + p->window, to - p->window);
    p->window += n;
    bool cut_character = to < p->len && to - p->window < 4;
    if (p->window != to && !cut_character) {
        return err_set(err, ERR_INVALID, "the text is not UTF-8 at byte %zu",
                       p->window);
    }
    return 0;
}

static int match_at(struct pretokenizer *p)
{
    PCRE2_SPTR subject = (PCRE2_SPTR)p->text;
    if (p->has_jit) {
        int rc = pcre2_jit_match(p->code, subject, p->window, p->at, 0,
                                 p->match, NULL);
        if (rc != PCRE2_ERROR_JIT_STACKLIMIT) {
            return rc;
        }
    }
    return pcre2_match(p->code, subject, p->window, p->at,
                       PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, p->match, NULL);
}

int pretokenizer_next(struct pretokenizer *p, struct span *piece,
                      struct err *err)
{
    if (p->at == p->len) {
        return 0;
    }
    size_t width = WINDOW;
    for (;;) {
        if (p->window > p->at) {
            int rc = match_at(p);
            size_t end = pcre2_get_ovector_pointer(p->match)[1];
            if (rc < 0) {
                return err_set(err, ERR_LIMIT,
                               "cut the text at byte %zu: PCRE2 error %d",
                               p->at, rc);
            }
            if (p->window == p->len || end + LOOK_AHEAD <= p->window) {
                *piece = (struct span){p->text + p->at, end - p->at};
                p->at = end;
                return 1;
            }
            width = 2 * (p->window - p->at);
        }
        int rc = widen(p, p->at + (width > WINDOW ? width : WINDOW), err);
        if (rc != 0) {
            return rc;
        }
    }
}
