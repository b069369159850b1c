/* stats.h - activation statistics: for each matrix, the mean square of every column of its input
 * over some text. `ithaca calibrate` writes them; quantizers weight errors with them.
 *
 * The file is safetensors with one F32 vector [cols] per matrix, under the matrix's Hugging Face
 * name, whatever file the model came from. Matrices with the same input have equal vectors. Gate
 * and up of experts have none: the router reads the same input. Down of an expert that no token
 * reached has none either. Metadata, all strings:
 *
 *   format      "ithaca-activations-1"
 *   model       the model's name
 *   tokens      of the text
 *   window      how many tokens saw each other at most
 *   ids_sha256  of the text's ids, int32 little-endian
 */
#ifndef ITH_FORMATS_STATS_H
#define ITH_FORMATS_STATS_H

#include "base/error.h"

typedef struct ith_stats ith_stats;

/* Reads a whole file. ITH_E_FORMAT: damaged, in another format, or with a value that is negative,
 * NaN or infinite. */
ith_status ith_stats_open(const char *path, ith_stats **stats, ith_error *err);
const char *ith_stats_path(const ith_stats *stats);
void ith_stats_close(ith_stats *stats); /* accepts NULL */

/* The vector of matrix `name`, which lives as long as `stats`; NULL if there is none. ITH_E_FORMAT:
 * it does not have `cols` elements, so the statistics are of another model. */
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

/* The file appears under its name, in place of an older one, when it is complete and on disk. */
ith_status ith_stats_write(const char *path, const ith_stats_about *about,
                           const ith_stats_vector *vectors, size_t n, ith_error *err);

#endif
