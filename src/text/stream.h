/* stream.h - ids to text as they come, never splitting a UTF-8 character.
 *
 * Byte-level tokens may end inside a character. A push returns the bytes that may be shown now: all but a last, unfinished
 * character, which waits for its other bytes. Bytes that cannot become a character are passed on as they are. The
 * concatenation of everything returned, flush included, is ith_tokenizer_decode of the ids.
 */
#ifndef ITH_TEXT_STREAM_H
#define ITH_TEXT_STREAM_H

#include "text/tokenizer.h"

typedef struct ith_detok ith_detok;

/* The tokenizer must outlive the stream. */
ith_status ith_detok_open(const ith_tokenizer *tok, ith_detok **stream, ith_error *err);
void ith_detok_close(ith_detok *stream); /* accepts NULL */

/* Valid until the next call on the stream; never NULL, also when *len is 0. An id without a token adds nothing. */
const char *ith_detok_push(ith_detok *stream, int32_t id, size_t *len);

/* What is left, an unfinished character included. The stream is then as new. */
const char *ith_detok_flush(ith_detok *stream, size_t *len);

#endif
