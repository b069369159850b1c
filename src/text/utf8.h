/* utf8.h - UTF-8, white space and normalization. Inside src/text only; the room's only user of utf8proc is utf8.c. */
#ifndef ITH_TEXT_UTF8_H
#define ITH_TEXT_UTF8_H

#include "base/character.h"
#include "base/error.h"

typedef struct ith_buffer { /* growing bytes */
    char *data;
    size_t len, cap;
} ith_buffer;

ith_status ith_buffer_reserve(ith_buffer *buffer, size_t more, ith_error *err);
ith_status ith_buffer_append(ith_buffer *buffer, const char *data, size_t len, ith_error *err);
void ith_buffer_free(ith_buffer *buffer);

/* The bytes of the longest prefix that is well-formed. */
size_t ith_utf8_valid_prefix(const char *text, size_t len);

/* Appends text with U+FFFD for what is not UTF-8. */
ith_status ith_utf8_repair(const char *text, size_t len, ith_buffer *out, ith_error *err);

/* The code point at text, which is well-formed; its bytes in *width (may be NULL). */
uint32_t ith_utf8_decode(const char *text, size_t *width);

bool ith_is_white_space(uint32_t code); /* Unicode's White_Space */
bool ith_is_word_char(
    uint32_t code); /* letter, mark, decimal digit, letter number or connector: \w of Unicode's UTS 18 */

/* Appends the NFC of well-formed text (Unicode's UAX 15). */
ith_status ith_utf8_nfc(const char *text, size_t len, ith_buffer *out, ith_error *err);

#endif
