/* utf8.c - UTF-8 in our own code; character classes and normalization through utf8proc. */
#include "text/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

ith_status ith_buffer_reserve(ith_buffer *buffer, size_t more, ith_error *err)
{
    size_t cap = buffer->cap ? buffer->cap : 4096;
    char *data;

    if (buffer->data != NULL && buffer->cap - buffer->len >= more)
        return ITH_OK;
    while (cap - buffer->len < more && cap < SIZE_MAX / 2)
        cap *= 2;
    data = cap - buffer->len < more ? NULL : realloc(buffer->data, cap);
    if (data == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for %zu bytes of text", cap);
    buffer->data = data;
    buffer->cap = cap;
    return ITH_OK;
}

ith_status ith_buffer_append(ith_buffer *buffer, const char *data, size_t len, ith_error *err)
{
    ITH_TRY(ith_buffer_reserve(buffer, len, err));
    if (len > 0)
        memcpy(buffer->data + buffer->len, data, len);
    buffer->len += len;
    return ITH_OK;
}

void ith_buffer_free(ith_buffer *buffer)
{
    free(buffer->data);
    memset(buffer, 0, sizeof *buffer);
}

size_t ith_utf8_valid_prefix(const char *text, size_t len)
{
    size_t at = 0, bad, width;
    bool open;

    while (at < len) {
        if ((unsigned char)text[at] < 0x80) {
            at++;
            continue;
        }
        width = ith_utf8_width(text + at, len - at, &bad, &open);
        if (width == 0)
            break;
        at += width;
    }
    return at;
}

ith_status ith_utf8_repair(const char *text, size_t len, ith_buffer *out, ith_error *err)
{
    while (len > 0) {
        size_t good = ith_utf8_valid_prefix(text, len), bad = 0;
        bool open;
        ITH_TRY(ith_buffer_append(out, text, good, err));
        if (good == len)
            break;
        ith_utf8_width(text + good, len - good, &bad, &open);
        ITH_TRY(ith_buffer_append(out, "\xef\xbf\xbd", 3, err));
        text += good + bad;
        len -= good + bad;
    }
    return ITH_OK;
}

uint32_t ith_utf8_decode(const char *text, size_t *width)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

    if (width != NULL)
        *width = n;
    switch (n) {
    case 1:
        return s[0];
    case 2:
        return (s[0] & 0x1fu) << 6 | (s[1] & 0x3fu);
    case 3:
        return (s[0] & 0x0fu) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu);
    default:
        return (s[0] & 0x07u) << 18 | (s[1] & 0x3fu) << 12 | (s[2] & 0x3fu) << 6 | (s[3] & 0x3fu);
    }
}

bool ith_is_white_space(uint32_t code)
{
    return (code >= 9 && code <= 13) || code == 0x20 || code == 0x85 || code == 0xa0 ||
           code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 ||
           code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000;
}

bool ith_is_word_char(uint32_t code)
{
    switch (utf8proc_category((utf8proc_int32_t)code)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
        return true;
    default:
        return false;
    }
}

/* ---- NFC ----
 *
 * A character below U+0300 never combines with the one before it, and it is in NFC by itself. So
 * runs of such characters are copied; utf8proc normalizes only the runs of one such character and
 * the higher ones that follow it.
 */

enum {
    MAX_DECOMPOSED = 32, /* code points that a character becomes: 4 in Unicode 16 */
    SHORT_RUN = 16
};

/* Is this the first byte of a character below U+0300? */
static bool is_low(unsigned char c)
{
    return c < 0xcc;
}

typedef struct codes {
    utf8proc_int32_t *data;
    size_t cap;
} codes;

static ith_status reserve_codes(codes *buffer, size_t n, ith_error *err)
{
    utf8proc_int32_t *data;

    if (n <= buffer->cap)
        return ITH_OK;
    n = n < buffer->cap + buffer->cap / 2 ? buffer->cap + buffer->cap / 2 : n + 64;
    data = n > SIZE_MAX / 8 ? NULL : realloc(buffer->data, n * sizeof *data);
    if (data == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory to normalize %zu characters", n);
    buffer->data = data;
    buffer->cap = n;
    return ITH_OK;
}

/* Appends the full decomposition of one character. */
static ith_status decompose(utf8proc_int32_t code, codes *buffer, size_t *n, ith_error *err)
{
    utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    int boundary = 0;
    utf8proc_ssize_t more;

    ITH_TRY(reserve_codes(buffer, *n + MAX_DECOMPOSED, err));
    more = utf8proc_decompose_char(code, buffer->data + *n, MAX_DECOMPOSED, options, &boundary);
    if (more < 0 || more > MAX_DECOMPOSED)
        return ith_fail(err, ITH_E_ARGUMENT, "cannot normalize the text: %s",
                        more < 0 ? utf8proc_errmsg(more) : "a character has too many parts");
    *n += (size_t)more;
    return ITH_OK;
}

static int class_of(utf8proc_int32_t code)
{
    return (int)utf8proc_get_property(code)->combining_class;
}

/* Canonical ordering: sorts the marks of one run by class, those of one class in their order.
 * `other` has room for n codes. */
static void sort_marks(utf8proc_int32_t *marks, size_t n, utf8proc_int32_t *other)
{
    size_t first[257] = {0};

    for (size_t i = 0; i < n; i++)
        first[class_of(marks[i]) + 1]++;
    for (int c = 0; c < 256; c++)
        first[c + 1] += first[c];
    for (size_t i = 0; i < n; i++)
        other[first[class_of(marks[i])]++] = marks[i];
    memcpy(marks, other, n * sizeof *marks);
}

/* Characters of class 0 stay where they are; between two of them marks are sorted. Long runs are
 * counted, short ones, the usual case, inserted. */
static void order_marks(utf8proc_int32_t *data, size_t n, utf8proc_int32_t *other)
{
    for (size_t begin = 0, end; begin < n; begin = end + (end == begin)) {
        for (end = begin; end < n && class_of(data[end]) != 0; end++)
            ;
        if (end - begin > SHORT_RUN) {
            sort_marks(data + begin, end - begin, other);
            continue;
        }
        for (size_t i = begin + 1; i < end; i++)
            for (size_t k = i; k > begin && class_of(data[k - 1]) > class_of(data[k]); k--) {
                utf8proc_int32_t mark = data[k];
                data[k] = data[k - 1];
                data[k - 1] = mark;
            }
    }
}

static ith_status nfc_run(const char *text, size_t len, codes *buffer, codes *other,
                          ith_buffer *out, ith_error *err)
{
    size_t n = 0, width;
    utf8proc_ssize_t left;

    for (size_t at = 0; at < len; at += width)
        ITH_TRY(decompose((utf8proc_int32_t)ith_utf8_decode(text + at, &width), buffer, &n, err));
    ITH_TRY(reserve_codes(other, n, err));
    order_marks(buffer->data, n, other->data);
    left = utf8proc_normalize_utf32(buffer->data, (utf8proc_ssize_t)n,
                                    UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (left < 0)
        return ith_fail(err, ITH_E_ARGUMENT, "cannot normalize the text: %s",
                        utf8proc_errmsg(left));
    ITH_TRY(ith_buffer_reserve(out, 4 * (size_t)left, err));
    for (utf8proc_ssize_t i = 0; i < left; i++)
        out->len +=
            (size_t)utf8proc_encode_char(buffer->data[i], (utf8proc_uint8_t *)out->data + out->len);
    return ITH_OK;
}

ith_status ith_utf8_nfc(const char *text, size_t len, ith_buffer *out, ith_error *err)
{
    codes buffer = {0}, other = {0};
    ith_status status = ITH_OK;
    size_t at = 0, copied = 0;

    while (at < len) {
        size_t begin = at;
        if (is_low((unsigned char)text[at])) {
            at++;
            continue;
        }
        while (begin > copied && ((unsigned char)text[--begin] & 0xc0) == 0x80)
            ; /* to the beginning of the character before */
        while (at < len &&
               (!is_low((unsigned char)text[at]) || ((unsigned char)text[at] & 0xc0) == 0x80))
            at++;
        ITH_CHECK(ith_buffer_append(out, text + copied, begin - copied, err));
        ITH_CHECK(nfc_run(text + begin, at - begin, &buffer, &other, out, err));
        copied = at;
    }
    ITH_CHECK(ith_buffer_append(out, text + copied, len - copied, err));
done:
    free(buffer.data);
    free(other.data);
    return status;
}
