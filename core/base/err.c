#include "core/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int code, const char *fmt, ...)
{
    if (err == NULL) {
        return code;
    }
    /* An argument may be err->msg itself, so the text is made aside. */
    char msg[sizeof(err->msg)];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    err->code = code;
    memcpy(err->msg, msg, sizeof(msg));
    return code;
}

static int code_of_errno(int errnum)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
        return ERR_FULL;
    case ENOENT:
        return ERR_NOTFOUND;
    default:
        return ERR_IO;
    }
}

int err_sys(struct err *err, int errnum, const char *fmt, ...)
{
    char what[sizeof(err->msg)];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    return err_set(err, code_of_errno(errnum), "%s: %s", what,
                   strerror(errnum));
}

int err_wrap(struct err *err, const char *fmt, ...)
{
    if (err == NULL) {
        return ERR_INVALID;
    }
    char context[sizeof(err->msg)];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(context, sizeof(context), fmt, ap);
    va_end(ap);
    return err_set(err, err->code, "%s: %s", context, err->msg);
}

const char *err_name(int code)
{
    switch (code) {
#define X(name, number, meaning)                                               \
    case number:                                                               \
        return #name;
        ERR_LIST(X)
#undef X
    default:
        return "UNKNOWN";
    }
}
