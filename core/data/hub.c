/* The happy path: ask /splits what there is; for each split ask /rows for the
 * first page, which tells the revision and the number of rows; ask for the
 * pages that the cache lacks, several at once; write CACHE/hub/KEY/latest.
 *
 *   CACHE/hub/KEY/splits.json          of a data set, as it came
 *   CACHE/hub/KEY/latest               of a split: last complete revision
 *   CACHE/hub/KEY/REVISION/PAGE.json   as it came, checked
 *   CACHE/hub/KEY/unversioned/PAGE.tag of such a page: its SHA-256 and ETag
 *
 * Of a server that names no revision any page may have changed: all of them are
 * asked for each time, by ETag if there is one, and what they replace is no
 * complete copy until the last one is there.
 *
 * (KEY is a hash of server and names: a name never becomes a path.) Each file
 * appears whole or not at all, so a download that was killed goes on with the
 * pages it lacks. Possible failures: fetch.c outlasts a bad network; without
 * any the cache is used if it is complete; what the server refuses or does not
 * have becomes one sentence; a data set that changes in between is an error,
 * and the next try takes the new revision. */
#include "core/data/hub.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/data/fetch.h"
#include "core/data/hub_ask.h"
#include "core/data/hub_page.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNVERSIONED "unversioned"

enum { IN_FLIGHT = 8, REVISION_MAX = 64, TAG_MAX = 64 << 10 };

bool hub_is_source(const char *source)
{
    return strncmp(source, "hf:", 3) == 0;
}

/* The folder of a data set (split NULL) or of one of its splits. */
static char *key_dir(const struct hub *h, const char *split)
{
    char hash[HASH_HEX_SIZE];
    char *names =
        mem_printf("%s\n%s\n%s\n%s", h->server, h->dataset,
                   split != NULL ? h->config : "", split != NULL ? split : "");
    hash_bytes(names, strlen(names), hash);
    free(names);
    return mem_printf("%s/%s", h->dir, hash);
}

static int keep(const char *dir, const char *name, const struct buf *text,
                struct err *err)
{
    char *path = mem_printf("%s/%s", dir, name);
    int rc = file_mkdirs(dir, 0700, err);
    rc = rc == 0 ? file_write_atomic(path, text->len > 0 ? text->data : "",
                                     text->len, 0600, err)
                 : rc;
    free(path);
    return rc;
}

/* --- splits
 * ------------------------------------------------------------------- */

static int get_splits(struct hub *h, struct buf *text, struct err *err)
{
    struct fetch_reply reply;
    char *dir = key_dir(h, NULL), *path = mem_printf("%s/splits.json", dir);
    hub_ask(h, NULL, 0, NULL);
    int rc = hub_wait(h, &reply, err);
    if (rc == 0) {
        rc = keep(dir, "splits.json", &reply.body, err);
        buf_add(text, reply.body.data, reply.body.len);
        fetch_reply_fini(&reply);
    } else if (rc == ERR_UNREACHABLE && file_exists(path)) {
        h->is_offline = true;
        rc = file_read(path, text, err);
    }
    free(path);
    free(dir);
    return rc;
}

static const char *word(const struct json *object, const char *key)
{
    const struct json *v =
        json_kind(object) == JSON_OBJECT ? json_get(object, key) : NULL;
    return v != NULL && json_kind(v) == JSON_STRING ? json_string(v) : "";
}

/* The different values of a key, joined by ", ", of rows of this config (NULL:
 * all); how many. */
static size_t list_values(const struct json *list, const char *key,
                          const char *config, struct buf *out)
{
    size_t n = 0;
    const char *last = "";
    for (const struct json *s = json_first(list); s != NULL; s = json_next(s)) {
        const char *value = word(s, key);
        if (strcmp(value, last) != 0 &&
            (config == NULL || strcmp(word(s, "config"), config) == 0)) {
            buf_printf(out, "%s%s", n++ > 0 ? ", " : "", value);
            last = value;
        }
    }
    buf_str(out, "");
    return n;
}

static bool has_split(const struct json *list, const char *config,
                      const char *split)
{
    for (const struct json *s = json_first(list); s != NULL; s = json_next(s)) {
        if (strcmp(word(s, "config"), config) == 0 &&
            (split == NULL || strcmp(word(s, "split"), split) == 0)) {
            return true;
        }
    }
    return false;
}

static int choose_config(struct hub *h, const struct json *list,
                         struct err *err)
{
    struct buf names;
    buf_init(&names, 600);
    size_t n = list_values(list, "config", NULL, &names);
    int rc = 0;
    if (h->config != NULL) {
        rc = has_split(list, h->config, NULL)
                 ? 0
                 : err_set(err, ERR_NOTFOUND,
                           "%s: no config '%s' (there is: %s)", h->source,
                           h->config, names.data);
    } else if (n == 1) {
        h->config = mem_strdup(word(json_first(list), "config"));
    } else if (has_split(list, "default", NULL)) {
        h->config = mem_strdup("default");
    } else {
        rc = err_set(err, ERR_INVALID,
                     "%s: it has several configs, name one as %s/CONFIG: %s",
                     h->source, h->source, names.data);
    }
    buf_fini(&names);
    return rc;
}

static int choose_splits(struct hub *h, const struct json *list,
                         struct err *err)
{
    const struct source_query *q = h->query;
    struct buf names;
    h->splits = mem_alloc((size_t)json_size(list) + q->n_splits + 1,
                          sizeof(*h->splits));
    for (const struct json *s = json_first(list); q->n_splits == 0 && s != NULL;
         s = json_next(s)) {
        if (strcmp(word(s, "config"), h->config) == 0) {
            h->splits[h->n_splits++] = mem_strdup(word(s, "split"));
        }
    }
    for (size_t i = 0; i < q->n_splits; i++) {
        if (!has_split(list, h->config, q->splits[i])) {
            buf_init(&names, 600);
            list_values(list, "split", h->config, &names);
            int rc =
                err_set(err, ERR_NOTFOUND, "%s: no split '%s' (there is: %s)",
                        h->source, q->splits[i], names.data);
            buf_fini(&names);
            return rc;
        }
        h->splits[h->n_splits++] = mem_strdup(q->splits[i]);
    }
    return 0;
}

static int choose(struct hub *h, struct err *err)
{
    struct buf text;
    struct json *root = NULL;
    buf_init(&text, BUF_MAX_PAGE);
    int rc = get_splits(h, &text, err);
    if (rc == 0 &&
        json_parse(text.len > 0 ? text.data : "", text.len, &root, err) != 0) {
        rc = err_set(err, ERR_PROTO, "%s: the server's answer is no JSON",
                     h->source);
    }
    buf_fini(&text);
    if (rc != 0) {
        return rc;
    }
    const struct json *list =
        json_kind(root) == JSON_OBJECT ? json_get(root, "splits") : NULL;
    if (list == NULL || json_kind(list) != JSON_ARRAY || json_size(list) == 0) {
        rc = err_set(err, ERR_PROTO, "%s: the server names no splits",
                     h->source);
    } else {
        rc = choose_config(h, list, err);
        rc = rc == 0 ? choose_splits(h, list, err) : rc;
    }
    json_free(root);
    return rc;
}

/* --- pages
 * -------------------------------------------------------------------- */

struct split {
    const char *name;
    char *dir; /* of the split */
    char revision[REVISION_MAX + 1];
    int64_t n_rows, n_pages, n_kept;
};

static bool is_versioned(const struct split *s)
{
    return strcmp(s->revision, UNVERSIONED) != 0;
}

static char *page_path(const struct split *s, int64_t page)
{
    return mem_printf("%s/%s/%" PRId64 ".json", s->dir, s->revision, page);
}

static bool has_page(const struct split *s, int64_t page)
{
    char *path = page_path(s, page);
    bool has = file_exists(path);
    free(path);
    return has;
}

static void set_rows(struct split *s, int64_t n_rows)
{
    s->n_rows = n_rows;
    s->n_pages = n_rows == 0 ? 1 : (n_rows - 1) / HUB_PAGE_ROWS + 1;
}

/* The last complete revision: "REVISION ROWS". */
static bool read_latest(struct split *s)
{
    struct buf text;
    char *path = mem_printf("%s/latest", s->dir);
    long long n_rows = -1;
    buf_init(&text, 256);
    bool ok = file_exists(path) && file_read(path, &text, NULL) == 0 &&
              text.len > 0 &&
              sscanf(text.data, "%64s %lld", s->revision, &n_rows) == 2 &&
              n_rows >= 0 && hub_is_plain(s->revision, strlen(s->revision));
    buf_fini(&text);
    free(path);
    if (ok) {
        set_rows(s, n_rows);
    }
    return ok;
}

static bool is_complete(const struct split *s)
{
    for (int64_t i = 0; i < s->n_pages; i++) {
        if (!has_page(s, i)) {
            return false;
        }
    }
    return true;
}

static int write_latest(const struct split *s, struct err *err)
{
    struct buf text;
    buf_init(&text, 256);
    buf_printf(&text, "%s %" PRId64 "\n", s->revision, s->n_rows);
    int rc = keep(s->dir, "latest", &text, err);
    buf_fini(&text);
    return rc;
}

static int wrap_split(const struct hub *h, const struct split *s,
                      struct err *err)
{
    return err_wrap(err, "%s: split '%s'", h->source, s->name);
}

static void tell(const struct hub *h, const struct split *s)
{
    const struct fetch_watch *w = h->query->watch;
    int64_t done = s->n_kept * HUB_PAGE_ROWS;
    if (w != NULL && w->on_progress != NULL) {
        w->on_progress(w->ctx, (uint64_t)(done < s->n_rows ? done : s->n_rows),
                       (uint64_t)s->n_rows, "rows");
    }
}

/* --- pages without a revision --------------------------------------------- */

static char *tag_path(const struct split *s, int64_t page)
{
    return mem_printf("%s/" UNVERSIONED "/%" PRId64 ".tag", s->dir, page);
}

/* The tag of a page in the cache, or NULL: none, or not of these bytes. */
static char *read_tag(const struct split *s, int64_t page)
{
    char sha256[HASH_HEX_SIZE], *tag = NULL;
    char *path = page_path(s, page), *at = tag_path(s, page);
    uint64_t size;
    struct buf text;
    buf_init(&text, TAG_MAX);
    if (!is_versioned(s) && file_exists(path) && file_exists(at) &&
        file_sha256(path, sha256, &size, NULL) == 0 &&
        file_read(at, &text, NULL) == 0 && text.len > strlen(sha256) + 1 &&
        memcmp(text.data, sha256, strlen(sha256)) == 0) {
        tag = mem_strdup(text.data + strlen(sha256) + 1);
    }
    buf_fini(&text);
    free(at);
    free(path);
    return tag;
}

static int keep_tag(const struct split *s, const struct fetch_reply *r,
                    struct err *err)
{
    char sha256[HASH_HEX_SIZE], *path = tag_path(s, r->id);
    hash_bytes(r->body.data, r->body.len, sha256);
    char *text = mem_printf("%s %s", sha256, r->etag);
    int rc = file_write_atomic(path, text, strlen(text), 0600, err);
    free(text);
    free(path);
    return rc;
}

static bool has_bytes(const struct split *s, int64_t page,
                      const struct buf *bytes)
{
    struct buf was;
    char *path = page_path(s, page);
    buf_init(&was, BUF_MAX_PAGE);
    bool has = file_exists(path) && file_read(path, &was, NULL) == 0 &&
               was.len == bytes->len &&
               memcmp(was.data, bytes->data, was.len) == 0;
    buf_fini(&was);
    free(path);
    return has;
}

/* The pages in the cache are about to become a mixture of two states. */
static void forget_latest(const struct split *s)
{
    struct split last = *s;
    char *path = mem_printf("%s/latest", s->dir);
    if (read_latest(&last) && !is_versioned(&last)) {
        unlink(path);
    }
    free(path);
}

/* Ask for a page; not for its bytes if the cache has those of its tag. */
static void ask_page(struct hub *h, const struct split *s, int64_t page)
{
    char *tag = read_tag(s, page);
    hub_ask(h, s->name, page, tag);
    free(tag);
}

/* A reply that nothing changed gets the bytes that the cache has. */
static int fill_unchanged(const struct split *s, struct fetch_reply *r,
                          struct err *err)
{
    if (r->status != HUB_UNCHANGED) {
        return 0;
    }
    char *path = page_path(s, r->id);
    buf_fini(&r->body);
    buf_init(&r->body, BUF_MAX_PAGE);
    int rc = file_read(path, &r->body, err);
    free(path);
    return rc;
}

/* --- taking pages --------------------------------------------------------- */

static int keep_page(const struct split *s, const struct fetch_reply *r,
                     struct err *err)
{
    char name[32];
    char *dir = mem_printf("%s/%s", s->dir, s->revision);
    bool is_kept = !is_versioned(s) && has_bytes(s, r->id, &r->body);
    int rc = 0;
    if (!is_kept) {
        if (!is_versioned(s)) {
            forget_latest(s);
        }
        snprintf(name, sizeof(name), "%" PRId64 ".json", r->id);
        rc = keep(dir, name, &r->body, err);
    }
    free(dir);
    bool has_tag =
        !is_versioned(s) && r->etag != NULL && r->status != HUB_UNCHANGED;
    return rc == 0 && has_tag ? keep_tag(s, r, err) : rc;
}

static int take_first(struct hub *h, struct split *s, struct fetch_reply *r,
                      struct err *err)
{
    struct hub_page page;
    const struct row_columns columns = {h->query->text, h->query->label,
                                        h->query->named_by};
    int rc = fill_unchanged(s, r, err);
    if (rc != 0) {
        return rc;
    }
    bool is_named = r->revision != NULL &&
                    strlen(r->revision) <= REVISION_MAX &&
                    hub_is_plain(r->revision, strlen(r->revision));
    snprintf(s->revision, sizeof(s->revision), "%s",
             is_named ? r->revision : UNVERSIONED);
    rc =
        hub_page_parse((struct span){r->body.data, r->body.len}, 0, &page, err);
    if (rc != 0) {
        return rc;
    }
    set_rows(s, page.n_total);
    if (columns.text != NULL) {
        rc = hub_page_check_columns(&page, &columns, err);
    }
    hub_page_fini(&page);
    return rc == 0 ? keep_page(s, r, err) : rc;
}

static int take_page(const struct split *s, struct fetch_reply *r,
                     struct err *err)
{
    struct hub_page page;
    if (r->revision != NULL && is_versioned(s) &&
        strcmp(r->revision, s->revision) != 0) {
        return err_set(err, ERR_CONFLICT,
                       "it changed on the server while it was downloaded; try "
                       "again");
    }
    int rc = fill_unchanged(s, r, err);
    rc = rc == 0 ? hub_page_parse((struct span){r->body.data, r->body.len},
                                  r->id * HUB_PAGE_ROWS, &page, err)
                 : rc;
    if (rc != 0) {
        return rc;
    }
    rc = page.n_total != s->n_rows
             ? err_set(err, ERR_CONFLICT,
                       "its number of rows changed while it was downloaded; "
                       "try again")
             : keep_page(s, r, err);
    hub_page_fini(&page);
    return rc;
}

/* The pages after the first that the cache lacks, or may have of old. */
static int fetch_rest(struct hub *h, struct split *s, struct err *err)
{
    int64_t next = 1;
    int n_asked = 0, rc = 0;
    s->n_kept = 1;
    while (rc == 0) {
        for (; next < s->n_pages && n_asked < IN_FLIGHT; next++) {
            if (is_versioned(s) && has_page(s, next)) {
                s->n_kept++;
            } else {
                ask_page(h, s, next);
                n_asked++;
            }
        }
        tell(h, s);
        if (n_asked == 0) {
            break;
        }
        struct fetch_reply reply;
        rc = hub_wait(h, &reply, err);
        if (rc == 0) {
            rc = take_page(s, &reply, err);
            rc = rc == 0 ? 0 : wrap_split(h, s, err);
            fetch_reply_fini(&reply);
            s->n_kept++;
            n_asked--;
        }
    }
    return rc;
}

static int use_cache(struct hub *h, struct split *s, struct err *err)
{
    if (!read_latest(s) || !is_complete(s)) {
        return err_set(err, ERR_UNREACHABLE,
                       "%s: split '%s': %s cannot be reached, and the cache "
                       "has no complete copy",
                       h->source, s->name, h->server);
    }
    fetch_note(h->query->watch,
               "%s: split '%s': the server cannot be reached, using the copy "
               "in the cache (revision %.12s)",
               h->source, s->name, s->revision);
    return 0;
}

static int fetch_split(struct hub *h, struct split *s, struct err *err)
{
    struct fetch_reply reply;
    if (h->is_offline) {
        return use_cache(h, s, err);
    }
    snprintf(s->revision, sizeof(s->revision), UNVERSIONED); /* not known yet */
    ask_page(h, s, 0);
    int rc = hub_wait(h, &reply, err);
    if (rc != 0) {
        return rc == ERR_UNREACHABLE ? use_cache(h, s, err) : rc;
    }
    rc = take_first(h, s, &reply, err);
    rc = rc == 0 ? 0 : wrap_split(h, s, err);
    fetch_reply_fini(&reply);
    rc = rc == 0 ? fetch_rest(h, s, err) : rc;
    return rc == 0 ? write_latest(s, err) : rc;
}

/* --- rows
 * --------------------------------------------------------------------- */

static int emit_page(const struct hub *h, const struct split *s, int64_t at,
                     struct err *err)
{
    struct buf text;
    struct hub_page page;
    const struct row_columns columns = {h->query->text, h->query->label,
                                        h->query->named_by};
    char *path = page_path(s, at);
    buf_init(&text, BUF_MAX_PAGE);
    int rc = file_read(path, &text, err);
    if (rc == 0) {
        rc = hub_page_parse((struct span){text.data, text.len},
                            at * HUB_PAGE_ROWS, &page, err);
        if (rc != 0) { /* damaged since: the next download brings it anew */
            unlink(path);
        }
    }
    if (rc == 0) {
        rc = hub_page_emit(&page, &columns, h->sink, err);
        hub_page_fini(&page);
    }
    buf_fini(&text);
    free(path);
    return rc == 0 ? 0 : wrap_split(h, s, err);
}

static int do_split(struct hub *h, const char *name, struct err *err)
{
    struct split s = {.name = name, .dir = key_dir(h, name)};
    int rc = fetch_split(h, &s, err);
    for (int64_t i = 0; rc == 0 && h->sink != NULL && i < s.n_pages; i++) {
        rc = emit_page(h, &s, i, err);
    }
    h->n_rows += rc == 0 ? (uint64_t)s.n_rows : 0;
    free(s.dir);
    return rc;
}

static int run(const char *source, const struct source_query *q,
               const struct row_sink *sink, struct hub_result *out,
               struct err *err)
{
    struct hub h = {.source = source, .query = q, .sink = sink};
    int rc = hub_begin(&h, err);
    rc = rc == 0 ? choose(&h, err) : rc;
    for (size_t i = 0; rc == 0 && i < h.n_splits; i++) {
        rc = do_split(&h, h.splits[i], err);
    }
    if (rc == 0) {
        *out = (struct hub_result){h.n_rows, h.is_offline};
    }
    hub_end(&h);
    return rc;
}

int hub_fetch(const char *source, const struct source_query *q,
              struct hub_result *out, struct err *err)
{
    return run(source, q, NULL, out, err);
}

int hub_read(const char *source, const struct source_query *q,
             const struct row_sink *sink, struct err *err)
{
    struct hub_result ignored;
    return run(source, q, sink, &ignored, err);
}
