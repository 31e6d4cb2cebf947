/* fix_api: the API over a real daemon in a folder of its own, whose worker is
 * not listened to: the loop does not run while it is asked. */
#ifndef TESTS_LIB_FIX_API_H
#define TESTS_LIB_FIX_API_H
#include "daemon/api.h"

/* The only one of a process. */
extern struct fix_api {
    char dir[64]; /* the state directory */
    struct api *api;
    int n_shutdowns; /* that were asked for */
    /* The one parameter of every query, NULL: none; borrowed. */
    const char *query_name, *query_value;
    bool wants_json, is_remote; /* each request */
} fix_api;

/* The test fails when it cannot be made. */
void fix_api_start(void);
/* Close the daemon, remove the folder. */
void fix_api_stop(void);
/* "GET /studies/s" with a body; last_event_id -1: none. The reply's body must
 * be freed, and is never NULL. */
struct http_reply fix_api_ask(const char *line, const char *body,
                              int64_t last_event_id);
/* The reply has this status and, somewhere, this text. */
void fix_api_expect(const char *line, const char *body, int status,
                    const char *text);
/* The same of a line with ?name=value and no body. */
void fix_api_query(const char *line, const char *name, const char *value,
                   int status, const char *text);

/* A study "s" of one searched parameter, lr, whose data is not there. */
#define FIX_API_CONFIG                                                         \
    "{\"study\": \"s\", \"n_trials\": 5, \"seed\": 1, \"objective\": "         \
    "{\"metric\": \"val-acc\", \"direction\": \"maximize\"}, \"data\": "       \
    "{\"source\": \"/none.jsonl\", \"text\": \"t\", \"label\": \"l\"}, "       \
    "\"training\": {\"lr\": {\"float\": [1e-5, 1e-3], \"log\": true}}}"

/* Make that study. */
void fix_api_study(void);
/* Enqueue n trials of it. */
void fix_api_enqueue(int n);

#endif
