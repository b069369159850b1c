/* character.c - UTF-8 characters: their lengths, and cleaning text. */
#include "base/character.h"

#include <string.h>

/* The Unicode Standard, table 3-7: the first byte fixes the length and the range of the second. */
size_t ith_utf8_width(const char *text, size_t len, size_t *bad, bool *open)
{
    unsigned char c = (unsigned char)text[0], low = 0x80, high = 0xbf;
    size_t width, i;

    *open = false;
    *bad = 1;
    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4)
        return 0;
    width = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    for (i = 1; i < width && i < len; i++, low = 0x80, high = 0xbf)
        if ((unsigned char)text[i] < low || (unsigned char)text[i] > high)
            break;
    *bad = i;
    *open = i == len && i < width;
    return i == width ? width : 0;
}

size_t ith_utf8_bytes(const char *text, size_t len)
{
    size_t bad;
    bool open;
    return ith_utf8_width(text, len, &bad, &open);
}

/* U+200E, U+200F: marks; U+2028, U+2029: line separators; U+202A to U+202E: embeddings and
 * overrides; U+2066 to U+2069: isolates; U+061C: a mark. */
static bool is_layout(const unsigned char *c, size_t n)
{
    if (n == 2)
        return c[0] == 0xd8 && c[1] == 0x9c;
    if (n != 3 || c[0] != 0xe2)
        return false;
    return c[1] == 0x80 ? c[2] == 0x8e || c[2] == 0x8f || (c[2] >= 0xa8 && c[2] <= 0xae)
                        : c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9;
}

/* Bytes of the character at text[len] that may be shown; 0 if there is none. */
static size_t printable_bytes(const char *text, size_t len)
{
    const unsigned char *c = (const unsigned char *)text;
    size_t n = ith_utf8_bytes(text, len);
    bool control = c[0] < 0x20 || c[0] == 0x7f || (n == 2 && c[0] == 0xc2 && c[1] < 0xa0);

    return control || is_layout(c, n) ? 0 : n;
}

void ith_clean_text(const char *text, size_t len, char *out, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < len;) {
        size_t n = printable_bytes(text + i, len - i), bytes = n > 0 ? n : 1;
        if (used + bytes >= size)
            break;
        memcpy(out + used, n > 0 ? text + i : "?", bytes);
        used += bytes;
        i += bytes;
    }
    out[used] = '\0';
}

void ith_clean_line(char *text)
{
    size_t len = strlen(text), bad;
    bool open = false;

    for (size_t i = 0; i < len && !open;) {
        size_t n = printable_bytes(text + i, len - i);
        if (n == 0) {
            ith_utf8_width(text + i, len - i, &bad, &open);
            text[i] = open ? '\0' : '?';
        }
        i += n > 0 ? n : 1;
    }
}
