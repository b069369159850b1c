#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

ith_status ith_fail(ith_error *err, ith_status status, const char *format, ...)
{
    if (err != NULL) {
        va_list args;
        err->status = status;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
    }
    return status;
}

ith_status ith_fail_prefix(ith_error *err, ith_status status, const char *format, ...)
{
    if (err != NULL) {
        char tail[sizeof err->text];
        va_list args;
        int used;
        memcpy(tail, err->text, sizeof tail);
        err->status = status;
        va_start(args, format);
        used = vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        if (used >= 0 && (size_t)used < sizeof err->text)
            snprintf(err->text + used, sizeof err->text - (size_t)used, ": %s", tail);
    }
    return status;
}
