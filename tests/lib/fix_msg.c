#include "tests/lib/fix_msg.h"
#include "core/base/mem.h"

#include <math.h>
#include <string.h>

const int *fix_msg_types(size_t *n)
{
    static const int types[] = {
#define X(NAME, number, member) number,
        MSG_LIST(X)
#undef X
    };
    *n = ARRAY_LEN(types);
    return types;
}

static void fill_I(struct rng *r, int64_t *v)
{
    *v = (int64_t)((uint64_t)rng_u32(r) << 32 | rng_u32(r));
}

/* Any 64 bits, and now and then a NaN with a payload. */
static void fill_D(struct rng *r, double *v)
{
    int64_t bits;
    fill_I(r, &bits);
    if (rng_below(r, 3) == 0) {
        bits |= 0x7FF8000000000001;
    }
    memcpy(v, &bits, sizeof(bits));
}

static void fill_S(struct rng *r, char **v)
{
    static const char *const texts[] = {"", "a", "\xC3\xA9\xF0\x9F\x98\x80\n",
                                        "{\"json\": [1]}"};
    *v = rng_below(r, 5) == 0
             ? mem_printf("%0*d", (int)rng_below(r, 5000) + 1, 7)
             : mem_strdup(texts[rng_below(r, ARRAY_LEN(texts))]);
}

static void fill_ID(struct rng *r, struct trial_id *v)
{
    fill_I(r, &v->study);
    fill_I(r, &v->number);
    fill_I(r, &v->attempt);
}

static void fill_MEMORY(struct rng *r, struct trial_memory *v)
{
    fill_I(r, &v->peak);
    fill_I(r, &v->planned);
    fill_I(r, &v->of_worker);
}

static void fill_METRICS(struct rng *r, struct run_metrics *v)
{
    for (int i = 0; i < RUN_N_METRICS; i++) {
        fill_D(r, &v->value[i]);
    }
}

static void fill_RUN(struct rng *r, struct run *v)
{
    run_defaults(v);
    for (int i = 0; i < RUN_N_FIELDS; i++) {
        run_set(v, i, floor(rng_double(r) * 1e6));
    }
    fill_D(r, &v->lr);
    for (int i = 0; i < 3; i++) {
        fill_D(r, &v->fractions[i]);
    }
    fill_I(r, &v->threads);
    fill_I(r, &v->trial);
    v->seed = (uint64_t)rng_u32(r) << 32 | rng_u32(r);
}

void fix_msg_random(struct rng *r, int type, struct msg *out)
{
    memset(out, 0, sizeof(*out));
    out->type = (enum msg_type)type;
    switch (out->type) {
#define F(t, name) fill_##t(r, &body->name);
#define X(NAME, number, member)                                                \
    case MSG_##NAME: {                                                         \
        struct msg_##member *body = &out->member;                              \
        MSG_##NAME##_FIELDS(F) break;                                          \
    }
        MSG_LIST(X)
#undef X
#undef F
    }
}
