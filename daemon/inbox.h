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

/* Is it a worker's word that changes something durable? Others (progress,
 * ticks, users) are not for the inbox. */
bool inbox_is_word(enum event_kind kind);
/* Copies the event, if it is a word. false: it is full, and what it holds is no
 * longer all. */
bool inbox_add(struct inbox *box, const struct event *e);
void inbox_clear(struct inbox *box);

#endif
