#include "core/nn/bf16.h"

#include <stdint.h>
#include <string.h>

bf16_multiply *bf16_get(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bf16")) {
        return bf16_avx512;
    }
#endif
    return NULL;
}

/* The nearest bfloat16: the upper half of a float32's bits. */
static float rounded(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    if (x == x) { /* a NaN stays as it is */
        bits += 0x7fff + (bits >> 16 & 1);
        bits &= 0xffff0000u;
    }
    memcpy(&x, &bits, sizeof(bits));
    return x;
}

void bf16_reference(const struct bf16_product *p, void *pack)
{
    (void)pack;
    for (size_t i = 0; i < p->M; i++) {
        for (size_t j = 0; j < p->N; j++) {
            double sum = 0;
            for (size_t k = 0; k < p->K; k++) {
                float a = p->a[i * p->a_row + k * p->a_column];
                float b = p->b[k * p->b_row + j * p->b_column];
                sum += (double)rounded(a) * rounded(b);
            }
            float *c = &p->c[i * p->ldc + j];
            *c = (float)(p->alpha * sum) + (p->adds ? *c : 0.0f);
        }
    }
}
