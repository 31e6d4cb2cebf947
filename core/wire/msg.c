#include "core/wire/msg.h"
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/base/utf8.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- encode --------------------------------------------------------------- */

static void put_word(struct buf *out, uint64_t v, int n_bytes)
{
    unsigned char bytes[8];
    for (int i = 0; i < n_bytes; i++) {
        bytes[i] = (unsigned char)(v >> (8 * i));
    }
    buf_add(out, bytes, (size_t)n_bytes);
}

static void put_I(struct buf *out, const int64_t *v)
{
    put_word(out, (uint64_t)*v, 8);
}

static void put_D(struct buf *out, const double *v)
{
    uint64_t bits;
    memcpy(&bits, v, sizeof(bits));
    put_word(out, bits, 8);
}

/* NULL is sent as "". */
static void put_S(struct buf *out, char *const *v)
{
    size_t len = *v != NULL ? strlen(*v) : 0;
    if (len > UINT32_MAX) {
        out->overflow = true;
        return;
    }
    put_word(out, len, 4);
    buf_add(out, *v, len);
}

static void put_ID(struct buf *out, const struct trial_id *v)
{
    put_I(out, &v->study);
    put_I(out, &v->number);
    put_I(out, &v->attempt);
}

static void put_MEMORY(struct buf *out, const struct trial_memory *v)
{
    put_I(out, &v->peak);
    put_I(out, &v->planned);
    put_I(out, &v->of_worker);
}

static void put_METRICS(struct buf *out, const struct run_metrics *v)
{
    for (int i = 0; i < RUN_N_METRICS; i++) {
        put_D(out, &v->value[i]);
    }
}

#define put_INT           put_I
#define put_REAL          put_D
#define put_SPLIT         put_I
#define put_MASK          put_I
#define put_POSITION      put_I
#define put_RESIDUAL      put_I
#define put_NORM          put_I
#define put_ACTIVATION    put_I
#define put_POOLING       put_I
#define put_LR_SCHEDULE   put_I
#define put_CLASS_WEIGHTS put_I
#define put_PRECISION     put_I
#define put_MONITOR       put_I

static void put_RUN(struct buf *out, const struct run *v)
{
#define X(section, key, type, member, def, before, low, high, search, help)    \
    put_##type(out, &v->member);
    RUN_FIELDS(X)
#undef X
    for (int i = 0; i < 3; i++) {
        put_D(out, &v->fractions[i]);
    }
    put_I(out, &v->threads);
    put_word(out, v->seed, 8);
    put_I(out, &v->trial);
}

void msg_encode(const struct msg *m, struct buf *out)
{
    switch (m->type) {
#define F(type, name) put_##type(out, &body->name);
#define X(NAME, number, member)                                                \
    case MSG_##NAME: {                                                         \
        const struct msg_##member *body = &m->member;                          \
        MSG_##NAME##_FIELDS(F) return;                                         \
    }
        MSG_LIST(X)
#undef X
#undef F
    }
}

/* --- decode --------------------------------------------------------------- */

struct reader {
    const unsigned char *at;
    size_t left;
};

static const char SHORT[] = "the payload is too short";

static uint64_t word_at(const unsigned char *bytes, int n_bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < n_bytes; i++) {
        v |= (uint64_t)bytes[i] << (8 * i);
    }
    return v;
}

/* get_*: NULL, or why the field cannot be read. */
static const char *get_word(struct reader *r, uint64_t *v, int n_bytes)
{
    if (r->left < (size_t)n_bytes) {
        return SHORT;
    }
    *v = word_at(r->at, n_bytes);
    r->at += n_bytes;
    r->left -= (size_t)n_bytes;
    return NULL;
}

static const char *get_I(struct reader *r, int64_t *v)
{
    uint64_t bits = 0;
    const char *why = get_word(r, &bits, 8);
    *v = (int64_t)bits;
    return why;
}

static const char *get_D(struct reader *r, double *v)
{
    uint64_t bits = 0;
    const char *why = get_word(r, &bits, 8);
    memcpy(v, &bits, sizeof(bits));
    return why;
}

static const char *get_S(struct reader *r, char **v)
{
    uint64_t len = 0;
    const char *why = get_word(r, &len, 4);
    if (why != NULL) {
        return why;
    }
    if (len > r->left) {
        return SHORT;
    }
    const char *text = (const char *)r->at;
    if (!utf8_is_valid(text, len) || memchr(text, '\0', len) != NULL) {
        return "not text in UTF-8";
    }
    *v = mem_strndup(text, len);
    r->at += len;
    r->left -= len;
    return NULL;
}

static const char *get_ID(struct reader *r, struct trial_id *v)
{
    const char *why = get_I(r, &v->study);
    why = why != NULL ? why : get_I(r, &v->number);
    return why != NULL ? why : get_I(r, &v->attempt);
}

static const char *get_MEMORY(struct reader *r, struct trial_memory *v)
{
    const char *why = get_I(r, &v->peak);
    why = why != NULL ? why : get_I(r, &v->planned);
    return why != NULL ? why : get_I(r, &v->of_worker);
}

static const char *get_METRICS(struct reader *r, struct run_metrics *v)
{
    const char *why = NULL;
    for (int i = 0; why == NULL && i < RUN_N_METRICS; i++) {
        why = get_D(r, &v->value[i]);
    }
    return why;
}

#define get_INT           get_I
#define get_REAL          get_D
#define get_SPLIT         get_I
#define get_MASK          get_I
#define get_POSITION      get_I
#define get_RESIDUAL      get_I
#define get_NORM          get_I
#define get_ACTIVATION    get_I
#define get_POOLING       get_I
#define get_LR_SCHEDULE   get_I
#define get_CLASS_WEIGHTS get_I
#define get_PRECISION     get_I
#define get_MONITOR       get_I

static const char *get_RUN(struct reader *r, struct run *v)
{
    const char *why = NULL;
#define X(section, key, type, member, def, before, low, high, search, help)    \
    why = why != NULL ? why : get_##type(r, &v->member);
    RUN_FIELDS(X)
#undef X
    for (int i = 0; why == NULL && i < 3; i++) {
        why = get_D(r, &v->fractions[i]);
    }
    why = why != NULL ? why : get_I(r, &v->threads);
    why = why != NULL ? why : get_word(r, &v->seed, 8);
    return why != NULL ? why : get_I(r, &v->trial);
}

/* Fill m's fields in order; *field is the one that went wrong. */
static const char *get_body(struct reader *r, struct msg *m, const char **field)
{
    const char *why = NULL;
    switch (m->type) {
#define F(type, name)                                                          \
    if (why == NULL) {                                                         \
        *field = #name;                                                        \
        why = get_##type(r, &body->name);                                      \
    }
#define X(NAME, number, member)                                                \
    case MSG_##NAME: {                                                         \
        struct msg_##member *body = &m->member;                                \
        MSG_##NAME##_FIELDS(F) break;                                          \
    }
        MSG_LIST(X)
#undef X
#undef F
    }
    return why;
}

static bool type_exists(int type)
{
    switch (type) {
#define X(NAME, number, member) case number:
        MSG_LIST(X)
#undef X
        return true;
    default:
        return false;
    }
}

int msg_decode(int type, const void *bytes, size_t n, struct msg *out,
               struct err *err)
{
    if (!type_exists(type)) {
        return err_set(err, ERR_PROTO, "unknown message type %d", type);
    }
    struct msg m;
    memset(&m, 0, sizeof(m)); /* strings not read yet are NULL */
    m.type = (enum msg_type)type;
    struct reader r = {.at = bytes, .left = n};
    const char *field = "";
    const char *why = get_body(&r, &m, &field);
    if (why == NULL && r.left != 0) {
        msg_fini(&m);
        return err_set(err, ERR_PROTO, "%s: %zu bytes after the last field",
                       msg_name(type), r.left);
    }
    if (why != NULL) {
        msg_fini(&m);
        return err_set(err, ERR_PROTO, "%s.%s: %s", msg_name(type), field, why);
    }
    *out = m;
    return 0;
}

/* --- the rest ------------------------------------------------------------- */

#define fini_I(v)       ((void)(v))
#define fini_D(v)       ((void)(v))
#define fini_ID(v)      ((void)(v))
#define fini_RUN(v)     ((void)(v))
#define fini_METRICS(v) ((void)(v))
#define fini_MEMORY(v)  ((void)(v))

static void fini_S(char **v)
{
    free(*v);
    *v = NULL;
}

void msg_fini(struct msg *m)
{
    switch (m->type) {
#define F(type, name) fini_##type(&body->name);
#define X(NAME, number, member)                                                \
    case MSG_##NAME: {                                                         \
        struct msg_##member *body = &m->member;                                \
        MSG_##NAME##_FIELDS(F) return;                                         \
    }
        MSG_LIST(X)
#undef X
#undef F
    }
}

const char *msg_name(int type)
{
    switch (type) {
#define X(NAME, number, member)                                                \
    case number:                                                               \
        return #NAME;
        MSG_LIST(X)
#undef X
    default:
        return "UNKNOWN";
    }
}
