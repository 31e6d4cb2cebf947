/* hash: SHA-256, for content addresses and checkpoint integrity.
 * hash.c alone includes OpenSSL. */
#ifndef CORE_BASE_HASH_H
#define CORE_BASE_HASH_H
#include "core/base/base.h"
#include <stdbool.h>

enum { HASH_HEX_SIZE = 65 }; /* 64 lower-case digits and the NUL */

struct hash; /* opaque, heap */
struct hash *hash_new(void);
void hash_add(struct hash *h, const void *bytes, size_t n);
/* Write the digest and free h. */
void hash_finish(struct hash *h, char hex[HASH_HEX_SIZE]);
/* The three calls in one. */
void hash_bytes(const void *bytes, size_t n, char hex[HASH_HEX_SIZE]);
/* Equal? In time that depends on n alone (for secrets). */
bool hash_equal(const void *a, const void *b, size_t n);

#endif
