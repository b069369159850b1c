/* ffn.c - gate, up, activation and quantization over small blocks of rows and tokens that stay in
 * the first-level cache: the wide intermediate is written once, as the next matrix reads it. */
#include "model/blocks/ffn.h"

#include "base/finite.h"
#include "model/blocking.h"

#include <string.h>

/* gate's and up's product, [tokens][rows] each. */
int64_t ith_ffn_scratch(const ith_caches *caches)
{
    return 2 * ith_block_floats(caches);
}

/* Rows `rows` of tokens [t, t + n) to the form that `down` reads. */
static void write_out(ith_pass *p, const ith_matrix *down, ith_range rows, const ith_input *mid,
                      int64_t t, int64_t n, const float *x, int64_t ld)
{
    const ith_kernels *kernels = p->model->kernels;
    int64_t width = ith_range_size(rows), first = rows.begin / ITH_GROUP;

    for (int64_t i = 0; i < n; i++) {
        if (ith_layout_is_quantized(down->layout)) {
            kernels->quantize(width, x + i * ld, &mid->acts, t + i, first);
            if (!ith_acts_sound(&mid->acts, t + i, first, (width + ITH_GROUP - 1) / ITH_GROUP))
                ith_pass_note_broken_here(p);
        } else {
            memcpy(p->ws->mid + (t + i) * mid->ld + rows.begin, x + i * ld,
                   (size_t)width * sizeof *x);
        }
    }
}

/* What stands for one of the two. */
static void take_given(const ith_ffn *w, ith_range rows, int64_t t, int64_t n, float *x, int64_t ld)
{
    int64_t width = ith_range_size(rows);

    for (int64_t i = 0; i < n; i++) {
        memcpy(x + i * ld, w->given + (t + i) * w->ld_given + rows.begin,
               (size_t)width * sizeof *x);
        memset(x + i * ld + width, 0, (size_t)(ld - width) * sizeof *x);
    }
}

static void add_biases(const ith_kernels *kernels, const float *bias, ith_range rows, int64_t n,
                       float *x, int64_t ld)
{
    for (int64_t i = 0; bias != NULL && i < n; i++)
        kernels->add(ith_range_size(rows), x + i * ld, bias + rows.begin);
}

/* Notes numbers that are not finite, where the activation would make them finite: a limit does, and
 * squared ReLU does of -INFINITY. */
static void check_hidden(ith_pass *p, const ith_ffn *w, int64_t n, const float *gate,
                         const float *up)
{
    const ith_hparams *hp = &p->model->hp;

    if (hp->swiglu_limit <= 0 && hp->act != ITH_ACT_RELU2)
        return;
    if ((w->gate != NULL && !ith_all_finite(gate, n)) || !ith_all_finite(up, n))
        ith_pass_note_broken_here(p);
}

/* gate = act(gate) * up, or act(up). */
static void activate(const ith_model *m, const ith_ffn *w, int64_t n, float *gate, float *up)
{
    const ith_swiglu limited = {(float)m->hp.swiglu_alpha, (float)m->hp.swiglu_limit,
                                (float)m->hp.swiglu_plus};

    if (w->gate == NULL && w->given != NULL) {
        m->kernels->mul(n, gate, up);
        return;
    }
    if (limited.limit > 0 && w->gate != NULL) {
        m->kernels->swiglu(n, gate, up, &limited, gate);
        return;
    }
    if (m->hp.act == ITH_ACT_SILU && w->gate != NULL) {
        m->kernels->silu_mul(n, gate, up, gate);
        return;
    }
    (m->hp.act == ITH_ACT_RELU2  ? m->kernels->relu2
     : m->hp.act == ITH_ACT_GELU ? m->kernels->gelu_erf
                                 : m->kernels->gelu)(n, w->gate != NULL ? gate : up, gate);
    if (w->gate != NULL)
        m->kernels->mul(n, gate, up);
}

void ith_ffn_block(ith_pass *p, const ith_ffn *w, ith_range rows, const ith_input *in, int64_t t,
                   int64_t n, const ith_input *mid, int64_t to, float *scratch)
{
    const ith_kernels *kernels = p->model->kernels;
    ith_range tiles = ith_tiles_of(rows);
    int64_t ld = ith_range_size(tiles) * ITH_TILE_ROWS;
    float *gate = scratch, *up = scratch + n * ld;

    if (w->gate != NULL)
        ith_linear_tiles(kernels, w->gate, tiles, in, t, n, gate, ld);
    else if (w->given != NULL)
        take_given(w, rows, t, n, gate, ld);
    if (w->up != NULL)
        ith_linear_tiles(kernels, w->up, tiles, in, t, n, up, ld);
    else
        take_given(w, rows, t, n, up, ld);
    add_biases(kernels, w->gate_bias, rows, n, gate, ld);
    add_biases(kernels, w->up_bias, rows, n, up, ld);
    if (p->model->hp.ffn_gate_scale != 1 && w->gate != NULL)
        kernels->scale(n * ld, gate, (float)p->model->hp.ffn_gate_scale);
    check_hidden(p, w, n * ld, gate, up);
    activate(p->model, w, n * ld, gate, up);
    write_out(p, w->down, rows, mid, to, n, gate, ld);
}

/* Several tokens: each member all rows for its own, so that more than one per tile of rows has
 * work. One or two: rows. */
void ith_small_product(ith_pass *p, const ith_matrix *w, float *out, int64_t ld, ith_member *me)
{
    ith_input in = ith_pass_input(p, w->cols);
    int64_t n = ith_range_size(p->mine);
    ith_range mine = ith_my_share(me, n, 1), tiles = {0, w->n_tiles};

    if (n >= me->n_threads && w->layout != ITH_F32)
        ith_linear_tiles(p->model->kernels, w, tiles, &in, mine.begin, ith_range_size(mine),
                         out + mine.begin * ld, ld);
    else
        ith_linear(me, p->model, w, (ith_range){0, w->rows}, &in, n, out, ld);
    ith_barrier(me);
}

void ith_ffn_each_matrix(const ith_ffn *w, double share, ith_use_fn see, void *user)
{
    if (w->gate != NULL)
        see(user, &(ith_use){w->gate, share});
    if (w->up != NULL)
        see(user, &(ith_use){w->up, share});
    see(user, &(ith_use){w->down, share});
}

int64_t ith_ffn_sends_by_rows(const ith_wire *wire, int64_t width, int64_t n)
{
    int64_t mine = ith_range_size(ith_mesh_rows(wire->mesh, width, wire->mesh->rank)),
            groups = (mine + ITH_GROUP - 1) / ITH_GROUP,
            bytes = wire->quantized ? ith_acts_wire_bytes(groups) : mine * (int64_t)sizeof(float);
    return n * (wire->mesh->ranks - 1) * bytes;
}
