/* error.c - formats error texts. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Texts quote names from files, which may hold any byte; an error is one line. */
static void keep_one_line(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

ith_status ith_fail(ith_error *err, ith_status status, const char *format, ...)
{
    if (err != NULL) {
        va_list args;
        err->status = status;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        keep_one_line(err->text);
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
