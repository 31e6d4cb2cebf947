/* texts: one column of a data file, lines or words, for the tokenizer's
 * commands. */
#ifndef DAEMON_CLI_TEXTS_H
#define DAEMON_CLI_TEXTS_H
#include "core/base/buf.h"
#include "core/base/err.h"

struct texts {
    struct buf bytes;   /* all texts, one behind the other */
    struct span *spans; /* n of them */
    size_t n;
};

/* Read column `field` of a .jsonl, .json, .csv or .tsv file, the first `max`
 * rows (0: all). INVALID names file, line and reason, also when there is no
 * row. Release by texts_fini. */
MUST_CHECK int texts_read(const char *path, const char *field, size_t max,
                          struct texts *out, struct err *err);
/* The lines of an open file, read to its end, the first `max` (0: all); no line
 * is no error. IO names `name` and the line that is not valid UTF-8. */
MUST_CHECK int texts_lines(int fd, const char *name, size_t max,
                           struct texts *out, struct err *err);
/* These n words; borrows them until texts_fini. INVALID: not valid UTF-8. */
MUST_CHECK int texts_words(char *const *words, size_t n, struct texts *out,
                           struct err *err);
void texts_fini(struct texts *t);

#endif
