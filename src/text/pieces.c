/* pieces.c - from the spelling of a vocabulary to the bytes of a text. */
#include "text/pieces.h"
#include "text/utf8.h"

#include <stdlib.h>
#include <string.h>

ith_status ith_spelling_add(ith_spelling *spelling, ith_bytes from, ith_bytes to, const char *where,
                            ith_error *err)
{
    int n = spelling->n_replaced;

    if (from.len == 0)
        return ith_fail(err, ITH_E_FORMAT, "%s: the decoder replaces an empty text", where);
    if (n == ITH_MAX_REPLACED)
        return ith_fail(err, ITH_E_UNSUPPORTED, "%s: the decoder replaces more than %d texts",
                        where, ITH_MAX_REPLACED);
    spelling->n_replaced++;
    ITH_TRY(ith_bytes_copy(from, &spelling->replaced[n].from, err));
    return ith_bytes_copy(to, &spelling->replaced[n].to, err);
}

void ith_spelling_free(ith_spelling *spelling)
{
    for (int i = 0; i < spelling->n_replaced; i++) {
        free((char *)spelling->replaced[i].from.data);
        free((char *)spelling->replaced[i].to.data);
    }
    *spelling = (ith_spelling){.n_replaced = 0};
}

/* The value of "<0x0A>"; -1: the text is not spelled so. */
static int spelled_byte(const char *text, size_t len)
{
    if (len != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>' || ith_hex_digit(text[3]) < 0 ||
        ith_hex_digit(text[4]) < 0)
        return -1;
    return ith_hex_digit(text[3]) << 4 | ith_hex_digit(text[4]);
}

/* The text with all `from` replaced; NULL: no memory. */
static char *replaced(ith_bytes text, ith_bytes from, ith_bytes to, size_t *len)
{
    size_t most = text.len + text.len / from.len * to.len + 1, n = 0;
    char *out = malloc(most);
    const char *at = text.data, *end = text.data + text.len, *next;

    if (out == NULL)
        return NULL;
    while ((next = memmem(at, (size_t)(end - at), from.data, from.len)) != NULL) {
        memcpy(out + n, at, (size_t)(next - at));
        n += (size_t)(next - at);
        memcpy(out + n, to.data, to.len);
        n += to.len;
        at = next + from.len;
    }
    memcpy(out + n, at, (size_t)(end - at));
    *len = n + (size_t)(end - at);
    return out;
}

ith_status ith_spelling_piece(const ith_spelling *spelling, ith_bytes token, ith_bytes *piece,
                              ith_error *err)
{
    int byte = spelling->bytes ? spelled_byte(token.data, token.len) : -1;
    char c = (char)byte;

    if (byte >= 0)
        return ith_bytes_copy((ith_bytes){&c, 1}, piece, err);
    ITH_TRY(ith_bytes_copy(token, piece, err));
    for (int i = 0; i < spelling->n_replaced; i++) {
        size_t len;
        char *next = replaced(*piece, spelling->replaced[i].from, spelling->replaced[i].to, &len);
        free((char *)piece->data);
        *piece = (ith_bytes){next, len};
        if (next == NULL) {
            *piece = (ith_bytes){NULL, 0};
            return ith_fail(err, ITH_E_MEMORY, "no memory for the spelling of tokens");
        }
    }
    return ITH_OK;
}
