/* character.h - UTF-8 characters: their lengths, and which of them may be shown. */
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

/* Text of unknown origin is cleaned before it is shown. What a terminal may obey (control
 * characters, C1 controls among them), what reorders or breaks a line (marks and overrides of
 * direction, line separators), and bytes that are not UTF-8: each byte becomes '?'. */

/* Copies to out[size], NUL-terminated. Too long a text is cut between characters. */
void ith_clean_text(const char *text, size_t len, char *out, size_t size);

/* The same in place, for a text that may have been cut inside its last character. */
void ith_clean_line(char *text);

#endif
