/* The few messages of tensorflow/core/util/event.proto, framework/summary.proto
 * and tensorboard/plugins/hparams/plugin_data.proto that a training needs, in
 * protobuf's wire format: fields ascending, proto3's zeros left out (but not
 * inside a oneof). An inner message is made in a buffer of its own, because its
 * length comes first. */
#include "core/base/buf.h"
#include "core/train/tfevents.h"

#include <stdbool.h>
#include <string.h>

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static void put_varint(struct buf *out, uint64_t v)
{
    for (; v >= 0x80; v >>= 7) {
        buf_char(out, (char)(v | 0x80));
    }
    buf_char(out, (char)v);
}

static void put_key(struct buf *out, unsigned field, unsigned type)
{
    put_varint(out, field << 3 | type);
}

static void put_fixed(struct buf *out, uint64_t bits, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++) {
        buf_char(out, (char)(bits >> 8 * i));
    }
}

static void put_double(struct buf *out, unsigned field, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    put_key(out, field, FIXED64);
    put_fixed(out, bits, 8);
}

static void put_float(struct buf *out, unsigned field, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof(bits));
    put_key(out, field, FIXED32);
    put_fixed(out, bits, 4);
}

static void put_int(struct buf *out, unsigned field, int64_t v)
{
    put_key(out, field, VARINT);
    put_varint(out, (uint64_t)v);
}

static void put_bytes(struct buf *out, unsigned field, const char *at,
                      size_t len)
{
    put_key(out, field, BYTES);
    put_varint(out, len);
    buf_add(out, at, len);
}

static void put_string(struct buf *out, unsigned field, const char *s)
{
    put_bytes(out, field, s, strlen(s));
}

/* Put a message that was made apart, and empty it for the next. */
static void put_message(struct buf *out, unsigned field, struct buf *inner)
{
    put_bytes(out, field, inner->data != NULL ? inner->data : "", inner->len);
    buf_reset(inner);
}

/* Event.wall_time = 1, step = 2 */
static void begin_event(struct buf *out, double wall_time, int64_t step)
{
    if (wall_time != 0) {
        put_double(out, 1, wall_time);
    }
    if (step != 0) {
        put_int(out, 2, step);
    }
}

void tfevents_put_version(struct buf *out, double wall_time)
{
    begin_event(out, wall_time, 0);
    put_string(out, 3, "brain.Event:2"); /* Event.file_version */
}

void tfevents_put_scalars(struct buf *out, int64_t step,
                          const struct tfevents_scalar *scalars, size_t n,
                          double wall_time)
{
    struct buf summary, value;
    buf_init(&summary, BUF_MAX_CONFIG);
    buf_init(&value, BUF_MAX_CONFIG);
    for (size_t i = 0; i < n; i++) {
        put_string(&value, 1, scalars[i].tag);
        put_float(&value, 2, (float)scalars[i].value); /* simple_value */
        put_message(&summary, 1, &value);
    }
    begin_event(out, wall_time, step);
    put_message(out, 5, &summary); /* Event.summary */
    buf_fini(&summary);
    buf_fini(&value);
}

/* An Event with one Summary.Value that has a tag and the data of the hparams
 * plugin: Value.metadata(9).plugin_data(1).{plugin_name = 1, content = 2}. */
static void put_plugin_event(struct buf *out, const char *tag,
                             struct buf *content, double wall_time)
{
    struct buf inner, outer;
    buf_init(&inner, BUF_MAX_CONFIG);
    buf_init(&outer, BUF_MAX_CONFIG);
    put_string(&inner, 1, "hparams");
    put_message(&inner, 2, content);
    put_message(&outer, 1, &inner); /* SummaryMetadata.plugin_data */
    put_string(&inner, 1, tag);
    put_message(&inner, 9, &outer); /* Value.metadata */
    put_message(&outer, 1, &inner); /* Summary.value */
    begin_event(out, wall_time, 0);
    put_message(out, 5, &outer);
    buf_fini(&inner);
    buf_fini(&outer);
}

/* SessionStartInfo.hparams = 1: {key = 1, value = 2: google.protobuf.Value
 * with number_value = 2 or string_value = 3}. */
static void put_hparam(struct buf *out, const struct run *run, int field)
{
    struct buf entry, value;
    double v = run_get(run, field);
    enum run_type type = RUN_FIELD[field].type;
    buf_init(&entry, BUF_MAX_CONFIG);
    buf_init(&value, BUF_MAX_CONFIG);
    if (type == RUN_INT || type == RUN_REAL) {
        put_double(&value, 2, v);
    } else {
        put_string(&value, 3, run_enum_name(type, (int64_t)v));
    }
    put_string(&entry, 1, RUN_FIELD[field].key);
    put_message(&entry, 2, &value);
    put_message(out, 1, &entry);
    buf_fini(&entry);
    buf_fini(&value);
}

void tfevents_put_hparams(struct buf *out, const struct run *run,
                          double wall_time)
{
    struct buf start, content;
    buf_init(&start, BUF_MAX_CONFIG);
    buf_init(&content, BUF_MAX_CONFIG);
    for (int i = 0; i < RUN_N_FIELDS; i++) {
        if (RUN_FIELD[i].searchable) {
            put_hparam(&start, run, i);
        }
    }
    if (wall_time != 0) {
        put_double(&start, 5, wall_time); /* start_time_secs */
    }
    put_message(&content, 3, &start); /* HParamsPluginData.session_start_info */
    put_plugin_event(out, "_hparams_/session_start_info", &content, wall_time);
    buf_fini(&start);
    buf_fini(&content);
}

void tfevents_put_end(struct buf *out, enum tfevents_status status,
                      double wall_time)
{
    struct buf end, content;
    buf_init(&end, BUF_MAX_CONFIG);
    buf_init(&content, BUF_MAX_CONFIG);
    put_int(&end, 1, status);
    if (wall_time != 0) {
        put_double(&end, 2, wall_time); /* end_time_secs */
    }
    put_message(&content, 4, &end); /* HParamsPluginData.session_end_info */
    put_plugin_event(out, "_hparams_/session_end_info", &content, wall_time);
    buf_fini(&end);
    buf_fini(&content);
}

/* --- looking
 * ------------------------------------------------------------------ */

static bool get_varint(struct span *s, uint64_t *out)
{
    *out = 0;
    for (int shift = 0; shift < 64 && s->len > 0; shift += 7) {
        uint8_t byte = (uint8_t)*s->at;
        s->at++;
        s->len--;
        *out |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            return true;
        }
    }
    return false;
}

struct field {
    uint64_t key, number; /* number: of a VARINT */
    struct span bytes;    /* of BYTES */
};

/* Take the next field off s; false at its end and where it is malformed. */
static bool get_field(struct span *s, struct field *f)
{
    if (!get_varint(s, &f->key)) {
        return false;
    }
    uint64_t n = 0;
    switch (f->key & 7) {
    case VARINT:
        return get_varint(s, &f->number);
    case FIXED64:
        n = 8;
        break;
    case FIXED32:
        n = 4;
        break;
    case BYTES:
        if (!get_varint(s, &n)) {
            return false;
        }
        break;
    default:
        return false;
    }
    if (n > s->len) {
        return false;
    }
    f->bytes = (struct span){s->at, (size_t)n};
    s->at += n;
    s->len -= (size_t)n;
    return true;
}

/* The first field of this number that holds bytes; empty when there is none. */
static struct span find_bytes(struct span message, unsigned number)
{
    struct field f;
    while (get_field(&message, &f)) {
        if (f.key == (number << 3 | BYTES)) {
            return f.bytes;
        }
    }
    return (struct span){"", 0};
}

void tfevents_look(struct span message, int64_t *step, struct span *tag)
{
    struct span rest = message;
    struct field f;
    *step = 0;
    while (get_field(&rest, &f)) {
        if (f.key == (2 << 3 | VARINT)) {
            *step = (int64_t)f.number;
        }
    }
    struct span summary = find_bytes(message, 5);
    *tag = find_bytes(find_bytes(summary, 1), 1);
}
