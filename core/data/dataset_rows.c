#include "core/data/dataset_rows.h"
#include "core/base/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = INT32_MAX }; /* so that class ids cannot run out */

static bool pile_add(struct pile *p, struct span s, size_t n_zeros)
{
    size_t need = p->len + s.len + n_zeros;
    if (need >= p->cap) { /* with nothing in it too: bytes is never NULL */
        size_t cap = need + need / 2 + 64;
        char *bytes = mem_try_grow(p->bytes, cap, 1);
        if (bytes == NULL) {
            return false;
        }
        p->bytes = bytes;
        p->cap = cap;
    }
    if (s.len != 0) {
        memcpy(p->bytes + p->len, s.at, s.len);
    }
    memset(p->bytes + p->len + s.len, 0, n_zeros);
    p->len = need;
    return true;
}

static bool rows_grow(struct rows *r)
{
    if (r->n < r->cap) {
        return true;
    }
    size_t cap = r->cap < 64 ? 64 : r->cap + r->cap / 2;
    size_t *text_at = mem_try_grow(r->text_at, cap, sizeof(*text_at));
    r->text_at = text_at != NULL ? text_at : r->text_at;
    size_t *label_at = mem_try_grow(r->label_at, cap, sizeof(*label_at));
    r->label_at = label_at != NULL ? label_at : r->label_at;
    if (text_at == NULL || label_at == NULL) {
        return false;
    }
    r->cap = cap;
    return true;
}

int rows_add(void *ctx, const struct row *row, struct err *err)
{
    struct rows *r = ctx;
    if (r->n >= ROWS_MAX) {
        return err_set(err, ERR_LIMIT, "more than %d rows", ROWS_MAX);
    }
    size_t text_at = r->texts.len, label_at = r->labels.len;
    if (!rows_grow(r) || !pile_add(&r->texts, row->text, 0) ||
        !pile_add(&r->labels, row->label, 1)) {
        return err_set(err, ERR_LIMIT, "no memory for more than %zu rows",
                       r->n);
    }
    r->text_at[r->n] = text_at;
    r->label_at[r->n] = label_at;
    r->n++;
    return 0;
}

void rows_fini(struct rows *r)
{
    free(r->texts.bytes);
    free(r->labels.bytes);
    free(r->text_at);
    free(r->label_at);
}

struct span rows_text(const struct rows *r, size_t i)
{
    size_t end = i + 1 < r->n ? r->text_at[i + 1] : r->texts.len;
    return (struct span){r->texts.bytes + r->text_at[i], end - r->text_at[i]};
}

const char *rows_label(const struct rows *r, size_t i)
{
    return r->labels.bytes + r->label_at[i];
}
