/* pick: the trained model that a command line names, and texts to try it on. */
#ifndef DAEMON_CLI_PICK_H
#define DAEMON_CLI_PICK_H
#include "core/base/err.h"
#include <stdint.h>
struct cli;
struct predictor;

struct pick {
    struct predictor *predictor;
    char *name; /* "study 'x', trial 3", or the folder; owned */
    /* The columns of its data, by its study or its folder; owned, NULL where
     * neither knows. */
    char *text, *label;
    /* Who says so, and where: "study's" and "data". */
    const char *whose, *where;
};

/* what: a model's folder or a checkpoint's file, else a study: its best trial,
 * or the trial of this number (-1: the best). Only studies need the daemon.
 * NOTFOUND: no such study or trial; UNREACHABLE: no daemon; what is wrong with
 * the files is IO. */
MUST_CHECK int pick_open(struct cli *c, const char *what, int64_t trial,
                         struct pick *out, struct err *err);
void pick_fini(struct pick *p);
/* The --trial option's text as a number, or a usage error. */
struct argp_state;
int64_t pick_trial(struct argp_state *state, const char *arg);

/* Labelled texts, owned. */
struct pick_texts {
    struct span *texts;
    int32_t *labels; /* class ids of the predictor */
    size_t n, cap;
    char *name;              /* what they are, for headings */
    struct dataset *dataset; /* has the texts' bytes; NULL: they are ours */
};
/* A part ("train", "val", "test") of the data set that the predictor was
 * trained on, from the state directory's cache. */
MUST_CHECK int pick_part(const struct cli *c, const struct pick *p,
                         const char *part, struct pick_texts *out,
                         struct err *err);
/* source_read with downloads: kept in the state directory's cache, shown and
 * interrupted on the terminal. q's members for these are ignored. Watches for
 * interrupts; a source that is not there is INVALID. */
struct row_sink;
struct source_query;
MUST_CHECK int pick_rows(struct cli *c, const char *source,
                         const struct source_query *q,
                         const struct row_sink *sink, struct err *err);
/* All rows of a source, read so. A label that is no class of the predictor is
 * an error that names file and line. */
MUST_CHECK int pick_source(struct cli *c, const struct pick *p,
                           const char *source, const struct source_query *q,
                           struct pick_texts *out, struct err *err);
void pick_texts_fini(struct pick_texts *t);

#endif
