/* options: what parzend is started with, and its state directory. */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H
#include "core/base/err.h"
#include "daemon/offline.h"
#include <stdbool.h>
#include <stdint.h>

struct options {
    char *state_dir;         /* absolute; owned */
    char *worker_path;       /* owned */
    char *log_path;          /* owned, may be NULL: stderr */
    int port;                /* 7373; 0: any free one */
    bool is_port_asked;      /* else another will do when 7373 is taken */
    int n_workers;           /* the number of cores */
    int grace_ms;            /* for running trials to checkpoint at the end */
    int64_t backup_every_ms; /* of the database; 0: never */
    bool check;              /* look for damage instead of running (check.h) */
    struct offline_request offline; /* answer this instead of running */
};

/* Parse the command line; --help and usage errors end the program (0, 2). */
void options_parse(struct options *o, int argc, char **argv);
void options_fini(struct options *o);
/* Make the state directory, or check the one that is there: a real folder,
 * ours, closed to others (0700 is set where it is not). */
MUST_CHECK int options_claim_state(struct options *o, struct err *err);

#endif
