/* last_words: the end of what a trial's workers, or a preparation, printed. */
#ifndef DAEMON_CLI_LAST_WORDS_H
#define DAEMON_CLI_LAST_WORDS_H
#include "core/base/err.h"
#include <stdint.h>
struct buf;
struct cli;

/* Append the log of trial `number` (-1: of the preparation), at most its last
 * n_bytes (0: all of it). With --db it is looked for beside that file. One that
 * is not there is empty. */
MUST_CHECK int last_words_get(struct cli *c, const char *study, int64_t number,
                              int64_t n_bytes, struct buf *out,
                              struct err *err);
/* Print its last lines under a heading; nothing when there are none. */
void last_words_print(struct cli *c, const char *study, int64_t number);

#endif
