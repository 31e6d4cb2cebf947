/* recorded_run: a run of trials as tpe-run and Optuna's oracle print it. */
#ifndef TESTS_LIB_RECORDED_RUN_H
#define TESTS_LIB_RECORDED_RUN_H
#include "core/base/err.h"
#include "core/spec/spec.h"
struct history;

struct recorded_run {
    struct history *history; /* all COMPLETE */
    enum spec_direction direction;
};

MUST_CHECK int recorded_run_read(const char *path, struct recorded_run *out,
                                 struct err *err);
void recorded_run_fini(struct recorded_run *r);

#endif
