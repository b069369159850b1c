/* calibrate.c - measures the mean square of each column of the inputs of a model's matrices.
 *
 * The mean is over the tokens of a text; for the down matrix of an expert, over the tokens that
 * were routed to it.
 *
 * Passes run by rows, so every rank has all columns of all tokens. One thread of rank 0 sums the
 * squares of a column, in double and with tokens ascending. The sums therefore depend only on the
 * text, the window and the model in memory.
 */
#include "engine/session.h"
#include "ithaca_tools.h"

#include "base/digest.h"
#include "base/fpenv.h"
#include "base/newfile.h"
#include "base/samefile.h"
#include "formats/stats.h"

#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_WINDOW = 2048,
    COLUMNS = 256 /* that a thread takes at a time */
};

/* The input of a matrix, which other matrices may share. */
typedef struct input {
    int64_t cols, tokens;
    double *sums;  /* [cols]: of squares */
    float *values; /* [cols]: the means, as written to the file */
} input;

typedef struct calibration {
    const ith_model *model;
    const ith_load_plan *plan;

    /* [entries of the plan]: the inputs of the matrices that may come first among their readers. */
    input *inputs;

    /* [entries of the plan]: the entry under which the input of a matrix is summed; -1: the matrix
     * was never used. */
    int64_t *read_as;

    bool adds; /* true on rank 0, the only one that sums */
} calibration;

static void add_squares(void *user, const ith_matrix *const *readers, int n_readers,
                        const ith_seen *seen, const ith_member *me)
{
    const calibration *c = user;
    ith_range mine = ith_my_share(me, seen->cols, 1);
    float x[COLUMNS];

    if (!c->adds)
        return;
    input *in = &c->inputs[readers[0]->entry];
    if (me->tid == 0) {
        in->tokens += seen->tokens;
        for (int i = 0; i < n_readers; i++)
            c->read_as[readers[i]->entry] = (int64_t)readers[0]->entry;
    }
    for (int64_t begin = mine.begin; begin < mine.end; begin += COLUMNS) {
        ith_range cols = {begin, begin + COLUMNS < mine.end ? begin + COLUMNS : mine.end};
        for (int64_t t = 0; t < seen->tokens; t++) {
            ith_seen_get(seen, t, cols, x);
            for (int64_t i = 0; i < ith_range_size(cols); i++)
                in->sums[cols.begin + i] += (double)x[i] * (double)x[i];
        }
    }
}

static bool open_input(input *in, int64_t cols)
{
    in->cols = cols;
    in->sums = calloc((size_t)cols, sizeof *in->sums);
    in->values = calloc((size_t)cols, sizeof *in->values);
    return in->sums != NULL && in->values != NULL;
}

/* A matrix that uses the statistics of another one (ith_entry.reads) never comes first. */
static ith_status open_sums(calibration *c, ith_error *err)
{
    const ith_load_plan *plan = c->plan;
    bool good;

    c->inputs = calloc(plan->n_entries + 1, sizeof *c->inputs);
    c->read_as = calloc(plan->n_entries + 1, sizeof *c->read_as);
    good = c->inputs != NULL && c->read_as != NULL;
    for (size_t i = 0; good && i < plan->n_entries; i++) {
        const ith_entry *e = &plan->entries[i];
        c->read_as[i] = -1;
        if (e->matrix != NULL && e->reads == NULL)
            good = open_input(&c->inputs[i], e->matrix->cols);
    }
    return good ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "no memory for the sums of a calibration");
}

static void close_sums(calibration *c)
{
    for (size_t i = 0; c->inputs != NULL && i < c->plan->n_entries; i++) {
        free(c->inputs[i].sums);
        free(c->inputs[i].values);
    }
    free(c->inputs);
    free(c->read_as);
}

/* ---- The file ---- */

static void take_means(input *in)
{
    for (int64_t k = 0; k < in->cols; k++)
        in->values[k] = (float)(in->sums[k] / (double)in->tokens);
}

/* The order in the file: what every token reads, layer by layer; the output matrix; experts. */
enum { OF_LAYERS, OF_OUTPUT, OF_EXPERTS };

static int group_of(const calibration *c, const ith_entry *e)
{
    if (e->matrix == c->model->output)
        return OF_OUTPUT;
    return e->expert == ITH_NO_EXPERT ? OF_LAYERS : OF_EXPERTS;
}

/* Lists the means of all matrices that were used. An expert without tokens was not. */
static size_t list_vectors(const calibration *c, ith_stats_vector *vectors)
{
    size_t n = 0;

    for (size_t i = 0; i < c->plan->n_entries; i++)
        if (c->inputs[i].tokens > 0)
            take_means(&c->inputs[i]);
    for (int group = OF_LAYERS; group <= OF_EXPERTS; group++)
        for (size_t i = 0; i < c->plan->n_entries; i++) {
            const ith_entry *e = &c->plan->entries[i];
            const input *in = c->read_as[i] < 0 ? NULL : &c->inputs[c->read_as[i]];
            if (in != NULL && group_of(c, e) == group)
                vectors[n++] = (ith_stats_vector){e->matrix->name, in->values, in->cols};
        }
    return n;
}

static ith_status write_file(const calibration *c, const ith_calibrate_params *params,
                             int64_t n_tokens, int64_t window, ith_error *err)
{
    ith_stats_about about = {.model = c->model->hp.name, .tokens = n_tokens, .window = window};
    ith_stats_vector *vectors = calloc(c->plan->n_entries + 1, sizeof *vectors);
    ith_status status;

    if (vectors == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the table of statistics");
    ith_sha256_hex(params->ids, (size_t)n_tokens * sizeof *params->ids, about.ids_sha256);
    status = ith_stats_write(params->output, &about, vectors, list_vectors(c, vectors), err);
    free(vectors);
    return status;
}

/* ---- The text ---- */

static ith_status run_windows(ith_session *s, const ith_calibrate_params *params, int64_t n_tokens,
                              int64_t window, ith_error *err)
{
    bool root = s->engine->world->comm->rank == 0;

    s->total = n_tokens;
    for (int64_t begin = 0; begin < n_tokens; begin += window) {
        int64_t n = n_tokens - begin < window ? n_tokens - begin : window;
        s->length = 0;
        s->before = begin;
        ITH_TRY(
            ith_session_prefill(s, root ? params->ids + begin : NULL, root ? (size_t)n : 0, err));
    }
    return ITH_OK;
}

static ith_status choose_window(const ith_engine *e, const ith_calibrate_params *params,
                                int64_t n_tokens, int64_t *window, ith_error *err)
{
    *window = params->window > 0 ? params->window
                                 : (e->info.ctx < DEFAULT_WINDOW ? e->info.ctx : DEFAULT_WINDOW);
    if (params->output == NULL || params->window < 0 || *window > e->info.ctx)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "calibration needs an output file and a window of 1 to %lld tokens",
                        (long long)e->info.ctx);
    if (n_tokens < 1)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "nothing to calibrate with: the text has not one token");
    *window = *window < n_tokens ? *window : n_tokens;
    return ITH_OK;
}

/* Rank 0, which writes the file. */
static ith_status check_output(const ith_engine *e, const char *output, ith_error *err)
{
    ITH_TRY(ith_source_spare(e->source, output, err));
    if (e->stats != NULL)
        ITH_TRY(ith_spare_input(output, ith_stats_path(e->stats), err));
    return ith_newfile_try(output, err);
}

ith_status ith_calibrate(ith_engine *engine, const ith_calibrate_params *params, ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    ith_comm *comm = engine->world->comm;
    calibration c = {.model = engine->model,
                     .plan = ith_store_load_plan(engine->store),
                     .adds = comm->rank == 0};
    ith_probe probe = {.reads = add_squares, .user = &c};
    ith_session *session = NULL;
    ith_session_sizes sizes = {.all_by_rows = true};
    int64_t n_tokens = (int64_t)params->n_ids, window;
    ith_status status = ITH_OK;

    ith_world_bcast(engine->world, &n_tokens, sizeof n_tokens);
    ITH_TRY(ith_comm_agree(comm, choose_window(engine, params, n_tokens, &window, err), err));
    if (comm->rank == 0)
        status = check_output(engine, params->output, err);
    ITH_TRY(ith_comm_agree(comm, status, err));
    ITH_CHECK(ith_comm_agree(comm, open_sums(&c, err), err));
    sizes.ctx = window;
    sizes.chunk = ith_min(engine->info.chunk, window);
    ITH_CHECK(ith_session_open_sized(engine, &sizes, &session, err));
    session->probe = &probe;
    ITH_CHECK(run_windows(session, params, n_tokens, window, err));
    status = comm->rank == 0 ? write_file(&c, params, n_tokens, window, err) : ITH_OK;
    status = ith_comm_agree(comm, status, err);
done:
    ith_session_close(session);
    close_sums(&c);
    return status;
}
