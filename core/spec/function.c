#include "core/spec/function.h"
#include "core/base/buf.h"

#include <string.h>

static const char *const NAMES[] = {
#define X(name, function, fewest, most) name,
    SPEC_FUNCTIONS(X)
#undef X
};

int spec_find_function(const char *name, size_t *at, struct err *err)
{
    struct buf list;
    buf_init(&list, sizeof(err->msg));
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        if (strcmp(NAMES[i], name) == 0) {
            buf_fini(&list);
            *at = i;
            return 0;
        }
        buf_printf(&list, "%s%s", i > 0 ? ", " : "", NAMES[i]);
    }
    int rc = err_set(err, ERR_INVALID,
                     "objective.function: must be one of %s, not '%.100s'",
                     list.data, name);
    buf_fini(&list);
    return rc;
}
