/* option.c - reads the tables of options. */
#include "cli/option.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

const char *ith_word_name(const ith_word *words, int value)
{
    for (; words->name != NULL; words++)
        if (words->value == value)
            return words->name;
    return "";
}

const char *ith_option_metavar(const ith_option *option, char *text, size_t size)
{
    size_t n = 0;

    if (option->metavar != NULL || option->words == NULL)
        return option->metavar != NULL ? option->metavar : "";
    text[0] = 0;
    for (const ith_word *word = option->words; word->name != NULL; word++)
        if (word->help != NULL && n < size)
            n += (size_t)snprintf(text + n, size - n, "%s%s", n > 0 ? "|" : "", word->name);
    return text;
}

static void add(char *text, size_t size, size_t *used, const char *format, ...)
{
    va_list args;

    if (*used >= size)
        return;
    va_start(args, format);
    *used += (size_t)vsnprintf(text + *used, size - *used, format, args);
    va_end(args);
}

void ith_option_text(const ith_option *option, char *text, size_t size)
{
    const char *standard = option->otherwise != NULL ? option->otherwise : option->preset;
    size_t used = 0;

    add(text, size, &used, "%c%s.", toupper((unsigned char)option->help[0]), option->help + 1);
    if (option->more != NULL)
        add(text, size, &used, " %s", option->more);
    if (standard != NULL)
        add(text, size, &used, " Default: %s.", standard);
    for (const char *const *alias = option->aliases; *alias != NULL; alias++)
        add(text, size, &used, " Alias: --%s.", *alias);
}
