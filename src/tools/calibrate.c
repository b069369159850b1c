/* calibrate.c - the mean square of each column of what matrices read, over a text; for the down matrix of an expert, over the tokens that went to it.
 *
 * Passes run by rows: every rank has all tokens and all columns of them, so a column's squares are added up by one thread of rank 0, in
 * double, tokens ascending. The sums therefore depend on nothing but the text, the window and the model in memory.
 */
#include "engine/session.h"
#include "ithaca_tools.h"

#include "base/digest.h"
#include "base/newfile.h"
#include "formats/stats.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_WINDOW = 2048, COLUMNS = 256 /* at a time */ };

typedef struct input { /* of one or more matrices of a layer */
    int64_t cols, tokens;
    double *sums;  /* [cols] */
    float *values; /* [cols] the means, as they are written */
} input;

typedef struct calibration {
    const ith_model *model;
    input *
        inputs; /* [n_layers + 1][ITH_PROBE_POINTS]; what reads nothing has 0 columns. The last row: the output matrix */
    size_t n_inputs;
    input *experts; /* [n_layers][experts]: what their down matrices read */
    size_t n_experts;
    bool adds; /* this rank does: rank 0 */
} calibration;

static input *input_at(const calibration *c, ith_probe_point point, int64_t layer, int64_t expert)
{
    return point == ITH_PROBE_EXPERT ? &c->experts[layer * c->model->hp.experts.n + expert]
                                     : &c->inputs[layer * ITH_PROBE_POINTS + (int64_t)point];
}

static void add_squares(void *user, ith_probe_point point, int layer, const ith_seen *seen, const ith_member *me)
{
    const calibration *c = user;
    ith_range mine = ith_my_share(me, seen->cols, 1);
    float x[COLUMNS];

    if (!c->adds || point == ITH_PROBE_KEYS)
        return;
    input *in = input_at(c, point, point == ITH_PROBE_OUTPUT ? c->model->hp.n_layers : layer, seen->expert);
    double *sums = in->sums;
    if (me->tid == 0)
        in->tokens += seen->tokens;
    for (int64_t begin = mine.begin; begin < mine.end; begin += COLUMNS) {
        ith_range cols = {begin, begin + COLUMNS < mine.end ? begin + COLUMNS : mine.end};
        for (int64_t t = 0; t < seen->tokens; t++) {
            ith_seen_get(seen, t, cols, x);
            for (int64_t i = 0; i < ith_range_size(cols); i++)
                sums[cols.begin + i] += (double)x[i] * (double)x[i];
        }
    }
}

/* ---- Which matrices read what ---- */

static size_t matrices_of(const ith_model *m, ith_probe_point point, int64_t layer, const ith_matrix *out[3])
{
    const ith_layer *w = &m->layers[layer];

    if (layer == m->hp.n_layers) {
        out[0] = m->output;
        return point == ITH_PROBE_OUTPUT;
    }
    switch (point) {
    case ITH_PROBE_ATTN:
        out[0] = w->q, out[1] = w->k, out[2] = w->v;
        return 3;
    case ITH_PROBE_O:
        out[0] = w->o;
        return 1;
    case ITH_PROBE_MLP:
        out[0] = w->experts != NULL ? w->router : w->mlp.gate, out[1] = w->mlp.up;
        return w->experts != NULL ? 1 : 2;
    case ITH_PROBE_DOWN:
        out[0] = w->mlp.down;
        return w->experts == NULL;
    default:
        return 0;
    }
}

static bool open_input(input *in, int64_t cols)
{
    in->cols = cols;
    in->sums = calloc((size_t)cols, sizeof *in->sums);
    in->values = calloc((size_t)cols, sizeof *in->values);
    return in->sums != NULL && in->values != NULL;
}

static ith_status open_sums(calibration *c, ith_error *err)
{
    const ith_hparams *hp = &c->model->hp;
    const ith_matrix *read_by[3];
    bool good;

    c->n_inputs = (size_t)(hp->n_layers + 1) * ITH_PROBE_POINTS;
    c->n_experts = (size_t)(hp->n_layers * hp->experts.n);
    c->inputs = calloc(c->n_inputs, sizeof *c->inputs);
    c->experts = calloc(c->n_experts + 1, sizeof *c->experts);
    good = c->inputs != NULL && c->experts != NULL;
    for (size_t i = 0; good && i < c->n_inputs; i++)
        if (matrices_of(c->model, i % ITH_PROBE_POINTS, (int64_t)(i / ITH_PROBE_POINTS), read_by) > 0)
            good = open_input(&c->inputs[i], read_by[0]->cols);
    for (size_t i = 0; good && i < c->n_experts; i++)
        if (c->model->layers[i / (size_t)hp->experts.n].experts != NULL)
            good = open_input(&c->experts[i], hp->experts.ffn);
    return good ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "no memory for the sums of calibration");
}

static void close_inputs(input *inputs, size_t n)
{
    for (size_t i = 0; inputs != NULL && i < n; i++) {
        free(inputs[i].sums);
        free(inputs[i].values);
    }
    free(inputs);
}

/* ---- The file ---- */

static void take_means(input *in)
{
    for (int64_t k = 0; k < in->cols; k++)
        in->values[k] = (float)(in->sums[k] / (double)in->tokens);
}

static size_t list_vectors(const calibration *c, ith_stats_vector *vectors)
{
    const ith_matrix *read_by[3];
    size_t n = 0;

    for (size_t i = 0; i < c->n_inputs; i++) {
        input *in = &c->inputs[i];
        size_t n_matrices = matrices_of(c->model, i % ITH_PROBE_POINTS, (int64_t)(i / ITH_PROBE_POINTS), read_by);
        take_means(in);
        for (size_t m = 0; m < n_matrices; m++)
            vectors[n++] = (ith_stats_vector){read_by[m]->name, in->values, in->cols};
    }
    for (size_t i = 0; i < c->n_experts; i++) {
        size_t of_layer = (size_t)c->model->hp.experts.n;
        input *in = &c->experts[i];
        if (in->tokens == 0)
            continue;
        take_means(in);
        vectors[n++] =
            (ith_stats_vector){c->model->layers[i / of_layer].experts[i % of_layer].down->name, in->values, in->cols};
    }
    return n;
}

static ith_status write_file(const calibration *c, const ith_calibrate_params *params, int64_t n_tokens, int64_t window,
                             ith_error *err)
{
    ith_stats_about about = {.model = c->model->hp.name, .tokens = n_tokens, .window = window};
    ith_stats_vector *vectors = calloc(3 * c->n_inputs + c->n_experts, sizeof *vectors);
    ith_status status;

    if (vectors == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the table of statistics");
    ith_sha256_hex(params->ids, (size_t)n_tokens * sizeof *params->ids, about.ids_sha256);
    status = ith_stats_write(params->output, &about, vectors, list_vectors(c, vectors), err);
    free(vectors);
    return status;
}

/* ---- The text ---- */

static ith_status run_windows(ith_session *s, const ith_calibrate_params *params, int64_t n_tokens, int64_t window,
                              ith_error *err)
{
    bool root = s->engine->world->comm->rank == 0;

    s->total = n_tokens;
    for (int64_t begin = 0; begin < n_tokens; begin += window) {
        int64_t n = n_tokens - begin < window ? n_tokens - begin : window;
        s->length = 0;
        s->before = begin;
        ITH_TRY(ith_session_prefill(s, root ? params->ids + begin : NULL, root ? (size_t)n : 0, err));
    }
    return ITH_OK;
}

static ith_status choose_window(const ith_engine *e, const ith_calibrate_params *params, int64_t n_tokens,
                                int64_t *window, ith_error *err)
{
    *window = params->window > 0 ? params->window : DEFAULT_WINDOW;
    if (params->output == NULL || params->window < 0 || *window > e->info.ctx)
        return ith_fail(err, ITH_E_ARGUMENT, "calibration needs a file to write, and a window of 1 to %lld tokens",
                        (long long)e->info.ctx);
    if (n_tokens < 1)
        return ith_fail(err, ITH_E_ARGUMENT, "there is nothing to calibrate with: not one token");
    *window = *window < n_tokens ? *window : n_tokens;
    return ITH_OK;
}

ith_status ith_calibrate(ith_engine *engine, const ith_calibrate_params *params, ith_error *err)
{
    ith_comm *comm = engine->world->comm;
    calibration c = {.model = engine->model, .adds = comm->rank == 0};
    ith_probe probe = {add_squares, &c};
    ith_session *session = NULL;
    int64_t n_tokens = (int64_t)params->n_ids, window, chunk = engine->info.chunk;
    ith_status status = ITH_OK;

    ith_world_bcast(engine->world, &n_tokens, sizeof n_tokens);
    ITH_TRY(ith_comm_agree(comm, choose_window(engine, params, n_tokens, &window, err), err));
    if (comm->rank == 0)
        status = ith_newfile_try(params->output, err);
    ITH_TRY(ith_comm_agree(comm, status, err));
    ITH_CHECK(ith_comm_agree(comm, open_sums(&c, err), err));
    ITH_CHECK(ith_session_open_sized(engine, window, chunk < window ? chunk : window, true, &session, err));
    session->probe = &probe;
    ITH_CHECK(run_windows(session, params, n_tokens, window, err));
    status = comm->rank == 0 ? write_file(&c, params, n_tokens, window, err) : ITH_OK;
    status = ith_comm_agree(comm, status, err);
done:
    ith_session_close(session);
    close_inputs(c.inputs, c.n_inputs);
    close_inputs(c.experts, c.n_experts);
    return status;
}
