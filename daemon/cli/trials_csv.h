/* trials_csv: a study's trials as a table in a text (RFC 4180). A cell is empty
 * where a trial has nothing; a parameter's value null is the word. */
#ifndef DAEMON_CLI_TRIALS_CSV_H
#define DAEMON_CLI_TRIALS_CSV_H
struct buf;
struct json;
struct trials_csv;

/* Of this study, which is borrowed until trials_csv_free. */
struct trials_csv *trials_csv_new(const struct json *study);
void trials_csv_free(struct trials_csv *t);
/* A row more, of a trial as the daemon has it. Borrows. */
void trials_csv_add(struct trials_csv *t, const struct json *trial);
/* Append the heading and all rows. What is too long for a buffer sets
 * out->overflow. */
void trials_csv_put(const struct trials_csv *t, struct buf *out);

#endif
