/* utf8.h - UTF-8, normalization, and a growing buffer. Used inside src/text only. */
#ifndef ITH_TEXT_UTF8_H
#define ITH_TEXT_UTF8_H

#include "base/bytes.h"
#include "base/character.h"
#include "base/error.h"
#include "text/unicode.h"

/* A growing array of bytes. */
typedef struct ith_buffer {
    char *data;
    size_t len, cap;
} ith_buffer;

/* Makes room for `more` bytes after the first len. ITH_E_MEMORY is the only error. */
ith_status ith_buffer_reserve(ith_buffer *buffer, size_t more, ith_error *err);
ith_status ith_buffer_append(ith_buffer *buffer, const char *data, size_t len, ith_error *err);
void ith_buffer_free(ith_buffer *buffer); /* frees the contents, not the struct */

/* Bytes of the longest prefix that is well-formed UTF-8. */
size_t ith_utf8_valid_prefix(const char *text, size_t len);

/* Appends the text, with U+FFFD in place of what is not UTF-8 (one for each maximal subpart). */
ith_status ith_utf8_repair(const char *text, size_t len, ith_buffer *out, ith_error *err);

/* The code point at `text`, which must be well-formed. *width, unless NULL: its bytes. */
uint32_t ith_utf8_decode(const char *text, size_t *width);

/* Where the character that ends at `end` begins; the text is well-formed, and end >= 1. */
size_t ith_utf8_before(const char *text, size_t end);

/* Writes a code point to out[4]; returns its bytes. */
size_t ith_utf8_encode(uint32_t code, char *out);

/* The value of a hexadecimal digit; -1: it is none. */
int ith_hex_digit(char c);

/* A copy that the caller frees. ITH_E_MEMORY is the only error. */
ith_status ith_bytes_copy(ith_bytes from, ith_bytes *to, ith_error *err);

/* Unicode's normal forms (UAX 15). */
typedef enum ith_normal_form { ITH_NFC, ITH_NFD, ITH_NFKC, ITH_NFKD } ith_normal_form;

/* Appends a normal form of well-formed text. */
ith_status ith_utf8_normalize(ith_normal_form form, const char *text, size_t len, ith_buffer *out,
                              ith_error *err);

#endif
