/* utf8.c - UTF-8 in our own code; normalization through utf8proc. */
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

size_t ith_utf8_before(const char *text, size_t end)
{
    while (((unsigned char)text[--end] & 0xc0) == 0x80)
        ;
    return end;
}

size_t ith_utf8_encode(uint32_t code, char *out)
{
    return (size_t)utf8proc_encode_char((utf8proc_int32_t)code, (utf8proc_uint8_t *)out);
}

int ith_hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

ith_status ith_bytes_copy(ith_bytes from, ith_bytes *to, ith_error *err)
{
    char *copy = malloc(from.len + 1);

    if (copy == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for %zu bytes of text", from.len);
    if (from.len > 0)
        memcpy(copy, from.data, from.len);
    *to = (ith_bytes){copy, from.len};
    return ITH_OK;
}

/* ---- Normal forms ----
 *
 * A character below U+0300 never combines with the one before it, and it is in NFC by itself; in
 * the other forms so are those of ASCII. So runs of such characters are copied; utf8proc normalizes
 * only the runs of one such character and the higher ones that follow it. Characters that are inert
 * (unicode.h) never reach it, so that all its versions since Unicode 9 give the same.
 */

enum {
    MAX_DECOMPOSED = 32, /* code points that a character becomes: 18 in Unicode 16 */
    SHORT_RUN = 16
};

typedef struct codes {
    utf8proc_int32_t *data;
    size_t cap;
} codes;

typedef struct normalization {
    ith_normal_form form;
    codes buffer, other; /* the run; scratch */
    size_t n;            /* codes in the buffer */
    ith_buffer *out;
} normalization;

/* Is this the first byte of a character that is always copied? */
static bool is_low(const normalization *z, unsigned char c)
{
    return c < (z->form == ITH_NFC ? 0xcc : 0x80);
}

/* Does the form leave the character as it is, and does it compose with no other of its kind, nor
 * with what stands before it? With a mark or a letter of Hangul behind it, it may. Most texts of
 * China, Japan and Korea consist of such characters. */
static bool is_calm(const normalization *z, uint32_t code)
{
    if (code < 0x3001)
        return false;
    if ((code >= 0x3400 && code <= 0x4dbf) || (code >= 0x4e00 && code <= 0x9fff))
        return true;
    return z->form == ITH_NFC &&
           (code <= 0x3029 || (code >= 0x3041 && code <= 0x3096) ||
            (code >= 0x30a1 && code <= 0x30fc) || (code >= 0xac00 && code <= 0xd7a3) ||
            (code >= 0xff01 && code <= 0xff5e));
}

static bool composes(const normalization *z)
{
    return z->form == ITH_NFC || z->form == ITH_NFKC;
}

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
static ith_status decompose(normalization *z, uint32_t code, ith_error *err)
{
    utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE;
    int boundary = 0;
    utf8proc_ssize_t more;

    if (z->form == ITH_NFKC || z->form == ITH_NFKD)
        options |= UTF8PROC_COMPAT;
    ITH_TRY(reserve_codes(&z->buffer, z->n + MAX_DECOMPOSED, err));
    more = utf8proc_decompose_char((utf8proc_int32_t)code, z->buffer.data + z->n, MAX_DECOMPOSED,
                                   options, &boundary);
    if (more < 0 || more > MAX_DECOMPOSED)
        return ith_fail(err, ITH_E_ARGUMENT, "cannot normalize the text: %s",
                        more < 0 ? utf8proc_errmsg(more)
                                 : "a character decomposes into too many others");
    z->n += (size_t)more;
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

/* Orders, composes and appends what is in the buffer. */
static ith_status finish_run(normalization *z, ith_error *err)
{
    ith_buffer *out = z->out;
    utf8proc_ssize_t left = (utf8proc_ssize_t)z->n;

    if (z->n == 0)
        return ITH_OK;
    ITH_TRY(reserve_codes(&z->other, z->n, err));
    order_marks(z->buffer.data, z->n, z->other.data);
    if (composes(z))
        left = utf8proc_normalize_utf32(z->buffer.data, left, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (left < 0)
        return ith_fail(err, ITH_E_ARGUMENT, "cannot normalize the text: %s",
                        utf8proc_errmsg(left));
    ITH_TRY(ith_buffer_reserve(out, 4 * (size_t)left, err));
    for (utf8proc_ssize_t i = 0; i < left; i++)
        out->len += ith_utf8_encode((uint32_t)z->buffer.data[i], out->data + out->len);
    z->n = 0;
    return ITH_OK;
}

static ith_status normalize_run(normalization *z, const char *text, size_t len, ith_error *err)
{
    size_t width = 0, after = 0, kept = 0; /* from `kept` on, nothing changes */
    uint32_t code = 0, next = ith_utf8_decode(text, &after);
    bool calm, next_calm = is_calm(z, next);

    for (size_t at = 0; at < len; at += width) {
        code = next, width = after, calm = next_calm;
        next_calm = at + width == len;
        if (at + width < len) {
            next = ith_utf8_decode(text + at + width, &after);
            next_calm = is_calm(z, next);
        }
        if (calm ? next_calm : code >= 0x80 && ith_unicode_is_inert(code)) {
            ITH_TRY(finish_run(z, err));
            continue;
        }
        ITH_TRY(ith_buffer_append(z->out, text + kept, at - kept, err));
        ITH_TRY(decompose(z, code, err));
        kept = at + width;
    }
    ITH_TRY(finish_run(z, err));
    return ith_buffer_append(z->out, text + kept, len - kept, err);
}

ith_status ith_utf8_normalize(ith_normal_form form, const char *text, size_t len, ith_buffer *out,
                              ith_error *err)
{
    normalization z = {.form = form, .out = out};
    ith_status status = ITH_OK;
    size_t at = 0, copied = 0;

    while (at < len) {
        size_t begin = at;
        if (is_low(&z, (unsigned char)text[at])) {
            at++;
            continue;
        }
        if (begin > copied)
            begin = ith_utf8_before(text, begin);
        while (at < len &&
               (!is_low(&z, (unsigned char)text[at]) || ((unsigned char)text[at] & 0xc0) == 0x80))
            at++;
        ITH_CHECK(ith_buffer_append(out, text + copied, begin - copied, err));
        ITH_CHECK(normalize_run(&z, text + begin, at - begin, err));
        copied = at;
    }
    if (copied < len) /* an empty text may be NULL */
        ITH_CHECK(ith_buffer_append(out, text + copied, len - copied, err));
done:
    free(z.buffer.data);
    free(z.other.data);
    return status;
}
