/* nearest: a word that does not exist: which one was meant? */
#ifndef CORE_BASE_NEAREST_H
#define CORE_BASE_NEAREST_H
#include "core/base/base.h"

/* The known word that key is most like (Levenshtein's distance, or its
 * initials: "learning_rate" means "lr"); NULL when none is near. */
const char *nearest(const char *key, const char *const *known, size_t n);

#endif
