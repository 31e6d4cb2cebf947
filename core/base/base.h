/* base: attributes and the two macros that every room may use. */
#ifndef CORE_BASE_BASE_H
#define CORE_BASE_BASE_H
#include <stddef.h>

#define MUST_CHECK             __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN               __attribute__((noreturn))

/* Bytes that somebody else owns; not NUL-terminated. */
struct span {
    const char *at;
    size_t len;
};

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The struct of type `type` whose member `member` is at `ptr`. */
#define container_of(ptr, type, member)                                        \
    ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
