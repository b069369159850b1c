/* character.c - reads the first bytes of a UTF-8 character. */
#include "base/character.h"

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
