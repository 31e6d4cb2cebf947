#include "core/spec/function.h"
#include "core/base/buf.h"

#include <string.h>

static const struct {
    const char *name;
    size_t fewest, most;
} FUNCTIONS[] = {
#define X(name, function, fewest, most) {name, fewest, most},
    SPEC_FUNCTIONS(X)
#undef X
};

int spec_find_function(const char *name, size_t *at, struct err *err)
{
    struct buf list;
    buf_init(&list, sizeof(err->msg));
    for (size_t i = 0; i < ARRAY_LEN(FUNCTIONS); i++) {
        if (strcmp(FUNCTIONS[i].name, name) == 0) {
            buf_fini(&list);
            *at = i;
            return 0;
        }
        buf_printf(&list, "%s%s", i > 0 ? ", " : "", FUNCTIONS[i].name);
    }
    int rc = err_set(err, ERR_INVALID,
                     "objective.function: must be one of %s, not '%.100s'",
                     list.data, name);
    buf_fini(&list);
    return rc;
}

int spec_check_arity(size_t at, size_t fewest, size_t most, struct err *err)
{
    if (most >= FUNCTIONS[at].fewest && fewest <= FUNCTIONS[at].most) {
        return 0;
    }
    return err_set(
        err, ERR_INVALID, "params: %s takes %s%zu numbers, not %zu",
        FUNCTIONS[at].name, FUNCTIONS[at].most == SIZE_MAX ? "at least " : "",
        FUNCTIONS[at].fewest, most < FUNCTIONS[at].fewest ? most : fewest);
}
