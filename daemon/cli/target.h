/* target: may a command write what the user named? Asked before any work.
 *
 * Nothing goes into the state directory, whose database, token and checkpoints
 * are the daemon's: its folder is compared by device and inode with every
 * folder above the target, so that links and .. hide nothing. A file is
 * replaced by renaming, which takes a device's or a link's place instead of
 * writing to it: what is there must be a regular file. */
#ifndef DAEMON_CLI_TARGET_H
#define DAEMON_CLI_TARGET_H
#include "core/base/err.h"
struct cli;

/* A file to make or replace; "-" is standard output, and NULL no target: both
 * may be. Nor may it be the database that --db names. INVALID; IO when the
 * folders cannot be followed. */
MUST_CHECK int target_file(const struct cli *c, const char *path,
                           struct err *err);
/* A folder to make or fill; its parents need not be there. NULL: none. */
MUST_CHECK int target_folder(const struct cli *c, const char *path,
                             struct err *err);

#endif
