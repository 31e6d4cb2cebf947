#include "tests/lib/bench_place.h"
#include "core/base/mem.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The folder of the tool itself, build/bench. */
static char *own_folder(void)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(self, '/');
    return slash != NULL ? mem_strndup(self, (size_t)(slash - self))
                         : mem_strdup(".");
}

char *bench_program(const char *name)
{
    const char *bin = getenv("PARZEN_BIN");
    char *own = own_folder();
    char *path = bin != NULL ? mem_printf("%s/%s", bin, name)
                             : mem_printf("%s/../bin/%s", own, name);
    free(own);
    return path;
}

char *bench_folder(const char *name)
{
    const char *tmp = getenv("TMPDIR");
    char *own = own_folder();
    char *made = mem_printf("%s/%s-XXXXXX", tmp != NULL ? tmp : own, name);
    char *path = mkdtemp(made) != NULL ? realpath(made, NULL) : NULL;
    free(made);
    free(own);
    return path;
}
