/* msg: THE list of messages between daemon and worker.
 *
 * Don't forget to raise MSG_PROTOCOL when anything here changes. Payloads are
 * the fields in order, little-endian: integers 8 bytes, doubles their 8 bytes
 * (NaN keeps its bits), strings u32 length + UTF-8 bytes. A run is its table's
 * fields in order (core/spec/run.h). */
#ifndef CORE_WIRE_MSG_H
#define CORE_WIRE_MSG_H
#include "core/base/err.h"
#include "core/spec/run.h"
#include "core/spec/trial.h"
struct buf;

enum { MSG_PROTOCOL = 7 };

/* F(type, name); types: I int64_t, D double, S char * (owned once decoded),
 * ID struct trial_id, RUN struct run, METRICS struct run_metrics, MEMORY
 * struct trial_memory. */

/* clang-format off */

/* worker -> daemon: first word after the start */
#define MSG_HELLO_FIELDS(F) F(I, protocol) F(S, build_id) F(I, pid)
/* daemon -> worker: read, filter and save a data set. expected_sha256 is ""
 * the first time; later a different result is an error ("data changed"). */
#define MSG_PREPARE_FIELDS(F)                                                  \
    F(I, study) F(S, sources) F(S, test_sources) F(S, splits) F(S, text)       \
    F(S, label) F(I, min_class_count) F(S, cache_dir)                      \
    F(S, expected_sha256) F(RUN, run)
/* worker -> daemon: sign of life from a preparation. phase: "verify",
 * "download", "retry", "read", "save", "split"; done of total (0: unknown) in
 * unit "bytes", "rows" or "". */
#define MSG_PREPARING_FIELDS(F)                                                \
    F(I, study) F(S, phase) F(I, done) F(I, total) F(S, unit)
/* worker -> daemon. sizes: rows of train, val, test. */
#define MSG_PREPARED_FIELDS(F)                                                 \
    F(I, study) F(S, sha256) F(I, n_classes) F(I, n_train) F(I, n_val)         \
    F(I, n_test)
#define MSG_PREPARE_FAILED_FIELDS(F) F(I, study) F(S, message)
/* daemon -> worker: do this trial. resume_* name the committed checkpoint to
 * continue from ("": none), previous_* the one before it, for when that is
 * damaged, best_* the best model so far; dir is the trial's folder for checkpoints, tb_dir the one for its
 * TensorBoard log ("": none is kept). objective, params: JSON of what to do
 * (worker/objective.h) and of its parameters by name; both "" for the built-in
 * training. */
#define MSG_ASSIGN_FIELDS(F)                                                   \
    F(ID, id) F(RUN, run) F(I, metric) F(I, maximize) F(I, of_last)            \
    F(S, cache_dir) F(S, data_sha256) F(S, dir) F(S, resume_file)              \
    F(S, resume_sha256) F(S, previous_file) F(S, previous_sha256)              \
    F(S, best_file) F(S, best_sha256) F(I, best_epoch) F(S, tb_dir)            \
    F(S, objective) F(S, params)
/* worker -> daemon: sign of life from the training loop itself. */
#define MSG_PROGRESS_FIELDS(F)                                                 \
    F(ID, id) F(S, phase) F(I, epoch) F(I, step) F(I, n_steps) F(D, loss)
/* worker -> daemon: an epoch is over (epoch 0 is the first). */
#define MSG_REPORT_FIELDS(F)                                                   \
    F(ID, id) F(I, epoch) F(METRICS, metrics) F(MEMORY, memory)
/* worker -> daemon: a command's constraints, in the config's order, before its
 * DONE. values: numbers, joined by '\n'. */
#define MSG_CONSTRAINTS_FIELDS(F) F(ID, id) F(S, values)
/* worker -> daemon: a checkpoint is durable. best: 1 the best epoch's, 0 one
 * to continue from. file is a name inside the trial's folder. */
#define MSG_CHECKPOINT_FIELDS(F)                                               \
    F(ID, id) F(I, best) F(I, epoch) F(I, step) F(S, file) F(S, sha256)        \
    F(I, size)
/* worker -> daemon: a committed checkpoint is missing, damaged, or of no use
 * without another that is; its file is gone from its place. */
#define MSG_DISCARD_FIELDS(F) F(ID, id) F(S, file) F(S, message)
/* worker -> daemon: the training is over. */
#define MSG_DONE_FIELDS(F)                                                     \
    F(ID, id) F(D, value) F(I, best_epoch) F(I, n_epochs) F(MEMORY, memory)
#define MSG_FAILED_FIELDS(F) F(ID, id) F(I, cause) F(S, message)
/* worker -> daemon: stopped as told, checkpoint (if any) already sent. */
#define MSG_STOPPED_FIELDS(F) F(ID, id)
/* daemon -> worker: checkpoint now and send STOPPED (keep = 1), or drop the
 * trial at once and send STOPPED (keep = 0: it is pruned or deleted). */
#define MSG_STOP_FIELDS(F) F(ID, id) F(I, keep)
/* daemon -> worker: nothing more to do; exit 0. */
#define MSG_QUIT_FIELDS(F) F(I, unused)

/* clang-format on */

/* X(NAME, number, member) */
#define MSG_LIST(X)                                                            \
    X(HELLO, 1, hello)                                                         \
    X(PREPARE, 2, prepare)                                                     \
    X(PREPARED, 3, prepared)                                                   \
    X(PREPARE_FAILED, 4, prepare_failed)                                       \
    X(ASSIGN, 5, assign)                                                       \
    X(PROGRESS, 6, progress)                                                   \
    X(REPORT, 7, report)                                                       \
    X(CHECKPOINT, 8, checkpoint)                                               \
    X(DONE, 9, done)                                                           \
    X(FAILED, 10, failed)                                                      \
    X(STOPPED, 11, stopped)                                                    \
    X(STOP, 12, stop)                                                          \
    X(QUIT, 13, quit)                                                          \
    X(DISCARD, 14, discard)                                                    \
    X(PREPARING, 15, preparing)                                                \
    X(CONSTRAINTS, 16, constraints)

enum msg_type {
#define X(name, number, member) MSG_##name = number,
    MSG_LIST(X)
#undef X
};

#define MSG_CTYPE_I            int64_t
#define MSG_CTYPE_D            double
#define MSG_CTYPE_S            char *
#define MSG_CTYPE_ID           struct trial_id
#define MSG_CTYPE_RUN          struct run
#define MSG_CTYPE_METRICS      struct run_metrics
#define MSG_CTYPE_MEMORY       struct trial_memory
#define MSG_MEMBER(type, name) MSG_CTYPE_##type name;
#define X(NAME, number, member)                                                \
    struct msg_##member {                                                      \
        MSG_##NAME##_FIELDS(MSG_MEMBER)                                        \
    };
MSG_LIST(X)
#undef X
#undef MSG_MEMBER

struct msg {
    enum msg_type type;
    union {
#define X(NAME, number, member) struct msg_##member member;
        MSG_LIST(X)
#undef X
    };
};

/* Lists of strings (sources, splits) travel in one S, joined by '\n'. */

/* Append the payload of m (without frame). Borrows the strings. */
void msg_encode(const struct msg *m, struct buf *out);
/* PROTO, naming the field, for anything that is not exactly one payload. On
 * success *out owns its strings: release by msg_fini. */
MUST_CHECK int msg_decode(int type, const void *bytes, size_t n,
                          struct msg *out, struct err *err);
void msg_fini(struct msg *m);
const char *msg_name(int type); /* "REPORT"; "UNKNOWN" */

#endif
