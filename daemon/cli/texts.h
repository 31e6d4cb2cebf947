/* texts: one column of a data file, for the tokenizer's commands. */
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
void texts_fini(struct texts *t);

#endif
