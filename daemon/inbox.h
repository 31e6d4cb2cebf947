/* inbox: what the workers have said since the store last took all of it: when
 * it takes nothing, their words wait here, in order. */
#ifndef DAEMON_INBOX_H
#define DAEMON_INBOX_H
#include "daemon/event.h"
#include <stddef.h>

enum { INBOX_MAX = 16384 }; /* events; a worker says a few per epoch */

struct inbox {
    struct event *events; /* copies: what they point to is the inbox's */
    size_t n, room;
};

/* Copies the event. What changes nothing durable (progress, ticks) is left
 * out. false: it is full, and what it holds is no longer all. */
bool inbox_add(struct inbox *box, const struct event *e);
void inbox_clear(struct inbox *box);

#endif
