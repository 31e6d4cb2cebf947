/* check: `parzend --check`: is what the state directory holds whole? */
#ifndef DAEMON_CHECK_H
#define DAEMON_CHECK_H
#include "core/base/err.h"

/* Read database, checkpoints and the newest backup, changing nothing, and print
 * one finding a line on stdout. *n_findings is their number; "left: PATH" is
 * none: what a killed daemon left, which the next start removes. No database is
 * no finding. What a running daemon changes meanwhile is not taken for damage.
 */
MUST_CHECK int check_state(const char *state_dir, int *n_findings,
                           struct err *err);

#endif
