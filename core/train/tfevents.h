/* tfevents: a trial's TensorBoard log.
 *
 * One file in the trial's folder: records of a length, a masked CRC-32C of the
 * length, a protobuf message and a masked CRC-32C of it (TensorFlow's
 * record_writer). In order: the file's version, the hyperparameters, one event
 * with the scalars of each epoch, and at the end the final value and the state
 * (for TensorBoard's HPARAMS tab). A training that is resumed tells the same
 * epochs again: what stands in the file already is passed over, and a record
 * cut by the death of its writer is removed first. */
#ifndef CORE_TRAIN_TFEVENTS_H
#define CORE_TRAIN_TFEVENTS_H
#include "core/base/err.h"
#include "core/spec/run.h"
#include <stdint.h>
struct buf;

struct tfevents;

/* Open or make DIR/TFEVENTS_NAME; DIR and its parents are made. */
#define TFEVENTS_NAME "events.out.tfevents.0.parzen"
MUST_CHECK int tfevents_open(const char *dir, struct tfevents **out,
                             struct err *err);
void tfevents_close(struct tfevents *t);

/* wall_time: seconds since 1970, as all here. Call first; hyperparameters are
 * the fields of the run that a search may change. */
MUST_CHECK int tfevents_begin(struct tfevents *t, const struct run *run,
                              double wall_time, struct err *err);
/* In order; 0 is the first epoch. One that the file has is passed over. */
MUST_CHECK int tfevents_epoch(struct tfevents *t, int64_t epoch,
                              const struct run_metrics *metrics,
                              double wall_time, struct err *err);
/* The objective's value under "final/METRIC" (NaN: the trial failed). */
MUST_CHECK int tfevents_end(struct tfevents *t, enum run_metric metric,
                            double value, double wall_time, struct err *err);

/* --- the messages themselves ------------------------------------------------
 */

/* Append one record. */
void tfevents_put_record(struct buf *out, struct span message);
uint32_t tfevents_crc32c(struct span bytes);

/* The step and the first value's tag (empty when there is none) of an Event.
 * *tag borrows. Malformed bytes end the look. */
void tfevents_look(struct span message, int64_t *step, struct span *tag);

/* Append the bytes of one Event message. */
void tfevents_put_version(struct buf *out, double wall_time);
void tfevents_put_hparams(struct buf *out, const struct run *run,
                          double wall_time);
struct tfevents_scalar {
    const char *tag;
    double value; /* written as a float */
};
void tfevents_put_scalars(struct buf *out, int64_t step,
                          const struct tfevents_scalar *scalars, size_t n,
                          double wall_time);
enum tfevents_status { TFEVENTS_SUCCESS = 1, TFEVENTS_FAILURE = 2 };
void tfevents_put_end(struct buf *out, enum tfevents_status status,
                      double wall_time);

#endif
