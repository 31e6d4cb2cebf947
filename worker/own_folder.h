/* own_folder: the folder that a trial's program has for itself and finds again
 * in the next attempt, whatever the program made of it. */
#ifndef WORKER_OWN_FOLDER_H
#define WORKER_OWN_FOLDER_H
#include "core/base/err.h"

/* Make dir/command, or take it as it is, and write text into its params.json.
 * What an earlier attempt put in the way of either is removed: a link itself,
 * never what it names. *folder and *params are their paths, owned, and set only
 * on success. INVALID: something in the way cannot be removed, which is this
 * trial's trouble alone; FULL, IO: the disk's. */
MUST_CHECK int own_folder_make(const char *dir, const char *text, char **folder,
                               char **params, struct err *err);

#endif
