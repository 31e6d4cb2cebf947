/* A key that does not exist: which one was meant? */
#include "core/base/buf.h"
#include "core/base/nearest.h"
#include "core/spec/spec_table.h"

#include <string.h>

/* A setting of that name in another place of the config. */
static const char *path_elsewhere(const char *key)
{
    for (size_t i = 0; i < SPEC_N_ROWS; i++) {
        if (strcmp(SPEC_ROWS[i].key, key) == 0) {
            return SPEC_ROWS[i].path;
        }
    }
    return NULL;
}

int spec_unknown_key(const char *path, const char *key,
                     const char *const *known, size_t n_known, struct err *err)
{
    const char *dot = path[0] != '\0' ? "." : "";
    const char *meant = path_elsewhere(key);
    if (meant == NULL) {
        meant = nearest(key, known, n_known);
    }
    if (meant != NULL) {
        return err_set(err, ERR_INVALID,
                       "%s%s%s: unknown key (did you mean '%s'?)", path, dot,
                       key, meant);
    }
    struct buf list;
    buf_init(&list, sizeof(err->msg));
    for (size_t i = 0; i < n_known; i++) {
        buf_printf(&list, "%s%s", i > 0 ? ", " : "", known[i]);
    }
    int rc = err_set(err, ERR_INVALID, "%s%s%.100s: unknown key (known: %s)",
                     path, dot, key, list.data);
    buf_fini(&list);
    return rc;
}
