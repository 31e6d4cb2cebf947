/* fix_msg: messages with every field filled from a random stream. */
#ifndef TESTS_LIB_FIX_MSG_H
#define TESTS_LIB_FIX_MSG_H
#include "core/base/rng.h"
#include "core/wire/msg.h"

/* All types there are, in order; *n of them. */
const int *fix_msg_types(size_t *n);
/* A message of that type; msg_fini it. */
void fix_msg_random(struct rng *r, int type, struct msg *out);

#endif
