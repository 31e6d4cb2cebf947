/* hub: data sets of the Hugging Face Hub, by the dataset viewer's API.
 *
 * hf:OWNER/NAME[/CONFIG] (or hf:NAME): GET /splits says what there is, GET
 * /rows gives 100 rows a page. Pages are kept in the cache as they came, in a
 * folder for each revision that the server names (X-Revision), so that a
 * download goes on where it was interrupted and is made once. Without a network
 * the last complete revision is used, and said so.
 *
 * Environment: HF_DATASETS_SERVER, else HF_ENDPOINT, the server's address
 * (default https://datasets-server.huggingface.co); HF_TOKEN, else
 * $HF_HOME/token, else
 * ~/.cache/huggingface/token: the token, sent over https or to this machine
 * only. */
#ifndef CORE_DATA_HUB_H
#define CORE_DATA_HUB_H
#include "core/data/source.h"
#include <stdbool.h>

bool hub_is_source(const char *source);

/* What a download came to. */
struct hub_result {
    uint64_t n_rows;
    bool is_offline; /* the cache was used without asking */
};
/* Bring all pages of the splits (none named: all of the config's, in order)
 * into the cache; with columns, text and label must be among the data set's.
 * NOTFOUND: no such data set, config, split; INVALID: a malformed name or no
 * such column; UNREACHABLE: no network and nothing in the cache; PROTO: the
 * server's answer makes no sense; IO; CANCELED. */
MUST_CHECK int hub_fetch(const char *source, const struct source_query *q,
                         struct hub_result *out, struct err *err);
/* The same, and hand the rows on. A label that the data set keeps as a number
 * with a name (ClassLabel) becomes the name; one of -1 (a row without a label,
 * as in many test splits) or without a name is INVALID. */
MUST_CHECK int hub_read(const char *source, const struct source_query *q,
                        const struct row_sink *sink, struct err *err);

#endif
