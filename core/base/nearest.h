/* nearest: a word that does not exist: which one was meant? */
#ifndef CORE_BASE_NEAREST_H
#define CORE_BASE_NEAREST_H
#include "core/base/base.h"

/* The known word that key is most like: at most a third of its letters are
 * edits, or it is one spelt out ("learning_rate" means "lr") or a part of one
 * ("epochs" means "max_epochs"). NULL when none is near; borrowed from known.
 */
const char *nearest(const char *key, const char *const *known, size_t n);

#endif
