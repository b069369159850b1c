/* ceilings.h - the hardware limits that benchmarks are compared with.
 *
 * A ceiling is the best rate that a team of threads reaches with the instructions of one SIMD
 * level, in loops that only read memory or only multiply and add.
 */
#ifndef ITH_TOOLS_CEILINGS_H
#define ITH_TOOLS_CEILINGS_H

#include "base/json.h"
#include "base/threads.h"
#include "ithaca_tools.h"
#include "simd/peaks.h"

/* Rates per second, summed over all active threads. */
typedef struct ith_ceilings {
    double read_bytes, integer_ops, f32_ops;
} ith_ceilings;

/* Local. Allocates a buffer to read from and writes to every page of it. The ranks of a node share
 * `want` bytes: each gets want / share. If `want` is 0, they share 1 GiB, or less where memory is
 * short. Free the buffer with ith_mem_free. */
ith_status ith_bench_buffer(int64_t want, int share, void **buffer, size_t *bytes, ith_error *err);

/* Local. Measures each ceiling for `seconds` and returns the rates of the fastest run. The first
 * `active` members of the team work; the others wait.
 *
 * A compute run takes about half a millisecond; a read run covers the next 64 MiB of the buffer.
 * Runs are short so that they find the quiet moments of a shared machine. */
ith_ceilings ith_ceilings_measure(ith_team *team, int active, const ith_peaks *peaks,
                                  const void *buffer, size_t bytes, double seconds);

/* The JSON object {read_gbps, integer_gops, f32_gflops}. */
json_t *ith_ceilings_json(const ith_ceilings *ceilings);

/* Copies word `index` of a comma-separated list to out[size], truncated if it does not fit.
 * Returns false past the end of the list. */
bool ith_bench_word(const char *list, size_t index, char *out, size_t size);

#endif
