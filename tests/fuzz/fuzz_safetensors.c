/* Fuzz entry: any bytes as a safetensors file. What is accepted must be
 * readable to its last byte. */
#include "core/nn/safetensors.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Touch every byte of a tensor; the sum keeps the reads. */
static unsigned read_all(const struct safetensors_view *v)
{
    size_t width = v->dtype == SAFETENSORS_I64 ? 8 : 4;
    const unsigned char *bytes = v->data;
    unsigned sum = 0;
    for (size_t i = 0; i < v->n * width; i++) {
        sum += bytes[i];
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct safetensors *f;
    struct err err;
    if (write(fd, data, size) == (ssize_t)size &&
        safetensors_open(path, &f, &err) == 0) {
        struct safetensors_view v;
        volatile unsigned sum = 0;
        static const char *const names[] = {"a", "embedding.weight", "x", ""};
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            if (safetensors_find(f, names[i], &v, &err) == 0) {
                sum += read_all(&v);
            }
        }
        (void)safetensors_metadata(f, "a");
        safetensors_close(f);
    }
    close(fd);
    return 0;
}
