/* produce.h - makes the units of a load plan: tiles of matrices in the layout the kernels read, and
 * vectors of floats.
 *
 * The store makes units where kernels read them, the packer where it writes them from. Any number
 * of threads may work at the same time, each with a producer of its own.
 */
#ifndef ITH_WEIGHTS_PRODUCE_H
#define ITH_WEIGHTS_PRODUCE_H

#include "formats/filereader.h"
#include "weights/load_plan.h"

/* The buffers of one thread. */
typedef struct ith_producer {
    const ith_load_plan *plan;
    ith_caching caching;
    ith_pack_reader *reader; /* of packs */
    ith_filereader *file;    /* of other files: the one read last */
    uint8_t *tile;           /* of packs: a tile in another layout than the one asked for, */
    float *rows;             /* and its rows as floats; or rows of matrices in several tensors, */
    uint8_t *quants;         /* and their quants */
    /* Of matrices that are turned: a head's rows, the first of which in the file is head_begin of
     * this entry's tensor (NULL: none yet); the rows of a tile. */
    float *head, *turned;
    const ith_entry *head_of;
    int64_t head_begin;
} ith_producer;

/* `plan` must outlive the producer. ITH_E_MEMORY; what ith_pack_reader_open says. */
ith_status ith_producer_open(const ith_load_plan *plan, ith_caching caching, ith_producer *p,
                             ith_error *err);
void ith_producer_close(ith_producer *p); /* accepts NULL and a zeroed struct */

/* Makes units [first, first + n) of e in out[n * unit_bytes], 64-byte aligned; reads once where the
 * file allows it. ITH_E_FORMAT: a weight that is not finite, or that the layout cannot hold; what
 * ith_pack_read and ith_filereader_get say. Matrices of a pack keep their bits unseen: whoever
 * wrote it has checked them, and a pass notices what is not finite. */
ith_status ith_produce(ith_producer *p, const ith_entry *e, int64_t first, int64_t n, void *out,
                       ith_error *err);

/* ITH_E_FORMAT: a number of this vector is not finite. */
ith_status ith_check_vector(const ith_entry *e, const float *values, ith_error *err);

/* Bytes that these units take in their file. *packed: are they compressed there? */
size_t ith_stored_bytes(const ith_entry *e, int64_t first, int64_t n, bool *packed);

#endif
