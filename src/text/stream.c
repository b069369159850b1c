/* stream.c - decodes ids one by one and holds back unfinished characters. */
#include "text/stream.h"
#include "text/utf8.h"

#include <stdlib.h>
#include <string.h>

struct ith_detok {
    const ith_tokenizer *tok;
    ith_decoding decoding;
    size_t n_shown; /* bytes that the last call returned, at the start of the buffer */
    size_t n_held;  /* bytes held back after them: the beginning of a character */
    char buffer[];  /* room for three bytes held back and the longest token */
};

ith_status ith_detok_open(const ith_tokenizer *tok, ith_detok **stream, ith_error *err)
{
    size_t bytes = sizeof **stream + ith_tokenizer_max_len(tok) + 4;

    *stream = calloc(1, bytes);
    if (*stream == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a text stream of %zu bytes", bytes);
    (*stream)->tok = tok;
    (*stream)->decoding = ith_decoding_begin(tok);
    return ITH_OK;
}

void ith_detok_go_on(ith_detok *stream)
{
    stream->decoding = (ith_decoding){0};
}

void ith_detok_close(ith_detok *stream)
{
    free(stream);
}

/* The number of bytes at the end of the text that more bytes could complete to a character: at most
 * three. */
static size_t unfinished(const char *text, size_t len)
{
    for (size_t back = 1; back <= 3 && back <= len; back++) {
        size_t bad;
        bool open;
        if (((unsigned char)text[len - back] & 0xc0) == 0x80)
            continue;
        ith_utf8_width(text + len - back, back, &bad, &open);
        return open ? back : 0;
    }
    return 0;
}

const char *ith_detok_push(ith_detok *stream, int32_t id, size_t *len)
{
    size_t total;

    memmove(stream->buffer, stream->buffer + stream->n_shown, stream->n_held);
    total = stream->n_held +
            ith_decoding_next(stream->tok, &stream->decoding, id, stream->buffer + stream->n_held);
    stream->n_held = unfinished(stream->buffer, total);
    *len = stream->n_shown = total - stream->n_held;
    return stream->buffer;
}

const char *ith_detok_flush(ith_detok *stream, size_t *len)
{
    memmove(stream->buffer, stream->buffer + stream->n_shown, stream->n_held);
    *len = stream->n_held;
    stream->n_shown = stream->n_held = 0;
    return stream->buffer;
}
