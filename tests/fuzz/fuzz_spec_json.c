/* Any bytes as a study config: a spec whose canonical form returns exactly, or
 * a sentence. */
#include "core/base/buf.h"
#include "core/base/utf8.h"
#include "core/spec/spec.h"
#include "core/spec/spec_json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct spec s, back;
    struct err err = {0};
    if (spec_parse((const char *)bytes, len, &s, &err) != 0) {
        must(err.msg[0] != '\0' && utf8_is_valid(err.msg, strlen(err.msg)));
        return 0;
    }
    struct buf a, b;
    buf_init(&a, BUF_MAX_CONFIG);
    buf_init(&b, BUF_MAX_CONFIG);
    spec_to_json(&s, &a);
    if (!a.overflow) { /* 10,000 choices in each field are allowed */
        must(spec_parse(a.data, a.len, &back, &err) == 0);
        spec_to_json(&back, &b);
        must(strcmp(a.data, b.data) == 0);
        must(space_equal(&s.space, &back.space));
        must(spec_difference(&s, &back, &b) == 0);
        spec_fini(&back);
    }
    spec_fini(&s);
    buf_fini(&a);
    buf_fini(&b);
    return 0;
}
