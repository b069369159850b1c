/* calibrate.c - the mean square of each column of what matrices read, over a text.
 *
 * Passes run by rows: every rank has all tokens and all columns of them, so a column's squares are added up by one thread of rank 0, in
 * double, tokens ascending. The sums therefore depend on nothing but the text, the window and the model in memory.
 */
#include "engine/engine_impl.h"

#include "base/digest.h"
#include "formats/stats.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_WINDOW = 2048, COLUMNS = 256 /* at a time */ };

typedef struct input { /* of one or more matrices of a layer */
    int64_t cols;
    double *sums;  /* [cols] */
    float *values; /* [cols] the means, as they are written */
} input;

typedef struct calibration {
    const ith_model *model;
    input *
        inputs; /* [n_layers + 1][ITH_PROBE_POINTS]; what reads nothing has 0 columns. The last row: the output matrix */
    size_t n_inputs;
    bool adds; /* this rank does: rank 0 */
} calibration;

static input *input_at(const calibration *c, ith_probe_point point, int64_t layer)
{
    return &c->inputs[layer * ITH_PROBE_POINTS + (int64_t)point];
}

static void add_squares(void *user, ith_probe_point point, int layer, const ith_seen *seen, const ith_member *me)
{
    const calibration *c = user;
    ith_range mine = ith_my_share(me, seen->cols, 1);
    float x[COLUMNS];

    if (!c->adds || point == ITH_PROBE_KEYS)
        return;
    double *sums = input_at(c, point, point == ITH_PROBE_OUTPUT ? c->model->hp.n_layers : layer)->sums;
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
        out[0] = w->mlp.gate, out[1] = w->mlp.up;
        return 2;
    case ITH_PROBE_DOWN:
        out[0] = w->mlp.down;
        return 1;
    default:
        return 0;
    }
}

static ith_status open_sums(calibration *c, ith_error *err)
{
    const ith_matrix *read_by[3];
    bool good;

    c->n_inputs = (size_t)(c->model->hp.n_layers + 1) * ITH_PROBE_POINTS;
    c->inputs = calloc(c->n_inputs, sizeof *c->inputs);
    good = c->inputs != NULL;
    for (size_t i = 0; good && i < c->n_inputs; i++) {
        input *in = &c->inputs[i];
        if (matrices_of(c->model, i % ITH_PROBE_POINTS, (int64_t)(i / ITH_PROBE_POINTS), read_by) == 0)
            continue;
        in->cols = read_by[0]->cols;
        in->sums = calloc((size_t)in->cols, sizeof *in->sums);
        in->values = calloc((size_t)in->cols, sizeof *in->values);
        good = in->sums != NULL && in->values != NULL;
    }
    return good ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "no memory for the sums of calibration");
}

static void close_sums(calibration *c)
{
    for (size_t i = 0; c->inputs != NULL && i < c->n_inputs; i++) {
        free(c->inputs[i].sums);
        free(c->inputs[i].values);
    }
    free(c->inputs);
}

/* ---- The file ---- */

static size_t list_vectors(const calibration *c, int64_t n_tokens, ith_stats_vector *vectors)
{
    const ith_matrix *read_by[3];
    size_t n = 0;

    for (size_t i = 0; i < c->n_inputs; i++) {
        input *in = &c->inputs[i];
        size_t n_matrices = matrices_of(c->model, i % ITH_PROBE_POINTS, (int64_t)(i / ITH_PROBE_POINTS), read_by);
        for (int64_t k = 0; k < in->cols; k++)
            in->values[k] = (float)(in->sums[k] / (double)n_tokens);
        for (size_t m = 0; m < n_matrices; m++)
            vectors[n++] = (ith_stats_vector){read_by[m]->name, in->values, in->cols};
    }
    return n;
}

static ith_status write_file(const calibration *c, const ith_calibrate_params *params, int64_t n_tokens, int64_t window,
                             ith_error *err)
{
    ith_stats_about about = {.model = c->model->hp.name, .tokens = n_tokens, .window = window};
    ith_stats_vector *vectors = calloc(3 * c->n_inputs, sizeof *vectors);
    ith_status status;

    if (vectors == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the table of statistics");
    ith_sha256_hex(params->ids, (size_t)n_tokens * sizeof *params->ids, about.ids_sha256);
    status = ith_stats_write(params->output, &about, vectors, list_vectors(c, n_tokens, vectors), err);
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
    ith_status status;

    if (engine->model->hp.experts.n > 0)
        return ith_fail(err, ITH_E_UNSUPPORTED, "calibration of mixtures of experts is not supported");
    ith_world_bcast(engine->world, &n_tokens, sizeof n_tokens);
    ITH_TRY(ith_comm_agree(comm, choose_window(engine, params, n_tokens, &window, err), err));
    ITH_CHECK(ith_comm_agree(comm, open_sums(&c, err), err));
    ITH_CHECK(ith_session_open_sized(engine, window, chunk < window ? chunk : window, true, &session, err));
    session->probe = &probe;
    ITH_CHECK(run_windows(session, params, n_tokens, window, err));
    status = comm->rank == 0 ? write_file(&c, params, n_tokens, window, err) : ITH_OK;
    status = ith_comm_agree(comm, status, err);
done:
    ith_session_close(session);
    close_sums(&c);
    return status;
}
