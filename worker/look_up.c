#include "worker/look_up.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/spec/tabulated.h"
#include "core/wire/msg.h"
#include "worker/functions.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct look_up {
    struct trial_id id;
    struct objective_out out;
    double value;
};

static void *found(const struct objective_task *task, double value)
{
    struct look_up *l = mem_alloc(1, sizeof(*l));
    *l = (struct look_up){task->assign->id, task->out, value};
    return l;
}

/* --- tables -----------------------------------------------------------------
 */

static int find_cell(const struct json *table, const struct json *params,
                     int64_t *cell, struct err *err)
{
    const struct json *space, *values;
    const char *name;
    int rc = tabulated_space(table, &space, err);
    *cell = 0;
    for (const struct json *axis = rc == 0 ? json_first(space) : NULL;
         axis != NULL; axis = json_next(axis)) {
        rc = tabulated_axis(axis, &name, &values, err);
        if (rc != 0) {
            return rc;
        }
        const struct json *value = json_get(params, name);
        int64_t index = 0;
        rc = value != NULL ? tabulated_index(values, value, &index, err)
                           : err_set(err, ERR_INVALID, "no such parameter");
        if (rc != 0) {
            return err_wrap(err, "params.%s", name);
        }
        *cell = *cell * json_size(values) + index;
    }
    if (rc != 0) {
        return rc;
    }
    return json_size(space) == json_size(params)
               ? 0
               : err_set(err, ERR_INVALID,
                         "params: the table has %d parameters, not %d",
                         json_size(space), json_size(params));
}

static int read_cell(const struct json *table, const struct json *params,
                     double *value, struct err *err)
{
    int64_t cell;
    int rc = find_cell(table, params, &cell, err);
    if (rc != 0) {
        return rc;
    }
    const struct json *values = json_get(table, "values");
    if (values == NULL || json_kind(values) != JSON_ARRAY ||
        json_size(values) <= cell) {
        return err_set(err, ERR_INVALID, "the table has no value there");
    }
    const struct json *v = json_first(values);
    for (int64_t i = 0; i < cell; i++) {
        v = json_next(v);
    }
    *value = json_kind(v) == JSON_NUMBER ? json_number(v) : (double)NAN;
    return 0;
}

static int read_table(const char *path, struct json **table, struct err *err)
{
    struct buf text;
    buf_init(&text, BUF_MAX_RESPONSE);
    int rc = file_read(path, &text, err);
    if (rc == 0) {
        rc = json_parse(text.data, text.len, table, err);
    }
    buf_fini(&text);
    return rc;
}

/* The worker's memory holds the table, read now or for an earlier trial. */
static int remember_table(struct objective_memory *m, const char *path,
                          struct err *err)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return err_sys(err, errno, "cannot be read");
    }
    int64_t changed_ns =
        (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    if (m->table != NULL && strcmp(m->path, path) == 0 &&
        m->inode == (int64_t)st.st_ino && m->size == st.st_size &&
        m->changed_ns == changed_ns) {
        return 0;
    }
    struct json *table;
    int rc = read_table(path, &table, err);
    if (rc == 0) {
        objective_memory_fini(m);
        *m = (struct objective_memory){.path = mem_strdup(path),
                                       .table = table,
                                       .inode = (int64_t)st.st_ino,
                                       .size = st.st_size,
                                       .changed_ns = changed_ns};
    }
    return rc;
}

int look_up_table(const struct objective_task *task, void **job,
                  struct err *err)
{
    const struct json *path = json_get(task->spec, "path");
    double value = 0.0;
    if (path == NULL || json_kind(path) != JSON_STRING) {
        return err_set(err, ERR_INVALID, "objective.path: missing");
    }
    int rc = remember_table(task->memory, json_string(path), err);
    if (rc == 0) {
        rc = read_cell(task->memory->table, task->params, &value, err);
    }
    if (rc != 0) {
        return err_wrap(err, "%s", json_string(path));
    }
    *job = found(task, value);
    return 0;
}

/* --- functions
 * ---------------------------------------------------------------- */

int look_up_function(const struct objective_task *task, void **job,
                     struct err *err)
{
    const struct json *name = json_get(task->spec, "function");
    size_t n = 0;
    double value = 0.0;
    double *x = mem_alloc((size_t)json_size(task->params), sizeof(*x));
    int rc = 0;
    for (const struct json *p = json_first(task->params); rc == 0 && p != NULL;
         p = json_next(p)) {
        if (json_kind(p) != JSON_NUMBER) {
            rc = err_set(err, ERR_INVALID,
                         "params.%s: a function takes numbers", json_key(p));
        } else {
            x[n++] = json_number(p);
        }
    }
    if (rc == 0) {
        rc = name != NULL && json_kind(name) == JSON_STRING
                 ? function_value(json_string(name), x, n, &value, err)
                 : err_set(err, ERR_INVALID, "objective.function: missing");
    }
    if (rc == 0) {
        *job = found(task, value);
    }
    free(x);
    return rc;
}

/* --- turns
 * --------------------------------------------------------------------- */

enum objective_turn look_up_step(void *job, int64_t mono_ms)
{
    struct look_up *l = job;
    (void)mono_ms;
    struct msg m = {.type = MSG_DONE,
                    .done = {.id = l->id, .value = l->value, .best_epoch = -1}};
    l->out.say(l->out.ctx, &m);
    return OBJECTIVE_ENDED;
}

bool look_up_stop(void *job, bool keep)
{
    struct look_up *l = job;
    (void)keep;
    struct msg m = {.type = MSG_STOPPED, .stopped = {.id = l->id}};
    l->out.say(l->out.ctx, &m);
    return true;
}

void look_up_free(void *job)
{
    free(job);
}
