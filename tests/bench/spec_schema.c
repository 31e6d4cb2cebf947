/* spec-schema: print the JSON Schema of study configs;
 *   build/bench/spec-schema > schema/study.schema.json */
#include "core/base/buf.h"
#include "core/spec/spec_json.h"

#include <stdio.h>

int main(void)
{
    struct buf out;
    buf_init(&out, BUF_MAX_CONFIG);
    spec_schema(&out);
    fputs(out.data, stdout);
    buf_fini(&out);
    return 0;
}
