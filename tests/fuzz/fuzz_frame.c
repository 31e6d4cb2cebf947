/* Any stream, whole and in pieces: the same messages and the same end. The
 * first byte is the size of the pieces. */
#include "core/base/buf.h"
#include "core/wire/frame.h"
#include "core/wire/msg.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Feed in pieces; the messages go to out as frames. The last result. */
static int read_stream(const uint8_t *bytes, size_t len, size_t piece,
                       struct buf *out)
{
    struct frame_reader r;
    struct err err;
    int rc = 0;
    frame_reader_init(&r);
    for (size_t at = 0; at < len && rc == 0;) {
        size_t n = piece < len - at ? piece : len - at;
        struct msg m;
        rc = frame_reader_feed(&r, bytes + at, n, &err);
        while (rc == 0 && (rc = frame_reader_next(&r, &m, &err)) == 1) {
            rc = frame_encode(&m, out, &err);
            msg_fini(&m);
        }
        at += n;
    }
    frame_reader_fini(&r);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len == 0 || len > BUF_MAX_FRAME) {
        return 0;
    }
    struct buf whole, pieces;
    buf_init(&whole, BUF_MAX_RESPONSE);
    buf_init(&pieces, BUF_MAX_RESPONSE);
    int a = read_stream(bytes + 1, len - 1, len, &whole);
    int b = read_stream(bytes + 1, len - 1, (size_t)bytes[0] + 1, &pieces);
    bool same =
        a == b && whole.len == pieces.len &&
        (whole.len == 0 || memcmp(whole.data, pieces.data, whole.len) == 0);
    /* Frames that were read are the stream's own first bytes. */
    bool is_prefix =
        whole.len < len &&
        (whole.len == 0 || memcmp(whole.data, bytes + 1, whole.len) == 0);
    if (!same || !is_prefix) {
        abort();
    }
    buf_fini(&whole);
    buf_fini(&pieces);
    return 0;
}
