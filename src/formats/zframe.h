/* zframe.h - one buffer as one zstd frame (RFC 8878), and back to a size that is known before. */
#ifndef ITH_FORMATS_ZFRAME_H
#define ITH_FORMATS_ZFRAME_H

#include "base/error.h"

typedef struct ith_zframe ith_zframe; /* one thread's state */

ith_status ith_zframe_open(ith_zframe **z, ith_error *err);
void ith_zframe_close(ith_zframe *z); /* accepts NULL */

/* Bytes written to out, at most `room`; 0 if the frame would be longer. level 1 to ith_zframe_max_level(): up to 9 repeats are not
 * looked for, only the frequency of bytes is used, which suits numbers (and reads back faster). */
size_t ith_zframe_pack(ith_zframe *z, int level, const void *data, size_t bytes, void *out,
                       size_t room);

/* Fills out[size]. False if the frame is damaged or holds another number of bytes. Never writes past out[size], whatever it is given. */
bool ith_zframe_unpack(ith_zframe *z, const void *frame, size_t bytes, void *out, size_t size);

int ith_zframe_max_level(void);

#endif
