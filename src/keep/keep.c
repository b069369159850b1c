/* keep.c - opening and closing what a session keeps on disk; the answer of a checkpoint. keep_read.c and keep_write.c do the work. */
#include "base/newfile.h"
#include "keep/keep_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void ith_keep_warn(const ith_keep *keep, const char *text, const char *consequence)
{
    char line[sizeof((ith_error *)NULL)->text + 100];

    if (keep->warn == NULL || keep->session->engine->world->comm->rank != 0)
        return;
    snprintf(line, sizeof line, "%s: %s: %s", keep->own_archive ? "checkpoint" : "prompt cache", text, consequence);
    keep->warn(keep->user, line);
}

/* ---- The checkpoint's state, rank 0 ---- */

static json_t *describe_prompt(const ith_keep_params *params)
{
    char hex[65];

    ith_sha256_hex(params->ids, params->n_ids * sizeof *params->ids, hex);
    return json_pack("{s:I, s:s}", "tokens", (json_int_t)params->n_ids, "sha256", hex);
}

static json_t *describe_generation(const ith_generate_params *g)
{
    json_t *stop = json_array();

    for (size_t i = 0; i < g->n_stop; i++)
        json_array_append_new(stop, json_string(g->stop[i]));
    return json_pack("{s:I, s:b, s:o, s:o, s:i, s:o, s:o, s:o, s:i, s:I}", "max_tokens", (json_int_t)g->max_tokens,
                     "ignore_eos", g->ignore_eos, "stop", stop, "temperature",
                     ith_json_number((double)g->sampling.temperature), "top_k", g->sampling.top_k, "top_p",
                     ith_json_number((double)g->sampling.top_p), "min_p", ith_json_number((double)g->sampling.min_p),
                     "repeat_penalty", ith_json_number((double)g->sampling.repeat_penalty), "repeat_window",
                     g->sampling.repeat_window, "seed", (json_int_t)g->sampling.seed);
}

/* What must be the same for a run to go on. The key comes last: of two models with other names the names are told. */
static json_t *describe_run(const ith_keep *keep, const ith_keep_params *params)
{
    char key[ITH_KEY_HEX];
    json_t *run = json_object();

    ith_key_hex(&keep->root, key);
    json_object_set_new(run, "model",
                        json_pack("{s:s, s:s, s:s}", "architecture", keep->session->engine->info.architecture, "kv",
                                  ith_kv_layout_name(keep->shape.layout), "key", key));
    json_object_set_new(run, "prompt", describe_prompt(params));
    if (params->generate != NULL)
        json_object_set_new(run, "answer", describe_generation(params->generate));
    return run;
}

/* As much of a saved answer as can be one of this run. */
static int64_t usable_answer(const ith_keep *keep, const ith_keep_params *params)
{
    int64_t n, most = params->generate == NULL ? 0 : params->generate->max_tokens, good = 0;
    const int32_t *ids = ith_checkpoint_answer(keep->checkpoint, &n);

    while (good < n && good < most && ids[good] >= 0 && ids[good] < keep->session->engine->info.n_vocab)
        good++;
    return good;
}

static ith_status open_checkpoint(ith_keep *keep, const ith_keep_params *params, ith_error *err)
{
    json_t *run = describe_run(keep, params);
    ith_status status = ith_checkpoint_open(params->checkpoint, run, &keep->checkpoint, err);

    json_decref(run);
    if (status == ITH_OK) {
        int64_t n = usable_answer(keep, params);
        keep->n_answer = n > 0 ? n - 1 : 0;
    }
    return status;
}

/* ---- Opening ---- */

static ith_status open_archive(ith_keep *keep, const ith_keep_params *params, ith_error *err)
{
    char path[ITH_PATH_MAX];

    if (params->checkpoint != NULL)
        ITH_TRY(ith_folder_make(params->checkpoint, err));
    if (params->cache != NULL)
        return ith_archive_open(params->cache, keep->checkpointed, &keep->archive, err);
    if ((size_t)snprintf(path, sizeof path, "%s/kv", params->checkpoint) >= sizeof path)
        return ith_fail(err, ITH_E_ARGUMENT, "%s: the path is too long", params->checkpoint);
    return ith_archive_open(path, true, &keep->archive, err);
}

/* Every rank sees a file that rank 0 makes there. Collective. */
static ith_status check_shared(const ith_keep *keep, ith_error *err)
{
    ith_world *world = keep->session->engine->world;
    ith_newfile probe = {.fd = -1};
    char path[ITH_PATH_MAX];
    ith_status status = ITH_OK;

    if (world->comm->size == 1)
        return ITH_OK;
    snprintf(path, sizeof path, "%s/probe", ith_archive_folder(keep->archive));
    if (world->comm->rank == 0)
        status = ith_newfile_open(path, &probe, err);
    status = ith_comm_agree(world->comm, status, err);
    if (status == ITH_OK) {
        ith_world_bcast(world, probe.temporary, sizeof probe.temporary);
        if (access(probe.temporary, F_OK) != 0)
            status =
                ith_fail(err, ITH_E_IO,
                         "%s: this rank does not see what rank 0 writes there: the folder must be on a file system "
                         "that all ranks share",
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
        ITH_TRY(open_checkpoint(keep, params, err));
    return ITH_OK;
}

static ith_status check(const ith_session *s, const ith_keep_params *params, ith_error *err)
{
    if (params->cache == NULL && params->checkpoint == NULL)
        return ith_fail(err, ITH_E_ARGUMENT, "neither a prompt cache nor a checkpoint is named");
    if (s->keep != NULL || s->length > 0)
        return ith_fail(err, ITH_E_ARGUMENT, "a session is told once what to keep, while it is empty");
    if (s->engine->info.exact)
        return ith_fail(
            err, ITH_E_UNSUPPORTED,
            "with exact weights KV data is the same only to rounding: there is no prompt cache or checkpoint");
    return ITH_OK;
}

static ith_keep *keep_of(ith_session *s, const ith_keep_params *params)
{
    const ith_engine *e = s->engine;
    const ith_hparams *hp = &e->model->hp;
    ith_range heads = ith_mesh_kv_heads(&e->mesh, (int)hp->n_kv_heads, e->mesh.u);
    ith_keep *keep = calloc(1, sizeof *keep);

    if (keep == NULL)
        ith_comm_abort(e->world->comm, 1, "no memory for what a session keeps");
    keep->session = s;
    keep->shape = (ith_kv_shape){e->kv, (int)hp->n_layers, (int)hp->n_kv_heads, (int)hp->head_dim};
    keep->first_head = (int)heads.begin;
    keep->n_heads = (int)ith_range_size(heads);
    keep->checkpointed = params->checkpoint != NULL;
    keep->own_archive = params->cache == NULL;
    keep->cache_bytes = params->cache_bytes;
    keep->warn = params->warn;
    keep->user = params->user;
    return keep;
}

static void free_keep(ith_keep *keep)
{
    ith_keep_writer_close(keep->writer);
    ith_archive_close(keep->archive);
    ith_checkpoint_close(keep->checkpoint);
    free(keep);
}

ith_status ith_session_keep(ith_session *session, const ith_keep_params *params, ith_error *err)
{
    ith_comm *comm = session->engine->world->comm;
    ith_keep *keep;
    ith_status status;

    ITH_TRY(check(session, params, err));
    keep = keep_of(session, params);
    status = ith_engine_model_key(session->engine, &keep->root, err);
    if (status == ITH_OK)
        status = ith_comm_agree(comm, open_local(keep, params, err), err);
    if (status == ITH_OK)
        status = check_shared(keep, err);
    if (status != ITH_OK) {
        free_keep(keep);
        return status;
    }
    session->keep = keep;
    return ITH_OK;
}

/* ---- Closing ---- */

void ith_keep_close(ith_keep *keep)
{
    ith_error err;

    if (keep == NULL)
        return;
    ith_keep_finish(keep);
    if (keep->cache_bytes > 0 && !keep->own_archive && keep->session->engine->world->comm->rank == 0 &&
        ith_archive_shrink(keep->archive, keep->cache_bytes, &err) != ITH_OK)
        ith_keep_warn(keep, err.text, "it may be larger than wanted");
    free_keep(keep);
}

int64_t ith_session_restored(const ith_session *session)
{
    return session->keep == NULL ? 0 : session->keep->restored;
}

int64_t ith_keep_least(const ith_keep *keep)
{
    return keep->n_written * ITH_KV_SEGMENT;
}

static ith_status sync_answer(const ith_keep *keep, ith_error *err)
{
    if (keep->checkpoint == NULL)
        return ITH_OK;
    if (keep->answer_lost)
        return ith_fail(err, ITH_E_IO, "the checkpoint's answer could not be written");
    return ith_checkpoint_sync(keep->checkpoint, err);
}

static ith_status check_checkpoint(const ith_session *s, ith_error *err)
{
    return s->keep != NULL && s->keep->checkpointed ? ITH_OK
                                                    : ith_fail(err, ITH_E_ARGUMENT, "the session has no checkpoint");
}

ith_status ith_session_save(ith_session *session, ith_error *err)
{
    ith_keep *keep = session->keep;

    ITH_TRY(check_checkpoint(session, err));
    ith_keep_finish(keep);
    if (keep->off)
        return ith_fail(err, keep->why.status, "%s", keep->why.text);
    return ith_comm_agree(session->engine->world->comm, sync_answer(keep, err), err);
}

static ith_status remove_archive(const ith_keep *keep, ith_error *err)
{
    ITH_TRY(ith_archive_shrink(keep->archive, 0, err));
    rmdir(ith_archive_folder(keep->archive)); /* something else is in it: stays */
    return ITH_OK;
}

ith_status ith_session_done(ith_session *session, ith_error *err)
{
    ith_keep *keep = session->keep;
    ith_status status = ITH_OK;

    ITH_TRY(check_checkpoint(session, err));
    ith_keep_finish(keep);
    if (keep->checkpoint != NULL) {
        ith_checkpoint_remove(keep->checkpoint);
        if (keep->own_archive)
            status = remove_archive(keep, err);
    }
    return ith_comm_agree(session->engine->world->comm, status, err);
}

/* ---- The answer ---- */

const int32_t *ith_keep_answer(ith_keep *keep, int64_t *n, int64_t *draws)
{
    const int32_t *ids;

    *n = *draws = 0;
    if (keep == NULL || keep->checkpoint == NULL || keep->answer_begun)
        return NULL;
    ids = ith_checkpoint_answer(keep->checkpoint, n);
    keep->answer_begun = true;
    *n = keep->n_answer;
    *draws = *n > 0 ? ith_checkpoint_draws(keep->checkpoint, *n - 1) : 0;
    return ids;
}

void ith_keep_token(ith_keep *keep, int64_t i, int32_t id, int64_t draws)
{
    ith_error err;

    if (keep == NULL || keep->checkpoint == NULL || keep->answer_lost || i < keep->n_answer)
        return;
    if (ith_checkpoint_put(keep->checkpoint, i, id, draws, &err) == ITH_OK)
        return;
    keep->answer_lost = true;
    ith_keep_warn(keep, err.text, "the rest of the answer is not saved");
}

bool ith_checkpoint_seed(const char *folder, uint64_t *seed)
{
    json_t *run = ith_checkpoint_peek(folder);
    const json_t *value = json_object_get(json_object_get(run, "answer"), "seed");
    bool there = json_is_integer(value);

    if (there)
        *seed = (uint64_t)json_integer_value(value);
    json_decref(run);
    return there;
}
