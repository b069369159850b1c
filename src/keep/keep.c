/* keep.c - opening and closing the keeper of a session: ith_session_keep, _save and _done. */
#include "base/fpenv.h"
#include "base/newfile.h"
#include "base/testhook.h"
#include "comm/same.h"
#include "keep/keep_answer.h"
#include "keep/keep_read.h"
#include "keep/keep_write.h"
#include "keep/model_key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Closing ---- */

static void free_keep(ith_keep *keep)
{
    ith_keep_writer_close(keep->writer);
    ith_archive_close(keep->archive);
    ith_checkpoint_close(keep->checkpoint);
    free(keep->batch);
    free(keep->kv_layers);
    free(keep->state_layers);
    free(keep);
}

static void close_keep(ith_keeper *keeper)
{
    ith_keep *keep = ith_keep_of(keeper);
    ith_error err;

    ith_keep_finish(keep);
    if (keep->cache_bytes > 0 && !keep->own_archive &&
        keep->session->engine->world->comm->rank == 0 &&
        ith_archive_shrink(keep->archive, keep->cache_bytes, &err) != ITH_OK)
        ith_keep_warn(keep, err.text, "it may stay larger than its limit");
    free_keep(keep);
}

static const ith_keeper_ops ops = {
    .begin = ith_keep_begin,
    .most = ith_keep_most,
    .chunk = ith_keep_chunk,
    .rest = ith_keep_rest,
    .least = ith_keep_least,
    .answer = ith_keep_answer,
    .token = ith_keep_token,
    .close = close_keep,
};

/* ---- Opening ---- */

static ith_status open_archive(ith_keep *keep, const ith_keep_params *params, ith_error *err)
{
    char path[ITH_PATH_MAX];
    int fd;

    if (params->checkpoint != NULL) {
        ITH_TRY(ith_folder_open(params->checkpoint, true, &fd, err));
        close(fd);
    }
    if (params->cache != NULL)
        return ith_archive_open(params->cache, true, keep->checkpointed, &keep->archive, err);
    if ((size_t)snprintf(path, sizeof path, "%s/kv", params->checkpoint) >= sizeof path)
        return ith_fail(err, ITH_E_ARGUMENT, "%s: the path is too long", params->checkpoint);
    return ith_archive_open(path, false, true, &keep->archive, err);
}

/* Collective. Does every rank see a file that rank 0 creates? */
static ith_status check_shared(const ith_keep *keep, ith_error *err)
{
    ith_world *world = keep->session->engine->world;
    ith_newfile probe = {.fd = -1};
    int folder = ith_archive_descriptor(keep->archive);
    char path[ITH_PATH_MAX];
    ith_status status = ITH_OK;

    if (world->comm->size == 1)
        return ITH_OK;
    snprintf(path, sizeof path, "%s/probe", ith_archive_folder(keep->archive));
    if (world->comm->rank == 0)
        status = ith_newfile_open_in(folder, path, &probe, err);
    status = ith_comm_agree(world->comm, status, err);
    if (status == ITH_OK) {
        ith_world_bcast(world, probe.temporary, sizeof probe.temporary);
        if (faccessat(folder, ith_path_within(folder, probe.temporary), F_OK, 0) != 0)
            status = ith_fail(err, ITH_E_IO,
                              "%s: this rank does not see a file that rank 0 created there; the "
                              "folder must be on a file system that all ranks share",
                              ith_archive_folder(keep->archive));
        status = ith_comm_agree(world->comm, status, err);
    }
    ith_newfile_close(&probe);
    return status;
}

static ith_status open_local(ith_keep *keep, const ith_keep_params *params, ith_error *err)
{
    ITH_TRY(open_archive(keep, params, err));
    ITH_TRY(ith_keep_writer_open(keep->archive, &keep->shape, &keep->writer, err));
    if (keep->checkpointed && keep->session->engine->world->comm->rank == 0)
        ITH_TRY(ith_keep_open_checkpoint(keep, params, err));
    return ITH_OK;
}

static int64_t states_every(void)
{
    return ith_test_states(ITH_KV_SEGMENT, ITH_KEEP_STATE_TOKENS);
}

/* Of a model's layers the first that has keys and values, and the first that has a recurrent state;
 * one may have both. -1: there is none. */
typedef struct first_layers {
    int kv, recurrent;
} first_layers;

static bool has_kv(const ith_layer_state *layer)
{
    return layer->form == ITH_STATE_KV;
}

static bool is_recurrent(const ith_layer_state *layer)
{
    return layer->recurrent.heads > 0;
}

static first_layers find_first(const ith_model *m)
{
    first_layers first = {-1, -1};

    for (int i = (int)m->hp.n_layers - 1; i >= 0; i--) {
        first.kv = has_kv(&m->states[i]) ? i : first.kv;
        first.recurrent = is_recurrent(&m->states[i]) ? i : first.recurrent;
    }
    return first;
}

static ith_status check_kv(const ith_model *m, int i, int first, ith_error *err)
{
    const ith_layer_state *a = &m->states[first], *b = &m->states[i];

    if (b->heads == a->heads && b->head_dim == a->head_dim && b->latent == a->latent)
        return ITH_OK;
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "layer %d has %lld KV heads of size %lld, but layer %d has %lld of size %lld, "
                    "which cannot be saved: prompt cache and checkpoint are not available",
                    i, (long long)b->heads, (long long)b->head_dim, first, (long long)a->heads,
                    (long long)a->head_dim);
}

static ith_status check_recurrent(const ith_model *m, int i, int first, ith_error *err)
{
    const ith_recurrent_shape *a = &m->states[first].recurrent, *b = &m->states[i].recurrent;
    int64_t floats = ith_recurrent_saved_floats(b);

    if (b->heads == a->heads && floats == ith_recurrent_saved_floats(a) &&
        floats <= ITH_STATE_FLOATS_MAX)
        return ITH_OK;
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "layer %d has a recurrent state of %lld heads of %lld floats, which cannot be "
                    "saved beside %lld of %lld in layer %d: prompt cache and checkpoint are not "
                    "available",
                    i, (long long)b->heads, (long long)floats, (long long)a->heads,
                    (long long)ith_recurrent_saved_floats(a), first);
}

/* A file holds all layers of a head: those of a form must be alike in heads. */
static ith_status check_layers(const ith_model *m, ith_error *err)
{
    first_layers first = find_first(m);

    for (int i = 0; i < m->hp.n_layers; i++) {
        if (has_kv(&m->states[i]))
            ITH_TRY(check_kv(m, i, first.kv, err));
        if (is_recurrent(&m->states[i]))
            ITH_TRY(check_recurrent(m, i, first.recurrent, err));
    }
    return ITH_OK;
}

static ith_status check(const ith_session *s, const ith_keep_params *params, ith_error *err)
{
    if (params->cache == NULL && params->checkpoint == NULL)
        return ith_fail(err, ITH_E_ARGUMENT, "neither a prompt cache nor a checkpoint is given");
    if (s->keeper != NULL || s->length > 0)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "ith_session_keep must be called once, while the session is empty");
    if (s->engine->info.exact)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "with exact weights KV data is not the same to the last bit: prompt cache "
                        "and checkpoint are not available");
    return check_layers(s->engine->model, err);
}

static ith_kv_shape shape_of(const ith_engine *e)
{
    first_layers first = find_first(e->model);
    const ith_layer_state *states = e->model->states;
    ith_kv_shape shape = {.layout = e->kv};

    if (first.kv >= 0) {
        shape.n_heads = (int)states[first.kv].heads;
        shape.head_dim = (int)states[first.kv].head_dim;
        shape.latent = states[first.kv].latent;
    }
    if (first.recurrent >= 0) {
        shape.state_heads = (int)states[first.recurrent].recurrent.heads;
        shape.state_floats = (int)ith_recurrent_saved_floats(&states[first.recurrent].recurrent);
    }
    return shape;
}

/* Numbers the layers of each form. */
static void list_layers(ith_keep *keep)
{
    const ith_model *m = keep->session->engine->model;

    for (int i = 0; i < m->hp.n_layers; i++) {
        if (has_kv(&m->states[i]))
            keep->kv_layers[keep->shape.n_layers++] = i;
        if (is_recurrent(&m->states[i]))
            keep->state_layers[keep->shape.state_layers++] = i;
    }
}

static void share_heads(ith_keep *keep)
{
    const ith_engine *e = keep->session->engine;
    first_layers first = find_first(e->model);

    if (first.kv >= 0) {
        ith_range heads = ith_mesh_kv_heads(&e->mesh, keep->shape.n_heads, e->mesh.u);
        keep->first_head = (int)heads.begin;
        keep->n_heads = (int)ith_range_size(heads);
    }
    if (first.recurrent >= 0)
        keep->state_heads = ith_recurrent_heads(&e->model->states[first.recurrent].recurrent,
                                                e->mesh.ranks, e->mesh.rank);
}

static ith_keep *alloc_keep(int64_t n_layers)
{
    ith_keep *keep = calloc(1, sizeof *keep);

    if (keep == NULL)
        return NULL;
    keep->kv_layers = calloc((size_t)n_layers, sizeof *keep->kv_layers);
    keep->state_layers = calloc((size_t)n_layers, sizeof *keep->state_layers);
    if (keep->kv_layers != NULL && keep->state_layers != NULL)
        return keep;
    free_keep(keep);
    return NULL;
}

/* Collective. *out is NULL on failure. */
static ith_status new_keep(ith_session *s, const ith_keep_params *params, ith_keep **out,
                           ith_error *err)
{
    const ith_engine *e = s->engine;
    ith_keep *keep = alloc_keep(e->model->hp.n_layers);
    ith_status status =
        ith_comm_agree_memory(e->world->comm, keep, "a prompt cache or checkpoint", err);

    *out = NULL;
    if (status != ITH_OK) {
        if (keep != NULL)
            free_keep(keep);
        return status;
    }
    keep->base.ops = &ops;
    keep->session = s;
    keep->shape = shape_of(e);
    list_layers(keep);
    share_heads(keep);
    keep->state_tokens = states_every();
    keep->checkpointed = params->checkpoint != NULL;
    keep->own_archive = params->cache == NULL;
    keep->cache_bytes = params->cache_bytes;
    keep->in_hand = -1;
    keep->warn = params->warn;
    keep->user = params->user;
    *out = keep;
    return ITH_OK;
}

static ith_status check_same(ith_comm *comm, const ith_keep_params *params, ith_error *err)
{
    ith_same same = {0};

    ith_same_text(&same, "the folder of the prompt cache", params->cache);
    ith_same_text(&same, "the folder of the checkpoint", params->checkpoint);
    ith_same_int(&same, "the limit of the prompt cache", params->cache_bytes);
    ith_same_int(&same, "ITHACA_TEST_STATES", states_every());
    return ith_comm_same(comm, &same, err);
}

ith_status ith_session_keep(ith_session *session, const ith_keep_params *params, ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    ith_comm *comm = session->engine->world->comm;
    ith_keep *keep;
    ith_status status;

    ITH_TRY(check_same(comm, params, err));
    ITH_TRY(check(session, params, err));
    ITH_TRY(new_keep(session, params, &keep, err));
    status = ith_model_key(session->engine, &keep->model, err);
    keep->root = keep->parent = ith_keep_root(keep);
    if (status == ITH_OK)
        status = ith_comm_agree(comm, open_local(keep, params, err), err);
    if (status == ITH_OK)
        status = check_shared(keep, err);
    if (status != ITH_OK) {
        free_keep(keep);
        return status;
    }
    session->keeper = &keep->base;
    return ITH_OK;
}

/* ---- The end of a run ---- */

int64_t ith_session_restored(const ith_session *session)
{
    return session->keeper == NULL ? 0 : ith_keep_of(session->keeper)->restored;
}

int64_t ith_session_saved(const ith_session *session)
{
    return session->keeper == NULL ? 0 : ith_keep_of(session->keeper)->added;
}

static ith_status check_checkpoint(const ith_keep *keep, ith_error *err)
{
    return keep != NULL && keep->checkpointed
               ? ITH_OK
               : ith_fail(err, ITH_E_ARGUMENT, "the session has no checkpoint");
}

ith_status ith_session_save(ith_session *session, ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    ith_keep *keep = ith_keep_of(session->keeper);

    ITH_TRY(check_checkpoint(keep, err));
    ith_keep_finish(keep);
    if (keep->off)
        return ith_fail(err, keep->why.status, "%s", keep->why.text);
    return ith_comm_agree(session->engine->world->comm, ith_keep_sync_answer(keep, err), err);
}

static ith_status remove_archive(const ith_keep *keep, ith_error *err)
{
    ITH_TRY(ith_archive_shrink(keep->archive, 0, err));
    rmdir(ith_archive_folder(keep->archive)); /* stays if something else is in it */
    return ITH_OK;
}

ith_status ith_session_remove_checkpoint(ith_session *session, ith_error *err)
{
    ITH_NEED_ERROR(err);
    ith_keep *keep = ith_keep_of(session->keeper);
    ith_status status = ITH_OK;

    ITH_TRY(check_checkpoint(keep, err));
    ith_keep_finish(keep);
    if (keep->checkpoint != NULL) {
        ith_checkpoint_remove(keep->checkpoint);
        if (keep->own_archive)
            status = remove_archive(keep, err);
    }
    return ith_comm_agree(session->engine->world->comm, status, err);
}
