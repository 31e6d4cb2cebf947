/* live_view: a live study as lines: the table of finished trials that scrolls
 * up, the block below it that is repainted, and plain sentences for logs. */
#ifndef DAEMON_CLI_LIVE_VIEW_H
#define DAEMON_CLI_LIVE_VIEW_H
#include "daemon/cli/live.h"
#include "daemon/cli/term.h"
struct buf;

/* Append the line of column titles, of a terminal this wide. */
void live_view_titles(struct buf *out, const struct live *l,
                      const struct term *term, int columns);
/* Append the line of a finished trial below them. */
void live_view_trial(struct buf *out, const struct live *l,
                     const struct term *term, int columns,
                     const struct json *trial, bool is_best);
/* Append the block: at most `rows` lines, none wider than `columns`. */
void live_view_block(struct buf *out, const struct live *l,
                     const struct term *term, int columns, int rows,
                     int64_t now_ms);
/* Append the line of a training that runs. metric names its value; number -1:
 * it is the only one and has none. */
void live_view_running(struct buf *out, const struct live_trial *t,
                       const char *metric, const struct term *term, int columns,
                       int64_t now_ms);

/* Append one sentence and a newline: a finished trial, each epoch that the last
 * event brought (l->n_news; of a running trial with steps the last), the
 * study's state. No control codes. */
void live_view_say_trial(struct buf *out, const struct live *l,
                         const struct json *trial, bool is_best);
void live_view_say_epochs(struct buf *out, const struct live *l,
                          const struct json *trial);
void live_view_say_state(struct buf *out, const struct live *l);
/* "is running", "has failed": how a study's state stands in a sentence. */
const char *live_view_state(const char *state);

#endif
