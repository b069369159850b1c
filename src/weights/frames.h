/* frames.h - units of streamed matrices kept in memory: as zstd frames, or as they are where a
 * frame would be no shorter. */
#ifndef ITH_WEIGHTS_FRAMES_H
#define ITH_WEIGHTS_FRAMES_H

#include "base/threads.h"
#include "weights/steps.h"

typedef struct ith_frames ith_frames;
typedef struct ith_frame_reader ith_frame_reader; /* the buffers of one thread */

/* Makes all units of the steps, on the team's threads. level 0: as they are. `plan` must outlive
 * the frames, which are the caller's. ITH_E_MEMORY: they take more than `room` bytes; what
 * ith_produce says. */
ith_status ith_frames_open(const ith_load_plan *plan, const ith_step *steps, int64_t n_steps,
                           int level, size_t room, ith_team *team, ith_frames **frames,
                           ith_error *err);
void ith_frames_close(ith_frames *frames); /* accepts NULL */

ith_status ith_frame_reader_open(ith_frame_reader **reader, ith_error *err);
void ith_frame_reader_close(ith_frame_reader *reader); /* accepts NULL */

/* Reads a unit of one of the steps into out[unit_bytes]. ITH_E_FORMAT: it does not decompress.
 * ITH_E_MEMORY. */
ith_status ith_frames_read(const ith_frames *frames, ith_frame_reader *reader,
                           const ith_entry *entry, int64_t unit, void *out, ith_error *err);

#endif
