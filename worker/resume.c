/* The happy path: the last checkpoint and the best model are whole, and
 * trainer_new takes them.
 *
 * Possible failures: the last one is missing or damaged: the previous one is
 * tried, with the same best model (that may be newer: trainer_resume.c). The
 * best model is missing or damaged: what was saved before the end of its epoch
 * goes on without it, and makes it again; what is newer counts on it and is of
 * no use, however whole: gone on from there, the training could end without its
 * best model. When nothing is left, all begins anew. Either way the end is the
 * one of a training that was left alone.
 * The file is moved before the daemon is told: from then on the name is free
 * for the training that follows, and a death between the two is found by the
 * next attempt as a missing file. */
#include "worker/resume.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/train/checkpoint.h"
#include "core/train/trainer.h"
#include "core/wire/msg.h"
#include "worker/objective.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct resume {
    const struct msg_assign *assign;
    const struct objective_out *out;
};

struct candidate {
    const char *file, *sha256;
};

static char *path_of(const struct resume *r, const char *file)
{
    return mem_printf("%s/%s", r->assign->dir, file);
}

static bool is_whole(const struct resume *r, const struct candidate *c)
{
    char is[65];
    uint64_t size;
    struct err ignored;
    char *path = path_of(r, c->file);
    bool whole = file_sha256(path, is, &size, &ignored) == 0 &&
                 strcmp(is, c->sha256) == 0;
    free(path);
    return whole;
}

/* The name becomes free, whatever has it: a folder, say, over which no file can
 * be renamed. */
static void set_aside(const struct resume *r, const char *path)
{
    struct err err;
    if (rmdir(path) == 0 || errno == ENOENT) {
        return;
    }
    char *aside = path_of(r, PATHS_DAMAGED);
    int rc = 0;
    if (rename(path, aside) != 0) {
        /* one is a folder and the other is not, or it is not empty */
        rc = file_remove_tree(aside, &err);
        if (rc == 0 && rename(path, aside) != 0) {
            rc = file_remove_tree(path, &err);
        }
    }
    if (rc != 0) {
        fprintf(stderr, "not set aside: %s\n", err.msg);
    }
    free(aside);
}

/* Out of its place, and told. */
static void discard(const struct resume *r, struct candidate *c,
                    const char *why)
{
    char *path = path_of(r, c->file);
    if (is_whole(r, c)) {
        unlink(path);
    } else {
        set_aside(r, path);
    }
    free(path);
    fprintf(stderr, "checkpoint %s is of no use: %s\n", c->file, why);
    struct msg m = {.type = MSG_DISCARD,
                    .discard = {.id = r->assign->id,
                                .file = (char *)c->file,
                                .message = (char *)why}};
    r->out->say(r->out->ctx, &m);
    *c = (struct candidate){"", ""};
}

static int try(struct trainer_options *o, const struct candidate *last,
               const struct candidate *best, struct trainer **out,
               struct err *err)
{
    o->resume_file = last->file;
    o->resume_sha256 = last->sha256;
    o->best_file = best->file;
    o->best_sha256 = best->sha256;
    return trainer_new(o, out, err);
}

/* What an earlier attempt wrote and nobody committed. */
static void collect(const struct resume *r, const struct candidate *lasts,
                    const struct candidate *best)
{
    struct err err;
    const char *const keep[] = {lasts[0].file, lasts[1].file, best->file};
    if (checkpoint_remove_others(r->assign->dir, keep, ARRAY_LEN(keep), &err) !=
        0) {
        fprintf(stderr, "left behind: %s\n", err.msg);
    }
}

static bool is_of_no_use(int rc)
{
    return rc == ERR_NOTFOUND || rc == ERR_CORRUPT;
}

int resume_training(const struct msg_assign *a, const struct objective_out *out,
                    struct trainer_options *o, struct trainer **trainer,
                    struct err *err)
{
    const struct resume r = {a, out};
    struct candidate lasts[] = {{a->resume_file, a->resume_sha256},
                                {a->previous_file, a->previous_sha256}};
    struct candidate best = {a->best_file, a->best_sha256};
    bool is_resumed = false;
    collect(&r, lasts, &best);
    for (size_t i = 0; i < ARRAY_LEN(lasts); i++) {
        if (lasts[i].file[0] == '\0') {
            continue;
        }
        is_resumed = true;
        int rc = try(o, &lasts[i], &best, trainer, err);
        if (is_of_no_use(rc) && best.file[0] != '\0' && !is_whole(&r, &best)) {
            discard(&r, &best, "the best model's file is missing or damaged");
            o->best_is_lost = true;
            o->lost_epoch = a->best_epoch;
            rc = try(o, &lasts[i], &best, trainer, err);
        }
        if (!is_of_no_use(rc)) {
            return rc;
        }
        discard(&r, &lasts[i], err->msg);
    }
    if (is_resumed) {
        fprintf(stderr, "starting over\n");
        if (best.file[0] != '\0') {
            discard(&r, &best, "the training starts over");
        }
    }
    const struct candidate none = {NULL, NULL};
    return try(o, &none, &none, trainer, err);
}
