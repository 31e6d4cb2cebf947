/* obituary: why a worker process died, in a cause and a sentence. */
#ifndef DAEMON_OBITUARY_H
#define DAEMON_OBITUARY_H
#include "core/spec/trial.h"
#include <stddef.h>
struct buf;

enum { OBITUARY_WORDS = 512 };

struct obituary {
    long oom_kills;             /* of our control group, at its birth */
    char words[OBITUARY_WORDS]; /* the end of its output, without the lines by
                                   which a command tells its values */
    size_t n_words;
    int n_mark; /* of the open line: bytes that begin such a line; -1: none */
    enum trial_cause verdict; /* why we ended it; NONE: we did not */
    char why[256];
};

/* A process is born. */
void obituary_begin(struct obituary *o);
/* It wrote this on stdout or stderr. */
void obituary_hear(struct obituary *o, const char *at, size_t n);
/* What it said so far belongs to work that is done. */
void obituary_forget(struct obituary *o);
/* We end it, for this reason; the first reason counts. */
void obituary_condemn(struct obituary *o, enum trial_cause verdict,
                      const char *why);
/* It is dead: returns the cause, appends the sentence with its last words. */
enum trial_cause obituary_end(const struct obituary *o, int exit_status,
                              int term_signal, struct buf *out);

#endif
