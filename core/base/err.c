#include "core/base/err.h"
#include "core/base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Names from outside end up in sentences: keep them one line of UTF-8. What a
 * full buffer cut in the middle of a character goes, too. */
static void make_one_line(char *msg)
{
    size_t len = strlen(msg), at = 0;
    while (at < len) {
        size_t good = utf8_valid_prefix(msg + at, len - at);
        if (at + good == len) {
            break;
        }
        at += good;
        msg[at++] = '?';
    }
    for (char *p = msg; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7F) {
            *p = '?';
        }
    }
}

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
    make_one_line(msg);
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
    /* The reason must not be cut off: context has the room that it leaves. */
    char context[sizeof(err->msg)] = "";
    size_t taken = strlen(err->msg) + strlen(": ");
    if (taken + 1 >= sizeof(context)) {
        return err->code;
    }
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(context, sizeof(context) - taken, fmt, ap);
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
