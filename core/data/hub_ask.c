#include "core/data/hub_ask.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/data/fetch.h"
#include "core/data/hub_page.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVER "https://datasets-server.huggingface.co"

/* --- what is asked for
 * -------------------------------------------------------- */

bool hub_is_plain(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)s[i]) && strchr("._-", s[i]) == NULL) {
            return false;
        }
    }
    return len > 0 && s[0] != '.';
}

/* hf:NAME, hf:OWNER/NAME, hf:OWNER/NAME/CONFIG */
static int parse_source(struct hub *h, struct err *err)
{
    const char *name = h->source + strlen("hf:");
    const char *slash = strchr(name, '/');
    const char *second = slash != NULL ? strchr(slash + 1, '/') : NULL;
    size_t len = second != NULL ? (size_t)(second - name) : strlen(name);
    size_t owner = slash != NULL ? (size_t)(slash - name) : 0;
    if ((slash != NULL && (!hub_is_plain(name, owner) ||
                           !hub_is_plain(slash + 1, len - owner - 1))) ||
        (slash == NULL && !hub_is_plain(name, len)) ||
        (second != NULL && second[1] == '\0')) {
        return err_set(err, ERR_INVALID,
                       "%s: expected hf:OWNER/NAME or hf:OWNER/NAME/CONFIG",
                       h->source);
    }
    h->dataset = mem_strndup(name, len);
    h->config = second != NULL ? mem_strdup(second + 1) : NULL;
    return 0;
}

static char *token_file(void)
{
    const char *hf_home = getenv("HF_HOME"), *home = getenv("HOME");
    if (hf_home != NULL && hf_home[0] != '\0') {
        return mem_printf("%s/token", hf_home);
    }
    return home != NULL ? mem_printf("%s/.cache/huggingface/token", home)
                        : NULL;
}

static char *find_token(void)
{
    const char *given = getenv("HF_TOKEN");
    struct buf text;
    buf_init(&text, 4096);
    if (given != NULL && given[0] != '\0') {
        buf_str(&text, given);
    } else {
        char *path = token_file();
        if (path != NULL && file_exists(path)) {
            (void)!file_read(path, &text, NULL);
        }
        free(path);
    }
    while (text.len > 0 && isspace((unsigned char)text.data[text.len - 1])) {
        text.data[--text.len] = '\0';
    }
    if (text.len > 0) {
        return buf_take(&text);
    }
    buf_fini(&text);
    return NULL;
}

/* The token for this server. It must not be read on its way. */
static char *token_for(const struct hub *h)
{
    char *token = find_token();
    if (token != NULL && !fetch_is_private(h->server)) {
        fetch_note(h->query->watch,
                   "%s: the token is not sent: only https, or an address of "
                   "this machine without a user's name, is private",
                   h->source);
        free(token);
        token = NULL;
    }
    return token;
}

/* A mirror of the Hub (HF_ENDPOINT) is asked for everything, so that nobody
 * who chose one talks to the public server unawares. */
static const char *find_server(void)
{
    static const char *const names[] = {"HF_DATASETS_SERVER", "HF_ENDPOINT"};
    for (size_t i = 0; i < 2; i++) {
        const char *address = getenv(names[i]);
        if (address != NULL && address[0] != '\0') {
            return address;
        }
    }
    return SERVER;
}

int hub_begin(struct hub *h, struct err *err)
{
    if (h->query->cache_dir == NULL) {
        return err_set(err, ERR_INVALID, "%s: no folder to download it to",
                       h->source);
    }
    int rc = parse_source(h, err);
    if (rc != 0) {
        return rc;
    }
    h->server = mem_strdup(find_server());
    size_t len = strlen(h->server);
    if (len > 0 && h->server[len - 1] == '/') {
        h->server[len - 1] = '\0';
    }
    h->token = token_for(h);
    h->dir = mem_printf("%s/hub", h->query->cache_dir);
    return fetch_new(&FETCH_DEFAULTS, h->query->watch, &h->fetch, err);
}

void hub_end(struct hub *h)
{
    for (size_t i = 0; i < h->n_splits; i++) {
        free(h->splits[i]);
    }
    free(h->splits);
    free(h->dataset);
    free(h->config);
    free(h->server);
    free(h->token);
    free(h->dir);
    fetch_free(h->fetch);
}

/* --- one question
 * ------------------------------------------------------------- */

static char *url_of(const struct hub *h, const char *split, int64_t offset)
{
    struct buf url;
    buf_init(&url, BUF_MAX_CONFIG);
    buf_printf(&url, "%s/%s?dataset=", h->server,
               split != NULL ? "rows" : "splits");
    fetch_escape(&url, h->dataset);
    if (split != NULL) {
        buf_str(&url, "&config=");
        fetch_escape(&url, h->config);
        buf_str(&url, "&split=");
        fetch_escape(&url, split);
        buf_printf(&url, "&offset=%" PRId64 "&length=%d", offset,
                   HUB_PAGE_ROWS);
    }
    return buf_take(&url);
}

void hub_ask(struct hub *h, const char *split, int64_t page, const char *etag)
{
    char *url = url_of(h, split, page * HUB_PAGE_ROWS);
    const struct fetch_request request = {.id = page,
                                          .url = url,
                                          .token = h->token,
                                          .etag = etag,
                                          .fd = -1,
                                          .max_bytes = BUF_MAX_PAGE};
    fetch_add(h->fetch, &request);
    free(url);
}

/* The sentence of a reply {"error": "..."}, "" when it has none; in out. */
static void server_says(const struct fetch_reply *r, char *out, size_t size)
{
    struct json *root;
    out[0] = '\0';
    if (json_parse(r->body.len > 0 ? r->body.data : "", r->body.len, &root,
                   NULL) != 0) {
        return;
    }
    const struct json *e =
        json_kind(root) == JSON_OBJECT ? json_get(root, "error") : NULL;
    if (e != NULL && json_kind(e) == JSON_STRING) {
        snprintf(out, size, " (the server says: %.300s)", json_string(e));
    }
    json_free(root);
}

static int refused(const struct hub *h, const struct fetch_reply *r,
                   struct err *err)
{
    char says[400];
    server_says(r, says, sizeof(says));
    bool is_external =
        r->error_code != NULL && strncmp(r->error_code, "External", 8) == 0;
    if (r->status == 401 || r->status == 403 || is_external) {
        return err_set(err, ERR_NOTFOUND,
                       h->token == NULL
                           ? "%s: no such data set, or it is private or gated: "
                             "then accept its terms on the Hub and set "
                             "HF_TOKEN%s"
                           : "%s: no such data set, or it is private or gated "
                             "and the token may not read it%s",
                       h->source, says);
    }
    if (r->status == 404) {
        return err_set(err, ERR_NOTFOUND, "%s: no such data set%s", h->source,
                       says);
    }
    return err_set(err, ERR_IO, "%s: the server answered %d%s", h->source,
                   r->status, says);
}

/* Wait for a reply that is no refusal. */
int hub_wait(struct hub *h, struct fetch_reply *out, struct err *err)
{
    int rc = fetch_wait(h->fetch, out, err);
    if (rc != 0) {
        return err_wrap(err, "%s", h->source);
    }
    if (out->status != 200 && out->status != HUB_UNCHANGED) {
        rc = refused(h, out, err);
        fetch_reply_fini(out);
    }
    return rc;
}
