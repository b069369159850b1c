/* stats.h - activation statistics: for every matrix the mean square of each column of its input over some text. `ithaca calibrate` writes
 * them, quantizers weigh errors with them.
 *
 * The file is safetensors: one F32 vector [cols] per matrix, under the name that Hugging Face gives the matrix, whatever file the
 * model came from (matrices that read the same input have equal vectors). The gate and up of experts have none of their own: what they read the
 * router reads too. The down of an expert that no token went to has none. Metadata, all strings:
 *   format "ithaca-activations-1"; model; tokens; window (tokens that saw each other at most); ids_sha256 (of the text's ids, int32
 *   little-endian)
 */
#ifndef ITH_FORMATS_STATS_H
#define ITH_FORMATS_STATS_H

#include "base/error.h"

typedef struct ith_stats ith_stats;

/* Reads a file whole. ITH_E_FORMAT: damaged, of another format, or with a value that is negative, NaN or infinite. */
ith_status ith_stats_open(const char *path, ith_stats **stats, ith_error *err);
const char *ith_stats_path(const ith_stats *stats);
void ith_stats_close(ith_stats *stats); /* accepts NULL */

/* The vector of matrix `name`, which lives as long as `stats`, or NULL if there is none. ITH_E_FORMAT: it has not `cols` elements: the
 * statistics are of another model. */
ith_status ith_stats_find(const ith_stats *stats, const char *name, int64_t cols, const float **out,
                          ith_error *err);

/* ---- Writing ---- */

typedef struct ith_stats_vector {
    const char *name;
    const float *values; /* [n] */
    int64_t n;
} ith_stats_vector;

typedef struct ith_stats_about {
    const char *model;
    int64_t tokens, window;
    char ids_sha256[65];
} ith_stats_about;

/* The file appears under its name when it is complete and on disk, in place of an older one. */
ith_status ith_stats_write(const char *path, const ith_stats_about *about,
                           const ith_stats_vector *vectors, size_t n, ith_error *err);

#endif
