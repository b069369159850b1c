/* zframe.h - one buffer as one zstd frame (RFC 8878), and back to a known size. */
#ifndef ITH_FORMATS_ZFRAME_H
#define ITH_FORMATS_ZFRAME_H

#include "base/error.h"

typedef struct ith_zframe ith_zframe; /* the state of one thread */

ith_status ith_zframe_open(ith_zframe **z, ith_error *err);
void ith_zframe_close(ith_zframe *z); /* accepts NULL */

/* Returns the bytes written to out[room], or 0 if the frame would be longer. level: 1 to
 * ith_zframe_max_level(). Levels up to 9 use byte frequencies alone and look for no repeats, which
 * suits numbers and decompresses faster. */
size_t ith_zframe_pack(ith_zframe *z, int level, const void *data, size_t bytes, void *out,
                       size_t room);

/* Fills out[size]. False: the frame is damaged or holds another number of bytes. Never writes past
 * out[size], whatever the frame. */
bool ith_zframe_unpack(ith_zframe *z, const void *frame, size_t bytes, void *out, size_t size);

int ith_zframe_max_level(void);

#endif
