/* err: a code for the program and a sentence for the person.
 *
 * A fallible function is `int f(..., struct err *err)`: 0, or a negative
 * ERR_* that is also in err->code. The sentence is written where the failure
 * is found (err_set) and gains context as it rises (err_wrap); it is logged or
 * printed once, at the top. Outputs are untouched on error. */
#ifndef CORE_BASE_ERR_H
#define CORE_BASE_ERR_H
#include "core/base/base.h"

/* X(NAME, number, meaning) */
#define ERR_LIST(X)                                                            \
    X(INVALID, -1, "the input is wrong")                                       \
    X(NOTFOUND, -2, "no such thing")                                           \
    X(CONFLICT, -3, "it exists already, or its state forbids this")            \
    X(LIMIT, -4, "larger than what is allowed or than memory")                 \
    X(IO, -5, "the operating system refused")                                  \
    X(STORE, -6, "the database refused")                                       \
    X(PROTO, -7, "a peer broke the protocol")                                  \
    X(CANCELED, -8, "somebody asked to stop")                                  \
    X(UNREACHABLE, -9, "no peer answers")                                      \
    X(CORRUPT, -10, "stored bytes are damaged")                                \
    X(FULL, -11, "no space left")                                              \
    X(BUSY, -12, "taken for now: the same may work later")                     \
    X(STALE, -13, "somebody has changed it since it was looked at")

enum err_code {
#define X(name, number, meaning) ERR_##name = number,
    ERR_LIST(X)
#undef X
};

struct err {
    int code;
    char msg[1024]; /* UTF-8, one line, no trailing full stop */
};

/* Record code and sentence; returns code. err may be NULL. */
int err_set(struct err *err, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* As err_set with ": strerror(errnum)" appended; ENOSPC/EDQUOT become
 * ERR_FULL, ENOENT ERR_NOTFOUND, anything else ERR_IO. */
int err_sys(struct err *err, int errnum, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* Put "context: " before the sentence; returns err->code. */
int err_wrap(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* "INVALID" for ERR_INVALID; "UNKNOWN" for anything else. */
const char *err_name(int code);

#endif
