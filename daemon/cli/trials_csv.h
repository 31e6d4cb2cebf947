/* trials_csv: a study's trials as a table in a text (RFC 4180). */
#ifndef DAEMON_CLI_TRIALS_CSV_H
#define DAEMON_CLI_TRIALS_CSV_H
struct buf;
struct json;

/* Append a heading and a row for each trial of the replies of the daemon. */
void trials_csv_put(struct buf *out, const struct json *study,
                    const struct json *trials);

#endif
