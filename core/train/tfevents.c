/* Each record is one write: what a killed writer leaves is whole but for its
 * last record, which is cut off when the file is opened again; the whole ones
 * are read then, for what they say of how far the log is. Nothing is synced:
 * after a power cut a log may lack its last epochs, and only those that the
 * resumed training tells again come back. */
#include "core/train/tfevents.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FILE_MAX = 256 << 20,
    HEAD_BYTES = 12, /* length and its sum */
    FOOT_BYTES = 4
};

#define TAG_HPARAMS "_hparams_/session_start_info"
#define TAG_END     "_hparams_/session_end_info"
#define TAG_FINAL   "final/"

struct tfevents {
    int fd;
    char *path;
    bool has_version, has_hparams, has_final, has_end;
    int64_t last_epoch; /* -1: none */
};

/* --- records
 * ------------------------------------------------------------------ */

/* CRC-32C (Castagnoli), reflected polynomial 0x82F63B78. */
uint32_t tfevents_crc32c(struct span bytes)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < bytes.len; i++) {
        crc ^= (uint8_t)bytes.at[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (0x82F63B78u & -(crc & 1));
        }
    }
    return ~crc;
}

/* TensorFlow's mask: sums of data that contains sums are weak. */
static uint32_t masked_sum(struct span bytes)
{
    uint32_t crc = tfevents_crc32c(bytes);
    return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

static void put_le(char *out, uint64_t v, int n)
{
    for (int i = 0; i < n; i++) {
        out[i] = (char)(v >> 8 * i);
    }
}

static uint64_t get_le(const char *at, int n)
{
    uint64_t v = 0;
    for (int i = n - 1; i >= 0; i--) {
        v = v << 8 | (uint8_t)at[i];
    }
    return v;
}

void tfevents_put_record(struct buf *out, struct span message)
{
    char head[HEAD_BYTES], foot[FOOT_BYTES];
    put_le(head, message.len, 8);
    put_le(head + 8, masked_sum((struct span){head, 8}), 4);
    put_le(foot, masked_sum(message), 4);
    buf_add(out, head, sizeof(head));
    buf_add(out, message.at, message.len);
    buf_add(out, foot, sizeof(foot));
}

/* The message of the record at *at, which moves past it; false when there is
 * no whole one. */
static bool next_record(struct span file, size_t *at, struct span *message)
{
    size_t left = file.len - *at;
    const char *head = file.at + *at;
    if (left < HEAD_BYTES + FOOT_BYTES ||
        get_le(head + 8, 4) != masked_sum((struct span){head, 8}) ||
        get_le(head, 8) > left - HEAD_BYTES - FOOT_BYTES) {
        return false;
    }
    *message = (struct span){head + HEAD_BYTES, (size_t)get_le(head, 8)};
    if (get_le(message->at + message->len, 4) != masked_sum(*message)) {
        return false;
    }
    *at += HEAD_BYTES + message->len + FOOT_BYTES;
    return true;
}

/* --- the file
 * ----------------------------------------------------------------- */

static bool begins(struct span s, const char *with)
{
    return s.len >= strlen(with) && memcmp(s.at, with, strlen(with)) == 0;
}

static void note(struct tfevents *t, int64_t step, struct span tag)
{
    if (tag.len == 0) {
        t->has_version = true;
    } else if (begins(tag, TAG_HPARAMS)) {
        t->has_hparams = true;
    } else if (begins(tag, TAG_END)) {
        t->has_end = true;
    } else if (begins(tag, TAG_FINAL)) {
        t->has_final = true;
    } else {
        t->last_epoch = step;
        t->has_final = t->has_end = false;
    }
}

/* See how far the log is, and cut off what is not whole. */
static int recover(struct tfevents *t, struct err *err)
{
    char *bytes;
    size_t len, at = 0;
    int rc = file_load(t->path, FILE_MAX, &bytes, &len, err);
    if (rc != 0) {
        return rc;
    }
    struct span message, tag;
    int64_t step;
    while (next_record((struct span){bytes, len}, &at, &message)) {
        tfevents_look(message, &step, &tag);
        note(t, step, tag);
    }
    free(bytes);
    if (at < len && ftruncate(t->fd, (off_t)at) != 0) {
        return err_sys(err, errno, "%s", t->path);
    }
    return 0;
}

int tfevents_open(const char *dir, struct tfevents **out, struct err *err)
{
    int rc = file_mkdirs(dir, 0700, err);
    if (rc != 0) {
        return rc;
    }
    struct tfevents *t = mem_alloc(1, sizeof(*t));
    *t = (struct tfevents){.path = mem_printf("%s/" TFEVENTS_NAME, dir),
                           .last_epoch = -1};
    /* Non-blocking: opening a FIFO must not hang. */
    t->fd = open(t->path,
                 O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0600);
    rc = t->fd >= 0 ? recover(t, err) : err_sys(err, errno, "%s", t->path);
    if (rc != 0) {
        tfevents_close(t);
        return rc;
    }
    *out = t;
    return 0;
}

void tfevents_close(struct tfevents *t)
{
    if (t != NULL) {
        if (t->fd >= 0) {
            close(t->fd);
        }
        free(t->path);
        free(t);
    }
}

/* Append a message as a record. A short write is cut off again, so that the
 * next can be tried. */
static int write_record(struct tfevents *t, const struct buf *message,
                        struct err *err)
{
    struct buf record;
    int rc = 0;
    buf_init(&record, BUF_MAX_CONFIG);
    tfevents_put_record(&record, (struct span){message->data, message->len});
    off_t before = lseek(t->fd, 0, SEEK_END);
    ssize_t n = write(t->fd, record.data, record.len);
    if (n != (ssize_t)record.len) {
        rc = err_sys(err, n < 0 ? errno : ENOSPC, "%s", t->path);
        (void)!ftruncate(t->fd, before);
    }
    buf_fini(&record);
    return rc;
}

int tfevents_begin(struct tfevents *t, const struct run *run, double wall_time,
                   struct err *err)
{
    struct buf message;
    int rc = 0;
    buf_init(&message, BUF_MAX_CONFIG);
    if (!t->has_version) {
        tfevents_put_version(&message, wall_time);
        rc = write_record(t, &message, err);
        t->has_version = rc == 0;
    }
    if (rc == 0 && !t->has_hparams) {
        buf_reset(&message);
        tfevents_put_hparams(&message, run, wall_time);
        rc = write_record(t, &message, err);
        t->has_hparams = rc == 0;
    }
    buf_fini(&message);
    return rc;
}

int tfevents_epoch(struct tfevents *t, int64_t epoch,
                   const struct run_metrics *metrics, double wall_time,
                   struct err *err)
{
    struct buf message;
    struct tfevents_scalar scalars[RUN_N_METRICS];
    if (epoch <= t->last_epoch) {
        return 0;
    }
    for (int i = 0; i < RUN_N_METRICS; i++) {
        scalars[i] =
            (struct tfevents_scalar){RUN_METRIC_NAMES[i], metrics->value[i]};
    }
    buf_init(&message, BUF_MAX_CONFIG);
    tfevents_put_scalars(&message, epoch, scalars, RUN_N_METRICS, wall_time);
    int rc = write_record(t, &message, err);
    if (rc == 0) {
        t->last_epoch = epoch;
        t->has_final = t->has_end = false;
    }
    buf_fini(&message);
    return rc;
}

int tfevents_end(struct tfevents *t, enum run_metric metric, double value,
                 double wall_time, struct err *err)
{
    struct buf message;
    int rc = 0;
    char *tag = mem_printf(TAG_FINAL "%s", RUN_METRIC_NAMES[metric]);
    struct tfevents_scalar scalar = {tag, value};
    buf_init(&message, BUF_MAX_CONFIG);
    if (!t->has_final) {
        tfevents_put_scalars(&message, t->last_epoch < 0 ? 0 : t->last_epoch,
                             &scalar, 1, wall_time);
        rc = write_record(t, &message, err);
        t->has_final = rc == 0;
    }
    if (rc == 0 && !t->has_end) {
        buf_reset(&message);
        tfevents_put_end(&message,
                         isnan(value) ? TFEVENTS_FAILURE : TFEVENTS_SUCCESS,
                         wall_time);
        rc = write_record(t, &message, err);
        t->has_end = rc == 0;
    }
    buf_fini(&message);
    free(tag);
    return rc;
}
