/* character.h - the length of UTF-8 characters. */
#ifndef ITH_BASE_CHARACTER_H
#define ITH_BASE_CHARACTER_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the well-formed character at text[len], len >= 1: 1 to 4; 0 if there is none. Then *bad
 * is how many bytes become one U+FFFD (the maximal subpart, at least 1), and *open says that the
 * text ends inside a character which more bytes could complete. */
size_t ith_utf8_width(const char *text, size_t len, size_t *bad, bool *open);

/* The same result alone. */
size_t ith_utf8_bytes(const char *text, size_t len);

#endif
