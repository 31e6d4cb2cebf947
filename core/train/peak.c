/* The kernel keeps the high-water mark (VmHWM of /proc/PID/status) and lowers
 * it to what is resident now when 5 is written to /proc/PID/clear_refs
 * (proc(5)). Where /proc is not to be had, getrusage knows the peak since the
 * start. */
#include "core/train/peak.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

bool peak_reset(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool done = write(fd, "5", 1) == 1;
    close(fd);
    return done;
}

int64_t peak_bytes(void)
{
    char line[128];
    long long kib = -1;
    FILE *f = fopen("/proc/self/status", "re");
    while (f != NULL && kib < 0 && fgets(line, sizeof(line), f) != NULL) {
        (void)sscanf(line, "VmHWM: %lld kB", &kib);
    }
    if (f != NULL) {
        fclose(f);
    }
    struct rusage usage;
    if (kib < 0 && getrusage(RUSAGE_SELF, &usage) == 0) {
        kib = usage.ru_maxrss;
    }
    return kib > 0 ? (int64_t)kib * 1024 : 0;
}
