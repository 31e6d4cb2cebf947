/* pages: a study's trials, asked for page by page: however many there are, the
 * daemon has only one page of them in hand, and answers others in between. */
#ifndef DAEMON_CLI_PAGES_H
#define DAEMON_CLI_PAGES_H
#include "core/base/err.h"
#include <stdbool.h>
#include <stdint.h>
struct cli;
struct json;

struct pages {
    struct cli *c;             /* borrowed, as are the names */
    const char *study, *state; /* state NULL: of all */
    int64_t from;              /* number that the next page may begin with */
    int64_t left;              /* trials that are still wanted, at most */
    bool is_last;              /* the last ones are wanted, not the first */
    int64_t study_id;          /* of the pages so far; 0: none was asked for */
    bool is_over;
};

void pages_init(struct pages *p, struct cli *c, const char *study,
                const char *state);
/* Before the first page: only the first n of the trials are wanted, or the last
 * n. More last ones than a page holds: all trials come, as without this. */
void pages_limit(struct pages *p, int64_t n, bool is_last);
/* The next page (json_free it; it may have no trials), or *out NULL behind the
 * last one. Over all pages each trial comes once, by number, as it is when its
 * page is asked for; those that are added meanwhile come too. Errors as
 * cli_study_call; PROTO when the reply is no such page, CONFLICT when it is of
 * another study of that name. */
MUST_CHECK int pages_next(struct pages *p, struct json **out, struct err *err);
/* The first trial of a page, or NULL; json_next has the others. Borrowed. */
const struct json *pages_first(const struct json *page);

#endif
