/* report_text.c - texts that a report may show. */
#include "cli/report_text.h"

#include "base/character.h"

#include <string.h>

const char *ith_report_member(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* What cleaning would change is none. */
bool ith_report_is_line(const char *text)
{
    size_t len = strlen(text);
    char clean[8];

    for (size_t n; len > 0; text += n, len -= n) {
        n = ith_utf8_bytes(text, len);
        if (n == 0)
            return false;
        ith_clean_text(text, n, clean, sizeof clean);
        if (memcmp(clean, text, n) != 0)
            return false;
    }
    return true;
}

bool ith_report_is_plain(const json_t *value)
{
    const char *name;
    json_t *member;
    size_t i;

    if (json_is_string(value))
        return strlen(json_string_value(value)) == json_string_length(value) &&
               ith_report_is_line(json_string_value(value));
    json_array_foreach (value, i, member)
        if (!ith_report_is_plain(member))
            return false;
    json_object_foreach ((json_t *)value, name, member)
        if (!ith_report_is_line(name) || !ith_report_is_plain(member))
            return false;
    return true;
}

const char *ith_report_cut(const char *from, char *text, size_t size)
{
    ith_clean_text(from, strlen(from), text, size);
    return text;
}
