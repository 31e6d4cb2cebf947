#include "core/base/rng.h"
#include "core/text/bpe.h"
#include "core/text/bpe_priv.h"

/* No word of a language is that many merges deep; a chain of merges in a file
 * may be any number. */
enum { UNMERGE_DEPTH = 64 };

size_t bpe_unmerge(const struct bpe *t, const int32_t *ids, size_t n,
                   double share, struct rng *rng, int32_t *out, size_t max_ids)
{
    int32_t right[UNMERGE_DEPTH]; /* halves that wait for those on their left */
    size_t used = 0;
    for (size_t i = 0; i < n && used < max_ids; i++) {
        int32_t id = ids[i];
        size_t depth = 0;
        for (;;) {
            while (id >= BPE_FIRST_MERGE && depth < UNMERGE_DEPTH &&
                   rng_double(rng) < share) {
                const int32_t *pair =
                    t->pairs[t->made_by[id - BPE_FIRST_MERGE]];
                right[depth++] = pair[1];
                id = pair[0];
            }
            out[used++] = id;
            if (depth == 0 || used == max_ids) {
                break;
            }
            id = right[--depth];
        }
    }
    return used;
}
