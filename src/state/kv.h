/* kv.h - the KV cache of one rank: keys and values of its own heads, in the layout that the attention kernels read.
 *
 * Segments of 1,024 tokens (simd/kernels.h draws one). Those of all layers and heads are one piece of memory, large enough for
 * huge pages, allocated when the context reaches it: ith_kv_reserve before a step, so that nothing is allocated inside. Offsets are
 * 64-bit: Qwen3-8B at 131,072 tokens has 4.8e9 key elements.
 */
#ifndef ITH_KV_KV_H
#define ITH_KV_KV_H

#include "base/topology.h"
#include "simd/kernels.h"

typedef struct ith_kv ith_kv;

/* Segments of n tokens. */
static inline int64_t ith_kv_segments(int64_t n_tokens)
{
    return (n_tokens + ITH_KV_SEGMENT - 1) / ITH_KV_SEGMENT;
}

/* For timelines of up to ctx tokens. This cache holds, of segment s, the heads h with (s * n_heads + h) % parts == part: with
 * parts 1 all of them. */
ith_status ith_kv_open(ith_kv_layout layout, int n_layers, int n_heads, int head_dim, int64_t ctx, int part, int parts,
                       ith_kv **kv, ith_error *err);
void ith_kv_close(ith_kv *kv); /* accepts NULL */

/* Segments reserved from now on lie on the topology's memory nodes in turn (ith_topology_turn of their number); it must live as long. Else they lie where
 * they are written first. */
void ith_kv_place(ith_kv *kv, const ith_topology *topology);

/* Calls see() for what is reserved, with the memory node on which it shall lie; -1: anywhere. */
void ith_kv_regions(const ith_kv *kv, void (*see)(void *user, const void *at, size_t bytes, int node), void *user);

/* Makes room for n_tokens in all. ITH_E_MEMORY: what was there stays usable. */
ith_status ith_kv_reserve(ith_kv *kv, int64_t n_tokens, ith_error *err);

ith_kv_layout ith_kv_get_layout(const ith_kv *kv);

/* Is segment s of this head here? */
bool ith_kv_holds(const ith_kv *kv, int head, int64_t s);

/* Segment that holds tokens [1024 s, 1024 s + 1024) of a layer and head; held here, and reserved before. */
void *ith_kv_segment(const ith_kv *kv, int layer, int head, int64_t s);

/* The block of 64 tokens around `pos`; its slot is pos % 64. */
void *ith_kv_block(const ith_kv *kv, int layer, int head, int64_t pos);

/* Writes key and value of one token in a float layout (ITH_KVL_BF16, ITH_KVL_F32): k, v are head_dim elements of that type. */
void ith_kv_put_float(const ith_kv *kv, int layer, int head, int64_t pos, const void *k, const void *v);

/* Bytes of a segment of one layer and head, of which a timeline shorter than a segment needs but the first blocks. */
size_t ith_kv_segment_bytes(const ith_kv *kv);

/* Bytes of one token over n_heads heads and all layers. */
int64_t ith_kv_token_bytes(ith_kv_layout layout, int n_layers, int n_heads, int head_dim);

#endif
