/* A type and any payload: a message that is encoded to the same bytes, or a
 * sentence. */
#include "core/base/buf.h"
#include "core/wire/msg.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct msg m;
    struct err err = {0};
    if (len == 0) {
        return 0;
    }
    if (msg_decode(bytes[0], bytes + 1, len - 1, &m, &err) != 0) {
        if (err.code != ERR_PROTO || err.msg[0] == '\0') {
            abort();
        }
        return 0;
    }
    struct buf again;
    buf_init(&again, BUF_MAX_FRAME);
    msg_encode(&m, &again);
    if (again.len != len - 1 || memcmp(again.data, bytes + 1, again.len) != 0) {
        abort();
    }
    buf_fini(&again);
    msg_fini(&m);
    return 0;
}
