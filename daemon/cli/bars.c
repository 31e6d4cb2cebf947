#include "daemon/cli/bars.h"
#include "core/base/buf.h"

#include <math.h>

/* NaN and what lies outside is brought to [0, 1]. */
static double share(double fraction)
{
    return fraction > 0.0 ? fmin(fraction, 1.0) : 0.0;
}

static void repeat(struct buf *out, const char *sign, int n)
{
    for (int i = 0; i < n; i++) {
        buf_str(out, sign);
    }
}

void bars_progress(struct buf *out, const struct term *term, double fraction,
                   int width, enum term_style style)
{
    int halves = (int)floor(share(fraction) * 2.0 * (double)width);
    int full = halves / 2, half = halves % 2;
    if (!term->has_unicode) {
        repeat(out, "=", full);
        repeat(out, full < width ? ">" : "", 1);
        repeat(out, ".", width - full - 1);
        return;
    }
    buf_str(out, term_on(term, style));
    repeat(out, "━", full);
    repeat(out, "╸", half);
    buf_str(out, term_off(term, style));
    buf_str(out, term_on(term, TERM_DIM));
    repeat(out, "─", width - full - half);
    buf_str(out, term_off(term, TERM_DIM));
}

void bars_solid(struct buf *out, const struct term *term, double fraction,
                int width, enum term_style style)
{
    static const char *const eighths[] = {"",  "▏", "▎", "▍",
                                          "▌", "▋", "▊", "▉"};
    int n = (int)lround(share(fraction) * 8.0 * (double)width);
    buf_str(out, term_on(term, style));
    if (term->has_unicode) {
        repeat(out, "█", n / 8);
        buf_str(out, eighths[n % 8]);
    } else {
        repeat(out, "#", (n + 4) / 8);
    }
    buf_str(out, term_off(term, style));
}
