/* traffic.c - what ranks send to each other, summed over the blocks of a model's layers. */
#include "model/traffic.h"

/* Calls see() for each block of each layer of a model that need not be bound. */
typedef void (*kind_fn)(void *user, int layer, const ith_block_kind *kind);

static void each_kind(const ith_hparams *hp, kind_fn see, void *user)
{
    const ith_arch *arch = ith_arch_find(hp->architecture);

    for (int64_t i = 0; arch != NULL && i < hp->n_layers; i++) {
        ith_layer_form form = arch->layer(hp, i);
        for (int k = 0; k < form.n; k++)
            see(user, (int)i, ith_block_kind_find(form.sub[k].block));
    }
}

typedef struct sum {
    const ith_wire *wire;
    int64_t depth, n, bytes;
    int wanted; /* slices */
} sum;

static void add_tokens(void *user, int layer, const ith_block_kind *kind)
{
    sum *s = user;
    if (kind->sends_by_tokens != NULL)
        s->bytes += kind->sends_by_tokens(s->wire, layer, s->depth, s->n);
}

int64_t ith_traffic_ulysses(const ith_wire *wire, int64_t depth, int64_t n)
{
    sum s = {.wire = wire, .depth = depth, .n = n};
    each_kind(wire->hp, add_tokens, &s);
    return s.bytes;
}

static void add_sliced(void *user, int layer, const ith_block_kind *kind)
{
    sum *s = user;
    if (kind->slices != NULL && kind->slices(s->wire, layer, s->n, s->wanted) > 1)
        add_tokens(user, layer, kind);
}

int64_t ith_traffic_sliced(const ith_wire *wire, int wanted, int64_t depth, int64_t n)
{
    sum s = {.wire = wire, .depth = depth, .n = n, .wanted = wanted};
    each_kind(wire->hp, add_sliced, &s);
    return s.bytes;
}

/* Every block's output is gathered. */
static void add_rows(void *user, int layer, const ith_block_kind *kind)
{
    sum *s = user;
    const ith_mesh *mesh = s->wire->mesh;
    int64_t mine = ith_range_size(ith_mesh_rows(mesh, s->wire->hp->hidden, mesh->rank));

    s->bytes += s->n * (mesh->ranks - 1) * mine * (int64_t)sizeof(float);
    if (kind->sends_by_rows != NULL)
        s->bytes += kind->sends_by_rows(s->wire, layer, s->n);
}

int64_t ith_traffic_rows(const ith_wire *wire, int64_t n)
{
    sum s = {.wire = wire, .n = n};
    each_kind(wire->hp, add_rows, &s);
    return s.bytes;
}

static void take_most(void *user, int layer, const ith_block_kind *kind)
{
    sum *s = user;
    int64_t bytes = kind->exchange_most == NULL ? 0 : kind->exchange_most(s->wire, layer, s->n);

    s->bytes = bytes > s->bytes ? bytes : s->bytes;
}

int64_t ith_exchange_most(const ith_wire *wire, int64_t n)
{
    /* Logits, on their way to rank 0, are one. */
    sum s = {.wire = wire, .n = n, .bytes = wire->hp->n_vocab * (int64_t)sizeof(float)};
    each_kind(wire->hp, take_most, &s);
    return s.bytes;
}
