/* client: HTTP to the daemon over STATE/sock. client.c alone includes curl. */
#ifndef DAEMON_CLI_CLIENT_H
#define DAEMON_CLI_CLIENT_H
#include "core/base/buf.h"
#include "core/base/err.h"
#include <stdint.h>
struct client;
struct json;

/* Prepare to talk to the daemon of a state directory; nothing is sent yet.
 * start: the command that starts it, for the sentence that none answers. */
MUST_CHECK int client_new(const char *state_dir, const char *start,
                          struct client **out, struct err *err);
void client_free(struct client *c);

/* One request. path is below /api/v1 ("/studies"); body is JSON or NULL.
 * *status is the HTTP status and *out the reply's JSON (json_free it); a reply
 * of 400 and above is an error with the daemon's sentence: INVALID (400, 413),
 * NOTFOUND (404), CONFLICT (409), FULL (507), STORE (503), else IO. While it
 * says that another program holds the database it is asked again, for at most
 * 30 s (a line on standard error says so after 2 s); then BUSY, or CANCELED
 * once a signal came that interrupt_watch waits for.
 * UNREACHABLE: no daemon answers. status may be NULL. */
MUST_CHECK int client_call(struct client *c, const char *method,
                           const char *path, const char *body, int *status,
                           struct json **out, struct err *err);
/* The reply's bytes as they came, appended to out. */
MUST_CHECK int client_get_text(struct client *c, const char *path,
                               struct buf *out, struct err *err);

/* Append "/studies/NAME" with NAME percent-encoded, and rest behind it. */
void client_study_path(struct buf *out, const char *study, const char *rest);

/* Follow a study's events until on_event returns non-zero (0 is returned), the
 * daemon ends the stream (UNREACHABLE), or a signal came that interrupt_watch
 * waits for (CANCELED; looked at every 100 ms, when on_tick is called too).
 * data is one event's JSON, borrowed. after: Last-Event-ID, -1: everything. */
struct client_events {
    void *ctx;
    int (*on_event)(void *ctx, const char *name, const struct json *data);
    void (*on_tick)(void *ctx);
};
MUST_CHECK int client_follow(struct client *c, const char *study, int64_t after,
                             const struct client_events *events,
                             struct err *err);

#endif
