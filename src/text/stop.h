/* stop.h - ends a growing text at the first of several stop strings.
 *
 * The stop string that is complete first wins; of two that end at the same byte, the longer. The
 * text before it is returned, the stop string itself never is. Bytes that may be the beginning of a
 * stop string are held back until it is known that they are not. The result does not depend on how
 * the text is cut into chunks.
 */
#ifndef ITH_TEXT_STOP_H
#define ITH_TEXT_STOP_H

#include "base/error.h"

typedef struct ith_stop ith_stop;

/* n may be 0: then nothing stops. Copies the strings. ITH_E_ARGUMENT: a string is empty or NULL. */
ith_status ith_stop_open(const char *const *strings, size_t n, ith_stop **stop, ith_error *err);
void ith_stop_close(ith_stop *stop); /* accepts NULL */

/* Takes a chunk of text and returns in *out the text that may now be shown, valid until the next
 * call. *stopped: a stop string is complete; later calls return nothing. ITH_E_MEMORY is the only
 * error. */
ith_status ith_stop_push(ith_stop *stop, const char *text, size_t len, const char **out,
                         size_t *out_len, bool *stopped, ith_error *err);

/* At the end of the answer: returns what is still held back; nothing if stopped. */
const char *ith_stop_flush(ith_stop *stop, size_t *len);

#endif
