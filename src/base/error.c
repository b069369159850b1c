/* error.c - formats error texts. */
#include "base/error.h"

#include "base/character.h"
#include "base/number.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A host program's locale does not change the texts. Returns vsnprintf's result. */
static int format_text(char *text, size_t size, const char *format, va_list args)
{
    locale_t before = uselocale(ith_c_locale());
    int used = vsnprintf(text, size, format, args);

    uselocale(before);
    return used;
}

ith_status ith_fail(ith_error *err, ith_status status, const char *format, ...)
{
    if (err != NULL) {
        va_list args;
        err->status = status;
        va_start(args, format);
        format_text(err->text, sizeof err->text, format, args);
        va_end(args);
        ith_clean_line(err->text);
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
        used = format_text(err->text, sizeof err->text, format, args);
        va_end(args);
        if (used >= 0 && (size_t)used < sizeof err->text)
            snprintf(err->text + used, sizeof err->text - (size_t)used, ": %s", tail);
        ith_clean_line(err->text);
    }
    return status;
}
