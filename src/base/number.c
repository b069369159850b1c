/* number.c - reads numbers in the C locale. */
#include "base/number.h"

#include <pthread.h>
#include <stdlib.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static locale_t c_locale; /* lives as long as the process */

static void open_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

locale_t ith_c_locale(void)
{
    pthread_once(&once, open_locale);
    return c_locale;
}

double ith_strtod(const char *text, char **end)
{
    locale_t before = uselocale(ith_c_locale());
    double value = strtod(text, end);

    uselocale(before);
    return value;
}
