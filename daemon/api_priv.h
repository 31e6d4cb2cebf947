/* api_priv: shared by api*.c: one request on its way; nobody else includes
 * it. api.c routes and refuses, api_look.c reads, api_user.c changes,
 * api_stream.c tells of changes. */
#ifndef DAEMON_API_PRIV_H
#define DAEMON_API_PRIV_H
#include "core/base/json.h"
#include "daemon/api.h"
#include "daemon/views.h"
struct action;
struct feed;
struct study;

struct api {
    struct daemon *daemon;
    struct api_options options;
    struct http_server *server; /* NULL: nobody to tell of changes */
    struct feed *feeds;         /* of the streams that are open */
};

struct call {
    struct api *api;
    const struct http_request *request;
    struct http_reply *reply;
    struct json_out out; /* writes the reply's body */
    struct study *study; /* of routes that name one */
};

struct views_time api_time(void);
const char *api_state_dir(const struct call *c);

/* Replace the reply by an error. What is INVALID names the path that its
 * sentence begins with. */
void api_refuse(struct call *c, const struct err *err);
void api_refuse_as(struct call *c, int status, const char *code,
                   const char *message, const char *path);
void api_refuse_invalid(struct call *c, const char *message);
/* The JSON path that a sentence begins with ("training.lr: ..."), or NULL. A
 * new string. */
char *api_path_in(const char *message);
/* The body as an object (to be freed by json_free) with no other members than
 * keys; an empty body is an empty object. NULL: refused already. */
struct json *api_body(struct call *c, const char *const *keys, size_t n_keys);

/* Routes; the study is found already where the path names one. */
void api_get_studies(struct call *c);
void api_get_study(struct call *c);
void api_get_trials(struct call *c);
void api_get_trial(struct call *c);
void api_get_importances(struct call *c);
void api_get_log(struct call *c);
void api_get_prepare_log(struct call *c);
void api_get_health(struct call *c);
void api_post_studies(struct call *c);
void api_delete_study(struct call *c);
void api_post_pause(struct call *c);
void api_post_resume(struct call *c);
void api_post_stop(struct call *c);
void api_post_enqueue(struct call *c);
void api_post_retry(struct call *c);
void api_post_shutdown(struct call *c);
void api_post_rotate_token(struct call *c);
void api_get_events(struct call *c);
/* The daemon's watcher. */
void api_on_action(void *ctx, const struct action *action);
void api_on_news(void *ctx);

#endif
