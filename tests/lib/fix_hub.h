/* fix_hub: a server of its own process that speaks the dataset viewer's API
 * and misbehaves on request.
 *
 * Data sets: "org/good" (config "default"), "org/two" (configs "a" and "b"),
 * "org/labels" (labels are numbers with names), "org/gated" (wants the token
 * "secret"); splits "train" and "test". Row i of a split: text "SPLIT text i",
 * label "class (i % 3)". FIX_HUB_EVERYDAY, the data set of
 * configs/everyday.json: splits "train_sft" and "test_sft", completion "User:
 * SPLIT i\n\nAI: of (i % 19)", topic "topic (i % 19)". Also /file.jsonl with
 * the rows of "train", by ranges and entity tags. */
#ifndef TESTS_LIB_FIX_HUB_H
#define TESTS_LIB_FIX_HUB_H
#include <stdbool.h>
#include <sys/types.h>

#define FIX_HUB_EVERYDAY "HuggingFaceTB/everyday-conversations-llama3.1-2k"

enum { FIX_HUB_PAGES = 64 };

/* Shared with the server: what it does from now on, and what it did. */
struct fix_hub_state {
    int n_train, n_test; /* rows */
    char revision[32];   /* "": none is told */
    /* How many of the next pages (not the first of a split) go wrong. */
    int n_429, n_500, n_cut, n_slow;
    bool is_partial, is_truncated;
    bool is_odd; /* row 7 of "org/labels" has the label odd_label */
    int odd_label;
    int changed_from;   /* rows from here on have the next class; 0: none */
    bool has_page_tags; /* pages have entity tags */
    int n_unchanged;    /* pages answered by 304 */
    int ms_per_page;
    int ms_of_file;   /* a pause in the middle of /file.jsonl */
    bool is_untagged; /* which then has no entity tag */
    int n_requests, n_bytes_of_file;
    int train_pages[FIX_HUB_PAGES]; /* times that each was served whole */
};

struct fix_hub {
    pid_t pid;
    int port;
    char url[64];
    struct fix_hub_state *state;
};

/* Starts it on a free port of 127.0.0.1. */
void fix_hub_init(struct fix_hub *h);
/* The server dies; its port refuses connections. */
void fix_hub_kill(struct fix_hub *h);
/* And comes back on the same port. */
void fix_hub_restart(struct fix_hub *h);
void fix_hub_fini(struct fix_hub *h);

#endif
