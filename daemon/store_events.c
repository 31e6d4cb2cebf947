/* Rows of the log -> what a replay goes by. */
#include "core/base/mem.h"
#include "core/spec/spec.h"
#include "core/spec/spec_json.h"
#include "daemon/replay.h"
#include "daemon/store_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum event_column {
    EVENT_SEQ,
    EVENT_NUMBER,
    EVENT_ATTEMPT,
    EVENT_KIND,
    EVENT_DETAIL
};

static const char SELECT_EVENTS[] =
    "SELECT seq, number, attempt, kind, detail FROM parzen_events"
    " WHERE study_id = ? AND kind IN ('CHANGE_STUDY', 'ADD_TRIAL',"
    " 'ADOPT_TRIAL', 'START_TRIAL', 'REPORT', 'END_ATTEMPT', 'FINISH_TRIAL', "
    "'RETRY_TRIAL')"
    " ORDER BY seq";

static int read_state(const struct store_row *r, const char *detail,
                      enum trial_state *state)
{
    char name[16];
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(detail, " "), detail);
    int named = trial_state_by_name(name);
    if (named < 0) {
        return store_row_bad(r, "detail: no state");
    }
    *state = (enum trial_state)named;
    return 0;
}

/* "sampler 1"; what was written before there was a second version says
 * nothing. */
static int read_start(const struct store_row *r, const char *detail,
                      struct replay_event *e)
{
    int64_t attempt;
    int rc = store_row_int(r, EVENT_ATTEMPT, 1, INT64_MAX, &attempt);
    e->kind = REPLAY_START;
    e->suggests = attempt == 1;
    e->is_given = strcmp(detail, "given") == 0;
    e->version = 1;
    if (rc == 0 && strncmp(detail, "sampler ", 8) == 0) {
        e->version = strtoll(detail + 8, NULL, 10);
    }
    return rc;
}

static int read_change(const struct store_row *r, const char *detail,
                       struct replay_event *e)
{
    struct spec spec;
    struct err reason;
    if (spec_parse_stored(detail, strlen(detail), &spec, &reason) != 0) {
        return store_row_bad(r, "detail: %s", reason.msg);
    }
    e->before = mem_alloc(1, sizeof(*e->before));
    *e->before = spec;
    return 0;
}

static int read_kind(const struct store_row *r, const char *kind,
                     const char *detail, struct replay_event *e)
{
    if (strcmp(kind, "ADD_TRIAL") == 0) {
        e->kind = REPLAY_ADD;
        return 0;
    }
    if (strcmp(kind, "START_TRIAL") == 0) {
        return read_start(r, detail, e);
    }
    if (strcmp(kind, "REPORT") == 0) {
        e->kind = REPLAY_REPORT;
        e->step = strtoll(detail, NULL, 10);
        return e->step < 0 ? store_row_bad(r, "detail: no step") : 0;
    }
    if (strcmp(kind, "ADOPT_TRIAL") == 0) {
        e->kind = REPLAY_ADOPT;
        return read_state(r, detail, &e->state);
    }
    e->kind = REPLAY_STATE;
    if (strcmp(kind, "FINISH_TRIAL") == 0) {
        return read_state(r, detail, &e->state);
    }
    e->state = TRIAL_WAITING;
    return 0;
}

static int read_event(const struct store_row *r, struct replay_event *e)
{
    const char *kind;
    char *detail = NULL;
    e->seq = r->id;
    int rc = store_row_text(r, EVENT_KIND, 32, &kind);
    e->kind = rc == 0 && strcmp(kind, "CHANGE_STUDY") == 0 ? REPLAY_CHANGE
                                                           : REPLAY_STATE;
    if (rc == 0) {
        rc = store_row_text_or_null(r, EVENT_DETAIL, STORE_TEXT_MAX, &detail);
    }
    const char *text = detail != NULL ? detail : "";
    if (rc == 0 && e->kind == REPLAY_CHANGE) {
        rc = read_change(r, text, e);
    } else if (rc == 0) {
        rc = store_row_int(r, EVENT_NUMBER, 0, INT64_MAX, &e->number);
        rc = rc != 0 ? rc : read_kind(r, kind, text, e);
    }
    free(detail);
    return rc;
}

int store_load_events(struct store *s, int64_t study_id, int64_t before,
                      struct replay_event **out, size_t *n, struct err *err)
{
    struct store_row r;
    struct replay_event *list = NULL;
    size_t len = 0;
    int rc =
        store_row_open(&r, s, "parzen_events", SELECT_EVENTS, study_id, err);
    while (rc == 0 && r.has_row && r.id < before) {
        if ((len & (len - 1)) == 0) { /* room: the power of two above len */
            list = mem_grow(list, len == 0 ? 1 : 2 * len, sizeof(*list));
        }
        list[len] = (struct replay_event){0};
        rc = read_event(&r, &list[len]);
        len++;
        if (rc == 0) {
            rc = store_row_next(&r);
        }
    }
    store_row_close(&r);
    if (rc != 0) {
        replay_events_free(list, len);
        return rc;
    }
    *out = list;
    *n = len;
    return 0;
}
