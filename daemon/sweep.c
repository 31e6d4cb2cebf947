#include "daemon/sweep.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "daemon/mirror.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A folder's name as a number, -1 when it is not one of ours. */
static int64_t number_of(const char *name)
{
    char *end;
    errno = 0;
    long long v = strtoll(name, &end, 10);
    return errno == 0 && end != name && *end == '\0' && v >= 0 ? v : -1;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static void remove_path(char *path)
{
    struct err err;
    if (file_remove_tree(path, &err) != 0) {
        LOG_WARN("sweep", "%s", err.msg);
    } else {
        LOG_INFO("sweep removed", "path=%s", path);
    }
    free(path);
}

/* Call fn for every entry of a folder that may be missing. */
struct walk {
    const struct mirror *mirror;
    const struct study *study;
    const struct study_trial *trial;
};

static int each_entry(const char *dir, struct walk w,
                      void (*fn)(struct walk, const char *dir,
                                 const char *name),
                      struct err *err)
{
    DIR *d = opendir(dir);
    if (d == NULL) {
        return errno == ENOENT ? 0 : err_sys(err, errno, "%s", dir);
    }
    const struct dirent *e;
    while ((e = readdir(d)) != NULL) {
        if (!is_dots(e->d_name)) {
            fn(w, dir, e->d_name);
        }
    }
    closedir(d);
    return 0;
}

static void sweep_file(struct walk w, const char *dir, const char *name)
{
    if (!study_trial_has_file(w.trial, name)) {
        remove_path(mem_printf("%s/%s", dir, name));
    }
}

static void descend(struct walk w, const char *dir, const char *name,
                    void (*fn)(struct walk, const char *, const char *))
{
    struct err err;
    char *path = mem_printf("%s/%s", dir, name);
    if (each_entry(path, w, fn, &err) != 0) {
        LOG_WARN("sweep", "%s", err.msg);
    }
    free(path);
}

static void sweep_trial(struct walk w, const char *dir, const char *name)
{
    int64_t number = number_of(name);
    if (strcmp(name, PATHS_PREPARE_LOG) == 0) {
        return;
    }
    if (number < 0 || number >= (int64_t)w.study->n_trials) {
        remove_path(mem_printf("%s/%s", dir, name));
        return;
    }
    w.trial = w.study->trials[number];
    descend(w, dir, name, sweep_file);
}

static void sweep_study(struct walk w, const char *dir, const char *name)
{
    int64_t id = number_of(name);
    w.study = id >= 0 ? mirror_study(w.mirror, id) : NULL;
    if (w.study == NULL) {
        remove_path(mem_printf("%s/%s", dir, name));
        return;
    }
    descend(w, dir, name, sweep_trial);
}

/* A log is the training's affair: only whole studies are swept. */
static void sweep_logs(struct walk w, const char *dir, const char *name)
{
    int64_t id = number_of(name);
    if (id >= 0 && mirror_study(w.mirror, id) == NULL) {
        remove_path(mem_printf("%s/%s", dir, name));
    }
}

int daemon_sweep(const struct mirror *m, const char *state_dir, struct err *err)
{
    /* A new database beside old files: rather a lost one than no studies. */
    if (m->n_studies == 0 && m->next_study_id <= 1) {
        return 0;
    }
    char *dir = paths_in_state(state_dir, "checkpoints");
    struct walk w = {.mirror = m};
    int rc = each_entry(dir, w, sweep_study, err);
    free(dir);
    if (rc == 0) {
        dir = paths_in_state(state_dir, "tb");
        rc = each_entry(dir, w, sweep_logs, err);
        free(dir);
    }
    return rc;
}
