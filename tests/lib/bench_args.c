#include "tests/lib/bench_args.h"

#include <stdlib.h>
#include <string.h>

bool bench_number(const char *text, const char *key, long max, long *out)
{
    size_t len = strlen(key);
    char *end;
    if (strncmp(text, key, len) != 0 || text[len] != '=') {
        return false;
    }
    *out = strtol(text + len + 1, &end, 10);
    return end != text + len + 1 && *end == '\0' && *out >= 1 && *out <= max;
}
