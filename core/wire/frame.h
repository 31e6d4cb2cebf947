/* frame: a byte stream cut into messages, without I/O.
 *
 * A frame is u32 length (of what follows, <= 1 MiB) + u8 type + payload,
 * little-endian. A stream that broke the rules stays broken: there is no
 * resynchronising. */
#ifndef CORE_WIRE_FRAME_H
#define CORE_WIRE_FRAME_H
#include "core/base/buf.h"
#include "core/base/err.h"
struct msg;

/* Append one whole frame. LIMIT when it would exceed BUF_MAX_FRAME. */
MUST_CHECK int frame_encode(const struct msg *m, struct buf *out,
                            struct err *err);

struct frame_reader {
    struct buf pending; /* bytes that are not a whole frame yet */
    size_t at;          /* first byte of pending not yet consumed */
    bool broken;
};
void frame_reader_init(struct frame_reader *r);
void frame_reader_fini(struct frame_reader *r);
/* Copies the bytes; PROTO when the reader is broken already. */
MUST_CHECK int frame_reader_feed(struct frame_reader *r, const void *bytes,
                                 size_t n, struct err *err);
/* 1: *out is the next message (msg_fini it); 0: more bytes are needed;
 * PROTO: the stream is broken. */
MUST_CHECK int frame_reader_next(struct frame_reader *r, struct msg *out,
                                 struct err *err);

#endif
