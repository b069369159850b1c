/* tensor.h - a named tensor in a model's files. */
#ifndef ITH_FORMATS_TENSOR_H
#define ITH_FORMATS_TENSOR_H

#include "formats/dtype.h"

#include <stddef.h>

struct ith_mapfile;
struct ith_packed;
struct ith_quantized;

typedef struct ith_tensor {
    const char *name;
    const char *file; /* that holds it; for messages */
    ith_dtype dtype;
    char unread[16];     /* ITH_DT_UNREAD: the type's name in the file; else "" */
    int n_dims;          /* 1 to 4 */
    int64_t dims[4];     /* row-major, as in PyTorch: dims[n_dims - 1] is contiguous */
    const uint8_t *data; /* unaligned */
    size_t bytes;        /* 0 if the file does not say and the type is not read */

    /* What `data` point into, so that filereader.h can read them; NULL: they are in memory. */
    const struct ith_mapfile *mapping;

    /* Set for tensors of a pack (packfile.h); dtype and data of a matrix then mean nothing. */
    const struct ith_packed *packed;

    /* Set for a matrix that several tensors hold (quantized.h); dtype is then what it is read as,
     * and data and bytes are those of its quants. */
    const struct ith_quantized *quantized;
} ith_tensor;

#endif
