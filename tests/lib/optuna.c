#include "tests/lib/optuna.h"
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "tests/lib/test_main.h"

#include <stdio.h>
#include <stdlib.h>

bool optuna_is_here(const char *test)
{
    bool there = system("/usr/bin/python3 -c 'import optuna' 2>/dev/null") == 0;
    if (!there) {
        printf("SKIPPED: %s needs python3-optuna\n", test);
    }
    return there;
}

char *optuna_says(const struct home *h, const char *script, const char *args)
{
    char *command =
        mem_printf("/usr/bin/python3 tests/e2e/%s '%s/parzen.db' %s 2>&1",
                   script, h->state, args);
    FILE *f = popen(command, "re");
    struct buf b;
    char piece[4096];
    size_t n;
    buf_init(&b, 16 << 20);
    buf_str(&b, "");
    while ((n = fread(piece, 1, sizeof(piece), f)) > 0) {
        buf_add(&b, piece, n);
    }
    int status = pclose(f);
    ck_assert_msg(status == 0, "%s: %s", command, b.data);
    free(command);
    return buf_take(&b);
}
