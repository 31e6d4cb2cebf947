#include "core/nn/pooling.h"

#include <math.h>
#include <string.h>

static void scale(float *out, const float *x, size_t n, float by)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = x[i] * by;
    }
}

static void maximum(float *out, int32_t *chosen, const float *x, size_t n,
                    size_t d)
{
    memcpy(out, x, d * sizeof(*out));
    if (chosen != NULL) {
        memset(chosen, 0, d * sizeof(*chosen));
    }
    for (size_t r = 1; r < n; r++) {
        x += d;
        for (size_t c = 0; c < d; c++) {
            if (x[c] > out[c] || isnan(x[c])) {
                out[c] = x[c];
                if (chosen != NULL) {
                    chosen[c] = (int32_t)r;
                }
            }
        }
    }
}

void pooling_forward(float *out, int32_t *chosen, const float *x,
                     const struct pooling *p, const struct kernels *k)
{
    size_t d = p->d;
    for (size_t b = 0; b < p->B; b++, out += d) {
        const float *text = x + p->starts[b] * d;
        size_t n = (size_t)p->lengths[b];
        if (n == 0) {
            memset(out, 0, d * sizeof(*out));
        } else if (p->kind == MODEL_POOLING_MEAN) {
            k->column_sums(out, text, n, d);
            scale(out, out, d, 1.0f / (float)n);
        } else if (p->kind == MODEL_POOLING_MAX) {
            maximum(out, chosen != NULL ? chosen + b * d : NULL, text, n, d);
        } else {
            memcpy(out, text, d * sizeof(*out));
        }
    }
}

void pooling_backward(float *dx, const float *dout, const int32_t *chosen,
                      const struct pooling *p)
{
    size_t d = p->d;
    memset(dx, 0, p->starts[p->B] * d * sizeof(*dx));
    for (size_t b = 0; b < p->B; b++, dout += d) {
        float *text = dx + p->starts[b] * d;
        size_t n = (size_t)p->lengths[b];
        if (n == 0) {
            continue;
        }
        if (p->kind == MODEL_POOLING_MEAN) {
            for (size_t r = 0; r < n; r++) {
                scale(text + r * d, dout, d, 1.0f / (float)n);
            }
        } else if (p->kind == MODEL_POOLING_MAX) {
            for (size_t c = 0; c < d; c++) {
                text[(size_t)chosen[b * d + c] * d + c] = dout[c];
            }
        } else {
            memcpy(text, dout, d * sizeof(*text));
        }
    }
}
