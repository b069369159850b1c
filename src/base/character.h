/* character.h - where a character of UTF-8 ends. */
#ifndef ITH_BASE_CHARACTER_H
#define ITH_BASE_CHARACTER_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the well-formed character at text, 1 to 4; 0 if there is none, then *bad is how many bytes become one U+FFFD (the
 * maximal part, at least 1), and *open tells that more bytes could still complete it (it reaches the end). */
size_t ith_utf8_width(const char *text, size_t len, size_t *bad, bool *open);

/* Those bytes alone. */
size_t ith_utf8_bytes(const char *text, size_t len);

#endif
