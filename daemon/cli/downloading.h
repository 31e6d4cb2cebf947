/* downloading: a download's progress, notes and interruption on the terminal.
 */
#ifndef DAEMON_CLI_DOWNLOADING_H
#define DAEMON_CLI_DOWNLOADING_H
#include "core/data/fetch.h"
#include <stdbool.h>
struct cli;

struct downloading {
    struct fetch_watch watch; /* give this away; notes end the bar's line */
    struct cli *cli;
    int64_t start_ms, painted_ms;
    uint64_t first; /* what was there already */
    bool is_painted;
};
/* Ctrl-C stops what is given the watch. */
void downloading_init(struct downloading *d, struct cli *c);
/* Wipe the bar. rc and *err are those of what was given the watch: a network
 * that cannot be reached is a failure, not a missing daemon. Returns the code.
 */
int downloading_end(struct downloading *d, int rc, struct err *err);

#endif
