/* mirror_priv: what the files of the mirror share; nobody else includes it.
 *
 * mirror.c            studies and trials; mirror_apply
 * mirror_slots.c      slots and the clock
 * mirror_difference.c are two the same?
 * mirror_remember.c   what no row knows, kept over a load */
#ifndef DAEMON_MIRROR_PRIV_H
#define DAEMON_MIRROR_PRIV_H
#include "daemon/mirror.h"

/* mirror_apply for actions of slots and the clock; false: a is of something
 * else, or of that as well. */
bool mirror_apply_slot(struct mirror *m, const struct action *a);

#endif
