#include "daemon/inbox.h"
#include "core/base/mem.h"

#include <stdlib.h>

enum { TEXTS_MAX = 2 };

/* The texts that an event of the pool borrows; how many. */
static int texts_of(struct event *e, const char **texts[TEXTS_MAX])
{
    switch (e->kind) {
    case EVENT_SLOT_GONE:
        texts[0] = &e->gone.message;
        return 1;
    case EVENT_PREPARE_FAILED:
        texts[0] = &e->prepare_failed.message;
        return 1;
    case EVENT_FAILED:
        texts[0] = &e->failed.message;
        return 1;
    case EVENT_CHECKPOINT:
        texts[0] = (const char **)&e->checkpoint.file.file;
        return 1;
    case EVENT_DISCARD:
        texts[0] = &e->discard.file;
        texts[1] = &e->discard.message;
        return 2;
    default:
        return 0;
    }
}

/* Without a default: whoever adds an event decides here. */
bool inbox_is_word(enum event_kind kind)
{
    switch (kind) {
    case EVENT_SLOT_IDLE:
    case EVENT_SLOT_GONE:
    case EVENT_PREPARED:
    case EVENT_PREPARE_FAILED:
    case EVENT_REPORT:
    case EVENT_CHECKPOINT:
    case EVENT_DISCARD:
    case EVENT_CONSTRAINTS:
    case EVENT_DONE:
    case EVENT_FAILED:
    case EVENT_STOPPED:
        return true;
    case EVENT_PREPARING:
    case EVENT_PROGRESS:
    case EVENT_START:
    case EVENT_ORPHAN:
    case EVENT_IMPORTANCES:
    case EVENT_ADD_STUDY:
    case EVENT_ADOPT:
    case EVENT_CHANGE:
    case EVENT_PAUSE:
    case EVENT_RESUME:
    case EVENT_STOP:
    case EVENT_ENQUEUE:
    case EVENT_RETRY:
    case EVENT_DELETE:
    case EVENT_TICK:
        return false;
    }
    return false;
}

bool inbox_add(struct inbox *box, const struct event *e)
{
    if (!inbox_is_word(e->kind)) {
        return true;
    }
    if (box->n == INBOX_MAX) {
        return false;
    }
    if (box->n == box->room) { /* doubled: an hour's words may be to keep */
        box->room = box->room != 0 ? 2 * box->room : 16;
        box->events = mem_grow(box->events, box->room, sizeof(*box->events));
    }
    struct event *copy = &box->events[box->n++];
    *copy = *e;
    const char **texts[TEXTS_MAX];
    for (int i = texts_of(copy, texts); i-- > 0;) {
        *texts[i] = mem_strdup(*texts[i]);
    }
    return true;
}

void inbox_clear(struct inbox *box)
{
    for (size_t i = 0; i < box->n; i++) {
        const char **texts[TEXTS_MAX];
        for (int k = texts_of(&box->events[i], texts); k-- > 0;) {
            free((char *)*texts[k]);
        }
    }
    free(box->events);
    *box = (struct inbox){0};
}
