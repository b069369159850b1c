#include "model/traffic.h"

static int64_t max2(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

ith_traffic_shape ith_traffic_shape_of(const ith_hparams *hp, ith_kv_layout kv, bool quantized)
{
    int64_t sparse = 0;

    for (int64_t i = 0; i < hp->n_layers; i++)
        sparse += ith_hparams_has_experts(hp, i);
    return (ith_traffic_shape){.hidden = hp->hidden,
                               .n_layers = hp->n_layers,
                               .n_sparse = sparse,
                               .ffn = hp->ffn,
                               .expert_ffn = hp->experts.ffn,
                               .used = hp->experts.used,
                               .n_heads = hp->n_heads,
                               .n_kv_heads = hp->n_kv_heads,
                               .head_dim = hp->head_dim,
                               .kv = kv,
                               .groups = quantized && hp->head_dim % ITH_GROUP == 0,
                               .mid_groups = quantized};
}

/* Values on the wire between two matrices. */
static int64_t wire_bytes(int64_t values, bool groups)
{
    return groups ? ith_acts_wire_bytes((values + ITH_GROUP - 1) / ITH_GROUP) : values * (int64_t)sizeof(float);
}

/* The same of tokens that follow each other. */
static int64_t held_of_tokens(const ith_mesh *mesh, int64_t depth, ith_range tokens, ith_range heads, int c)
{
    int64_t held = 0, first;
    for (int64_t at = depth + tokens.begin, to = depth + tokens.end, next; at < to; at = next) {
        int64_t s = at / ITH_KV_SEGMENT;
        next = (s + 1) * ITH_KV_SEGMENT < to ? (s + 1) * ITH_KV_SEGMENT : to;
        held += (next - at) * ith_mesh_held_heads(mesh, s, heads, c, &first);
    }
    return held;
}

int64_t ith_pieces_held(const ith_mesh *mesh, int64_t depth, int64_t n, ith_range places, ith_range heads, int c)
{
    int64_t held = 0;
    while (places.begin < places.end) {
        ith_range tokens = ith_mesh_tokens(mesh, n, places);
        held += held_of_tokens(mesh, depth, tokens, heads, c);
        places.begin += ith_range_size(tokens);
    }
    return held;
}

int64_t ith_segments_needed(const ith_mesh *mesh, int64_t depth, int64_t n, int c)
{
    ith_range places = ith_mesh_attended(mesh, n, c), last = {places.end - 1, places.end};
    return ith_range_size(places) == 0 ? 0 : ith_kv_segments(depth + ith_mesh_tokens(mesh, n, last).end);
}

/* What this rank holds of the cache goes to those of its group whose tokens see it. */
static int64_t segments_sent(const ith_traffic_shape *shape, const ith_mesh *mesh, int64_t depth, int64_t n)
{
    int64_t sent = 0, first, block = (int64_t)ith_kv_block_bytes(shape->kv, (int)shape->head_dim);
    ith_range heads = {0, mesh->heads};

    for (int64_t s = 0; s < ith_kv_segments(depth + n); s++) {
        int64_t keys = depth + n - s * ITH_KV_SEGMENT,
                blocks = ((keys < ITH_KV_SEGMENT ? keys : ITH_KV_SEGMENT) + ITH_KV_BLOCK - 1) / ITH_KV_BLOCK;
        for (int c = 0; c < mesh->context; c++) {
            if (c != mesh->c && s < ith_segments_needed(mesh, depth, n, c))
                sent += ith_mesh_held_heads(mesh, s, heads, mesh->c, &first) * blocks * block;
        }
    }
    return sent;
}

int64_t ith_traffic_ulysses(const ith_traffic_shape *s, const ith_mesh *mesh, int64_t depth, int64_t n)
{
    ith_range mine = ith_mesh_places(mesh, n, mesh->rank), heads = {0, mesh->heads};
    int64_t U = mesh->ulysses, n_mine = ith_range_size(mine),
            others = ith_range_size(ith_mesh_attended(mesh, n, mesh->c)) - n_mine;
    int64_t record = ith_record_layout(s->kv, s->n_heads / U, s->head_dim).bytes,
            piece = ith_kv_piece_layout(s->kv, s->head_dim).bytes,
            result = wire_bytes(s->n_heads / U * s->head_dim, s->groups);

    return s->n_layers * (n_mine * (U - 1) * record +
                          (n_mine * s->n_kv_heads - ith_pieces_held(mesh, depth, n, mine, heads, mesh->c)) * piece +
                          others * result + segments_sent(s, mesh, depth, n));
}

/* A rank's rows of an intermediate, of one token. */
static int64_t mid_bytes(const ith_traffic_shape *s, const ith_mesh *mesh, int64_t columns)
{
    return wire_bytes(ith_range_size(ith_mesh_rows(mesh, columns, mesh->rank)), s->mid_groups);
}

int64_t ith_traffic_rows(const ith_traffic_shape *s, const ith_mesh *mesh, int64_t n)
{
    int64_t others = mesh->ranks - 1,
            heads = ith_range_size(ith_mesh_own_heads(mesh, s->n_heads, mesh->rank)) * s->head_dim,
            hidden = ith_range_size(ith_mesh_rows(mesh, s->hidden, mesh->rank)),
            mids = (s->n_layers - s->n_sparse) * mid_bytes(s, mesh, s->ffn) +
                   s->n_sparse * s->used * mid_bytes(s, mesh, s->expert_ffn);

    return n * others * (s->n_layers * (wire_bytes(heads, s->groups) + 2 * wire_bytes(hidden, false)) + mids);
}

int64_t ith_blocks_most(const ith_mesh *mesh, int64_t n, int64_t width)
{
    return mesh->ulysses * ith_mesh_most_places(mesh, n) * width;
}

int64_t ith_pieces_most(const ith_mesh *mesh, int64_t n, const ith_kv_piece *piece)
{
    int64_t tokens = ith_mesh_most_places(mesh, n), held = (mesh->heads + mesh->context - 1) / mesh->context;
    return max2(tokens * mesh->heads * mesh->ulysses, n * held + tokens * mesh->heads) * piece->bytes;
}

int64_t ith_exchange_most(const ith_model *model, const ith_mesh *mesh, ith_kv_layout kv, int64_t n)
{
    const ith_hparams *hp = &model->hp;
    ith_kv_piece piece = ith_kv_piece_layout(kv, hp->head_dim);
    int64_t heads = hp->n_heads / mesh->ulysses, record = ith_record_layout(kv, heads, hp->head_dim).bytes,
            result = heads * hp->head_dim * (int64_t)sizeof(float); /* floats at worst */
    int64_t most = max2(ith_blocks_most(mesh, n, max2(record, result)), ith_pieces_most(mesh, n, &piece));

    return max2(most, hp->n_vocab * (int64_t)sizeof(float)); /* logits, on their way to rank 0 */
}
