/* stash: files that can be made again, in a folder of limited size.
 *
 * A file is named by its key, the SHA-256 of all that its content depends on;
 * it repeats the key inside and has a checksum. What is damaged, cut or of
 * another key is as good as absent: it is made again and replaced. Processes
 * may read and write the same folder at the same time without locks: a file
 * appears whole or not at all, who makes the same one twice makes the same
 * bytes, and a removed file stays readable for whoever has it open.
 *
 * When a put leaves more than max_bytes in the folder, the files that were
 * used the longest time ago are removed. Everything in the folder counts as
 * the stash's own. */
#ifndef CORE_TRAIN_STASH_H
#define CORE_TRAIN_STASH_H
#include "core/base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct stash {
    const char *dir;    /* borrowed; made by the first put */
    uint64_t max_bytes; /* of all files together */
};

/* The key of what these parts decide, in their order. */
enum { STASH_KEY_SIZE = 65 };
void stash_key(const struct span *parts, size_t n, char key[STASH_KEY_SIZE]);

struct stash_file {
    struct span content; /* aligned for any type */
    char *bytes;         /* owned: the whole file */
};
/* Read it into memory. False: there is no whole file of this key, or no memory
 * for it. */
bool stash_open(const struct stash *s, const char *key, struct stash_file *out);
void stash_close(struct stash_file *f); /* also one of zeroes */

/* Write the parts one after the other; not durable (a crash of the machine
 * loses it). LIMIT for more than max_bytes; IO, FULL: nothing was written. */
MUST_CHECK int stash_put(const struct stash *s, const char *key,
                         const struct span *parts, size_t n, struct err *err);

#endif
