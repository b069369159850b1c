#include "engine/cost.h"

static double matrix_ops(const ith_matrix *m)
{
    return 2.0 * (double)m->rows * (double)m->cols;
}

static double matrix_bytes(const ith_matrix *m)
{
    return (double)m->tile_bytes * (double)m->n_tiles;
}

static double sum_layers(const ith_model *m, double (*of)(const ith_matrix *))
{
    double sum = 0;
    for (int i = 0; i < m->hp.n_layers; i++) {
        const ith_layer *l = &m->layers[i];
        sum += of(l->q) + of(l->k) + of(l->v) + of(l->o) + of(l->gate) + of(l->up) + of(l->down);
    }
    return sum;
}

/* Attention of n tokens after `depth`: two products of head_dim with every key that each sees. */
static double attention_ops(const ith_model *m, int64_t depth, int64_t n)
{
    double keys = (double)n * (double)depth + (double)n * (double)(n + 1) / 2;
    return 4 * keys * (double)(m->hp.head_dim * m->hp.n_heads * m->hp.n_layers);
}

ith_cost ith_pass_cost(const ith_engine *e, int64_t depth, int64_t n)
{
    const ith_model *m = e->model;
    return (ith_cost){
        .linear_ops = sum_layers(m, matrix_ops) * (double)n + matrix_ops(m->output),
        .attention_ops = attention_ops(m, depth, n),
        .bytes = sum_layers(m, matrix_bytes) + matrix_bytes(m->output) +
                 (double)e->info.kv_bytes_per_token * (double)(depth + n),
    };
}

/* Bytes of one token's `n` values on the wire, as the matrix that reads them wants them. */
static double wire_bytes(const ith_matrix *reader, int64_t n, bool groups)
{
    return ith_layout_is_quantized(reader->layout) && groups ? (double)ith_acts_wire_bytes(n / ITH_GROUP)
                                                             : (double)(n * (int64_t)sizeof(float));
}

ith_token_traffic ith_pass_traffic(const ith_engine *e)
{
    const ith_hparams *hp = &e->model->hp;
    const ith_layer *l = &e->model->layers[0];
    double P = e->mesh.ranks, others = (P - 1) / P;
    int64_t heads = hp->n_heads / e->mesh.ulysses; /* of a group */
    double queries = (double)(e->mesh.ulysses * ith_record_layout(e->kv, heads, hp->head_dim).bytes),
           pieces = (double)(hp->n_kv_heads * ith_kv_piece_layout(e->kv, hp->head_dim).bytes),
           attended = wire_bytes(l->o, hp->n_heads * hp->head_dim, ith_heads_are_groups(e->model, l->o)),
           hidden = (double)(hp->hidden * (int64_t)sizeof(float)), mid = wire_bytes(l->down, hp->ffn, true);

    return (ith_token_traffic){.ulysses = (queries + pieces + attended) * others / P,
                         .rows = (attended + 2 * hidden + mid) * others,
                         .tensor_parallel = 2 * 2 * (double)hp->hidden * 2 * others};
}
