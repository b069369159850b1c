/* reach.c - which tokens' keys a rank holds and sees. */
#include "model/blocks/reach.h"

#include "state/kv.h"

/* Of tokens that follow each other. */
static int64_t held_of_tokens(const ith_mesh *mesh, int64_t depth, ith_range tokens,
                              ith_range heads, int c)
{
    int64_t held = 0, first;
    for (int64_t at = depth + tokens.begin, to = depth + tokens.end, next; at < to; at = next) {
        int64_t s = at / ITH_KV_SEGMENT;
        next = (s + 1) * ITH_KV_SEGMENT < to ? (s + 1) * ITH_KV_SEGMENT : to;
        held += (next - at) * ith_mesh_held_heads(mesh, s, heads, c, &first);
    }
    return held;
}

int64_t ith_reach_held(const ith_mesh *mesh, int64_t depth, int64_t n, ith_range slots,
                       ith_range heads, int c)
{
    int64_t held = 0;
    while (slots.begin < slots.end) {
        ith_range tokens = ith_mesh_tokens(mesh, n, slots);
        held += held_of_tokens(mesh, depth, tokens, heads, c);
        slots.begin += ith_range_size(tokens);
    }
    return held;
}

ith_reach ith_reach_of(const ith_mesh *mesh, int64_t depth, int64_t n, int c, int64_t window)
{
    ith_range slots = ith_mesh_attended(mesh, n, c);
    ith_reach reach = {0};

    for (int i = 0; i < ITH_REACH_RUNS && slots.begin < slots.end; i++) {
        ith_range tokens = ith_mesh_tokens(mesh, n, slots);
        reach.runs[i] = (ith_range){ith_kv_first_seen(window, depth + tokens.begin),
                                    ith_kv_segments(depth + tokens.end)};
        slots.begin += ith_range_size(tokens);
    }
    return reach;
}

bool ith_reach_sees(const ith_mesh *mesh, int64_t depth, int64_t n, int c, int64_t window,
                    int64_t s)
{
    ith_reach reach = ith_reach_of(mesh, depth, n, c, window);
    return ith_reach_has(&reach, s);
}

int64_t ith_reach_most_tokens(const ith_mesh *mesh, int64_t n)
{
    return mesh->ulysses * ith_mesh_most_slots(mesh, n);
}

int64_t ith_reach_most_records(const ith_mesh *mesh, int64_t n)
{
    int64_t tokens = ith_mesh_most_slots(mesh, n),
            held = (mesh->heads + mesh->context - 1) / mesh->context;
    return ith_max(tokens * mesh->heads * mesh->ulysses, n * held + tokens * mesh->heads);
}
