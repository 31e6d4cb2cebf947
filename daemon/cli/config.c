#include "daemon/cli/config.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/utf8.h"
#include "core/spec/spec.h"
#include "core/spec/spec_json.h"
#include "core/spec/tabulated.h"
#include "daemon/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- flags ---------------------------------------------------------------- */

bool config_on_option(struct config_flags *f, int key, const char *arg,
                      struct argp_state *state)
{
    switch (key) {
    case CONFIG_KEY_NAME:
        f->name = arg;
        return true;
    case CONFIG_KEY_TRIALS:
        f->n_trials = cli_number(state, "trials", arg, 1, SPEC_MAX_TRIALS);
        return true;
    case CONFIG_KEY_WORKERS:
        f->workers = cli_number(state, "workers", arg, 1, SPEC_MAX_WORKERS);
        return true;
    case CONFIG_KEY_SEED:
        f->seed = cli_number(state, "seed", arg, 0, (int64_t)1 << 53);
        f->has_seed = true;
        return true;
    case CONFIG_KEY_SET:
        if (strchr(arg, '=') == NULL || arg[0] == '=') {
            argp_error(state, "--set: expected PATH=VALUE, not '%s'", arg);
        }
        f->sets = mem_grow(f->sets, f->n_sets + 1, sizeof(*f->sets));
        f->sets[f->n_sets++] = arg;
        return true;
    default:
        return false;
    }
}

void config_flags_fini(struct config_flags *f)
{
    free(f->sets);
}

const char *config_who_says(const struct config_flags *f, const char *path)
{
    size_t len = strlen(path);
    if (f->n_trials > 0 && strcmp(path, "n_trials") == 0) {
        return "--trials";
    }
    if (f->workers > 0 && strcmp(path, "workers") == 0) {
        return "--workers";
    }
    for (size_t i = 0; i < f->n_sets; i++) {
        if (strncmp(f->sets[i], path, len) == 0 && f->sets[i][len] == '=') {
            return "--set";
        }
    }
    return "the config";
}

/* --- values --------------------------------------------------------------- */

static struct json *parsed(struct buf *text)
{
    struct json *out = NULL;
    int rc = json_parse(text->data, text->len, &out, NULL);
    buf_fini(text);
    return rc == 0 ? out : NULL;
}

static struct json *string_value(const char *s)
{
    struct buf text;
    struct json_out w;
    buf_init(&text, BUF_MAX_CONFIG);
    json_out_init(&w, &text, JSON_COMPACT);
    json_put_string(&w, s);
    return parsed(&text);
}

static struct json *integer_value(int64_t v)
{
    struct buf text;
    struct json_out w;
    buf_init(&text, BUF_MAX_CONFIG);
    json_out_init(&w, &text, JSON_COMPACT);
    json_put_int(&w, v);
    return parsed(&text);
}

static bool is_path(const char *source)
{
    return source[0] != '/' && strncmp(source, "hf:", 3) != 0 &&
           strncmp(source, "https://", 8) != 0 &&
           strncmp(source, "http://", 7) != 0;
}

static void put_source(struct json_out *w, const char *cwd,
                       const struct json *source)
{
    if (json_kind(source) != JSON_STRING || !is_path(json_string(source))) {
        json_put_node(w, source);
        return;
    }
    char *path = mem_printf("%s/%s", cwd, json_string(source));
    json_put_string(w, path);
    free(path);
}

/* data.source as it was typed, its paths made absolute; takes value. */
static struct json *from_here(struct json *value)
{
    char cwd[PATH_MAX];
    struct buf text;
    struct json_out w;
    if (getcwd(cwd, sizeof(cwd)) == NULL) {
        return value;
    }
    buf_init(&text, BUF_MAX_CONFIG);
    json_out_init(&w, &text, JSON_COMPACT);
    if (json_kind(value) == JSON_ARRAY) {
        json_open(&w, '[');
        for (const struct json *s = json_first(value); s != NULL;
             s = json_next(s)) {
            put_source(&w, cwd, s);
        }
        json_close(&w, ']');
    } else {
        put_source(&w, cwd, value);
    }
    struct json *out = parsed(&text);
    if (out == NULL) {
        return value;
    }
    json_free(value);
    return out;
}

/* "training.lr=0.001": JSON if it is JSON, else a string. */
static int apply_set(struct json *root, const char *set, struct err *err)
{
    if (!utf8_is_valid(set, strlen(set))) {
        return err_set(err, ERR_INVALID, "--set: the text is not UTF-8");
    }
    const char *equals = strchr(set, '=');
    char *path = mem_strndup(set, (size_t)(equals - set));
    const char *text = equals + 1;
    struct json *value = NULL;
    struct err reason;
    if (json_parse(text, strlen(text), &value, &reason) != 0) {
        if (text[0] == '{' || text[0] == '[' || text[0] == '"') {
            free(path); /* meant to be JSON */
            return err_set(err, ERR_INVALID, "--set %s: %s", set, reason.msg);
        }
        value = string_value(text);
    }
    if (value == NULL) {
        free(path);
        return err_set(err, ERR_INVALID, "--set: the value is too long");
    }
    if (strcmp(path, "data.source") == 0) {
        value = from_here(value);
    }
    int rc = json_set(root, path, value, err);
    free(path);
    return rc != 0 ? err_wrap(err, "--set %s", set) : 0;
}

static int apply_flags(struct json *root, const struct config_flags *f,
                       struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < f->n_sets; i++) {
        rc = apply_set(root, f->sets[i], err);
    }
    if (rc == 0 && f->name != NULL) {
        struct json *name = utf8_is_valid(f->name, strlen(f->name))
                                ? string_value(f->name)
                                : NULL;
        rc = name != NULL
                 ? json_set(root, "study", name, err)
                 : err_set(err, ERR_INVALID, "--name: the text is not UTF-8");
    }
    if (rc == 0 && f->n_trials > 0) {
        rc = json_set(root, "n_trials", integer_value(f->n_trials), err);
    }
    if (rc == 0 && f->workers > 0) {
        rc = json_set(root, "workers", integer_value(f->workers), err);
    }
    if (rc == 0 && f->has_seed) {
        rc = json_set(root, "seed", integer_value(f->seed), err);
    }
    return rc;
}

/* --- the file ------------------------------------------------------------- */

static int read_root(const char *file, struct json **out, struct err *err)
{
    struct buf text;
    buf_init(&text, BUF_MAX_CONFIG);
    int rc = file_read(file, &text, err);
    if (rc == 0) {
        rc = json_parse(text.data != NULL ? text.data : "", text.len, out, err);
        if (rc != 0) {
            err_wrap(err, "%s", file);
        }
    }
    buf_fini(&text);
    return rc;
}

static int read_spec(const struct json *root, struct spec *out, struct err *err)
{
    int rc = spec_from_json(root, out, err);
    if (rc == 0) {
        rc = spec_check_new(out, err);
        if (rc != 0) {
            spec_fini(out);
        }
    }
    return rc;
}

static int resolve(const char *file, struct spec *spec, struct err *err)
{
    char *real = realpath(file, NULL);
    if (real == NULL) {
        return err_sys(err, errno, "%s", file);
    }
    *strrchr(real, '/') = '\0';
    spec_resolve_paths(spec, real);
    free(real);
    return 0;
}

int config_read(const char *file, const struct config_flags *f,
                struct spec *out, struct err *err)
{
    struct json *root;
    int rc = read_root(file, &root, err);
    if (rc != 0) {
        return err->code = ERR_INVALID;
    }
    rc = apply_flags(root, f, err);
    if (rc == 0) {
        rc = read_spec(root, out, err);
        if (rc != 0) {
            err_wrap(err, "%s", file);
        }
    }
    json_free(root);
    if (rc == 0) {
        rc = resolve(file, out, err);
        if (rc != 0) {
            spec_fini(out);
        }
    }
    return rc != 0 ? err->code = ERR_INVALID : 0;
}

/* --- the data ------------------------------------------------------------- */

static int check_source(const char *path, struct err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return err_sys(err, errno, "%s", path);
    }
    int rc = 0;
    if (fstat(fd, &st) != 0) {
        rc = err_sys(err, errno, "%s", path);
    } else if (!S_ISREG(st.st_mode)) {
        rc = err_set(err, ERR_INVALID, "%s: not a regular file", path);
    } else if (st.st_size == 0) {
        rc = err_set(err, ERR_INVALID, "%s: the file is empty", path);
    }
    close(fd);
    return rc;
}

static int check_sources(const char *file, const char *key,
                         char *const *sources, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (sources[i][0] == '/' && check_source(sources[i], err) != 0) {
            err_wrap(err, "%s: %s", file, key);
            return err->code = ERR_INVALID;
        }
    }
    return 0;
}

/* Each trial would fail by itself. */
static int check_table(const char *file, const struct spec *spec,
                       struct err *err)
{
    struct json *table = NULL;
    struct buf text;
    buf_init(&text, BUF_MAX_RESPONSE);
    const char *path = spec->work.path;
    int rc = check_source(path, err);
    if (rc == 0) {
        rc = file_read(path, &text, err);
    }
    if (rc == 0) {
        rc = json_parse(text.data, text.len, &table, err);
        rc = rc == 0 ? tabulated_check(table, spec, err) : rc;
        rc = rc != 0 ? err_wrap(err, "%s", path) : 0;
    }
    json_free(table);
    buf_fini(&text);
    if (rc != 0) {
        err_wrap(err, "%s: objective.path", file);
        return err->code = ERR_INVALID;
    }
    return 0;
}

/* --- the command ---------------------------------------------------------- */

static int check_folder(const char *folder, struct err *err)
{
    struct stat st;
    int why = stat(folder, &st) != 0 ? errno : 0;
    why = why == 0 && !S_ISDIR(st.st_mode) ? ENOTDIR : why;
    return why == 0 ? 0 : err_sys(err, why, "objective.directory: %s", folder);
}

static int check_file(const char *directory, const char *program,
                      struct err *err)
{
    struct stat st;
    char *path = program[0] == '/' ? mem_strdup(program)
                                   : mem_printf("%s/%s", directory, program);
    int why = stat(path, &st) != 0 ? errno : S_ISDIR(st.st_mode) ? EISDIR : 0;
    bool may_run = why != 0 || access(path, X_OK) == 0;
    free(path);
    return why != 0 ? err_sys(err, why, "objective.command: %s", program)
           : may_run
               ? 0
               : err_set(err, ERR_INVALID,
                         "objective.command: %s: not a program that may be run "
                         "(chmod +x)",
                         program);
}

/* As execvp looks for it, from the command's folder: what is relative on the
 * PATH, or empty, is meant from there. */
static bool is_on_path(const char *directory, const char *program)
{
    struct err ignored;
    const char *at = getenv("PATH");
    bool is = false;
    for (at = at != NULL ? at : "/bin:/usr/bin"; at != NULL && !is;) {
        size_t n = strcspn(at, ":");
        char *path =
            mem_printf("%.*s%s%s", (int)n, at, n > 0 ? "/" : "./", program);
        is = check_file(directory, path, &ignored) == 0;
        free(path);
        at = at[n] == ':' ? at + n + 1 : NULL;
    }
    return is;
}

static bool names_param(const char *text, const struct space *space)
{
    bool names = false;
    for (size_t i = 0; i < space->n && !names; i++) {
        char *braced = mem_printf("{%s}", space->params[i].name);
        names = strstr(text, braced) != NULL;
        free(braced);
    }
    return names;
}

/* A mistyped name would burn stop.max_failures trials. The PATH is ours; the
 * daemon's, which its commands inherit, is seldom another. */
static int check_command(const char *file, const struct spec *spec,
                         struct err *err)
{
    const struct spec_work *work = &spec->work;
    const char *program = work->command[0];
    if (names_param(program, &spec->space)) { /* another one in each trial */
        return 0;
    }
    int rc = check_folder(work->directory, err);
    if (rc == 0 && strchr(program, '/') != NULL) {
        rc = check_file(work->directory, program, err);
    } else if (rc == 0 && !is_on_path(work->directory, program)) {
        rc = err_set(err, ERR_INVALID,
                     "objective.command: %s: no such program on the PATH (one "
                     "that is elsewhere needs its whole path)",
                     program);
    }
    if (rc != 0) {
        err_wrap(err, "%s", file);
        return err->code = ERR_INVALID;
    }
    return 0;
}

int config_check_sources(const char *file, const struct spec *spec,
                         struct err *err)
{
    if (spec->objective == SPEC_OBJECTIVE_TABLE) {
        return check_table(file, spec, err);
    }
    if (spec->objective == SPEC_OBJECTIVE_COMMAND) {
        return check_command(file, spec, err);
    }
    const struct spec_data *d = &spec->data;
    int rc = check_sources(file, "data.source", d->sources, d->n_sources, err);
    return rc == 0 ? check_sources(file, "data.test_source", d->test_sources,
                                   d->n_test_sources, err)
                   : rc;
}
