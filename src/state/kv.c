/* kv.c - allocates and addresses the segments of a KV cache. */
#include "state/kv.h"

#include "base/mem.h"
#include "base/range.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The unit in which threads share a segment. */
enum { HUGE_PAGE = 2 << 20 };

struct ith_kv {
    ith_kv_layout layout;
    int n_layers, n_heads, head_dim;
    int group_rank, group_size;
    size_t block_bytes, segment_blocks, segment_bytes;
    int64_t window;               /* keys that a token sees; 0: all */
    int64_t n_slots;              /* segments that are kept: segment s is in slot s % n_slots */
    int64_t n_reserved;           /* slots that are reserved now */
    int64_t n_populated;          /* of them, in memory */
    int64_t end;                  /* segments [end - n_slots, end) are there, as far as reserved */
    const ith_topology *topology; /* NULL: no page placement */
    /* [n_slots] of [n_layers][held heads][segment_bytes] */
    uint8_t **slots;
    int64_t **owners; /* [n_slots] how many caches have the slot; NULL: this one alone */
};

static void set_block(ith_kv *kv, size_t bytes)
{
    kv->block_bytes = bytes;
    kv->segment_bytes = bytes * kv->segment_blocks;
}

/* The last of its owners frees it. */
static void free_slot(ith_kv *kv, int64_t i)
{
    int64_t *owners = kv->owners[i];

    kv->owners[i] = NULL;
    if (owners != NULL && --*owners > 0)
        return;
    free(owners);
    ith_mem_free(kv->slots[i]);
}

static void cut_slots(ith_kv *kv, int64_t keep)
{
    while (kv->n_reserved > keep)
        free_slot(kv, --kv->n_reserved);
    kv->n_populated = ith_min(kv->n_populated, keep);
}

ith_status ith_kv_open(ith_kv_layout layout, int n_layers, int n_heads, int head_dim, int64_t ctx,
                       int group_rank, int group_size, ith_kv **out, ith_error *err)
{
    ith_kv *kv = calloc(1, sizeof *kv);

    *out = NULL;
    if (kv == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a KV cache");
    kv->layout = layout;
    kv->n_layers = n_layers;
    kv->n_heads = n_heads;
    kv->head_dim = head_dim;
    kv->group_rank = group_rank;
    kv->group_size = group_size;
    /* A timeline shorter than a segment needs only some of its blocks. */
    kv->segment_blocks =
        (size_t)((ctx < ITH_KV_SEGMENT ? ctx + ITH_KV_BLOCK - 1 : ITH_KV_SEGMENT) / ITH_KV_BLOCK);
    set_block(kv, ith_kv_block_bytes(layout, head_dim));
    kv->n_slots = ith_kv_segments(ctx);
    kv->slots = calloc((size_t)kv->n_slots + 1, sizeof *kv->slots);
    kv->owners = calloc((size_t)kv->n_slots + 1, sizeof *kv->owners);
    if (kv->slots == NULL || kv->owners == NULL) {
        ith_kv_close(kv);
        return ith_fail(err, ITH_E_MEMORY, "no memory for the tables of a KV cache of %lld tokens",
                        (long long)ctx);
    }
    *out = kv;
    return ITH_OK;
}

void ith_kv_close(ith_kv *kv)
{
    if (kv == NULL)
        return;
    cut_slots(kv, 0);
    free(kv->slots);
    free(kv->owners);
    free(kv);
}

/* ---- A window ---- */

/* Tokens [pos + 1 - window, pos + reach) in segments, wherever they begin. */
int64_t ith_kv_kept(int64_t ctx, int64_t window, int64_t reach, int64_t turn)
{
    int64_t tokens = window - 1 + reach, kept = (tokens + ITH_KV_SEGMENT - 2) / ITH_KV_SEGMENT + 1;
    return ith_min(ith_kv_segments(ctx), ith_round_up(kept, turn));
}

void ith_kv_keep(ith_kv *kv, int64_t window, int64_t n_segments)
{
    assert(kv->n_reserved == 0 && n_segments >= 1);
    kv->window = window;
    kv->n_slots = ith_min(kv->n_slots, n_segments);
}

void ith_kv_enter(ith_kv *kv, int64_t pos, int64_t n)
{
    if (pos == 0)
        kv->end = 0;
    kv->end = ith_max(kv->end, ith_kv_segments(pos + n));
}

int64_t ith_kv_first(const ith_kv *kv)
{
    return ith_kv_first_after(kv, 0);
}

int64_t ith_kv_first_after(const ith_kv *kv, int64_t n_tokens)
{
    return ith_max(0, ith_max(kv->end, ith_kv_segments(n_tokens)) - kv->n_slots);
}

bool ith_kv_reaches(const ith_kv *kv, int64_t length)
{
    return length == 0 || ith_kv_first_seen(kv->window, length) >= ith_kv_first(kv);
}

/* The number of heads that this cache holds of segment s: every group_size-th from *first on. */
static int64_t held(const ith_kv *kv, int64_t s, int64_t *first)
{
    return ith_dealt(s * kv->n_heads, kv->n_heads, kv->group_size, kv->group_rank, first);
}

bool ith_kv_holds(const ith_kv *kv, int head, int64_t s)
{
    return (s * kv->n_heads + head) % kv->group_size == kv->group_rank;
}

void ith_kv_hold_latents(ith_kv *kv)
{
    set_block(kv, ith_latent_block_bytes(kv->layout, kv->head_dim));
}

void ith_kv_place(ith_kv *kv, const ith_topology *topology)
{
    kv->topology = topology;
}

/* Bytes of a slot: what this cache holds, in all layers, of any segment that comes there. */
static size_t bytes_of(const ith_kv *kv, int64_t slot)
{
    int64_t first;
    return (size_t)kv->n_layers * (size_t)held(kv, slot, &first) * kv->segment_bytes;
}

static int node_of(const ith_kv *kv, int64_t slot)
{
    return kv->topology != NULL ? ith_topology_turn(ith_topology_nodes(kv->topology), slot) : -1;
}

static ith_status add_slots(ith_kv *kv, int64_t need, ith_error *err)
{
    while (kv->n_reserved < need) {
        void *slot;
        size_t bytes = bytes_of(kv, kv->n_reserved);
        ITH_TRY(ith_mem_alloc(ITH_MEM_KV, bytes, "KV cache", &slot, err));
        if (kv->topology != NULL)
            ith_topology_place(kv->topology, slot, bytes, node_of(kv, kv->n_reserved));
        kv->slots[kv->n_reserved++] = slot;
    }
    return ITH_OK;
}

/* Slots for the first n_tokens of a timeline. */
static int64_t slots_for(const ith_kv *kv, int64_t n_tokens)
{
    return ith_min(kv->n_slots, ith_kv_segments(n_tokens));
}

ith_status ith_kv_add_lacking(const ith_kv *kv, int64_t n_tokens, size_t *bytes, ith_error *err)
{
    for (int64_t s = kv->n_reserved; s < slots_for(kv, n_tokens); s++)
        if (!ith_add_size(*bytes, bytes_of(kv, s), bytes))
            return ith_fail(err, ITH_E_MEMORY, "KV cache: more than the address space needed");
    return ITH_OK;
}

/* All are checked together first, so that what cannot be is refused with its size. */
ith_status ith_kv_reserve(ith_kv *kv, int64_t n_tokens, ith_error *err)
{
    int64_t need = slots_for(kv, n_tokens), before = kv->n_reserved;
    size_t bytes = 0;
    ith_status status;

    ITH_TRY(ith_kv_add_lacking(kv, n_tokens, &bytes, err));
    if (need > before)
        ITH_TRY(ith_mem_check(bytes, "KV cache", err));
    status = add_slots(kv, need, err);
    if (status != ITH_OK)
        cut_slots(kv, before);
    return status;
}

void ith_kv_trim(ith_kv *kv, int64_t n_tokens)
{
    cut_slots(kv, ith_min(kv->n_reserved, slots_for(kv, n_tokens)));
}

bool ith_kv_has_room(const ith_kv *kv, int64_t n_tokens)
{
    return kv->n_populated >= slots_for(kv, n_tokens);
}

/* ---- Sharing ---- */

ith_status ith_kv_share(ith_kv *kv, ith_kv *from, int64_t n_tokens, ith_error *err)
{
    int64_t whole = kv->window > 0 ? 0 : n_tokens / ITH_KV_SEGMENT;

    assert(kv->n_reserved == 0 && whole <= from->n_populated);
    for (int64_t i = 0; i < whole; i++) {
        if (from->owners[i] == NULL) {
            from->owners[i] = malloc(sizeof *from->owners[i]);
            if (from->owners[i] == NULL) {
                cut_slots(kv, 0);
                return ith_fail(err, ITH_E_MEMORY, "no memory to share a KV cache");
            }
            *from->owners[i] = 1;
        }
        ++*from->owners[i];
        kv->owners[i] = from->owners[i];
        kv->slots[i] = from->slots[i];
        kv->n_populated = kv->n_reserved = i + 1;
    }
    return ITH_OK;
}

static void copy_segment(const ith_kv *kv, const ith_kv *from, int64_t s, size_t bytes)
{
    for (int head = 0; head < kv->n_heads; head++)
        for (int layer = 0; ith_kv_holds(kv, head, s) && layer < kv->n_layers; layer++)
            memcpy(ith_kv_segment(kv, layer, head, s), ith_kv_segment(from, layer, head, s), bytes);
}

void ith_kv_copy(ith_kv *kv, const ith_kv *from, int64_t n_tokens)
{
    int64_t s = kv->window > 0 ? 0 : n_tokens / ITH_KV_SEGMENT;

    ith_kv_enter(kv, 0, n_tokens);
    for (s = ith_max(s, ith_max(ith_kv_first(kv), ith_kv_first(from)));
         s < ith_kv_segments(n_tokens); s++) {
        int64_t tokens = ith_min(n_tokens - s * ITH_KV_SEGMENT, ITH_KV_SEGMENT);
        copy_segment(kv, from, s,
                     (size_t)((tokens + ITH_KV_BLOCK - 1) / ITH_KV_BLOCK) * kv->block_bytes);
    }
}

/* ---- Populating ---- */

typedef struct populating {
    const ith_kv *kv;
    ith_error *errors; /* [threads] */
} populating;

/* The threads that bring in what belongs on a node: those beside it, or all. */
static ith_range threads_of(const ith_kv *kv, const ith_member *me, int node)
{
    ith_range all = {0, me->n_threads}, beside = all;

    if (node >= 0 && me->n_nodes > 1)
        beside = ith_topology_node_threads(kv->topology, me->n_threads, node);
    return ith_range_size(beside) > 0 ? beside : all;
}

static void populate(void *arg, ith_member *me)
{
    const populating *p = arg;
    const ith_kv *kv = p->kv;
    ith_error *err = &p->errors[me->tid];

    for (int64_t i = kv->n_populated; i < kv->n_reserved && err->status == ITH_OK; i++) {
        ith_range threads = threads_of(kv, me, node_of(kv, i)), share;
        if (me->tid < threads.begin || me->tid >= threads.end)
            continue;
        share = ith_split((int64_t)bytes_of(kv, i), HUGE_PAGE, (int)ith_range_size(threads),
                          me->tid - (int)threads.begin);
        err->status = ith_mem_populate(kv->slots[i] + share.begin, (size_t)ith_range_size(share),
                                       "KV cache", err);
    }
}

ith_status ith_kv_populate(ith_kv *kv, ith_team *team, ith_error *err)
{
    int n = ith_team_size(team);
    populating p = {.kv = kv, .errors = calloc((size_t)n, sizeof *p.errors)};
    ith_status status = ITH_OK;

    if (p.errors == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory to populate the KV cache");
    if (kv->n_populated < kv->n_reserved)
        ith_team_run(team, populate, &p);
    for (int i = 0; i < n && status == ITH_OK; i++)
        if (p.errors[i].status != ITH_OK)
            status = ith_fail(err, p.errors[i].status, "%s", p.errors[i].text);
    if (status == ITH_OK)
        kv->n_populated = kv->n_reserved;
    free(p.errors);
    return status;
}

void ith_kv_regions(const ith_kv *kv,
                    void (*see)(void *user, const void *at, size_t bytes, int node), void *user)
{
    for (int64_t i = 0; i < kv->n_reserved; i++)
        see(user, kv->slots[i], bytes_of(kv, i), node_of(kv, i));
}

void *ith_kv_segment(const ith_kv *kv, int layer, int head, int64_t s)
{
    int64_t slot = s < kv->n_slots ? s : s % kv->n_slots;
    assert(slot < kv->n_reserved && s >= ith_kv_first(kv) && ith_kv_holds(kv, head, s));
    int64_t first, n = held(kv, s, &first), at = layer * n + (head - first) / kv->group_size;
    return kv->slots[slot] + (size_t)at * kv->segment_bytes;
}

void *ith_kv_block(const ith_kv *kv, int layer, int head, int64_t pos)
{
    int64_t in_segment = pos % ITH_KV_SEGMENT;
    return (uint8_t *)ith_kv_segment(kv, layer, head, pos / ITH_KV_SEGMENT) +
           (size_t)(in_segment / ITH_KV_BLOCK) * kv->block_bytes;
}

void ith_kv_put_float(const ith_kv *kv, int layer, int head, int64_t pos, const void *k,
                      const void *v)
{
    size_t element = kv->layout == ITH_KVL_F32 ? 4 : 2, dp = (size_t)ith_round_up(kv->head_dim, 16);
    size_t in_block = (size_t)(pos % ITH_KV_BLOCK), d = (size_t)kv->head_dim;
    uint8_t *keys = ith_kv_block(kv, layer, head, pos),
            *values = keys + dp * ITH_KV_BLOCK * element;

    for (size_t c = 0; c < d; c++)
        memcpy(keys + (c * ITH_KV_BLOCK + in_block) * element, (const uint8_t *)k + c * element,
               element);
    if (v != NULL)
        memcpy(values + in_block * dp * element, v, d * element);
}

size_t ith_kv_segment_bytes(const ith_kv *kv)
{
    return kv->segment_bytes;
}
