/* traffic.h - what ranks send to each other: pure functions of the model's shape, the mesh and the
 * pass, summed over the blocks of its layers. */
#ifndef ITH_MODEL_TRAFFIC_H
#define ITH_MODEL_TRAFFIC_H

#include "model/blocks/block.h"

/* Bytes that rank wire->mesh->rank sends in all layers for a pass of n tokens after `depth` others.
 *
 * By tokens (Ulysses), with attention, a rank with t = n / P tokens of a model with H heads of size
 * d (R = 1, q8: about (d + 4) bytes per head of a query, 2 d + 4 of a key and its value, d of the
 * result) sends for each layer
 *
 *     t (1 - 1/U) (H q + KV kv) + (n / R) / U (1 - 1/U) H o            falls as 1 / P
 *
 * With R > 1, what it holds of the cache goes to the others of its group besides, which grows with
 * the depth.
 *
 * By rows (tensor parallel) it sends its slice of every gathered matrix to all others:
 * n (P - 1) / P (H o + 2 * 4 hidden + ffn, or with experts used * expert_ffn), which does not fall.
 * With R > 1 the ranks of a group exchange queries, KV records and partial results besides, which
 * ith_traffic_rows leaves out. */
int64_t ith_traffic_ulysses(const ith_wire *wire, int64_t depth, int64_t n);
int64_t ith_traffic_rows(const ith_wire *wire, int64_t n);

/* Of the bytes by tokens, those of blocks that cut their heads into slices (`wanted` of them, or 0:
 * as many as pay), so that some travel behind compute. */
int64_t ith_traffic_sliced(const ith_wire *wire, int wanted, int64_t depth, int64_t n);

/* No rank sends or receives more bytes in any exchange of a pass of up to n tokens. */
int64_t ith_exchange_most(const ith_wire *wire, int64_t n);

#endif
