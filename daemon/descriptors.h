/* descriptors: as many open files as the system grants, and enough of them. */
#ifndef DAEMON_DESCRIPTORS_H
#define DAEMON_DESCRIPTORS_H
#include "core/base/err.h"

/* Raise this process's soft limit of open files to the hard one. LIMIT when
 * that is too low for a daemon with so many workers. The user's soft limit is
 * given back to commands by core/base/heritage.h. */
MUST_CHECK int descriptors_claim(int n_workers, struct err *err);

#endif
