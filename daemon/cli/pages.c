/* Trials of a study are never removed and keep their numbers, so that "from the
 * number behind the last one" neither misses nor repeats one, whatever happens
 * meanwhile; a study that is replaced by another of its name is told by its id.
 * What has changed since (`after`) would not do: trials of Optuna's have no
 * such sequence, and one that changes would come again.
 *
 * A file that --db names is another matter: whoever looks at it loads all of
 * it for each answer, and there is no daemon to spare. It is asked once. */
#include "daemon/cli/pages.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/spec/spec.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/field.h"

#include <inttypes.h>

/* A page is a matter of 10 ms or so. */
enum { PAGE = 500, REST_MAX = 256 };

void pages_init(struct pages *p, struct cli *c, const char *study,
                const char *state)
{
    *p = (struct pages){
        .c = c, .study = study, .state = state, .left = INT64_MAX};
}

/* A file is asked for any number of them at once. */
static bool is_whole(const struct pages *p)
{
    return p->c->db != NULL;
}

void pages_limit(struct pages *p, int64_t n, bool is_last)
{
    if (!is_last || n <= PAGE || is_whole(p)) {
        p->left = n;
        p->is_last = is_last;
    }
}

const struct json *pages_first(const struct json *page)
{
    return field_first(page, "trials");
}

/* Go on behind the page's last trial; `asked` are the most it may have. */
static int step(struct pages *p, int64_t asked, const struct json *page,
                struct err *err)
{
    int64_t n = 0, study_id = field_int(page, "study_id", 0);
    if (p->study_id != 0 && study_id != p->study_id) {
        return err_set(err, ERR_CONFLICT,
                       "study '%s' was deleted meanwhile, and is another now",
                       p->study);
    }
    p->study_id = study_id;
    for (const struct json *t = pages_first(page); t != NULL;
         t = json_next(t)) {
        int64_t number = field_int(t, "number", -1);
        if (number < p->from || number >= SPEC_MAX_TRIALS) {
            return err_set(err, ERR_PROTO,
                           "the daemon's reply: trials from %" PRId64
                           " on were asked for, not %" PRId64,
                           p->from, number);
        }
        p->from = number + 1;
        n++;
    }
    p->left -= n;
    p->is_over = n < asked || p->left <= 0 || p->is_last;
    return 0;
}

/* Without `from` the last ones come. */
static void put_query(const struct pages *p, int64_t limit, struct buf *out)
{
    buf_str(out, "/trials?");
    if (!p->is_last) {
        buf_printf(out, "from=%" PRId64, p->from);
    }
    if (limit < INT64_MAX) {
        buf_printf(out, "%slimit=%" PRId64, p->is_last ? "" : "&", limit);
    }
    if (p->state != NULL) {
        buf_printf(out, "&state=%s", p->state);
    }
}

int pages_next(struct pages *p, struct json **out, struct err *err)
{
    struct buf rest;
    int64_t limit = p->left < PAGE || is_whole(p) ? p->left : PAGE;
    *out = NULL;
    if (p->is_over) {
        return 0;
    }
    buf_init(&rest, REST_MAX);
    put_query(p, limit, &rest);
    int rc = cli_study_call(p->c, "GET", p->study, rest.data, NULL, out, err);
    buf_fini(&rest);
    rc = rc == 0 ? step(p, limit, *out, err) : rc;
    if (rc != 0) {
        json_free(*out);
        *out = NULL;
    }
    return rc;
}
