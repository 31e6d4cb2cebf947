#include "daemon/http/assets.h"
#include "core/base/hash.h"
#include "core/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JAVASCRIPT "text/javascript; charset=utf-8"

/* X(NAME, path asked for, file from the repository's root, content type) */
#define ASSET_LIST(X)                                                          \
    X(index, "/", "web/index.html", "text/html; charset=utf-8")                \
    X(style, "/style.css", "web/style.css", "text/css; charset=utf-8")         \
    X(icon, "/icon.svg", "web/icon.svg", "image/svg+xml")                      \
    X(app, "/app.js", "web/app.js", JAVASCRIPT)                                \
    X(api, "/api.js", "web/api.js", JAVASCRIPT)                                \
    X(dom, "/dom.js", "web/dom.js", JAVASCRIPT)                                \
    X(format, "/format.js", "web/format.js", JAVASCRIPT)                       \
    X(model, "/model.js", "web/model.js", JAVASCRIPT)                          \
    X(studies, "/studies.js", "web/studies.js", JAVASCRIPT)                    \
    X(study, "/study.js", "web/study.js", JAVASCRIPT)                          \
    X(table, "/table.js", "web/table.js", JAVASCRIPT)                          \
    X(trial, "/trial.js", "web/trial.js", JAVASCRIPT)                          \
    X(chart, "/chart.js", "web/chart.js", JAVASCRIPT)                          \
    X(space, "/space.js", "web/space.js", JAVASCRIPT)                          \
    X(actions, "/actions.js", "web/actions.js", JAVASCRIPT)                    \
    X(importances, "/importances.js", "web/importances.js", JAVASCRIPT)        \
    X(plots, "/plots.js", "web/plots.js", JAVASCRIPT)                          \
    X(thin, "/thin.js", "web/thin.js", JAVASCRIPT)                             \
    X(theme, "/theme.js", "web/theme.js", JAVASCRIPT)                          \
    X(echarts, "/echarts.min.js", "build/web/echarts.min.js", JAVASCRIPT)

#define X(name, path, file, type)                                              \
    __asm__(".section .rodata\n"                                               \
            "asset_" #name ":\n"                                               \
            ".incbin \"" file "\"\n"                                           \
            "asset_" #name "_end:\n"                                           \
            ".previous\n");                                                    \
    extern const char asset_##name[], asset_##name##_end[];
ASSET_LIST(X)
#undef X

enum {
#define X(name, path, file, type) ASSET_##name,
    ASSET_LIST(X)
#undef X
        N_ASSETS
};

struct assets {
    struct asset files[N_ASSETS];
};

static void add(struct asset *file, const char *path, const char *type,
                const char *bytes, const char *end)
{
    char digest[HASH_HEX_SIZE];
    *file = (struct asset){.path = path,
                           .content_type = type,
                           .bytes = bytes,
                           .n = (size_t)(end - bytes)};
    hash_bytes(bytes, file->n, digest);
    snprintf(file->etag, sizeof(file->etag), "\"%.32s\"", digest);
}

struct assets *assets_new(void)
{
    struct assets *a = mem_alloc(1, sizeof(*a));
#define X(name, path, file, type)                                              \
    add(&a->files[ASSET_##name], path, type, asset_##name, asset_##name##_end);
    ASSET_LIST(X)
#undef X
    return a;
}

void assets_free(struct assets *a)
{
    free(a);
}

const struct asset *assets_find(const struct assets *a, const char *path)
{
    for (size_t i = 0; i < N_ASSETS; i++) {
        if (strcmp(a->files[i].path, path) == 0) {
            return &a->files[i];
        }
    }
    return NULL;
}
