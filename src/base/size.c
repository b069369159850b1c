/* size.c - reads sizes and counts. */
#include "base/size.h"

#include "base/number.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The power of 1,024 that a unit means; *end moves past it. */
static int read_unit(const char **end)
{
    static const char letters[] = "kmgt";
    const char *letter = **end != 0 ? strchr(letters, tolower((unsigned char)**end)) : NULL;

    if (letter == NULL)
        return 0;
    *end += 1;
    if (tolower((unsigned char)**end) == 'i' && tolower((unsigned char)(*end)[1]) == 'b')
        *end += 2;
    else if (tolower((unsigned char)**end) == 'b')
        *end += 1;
    return (int)(letter - letters) + 1;
}

bool ith_size_read(const char *text, const char **end, int64_t *bytes)
{
    char *after;
    double value = ith_strtod(text, &after);

    *end = after;
    if (after == text)
        return false;
    for (int power = read_unit(end); power > 0; power--)
        value *= 1024;
    if (!(value >= 0 && value <= 0x1p62))
        return false;
    *bytes = (int64_t)value;
    return true;
}

bool ith_count_read(const char *text, const char **end, int64_t *count)
{
    char *after;
    long long value;
    int64_t factor = 1;

    errno = 0;
    value = strtoll(text, &after, 10);
    if (*after == 'k' || *after == 'K')
        factor = 1024;
    else if (*after == 'm' || *after == 'M')
        factor = 1024 * 1024;
    *end = after + (factor > 1);
    if (after == text || errno != 0 || value < 0 || value > (INT64_C(1) << 62) / factor)
        return false;
    *count = value * factor;
    return true;
}
