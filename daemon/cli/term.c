#include "daemon/cli/term.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* As the C library would choose it. An unset locale says nothing: nearly every
 * terminal of today shows UTF-8. */
static bool locale_has_unicode(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *v = getenv(names[i]);
        if (v != NULL && v[0] != '\0') {
            return strcasestr(v, "utf-8") != NULL ||
                   strcasestr(v, "utf8") != NULL;
        }
    }
    return true;
}

void term_init(struct term *t, FILE *file)
{
    const char *name = getenv("TERM");
    const char *no_colour = getenv("NO_COLOR");
    bool is_able = name != NULL && strcmp(name, "dumb") != 0;
    *t = (struct term){
        .file = file,
        .is_tty = is_able && isatty(fileno(file)) == 1,
        .has_unicode = locale_has_unicode(),
    };
    t->has_colour = t->is_tty && (no_colour == NULL || no_colour[0] == '\0');
}

void term_size(const struct term *t, int *columns, int *rows)
{
    struct winsize size;
    *columns = 80;
    *rows = 24;
    if (ioctl(fileno(t->file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 &&
        size.ws_row > 0) {
        *columns = size.ws_col;
        *rows = size.ws_row;
    }
}

const char *term_on(const struct term *t, enum term_style style)
{
    static const char *const on[TERM_N_STYLES] = {
        [TERM_PLAIN] = "",         [TERM_BOLD] = "\033[1m",
        [TERM_DIM] = "\033[2m",    [TERM_GOOD] = "\033[32m",
        [TERM_BAD] = "\033[31m",   [TERM_WARN] = "\033[33m",
        [TERM_ACCENT] = "\033[36m"};
    return t->has_colour ? on[style] : "";
}

const char *term_off(const struct term *t, enum term_style style)
{
    return t->has_colour && style != TERM_PLAIN ? "\033[0m" : "";
}
