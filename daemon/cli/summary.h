/* summary: a study in a few lines, when it is over or asked for. */
#ifndef DAEMON_CLI_SUMMARY_H
#define DAEMON_CLI_SUMMARY_H
#include "core/base/err.h"
#include <stdbool.h>
struct cli;
struct json;

/* Has its view a best trial? */
bool summary_has_best(const struct json *study);
/* Why it has none: no trial is complete, or none of those is feasible. Sets err
 * and returns its code. */
int summary_no_best(const struct json *study, struct err *err);
/* Print the best trial of a study's view: value, epoch, parameters,
 * checkpoint. */
void summary_best(const struct cli *c, const struct json *study);
/* The same with counts, time and the page's address. */
void summary_study(struct cli *c, const struct json *study);
/* "19 complete, 1 failed": only what there is. */
void summary_counts(const struct json *study, char *out, int size);
/* 1 when the study failed, or is over without a complete trial; else 0. */
int summary_code(const struct json *study);

#endif
