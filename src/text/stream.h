/* stream.h - turns token ids into text as they come, without splitting a UTF-8 character.
 *
 * Byte-level tokens may end inside a character. A push returns the bytes that can be shown now: all
 * but an unfinished last character, which waits for its other bytes. Bytes that cannot become a
 * character are passed on unchanged. Everything that is returned, flush included, concatenates to
 * ith_tokenizer_decode of the ids.
 */
#ifndef ITH_TEXT_STREAM_H
#define ITH_TEXT_STREAM_H

#include "text/tokenizer.h"

typedef struct ith_detok ith_detok;

/* The tokenizer must outlive the stream. */
ith_status ith_detok_open(const ith_tokenizer *tok, ith_detok **stream, ith_error *err);
void ith_detok_close(ith_detok *stream); /* accepts NULL */

/* Before the first push: the tokens go on from a text, so that they are decoded as inside it. */
void ith_detok_go_on(ith_detok *stream);

/* The result is valid until the next call on the stream, and never NULL. An id that has no token
 * adds nothing. */
const char *ith_detok_push(ith_detok *stream, int32_t id, size_t *len);

/* Returns what is left, including an unfinished character. The stream can then be used again. */
const char *ith_detok_flush(ith_detok *stream, size_t *len);

#endif
