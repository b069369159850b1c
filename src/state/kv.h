/* kv.h - the KV cache of one rank: keys and values of its own heads, in the layout that the
 * attention kernels read.
 *
 * The cache consists of segments of 1,024 tokens (simd/kernels.h draws one). The segments of all
 * layers and heads for the same tokens are one allocation, large enough for huge pages. It is made
 * when the context reaches these tokens, by ith_kv_reserve before a pass, so that nothing is
 * allocated inside a pass. Offsets are 64-bit: Qwen3-8B at 131,072 tokens has 4.8e9 key elements.
 *
 * Where a token sees a window of keys only, the cache keeps the last n segments (ith_kv_keep):
 * segment s lies where segment s - n was.
 *
 * If the ranks outnumber the KV heads, the ranks of a group hold the same heads and divide their
 * segments (comm/mesh.h).
 *
 * Timelines that begin alike can share whole segments (ith_kv_share): one allocation, which lives
 * until the last cache lets go of it.
 *
 * All functions are local.
 */
#ifndef ITH_STATE_KV_H
#define ITH_STATE_KV_H

#include "base/threads.h"
#include "base/topology.h"
#include "simd/kernels.h"

typedef struct ith_kv ith_kv;

/* The number of segments of n tokens. */
static inline int64_t ith_kv_segments(int64_t n_tokens)
{
    return (n_tokens + ITH_KV_SEGMENT - 1) / ITH_KV_SEGMENT;
}

/* The first segment with a key that the token at position pos sees, `window` keys, itself among
 * them; 0: all before it. */
static inline int64_t ith_kv_first_seen(int64_t window, int64_t pos)
{
    return window == 0 || pos < window ? 0 : (pos + 1 - window) / ITH_KV_SEGMENT;
}

/* Bytes of a block of 64 tokens of a head: of latents, or of keys and values. */
static inline size_t ith_cache_block_bytes(bool latent, ith_kv_layout layout, int head_dim)
{
    return latent ? ith_latent_block_bytes(layout, head_dim) : ith_kv_block_bytes(layout, head_dim);
}

/* For timelines of up to ctx tokens. Of segment s, this cache holds the heads h with
 * (s * n_heads + h) % group_size == group_rank; with group_size 1 these are all heads. Allocates
 * tables only. ITH_E_MEMORY is the only error. */
ith_status ith_kv_open(ith_kv_layout layout, int n_layers, int n_heads, int head_dim, int64_t ctx,
                       int group_rank, int group_size, ith_kv **kv, ith_error *err);
void ith_kv_close(ith_kv *kv); /* accepts NULL */

/* Before anything is reserved: the cache holds latents (simd/kernels.h), not keys and values. */
void ith_kv_hold_latents(ith_kv *kv);

/* Page placement of segments that are reserved from now on: on the topology's memory nodes in turn
 * (ith_topology_turn of the segment's number). The topology must outlive the cache. Without this
 * call, pages lie where they are first written. */
void ith_kv_place(ith_kv *kv, const ith_topology *topology);

/* The number of segments that ith_kv_keep is given: enough for every pass of up to `reach` tokens,
 * and for a timeline that is cut back by up to `reach` tokens. A multiple of `turn`; at most the
 * segments of ctx tokens. */
int64_t ith_kv_kept(int64_t ctx, int64_t window, int64_t reach, int64_t turn);

/* Before anything is reserved: a token sees `window` keys, itself among them, and the cache keeps
 * the last n_segments, 1 at least. With groups of ranks or memory nodes, n_segments is a multiple
 * of the number after which these repeat, or covers the context. Without this call a token sees all
 * keys, and all are kept. */
void ith_kv_keep(ith_kv *kv, int64_t window, int64_t n_segments);

/* Before tokens [pos, pos + n) are written, where there is room for them: what lies in the way is
 * given up. pos 0: the timeline begins anew. */
void ith_kv_enter(ith_kv *kv, int64_t pos, int64_t n);

/* The first segment that has not been given up. */
int64_t ith_kv_first(const ith_kv *kv);

/* The same once n_tokens of the timeline have been entered. */
int64_t ith_kv_first_after(const ith_kv *kv, int64_t n_tokens);

/* Would tokens that follow the first `length` find all keys that they see? `length` is at most the
 * timeline's. */
bool ith_kv_reaches(const ith_kv *kv, int64_t length);

/* Calls see() for each allocation, with the memory node on which it should lie; -1: any. */
void ith_kv_regions(const ith_kv *kv,
                    void (*see)(void *user, const void *at, size_t bytes, int node), void *user);

/* Adds the bytes of the segments that n_tokens need and that are not reserved. ITH_E_MEMORY: more
 * than the address space. */
ith_status ith_kv_add_lacking(const ith_kv *kv, int64_t n_tokens, size_t *bytes, ith_error *err);

/* Makes room for n_tokens in all, or for as many of the last of them as are kept. On ITH_E_MEMORY
 * the cache stays as it was. The memory is promised (base/ledger.h) and comes when it is populated
 * or written. */
ith_status ith_kv_reserve(ith_kv *kv, int64_t n_tokens, ith_error *err);

/* Brings all memory that is reserved in, on the team's threads: of a segment that is placed on a
 * memory node, on the threads beside it. Nothing happens if it is there. ITH_E_MEMORY. */
ith_status ith_kv_populate(ith_kv *kv, ith_team *team, ith_error *err);

/* Is there room for n_tokens, in memory? */
bool ith_kv_has_room(const ith_kv *kv, int64_t n_tokens);

/* Gives back the segments behind those of the first n_tokens. */
void ith_kv_trim(ith_kv *kv, int64_t n_tokens);

/* An empty cache begins as another of the same layout, layers, heads and window, which has the
 * first n_tokens of its timeline: they share what whole segments these fill, unless a token sees a
 * window, and nothing is copied. Whoever writes there writes the bits that are there. ITH_E_MEMORY
 * leaves the cache empty. The two caches are used and closed by one thread. */
ith_status ith_kv_share(ith_kv *kv, ith_kv *from, int64_t n_tokens, ith_error *err);

/* Then, where there is room for n_tokens: copies of them what `from` keeps and does not share. They
 * count as entered. */
void ith_kv_copy(ith_kv *kv, const ith_kv *from, int64_t n_tokens);

/* Does this cache hold segment s of this head? */
bool ith_kv_holds(const ith_kv *kv, int head, int64_t s);

/* The segment with tokens [1024 s, 1024 s + 1024) of a layer and head. This cache must hold it, it
 * must be reserved, and it must not have been given up. */
void *ith_kv_segment(const ith_kv *kv, int layer, int head, int64_t s);

/* The block of 64 tokens that contains position `pos`, as its token pos % 64. */
void *ith_kv_block(const ith_kv *kv, int layer, int head, int64_t pos);

/* Writes the key and value of one token in a float layout (ITH_KVL_BF16 or ITH_KVL_F32). k, v:
 * [head_dim] of that type. Of latents: k alone, v is NULL. */
void ith_kv_put_float(const ith_kv *kv, int layer, int head, int64_t pos, const void *k,
                      const void *v);

/* Bytes of a segment of one layer and head. If ctx is shorter than a segment, only the blocks that
 * it needs. */
size_t ith_kv_segment_bytes(const ith_kv *kv);

#endif
