/* keep.c - opening and closing the keeper of a session: ith_session_keep, _save and _done. */
#include "base/fpenv.h"
#include "base/newfile.h"
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

/* A file holds all layers of a head: they must have one form, and be alike in heads. */
static ith_status check_layers(const ith_model *m, ith_error *err)
{
    const ith_layer_state *first = &m->states[0];

    for (int64_t i = 0; i < m->hp.n_layers; i++) {
        const ith_layer_state *layer = &m->states[i];
        if (layer->form != ITH_STATE_KV || layer->recurrent.heads > 0)
            return ith_fail(err, ITH_E_UNSUPPORTED,
                            "layer %lld has a state that cannot be saved: prompt cache and "
                            "checkpoint are not available",
                            (long long)i);
        if (layer->heads != first->heads || layer->head_dim != first->head_dim ||
            layer->latent != first->latent)
            return ith_fail(err, ITH_E_UNSUPPORTED,
                            "layer %lld has %lld KV heads of size %lld, but layer 0 has %lld of "
                            "size %lld, which cannot be saved: prompt cache and checkpoint are not "
                            "available",
                            (long long)i, (long long)layer->heads, (long long)layer->head_dim,
                            (long long)first->heads, (long long)first->head_dim);
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

/* Collective. *out is NULL on failure. */
static ith_status new_keep(ith_session *s, const ith_keep_params *params, ith_keep **out,
                           ith_error *err)
{
    const ith_engine *e = s->engine;
    const ith_layer_state *layer = &e->model->states[0];
    ith_range heads = ith_mesh_kv_heads(&e->mesh, (int)layer->heads, e->mesh.u);
    ith_keep *keep = calloc(1, sizeof *keep);
    ith_status status =
        ith_comm_agree_memory(e->world->comm, keep, "a prompt cache or checkpoint", err);

    *out = NULL;
    if (status != ITH_OK) {
        free(keep);
        return status;
    }
    keep->base.ops = &ops;
    keep->session = s;
    keep->shape = (ith_kv_shape){e->kv, (int)e->model->hp.n_layers, (int)layer->heads,
                                 (int)layer->head_dim, layer->latent};
    keep->first_head = (int)heads.begin;
    keep->n_heads = (int)ith_range_size(heads);
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
