#include "core/wire/frame.h"
#include "core/wire/msg.h"

#include <string.h>

enum {
    LENGTH_BYTES = 4,
    HEAD_BYTES = 5, /* length and type */
    /* Two whole frames: what a caller may feed before it asks for messages. */
    PENDING_MAX = 2 * (LENGTH_BYTES + BUF_MAX_FRAME)
};

static void write_length(char *at, uint32_t v)
{
    for (int i = 0; i < LENGTH_BYTES; i++) {
        at[i] = (char)(unsigned char)(v >> (8 * i));
    }
}

static uint32_t read_length(const char *at)
{
    uint32_t v = 0;
    for (int i = 0; i < LENGTH_BYTES; i++) {
        v |= (uint32_t)(unsigned char)at[i] << (8 * i);
    }
    return v;
}

int frame_encode(const struct msg *m, struct buf *out, struct err *err)
{
    struct buf frame; /* out must stay as it is when this fails */
    buf_init(&frame, LENGTH_BYTES + BUF_MAX_FRAME);
    const char head[HEAD_BYTES] = {0, 0, 0, 0, (char)m->type};
    buf_add(&frame, head, sizeof(head));
    msg_encode(m, &frame);
    bool fits =
        !frame.overflow && !out->overflow && frame.len <= out->max - out->len;
    if (fits) {
        write_length(frame.data, (uint32_t)(frame.len - LENGTH_BYTES));
        buf_add(out, frame.data, frame.len);
    }
    buf_fini(&frame);
    return fits ? 0
                : err_set(err, ERR_LIMIT, "message %s is larger than a frame",
                          msg_name(m->type));
}

void frame_reader_init(struct frame_reader *r)
{
    *r = (struct frame_reader){0};
    buf_init(&r->pending, PENDING_MAX);
}

void frame_reader_fini(struct frame_reader *r)
{
    buf_fini(&r->pending);
    *r = (struct frame_reader){.broken = true};
}

static int broken(struct frame_reader *r, struct err *err, const char *why)
{
    r->broken = true;
    return err_set(err, ERR_PROTO, "%s", why);
}

int frame_reader_feed(struct frame_reader *r, const void *bytes, size_t n,
                      struct err *err)
{
    if (r->broken) {
        return broken(r, err, "the stream is broken");
    }
    /* Consumed bytes are dropped here, once per feed, not per message. */
    if (r->at > 0) {
        size_t left = r->pending.len - r->at;
        memmove(r->pending.data, r->pending.data + r->at, left);
        r->pending.len = left;
        r->at = 0;
    }
    buf_add(&r->pending, bytes, n);
    if (r->pending.overflow) {
        return broken(r, err, "more bytes are waiting than two frames have");
    }
    return 0;
}

int frame_reader_next(struct frame_reader *r, struct msg *out, struct err *err)
{
    if (r->broken) {
        return broken(r, err, "the stream is broken");
    }
    size_t left = r->pending.len - r->at;
    if (left < LENGTH_BYTES) {
        return 0;
    }
    const char *at = r->pending.data + r->at;
    uint32_t length = read_length(at);
    if (length < 1 || length > BUF_MAX_FRAME) {
        r->broken = true;
        return err_set(err, ERR_PROTO, "a frame of %u bytes", length);
    }
    if (left - LENGTH_BYTES < length) {
        return 0;
    }
    int rc = msg_decode((unsigned char)at[LENGTH_BYTES], at + HEAD_BYTES,
                        length - 1, out, err);
    if (rc != 0) {
        r->broken = true;
        return rc;
    }
    r->at += LENGTH_BYTES + length;
    return 1;
}
