/* stop.h - ends a growing text at the first of some stop strings, also when one comes in pieces.
 *
 * The stop string whose last byte comes first wins; of two that end together, the longer. The text before it is
 * returned, the stop string itself never. Bytes that may be the beginning of a stop string are held back until they are known
 * not to be. The outcome does not depend on how the text is cut into pieces.
 */
#ifndef ITH_TEXT_STOP_H
#define ITH_TEXT_STOP_H

#include "base/error.h"

typedef struct ith_stop ith_stop;

/* n may be 0 (nothing stops). An empty or NULL string: ITH_E_ARGUMENT. The strings are copied. */
ith_status ith_stop_open(const char *const *strings, size_t n, ith_stop **stop, ith_error *err);
void ith_stop_close(ith_stop *stop); /* accepts NULL */

/* Takes a piece and gives in *out the text that may be shown, valid until the next call. *stopped: a stop string is
 * complete; later pushes give nothing. ITH_E_MEMORY is the only failure. */
ith_status ith_stop_push(ith_stop *stop, const char *text, size_t len, const char **out, size_t *out_len, bool *stopped,
                         ith_error *err);

/* At the end of the answer: what was held back and has become plain text (nothing if stopped). */
const char *ith_stop_flush(ith_stop *stop, size_t *len);

#endif
