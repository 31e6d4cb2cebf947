#include "worker/objective.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/wire/msg.h"
#include "worker/classifier.h"
#include "worker/command.h"
#include "worker/look_up.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int objective_cause(int code)
{
    switch (code) {
    case ERR_LIMIT:
        return TRIAL_CAUSE_OOM;
    case ERR_FULL:
    case ERR_IO:
        return TRIAL_CAUSE_DISK;
    case ERR_NOTFOUND:
    case ERR_CORRUPT:
        return TRIAL_CAUSE_DATA;
    case ERR_UNREACHABLE: /* process_start: the system makes no process now */
        return TRIAL_CAUSE_SPAWN;
    default:
        return TRIAL_CAUSE_INVALID;
    }
}

/* --- the kinds -------------------------------------------------------------
 */

struct kind {
    const char *type;
    enum objective_turn (*step)(void *job, int64_t mono_ms);
    bool (*stop)(void *job, bool keep);
    void (*free)(void *job);
    /* NULL: the training, which takes its assignment as it is */
    int (*begin)(const struct objective_task *task, void **job,
                 struct err *err);
};

struct objective {
    const struct kind *kind;
    void *job;
};

static enum objective_turn step_classifier(void *job, int64_t mono_ms)
{
    return classifier_step(job, mono_ms);
}

static bool stop_classifier(void *job, bool keep)
{
    classifier_stop(job, keep);
    return true;
}

static void free_classifier(void *job)
{
    classifier_free(job);
}

static const struct kind TRAINING = {"classifier", step_classifier,
                                     stop_classifier, free_classifier, NULL};
static const struct kind KINDS[] = {
    {"table", look_up_step, look_up_stop, look_up_free, look_up_table},
    {"function", look_up_step, look_up_stop, look_up_free, look_up_function},
    {"command", command_step, command_stop, command_free, command_begin},
};

static const struct kind *kind_of(const struct json *spec)
{
    const struct json *type = json_get(spec, "type");
    for (size_t i = 0; type != NULL && i < ARRAY_LEN(KINDS); i++) {
        if (json_kind(type) == JSON_STRING &&
            strcmp(KINDS[i].type, json_string(type)) == 0) {
            return &KINDS[i];
        }
    }
    return NULL;
}

static int parse_object(const char *text, const char *what, struct json **out,
                        struct err *err)
{
    int rc = json_parse(text, strlen(text), out, err);
    if (rc == 0 && json_kind(*out) != JSON_OBJECT) {
        json_free(*out);
        rc = err_set(err, ERR_INVALID, "not an object");
    }
    return rc != 0 ? err_wrap(err, "%s", what) : 0;
}

static int begin_other(const struct msg_assign *a,
                       const struct objective_out *out,
                       struct objective_memory *memory, struct objective *o,
                       struct err *err)
{
    struct json *spec, *params;
    int rc = parse_object(a->objective, "objective", &spec, err);
    if (rc != 0) {
        return rc;
    }
    rc = parse_object(a->params, "params", &params, err);
    if (rc == 0) {
        struct objective_task task = {a, spec, params, *out, memory};
        o->kind = kind_of(spec);
        rc = o->kind != NULL
                 ? o->kind->begin(&task, &o->job, err)
                 : err_set(err, ERR_INVALID, "objective.type: unknown");
        json_free(params);
    }
    json_free(spec);
    return rc;
}

/* The log is of all the trial's attempts: where another one begins. */
static void print_attempt(int64_t attempt)
{
    char at[32] = "";
    time_t now = time(NULL);
    struct tm tm;
    if (attempt > 1 && gmtime_r(&now, &tm) != NULL) {
        strftime(at, sizeof(at), "%Y-%m-%d %H:%M:%S", &tm);
        printf("--- attempt %" PRId64 ", %s UTC ---\n", attempt, at);
        fflush(stdout);
    }
}

int objective_new(const struct msg_assign *assign,
                  const struct objective_out *out,
                  struct objective_memory *memory, struct objective **result,
                  struct err *err)
{
    struct objective o = {.kind = &TRAINING};
    int rc;
    if (assign->metric < 0 || assign->metric >= RUN_N_METRICS) {
        return err_set(err, ERR_INVALID, "metric %d is unknown",
                       (int)assign->metric);
    }
    print_attempt(assign->id.attempt);
    if (assign->objective[0] == '\0') {
        struct classifier *c;
        rc = classifier_new(assign, out, &c, err);
        o.job = rc == 0 ? c : NULL;
    } else {
        rc = begin_other(assign, out, memory, &o, err);
    }
    if (rc == 0) {
        *result = mem_alloc(1, sizeof(**result));
        **result = o;
    }
    return rc;
}

void objective_memory_fini(struct objective_memory *m)
{
    json_free(m->table);
    free(m->path);
    *m = (struct objective_memory){.path = NULL};
}

void objective_free(struct objective *o)
{
    if (o != NULL) {
        o->kind->free(o->job);
        free(o);
    }
}

enum objective_turn objective_step(struct objective *o, int64_t mono_ms)
{
    return o->kind->step(o->job, mono_ms);
}

bool objective_stop(struct objective *o, bool keep)
{
    return o->kind->stop(o->job, keep);
}
