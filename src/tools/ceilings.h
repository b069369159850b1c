/* ceilings.h - what a team of threads can do at best, with the instructions of one SIMD level. */
#ifndef ITH_TOOLS_CEILINGS_H
#define ITH_TOOLS_CEILINGS_H

#include "base/json.h"
#include "base/threads.h"
#include "ithaca_tools.h"
#include "simd/peaks.h"

typedef struct ith_ceilings { /* per second, all active threads together */
    double read_bytes, integer_ops, f32_ops;
} ith_ceilings;

/* A buffer for reading: `want` bytes, or if that is 0 1 GiB, less where memory is short; divided by the `share` ranks of a node.
 * Every page of it is written. Freed by ith_mem_free. */
ith_status ith_bench_buffer(int64_t want, int share, void **buffer, size_t *bytes, ith_error *err);

/* The best of runs of about half a millisecond (reading: of the next 64 MiB of the buffer) that go on for `seconds` each. Short
 * runs find the quiet moments of a shared machine. The first `active` members of the team work, the others wait. */
ith_ceilings ith_ceilings_measure(ith_team *team, int active, const ith_peaks *peaks, const void *buffer, size_t bytes,
                                  double seconds);

/* {read_gbps, integer_gops, f32_gflops} */
json_t *ith_ceilings_json(const ith_ceilings *ceilings);

/* A list of words separated by commas: copies word `index` to out[size] and returns true; false past the end. */
bool ith_bench_word(const char *list, size_t index, char *out, size_t size);

#endif
