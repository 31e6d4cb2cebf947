#include "core/base/hash.h"
#include "core/base/mem.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

struct hash {
    EVP_MD_CTX *ctx;
};

/* The digest calls fail only on misuse or without memory. */
static void must(int ok)
{
    if (ok != 1) {
        fprintf(stderr, "sha256: the crypto library failed\n");
        abort();
    }
}

struct hash *hash_new(void)
{
    struct hash *h = mem_alloc(1, sizeof(*h));
    h->ctx = EVP_MD_CTX_new();
    must(h->ctx != NULL && EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL));
    return h;
}

void hash_add(struct hash *h, const void *bytes, size_t n)
{
    must(EVP_DigestUpdate(h->ctx, bytes, n));
}

void hash_finish(struct hash *h, char hex[HASH_HEX_SIZE])
{
    unsigned char digest[32];
    must(EVP_DigestFinal_ex(h->ctx, digest, NULL));
    EVP_MD_CTX_free(h->ctx);
    free(h);
    for (int i = 0; i < 32; i++) {
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
}

void hash_bytes(const void *bytes, size_t n, char hex[HASH_HEX_SIZE])
{
    struct hash *h = hash_new();
    hash_add(h, bytes, n);
    hash_finish(h, hex);
}

bool hash_equal(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}
