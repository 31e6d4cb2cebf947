#include "core/train/checkpoint_sum.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { HEX = 64, LINE_MAX = 8192, MODE = 0600 };

int checkpoint_sum_write(const char *dir, const char *file,
                         const char sha256[65], struct err *err)
{
    char *path = mem_printf("%s/%s" CHECKPOINT_SUM, dir, file);
    char *line = mem_printf("%s  %s\n", sha256, file);
    int rc = file_write_atomic(path, line, strlen(line), MODE, err);
    free(path);
    free(line);
    return rc;
}

int checkpoint_sum_read(const char *path, char sha256[65], struct err *err)
{
    struct buf text;
    char *beside = mem_printf("%s" CHECKPOINT_SUM, path);
    buf_init(&text, LINE_MAX);
    int rc = file_read(beside, &text, err);
    const char *line = text.data != NULL ? text.data : "";
    if (rc == ERR_NOTFOUND) {
        sha256[0] = '\0';
        rc = 0;
    } else if (rc == 0 && strspn(line, "0123456789abcdef") == HEX &&
               line[HEX] == ' ') {
        memcpy(sha256, line, HEX);
        sha256[HEX] = '\0';
    } else if (rc == 0 || rc == ERR_LIMIT) {
        rc = err_set(err, ERR_CORRUPT,
                     "%s: damaged: it does not begin with a SHA-256", beside);
    }
    buf_fini(&text);
    free(beside);
    return rc;
}
