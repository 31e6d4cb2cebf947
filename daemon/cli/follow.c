/* The happy path: the daemon's stream begins with the study as it is, then
 * brings changes; each is taken into the live model and shown; it is over when
 * the model says so.
 * Possible failures: Ctrl-C (told to the caller, the study goes on); the
 * stream ends because the study was deleted, as the daemon says when it is
 * asked again, or because the daemon ended: for RETRY_MS a new one is looked
 * for, which continues behind the last event that was seen. */
#include "daemon/cli/follow.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/client.h"
#include "daemon/cli/clock.h"
#include "daemon/cli/field.h"
#include "daemon/cli/interrupt.h"
#include "daemon/cli/live.h"
#include "daemon/cli/live_view.h"
#include "daemon/cli/screen.h"
#include "daemon/cli/summary.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <time.h>

enum {
    PAINT_MS = 100,
    RETRY_MS = 30000, /* for a restarted daemon to answer */
    NAP_MS = 200,
    ABOVE_MAX = 4 << 20,
    HISTORY_PATH_MAX = 64,
};

struct follow {
    struct cli *c;
    struct live live;
    struct screen screen; /* of a terminal */
    struct buf above;     /* lines to be printed above the block */
    bool is_live;         /* a terminal is painted */
    bool has_titles;
    bool is_foreign; /* its trials have no seqs: each stream begins with all */
    int64_t painted_ms;
    int64_t lost_ms;     /* when the stream ended, 0: it goes on */
    bool is_gone;        /* the daemon: it did not answer since */
    char said_state[64]; /* last state that a log was told */
};

/* --- showing -------------------------------------------------------------- */

static void put_lost(struct follow *f, struct buf *block)
{
    const struct term *t = &f->c->err;
    int64_t left = RETRY_MS - (clock_now_ms() - f->lost_ms);
    buf_printf(block,
               "%s      the daemon is gone, what stands above is old; waiting "
               "%" PRId64 " s for it to come back%s\n",
               term_on(t, TERM_WARN), left > 0 ? (left + 999) / 1000 : 0,
               term_off(t, TERM_WARN));
}

static void paint(struct follow *f)
{
    int columns, rows;
    struct buf block;
    term_size(&f->c->err, &columns, &rows);
    buf_init(&block, ABOVE_MAX);
    live_view_block(&block, &f->live, &f->c->err, columns,
                    rows < SCREEN_MAX_LINES ? rows - 2 : SCREEN_MAX_LINES - 2,
                    clock_now_ms());
    if (f->is_gone) {
        put_lost(f, &block);
    }
    screen_paint(&f->screen, &f->above, &block);
    buf_reset(&f->above);
    buf_fini(&block);
    f->painted_ms = clock_now_ms();
}

static void flush_lines(struct follow *f)
{
    if (!f->is_live && f->above.len > 0) {
        fwrite(f->above.data, 1, f->above.len, f->c->err.file);
        fflush(f->c->err.file);
        buf_reset(&f->above);
    }
}

static void show_trial(struct follow *f, const struct json *trial, bool is_best)
{
    int columns, rows;
    if (!f->is_live) {
        live_view_say_trial(&f->above, &f->live, trial, is_best);
        return;
    }
    term_size(&f->c->err, &columns, &rows);
    if (!f->has_titles) {
        live_view_titles(&f->above, &f->live, &f->c->err, columns);
        f->has_titles = true;
    }
    live_view_trial(&f->above, &f->live, &f->c->err, columns, trial, is_best);
}

/* A log hears of a state once, and of the last one by the summary. */
static void show_state(struct follow *f)
{
    char state[sizeof(f->said_state)];
    snprintf(state, sizeof(state), "%s %d", f->live.state,
             f->live.trouble != NULL);
    if (f->is_live || live_is_over(&f->live) ||
        strcmp(state, f->said_state) == 0) {
        return;
    }
    memcpy(f->said_state, state, sizeof(state));
    live_view_say_state(&f->above, &f->live);
}

/* --- events --------------------------------------------------------------- */

/* An event may bring the last epochs of a trial and its end. */
static void take_trial(struct follow *f, const struct json *trial)
{
    enum live_news news = live_take_trial(&f->live, trial, clock_now_ms());
    if (news != LIVE_NOTHING && !f->is_live) {
        live_view_say_epochs(&f->above, &f->live, trial);
    }
    if (news == LIVE_FINISHED || news == LIVE_BEST) {
        show_trial(f, trial, news == LIVE_BEST);
    }
}

static int on_event(void *ctx, const char *name, const struct json *data)
{
    struct follow *f = ctx;
    f->lost_ms = 0;
    f->is_gone = false;
    if (strcmp(name, "study") == 0) {
        live_take_study(&f->live, data, clock_now_ms());
        show_state(f);
    } else if (strcmp(name, "trial") == 0) {
        take_trial(f, data);
    } else if (strcmp(name, "progress") == 0) {
        live_take_progress(&f->live, data, clock_now_ms());
    }
    flush_lines(f);
    return live_is_over(&f->live);
}

static void on_tick(void *ctx)
{
    struct follow *f = ctx;
    if (f->is_live && clock_now_ms() - f->painted_ms >= PAINT_MS) {
        paint(f);
    }
}

/* --- the stream ----------------------------------------------------------- */

/* True while there is hope that a daemon comes back. One that only ended its
 * stream is asked again at once. */
static bool wait_for_daemon(struct follow *f)
{
    if (f->lost_ms == 0) {
        f->lost_ms = clock_now_ms();
        return true;
    }
    if (!f->is_gone) {
        f->is_gone = true;
        if (!f->is_live) {
            cli_say(f->c,
                    "the daemon is gone; waiting %d s for it to come back",
                    RETRY_MS / 1000);
        }
    }
    if (clock_now_ms() - f->lost_ms >= RETRY_MS) {
        return false;
    }
    nanosleep(&(struct timespec){.tv_nsec = NAP_MS * 1000000L}, NULL);
    on_tick(f);
    return true;
}

static int say_gone(const struct cli *c, struct err *err)
{
    char *start = cli_command(c, "daemon start", NULL);
    err_set(err, ERR_UNREACHABLE,
            "the daemon is gone and did not come back; the study goes on when "
            "it is started again (%s)",
            start);
    free(start);
    return err->code;
}

static int follow_stream(struct follow *f, const char *study, struct err *err)
{
    const struct client_events events = {
        .ctx = f, .on_event = on_event, .on_tick = on_tick};
    for (;;) {
        int64_t after = f->is_foreign ? -1 : f->live.seq;
        int rc = client_follow(f->c->client, study, after, &events, err);
        if (rc == ERR_NOTFOUND) {
            return err_set(err, rc, "study '%s' was deleted", study);
        }
        if (rc != ERR_UNREACHABLE) {
            return rc;
        }
        if (!interrupt_came() && !wait_for_daemon(f)) {
            return say_gone(f->c, err);
        }
        if (interrupt_came()) {
            return err_set(err, ERR_CANCELED, "interrupted");
        }
    }
}

/* The last trials that were finished before: shown as if they ended now, but
 * without a mark, except for the best. Where the stream begins with all, those
 * before them are known, too: they end only once. */
static int show_history(struct follow *f, const char *study, int n,
                        struct err *err)
{
    char rest[HISTORY_PATH_MAX];
    struct json *reply;
    if (n == 0 && !f->is_foreign) {
        return 0;
    }
    snprintf(rest, sizeof(rest), "/trials?limit=%d", f->is_foreign ? 0 : n);
    int rc = cli_study_call(f->c, "GET", study, rest, NULL, &reply, err);
    if (rc != 0) {
        return rc;
    }
    int left = json_size(field_get(reply, "trials"));
    for (const struct json *t = field_first(reply, "trials"); t != NULL;
         t = json_next(t)) {
        enum live_news news = live_take_trial(&f->live, t, clock_now_ms());
        bool is_shown = left-- <= n;
        if (is_shown && (news == LIVE_FINISHED || news == LIVE_BEST)) {
            show_trial(f, t, field_int(t, "number", -1) == f->live.best);
        }
    }
    f->live.seq = field_int(reply, "seq", f->live.seq);
    flush_lines(f);
    json_free(reply);
    return 0;
}

/* Follow from what `study` (its view) says on: news go to stderr. 0 when the
 * study is over; CANCELED after Ctrl-C, UNREACHABLE when the daemon died and
 * none came back for a while, NOTFOUND when the study was deleted. */
MUST_CHECK static int follow_study(struct cli *c, const struct json *study,
                                   int n_history, struct err *err)
{
    struct follow f = {.c = c,
                       .is_live = c->err.is_tty,
                       .is_foreign = field_bool(study, "foreign")};
    const char *name = field_text(study, "name");
    int rc = cli_connect(c, err);
    if (rc != 0) {
        return rc;
    }
    interrupt_watch();
    buf_init(&f.above, ABOVE_MAX);
    live_init(&f.live);
    live_begin(&f.live, study, clock_now_ms());
    rc = show_history(&f, name, n_history, err);
    if (rc == 0 && f.is_live) {
        screen_init(&f.screen, &c->err);
        paint(&f);
    }
    if (rc == 0) {
        rc = follow_stream(&f, name, err);
        if (f.is_live) {
            paint(&f);
            screen_fini(&f.screen);
        }
    }
    flush_lines(&f);
    live_fini(&f.live);
    buf_fini(&f.above);
    return rc;
}

/* --- the end -------------------------------------------------------------- */

static int end_interrupted(struct cli *c, const char *name)
{
    static const char *const verbs[][2] = {{"watch", "looks again"},
                                           {"pause", "lets it rest"},
                                           {"stop", "ends it"}};
    cli_say(c, "The study goes on without this terminal.");
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        char *command = cli_command(c, verbs[i][0], name);
        cli_say(c, "  %s  %s", command, verbs[i][1]);
        free(command);
    }
    return CLI_INTERRUPTED;
}

/* Show how the study stands now. */
static int end_with_summary(struct cli *c, const char *name)
{
    struct json *study;
    struct err err;
    if (cli_study_call(c, "GET", name, "", NULL, &study, &err) != 0) {
        return cli_fail(c, &err);
    }
    if (c->json) {
        cli_put_json(study);
    } else {
        summary_study(c, study);
    }
    int code = summary_code(study);
    json_free(study);
    return code;
}

int follow_to_end(struct cli *c, const struct json *study, int n_history)
{
    struct err err;
    const char *name = field_text(study, "name");
    bool is_over = strcmp(field_text(study, "state"), "running") != 0 &&
                   field_first(study, "running") == NULL;
    int rc = is_over ? 0 : follow_study(c, study, n_history, &err);
    if (rc == ERR_CANCELED) {
        return end_interrupted(c, name);
    }
    return rc != 0 ? cli_fail(c, &err) : end_with_summary(c, name);
}
