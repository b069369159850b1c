/* engine_open.c - opens an engine: from the model's files to weights in memory. */
#include "engine/engine_open.h"
#include "base/cgroup.h"
#include "base/fpenv.h"
#include "engine/alike.h"
#include "engine/cost.h"
#include "engine/distribution.h"
#include "engine/domains.h"
#include "engine/key_means.h"
#include "engine/rank_table.h"
#include "engine/shares.h"
#include "engine/sizes.h"
#include "model/blas.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RAM_LEVEL = 1, /* zstd level of streamed weights that are kept in memory */
    CHUNK_PER_RANK = 512,
    MASK_BYTES = 1024
};

ith_engine_params ith_engine_params_default(void)
{
    return (ith_engine_params){.quant = ITH_QUANT_AUTO, .kv = ITH_KV_Q8};
}

static ith_status check_params(const ith_engine_params *p, ith_error *err)
{
    if (p->model == NULL)
        return ith_fail(err, ITH_E_ARGUMENT, "no model given");
    if (p->threads < 0 || p->chunk < 0 || p->ctx < 0 || p->ctx > ITH_MAX_CONTEXT)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "threads is %d, chunk %lld and context %lld; expected 0 or more, and a "
                        "context of at most %lld",
                        p->threads, (long long)p->chunk, (long long)p->ctx,
                        (long long)ITH_MAX_CONTEXT);
    if (p->head_slices < 0)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "head_slices is %d; expected 1 or more, or 0 to choose", p->head_slices);
    if (ith_kernels_env_error() != NULL)
        return ith_fail(err, ITH_E_ARGUMENT, "%s", ith_kernels_env_error());
    return ITH_OK;
}

/* Reads the headers of all files and makes the load plan; each rank does so for itself. */
static ith_status read_model(ith_engine *e, const ith_engine_params *p, ith_error *err)
{
    ith_comm *comm = e->world->comm;
    const ith_hparams *hp;

    ITH_TRY(check_params(p, err));
    ITH_TRY(ith_topology_open(&e->topology, err));
    ITH_TRY(ith_source_open(p->model, 0, &e->source, err));
    hp = ith_source_hparams(e->source);
    ITH_TRY(ith_mesh_make(p->mesh, comm->size, comm->rank, (int)ith_hparams_shared_heads(hp),
                          &e->mesh, err));
    if (comm->rank == 0 && ith_vocab_in(e->source))
        ITH_TRY(ith_vocab_from_source(e->source, &e->vocab, err));
    ITH_TRY(ith_store_open(comm, &e->store, err));
    ITH_TRY(ith_model_open(e->source, ith_store_load_plan(e->store), p->quant, p->exact, &e->model,
                           err));
    e->model->caches = ith_topology_caches(e->topology);
    if (p->rope_scaling != NULL)
        ITH_TRY(ith_model_scale_rope(e->model, p->rope_scaling, err));
    if (p->stats == NULL)
        return ITH_OK;
    ITH_TRY(ith_stats_open(p->stats, &e->stats, err));
    return ith_load_plan_weigh(ith_store_load_plan(e->store), e->stats, err);
}

/* Collective. This rank's share of its machine's cores: each core that it may run on, divided by
 * the number of ranks that may run there. */
static ith_status default_threads(ith_comm *comm, int *threads, ith_error *err)
{
    int64_t quota = ith_cgroup_cores("") / comm->node_size;
    void *shared;
    uint8_t *masks;

    ITH_TRY(comm->ops->shared_alloc(comm, (size_t)comm->node_size * MASK_BYTES, "core masks", NULL,
                                    NULL, &shared, err));
    masks = shared;
    ith_cores_mask(masks + (size_t)comm->node_rank * MASK_BYTES, MASK_BYTES);
    comm->ops->node_barrier(comm);
    *threads = ith_cores_share(masks, MASK_BYTES, comm->node_size, comm->node_rank);
    comm->ops->node_barrier(comm);
    comm->ops->shared_free(comm, shared);
    if (*threads > quota)
        *threads = quota < 1 ? 1 : (int)quota;
    return ITH_OK;
}

static void describe(ith_engine *e, const ith_engine_params *p, int threads)
{
    const ith_hparams *hp = &e->model->hp;
    ith_engine_info *info = &e->info;
    int64_t ctx = p->ctx > 0 ? p->ctx : hp->ctx_train,
            chunk = p->chunk > 0 ? p->chunk : CHUNK_PER_RANK * e->mesh.ranks;

    snprintf(e->mesh_text, sizeof e->mesh_text, "%dx%d", e->mesh.ulysses, e->mesh.context);
    *info = (ith_engine_info){
        .architecture = hp->architecture,
        .name = hp->name,
        .simd = e->model->kernels->name,
        .mesh = e->mesh_text,
        .shares = e->shares,
        .distribution = e->distribution_text,
        .advice = e->advice_text,
        .notes = ith_source_notes(e->source),
        .n_params = ith_model_n_params(e->model),
        .weight_bytes = (int64_t)ith_store_bytes(e->store),
        .kv_bytes_per_token = ith_state_token_bytes(e->model->states, (int)hp->n_layers, e->kv),
        .ctx = ctx,
        .ctx_train = hp->ctx_train,
        .chunk = chunk < ctx ? chunk : ctx,
        .n_layers = (int)hp->n_layers,
        .n_heads = (int)hp->n_heads,
        .n_kv_heads = (int)hp->n_kv_heads,
        .head_dim = (int)hp->head_dim,
        .hidden = (int)hp->hidden,
        .ffn = (int)hp->ffn,
        .n_vocab = (int)hp->n_vocab,
        .ranks = e->mesh.ranks,
        .threads = threads,
        .kv = p->exact ? ITH_KV_F32 : p->kv,
        .exact = p->exact,
        .weights = ith_layout_name(ith_store_layout(e->store)),
        .nodes = e->world->comm->n_nodes,
        .full_kv_heads = (int)hp->full.kv_heads,
        .full_head_dim = (int)hp->full.head_dim,
        .n_experts = (int)hp->experts.n,
        .n_experts_used = (int)hp->experts.used,
        .expert_ffn = (int)hp->experts.ffn,
        .shared_ffn = (int)hp->experts.shared_ffn,
    };
}

/* Beyond the trained context, "dynamic" frequencies would change with every token. */
static ith_status check_dynamic(const ith_engine *e, ith_error *err)
{
    const ith_hparams *hp = &e->model->hp;

    if (hp->rope.kind != ITH_ROPE_DYNAMIC || hp->rope.alpha > 0 || e->info.ctx <= hp->ctx_train)
        return ITH_OK;
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "%s: its RoPE scaling is \"dynamic\", which Ithaca supports up to the trained "
                    "context of %lld tokens only, not %lld; give --rope-scaling yarn:FACTOR",
                    ith_source_path(e->source), (long long)hp->ctx_train, (long long)e->info.ctx);
}

static bool load_progress(void *user, int64_t done, int64_t total)
{
    const ith_engine *e = user;
    return e->progress(e->progress_user, "load", done, total);
}

static ith_kv_layout kv_layout(const ith_engine_params *p)
{
    static const ith_kv_layout of[] = {
        [ITH_KV_Q8] = ITH_KVL_Q8, [ITH_KV_BF16] = ITH_KVL_BF16, [ITH_KV_F32] = ITH_KVL_F32};
    return p->exact ? ITH_KVL_F32 : of[p->kv];
}

/* Calls the caller's function on rank 0, before any large allocation. */
static void report_sizes(const ith_engine *e, const ith_engine_params *p)
{
    int64_t kv = ith_session_kv_bytes(e);
    const ith_depth_cost ops = ith_prompt_cost(e, 1, 1, 1);
    const ith_sizes sizes = {.weights = e->info.weight_bytes,
                             .kv = kv,
                             .ctx = e->info.ctx,
                             .work = ith_session_bytes(e) - kv,
                             .distribution = e->distribution_text,
                             .key_share = ops.key_s / ops.token_s};

    if (p->sizes != NULL && e->world->comm->rank == 0)
        p->sizes(p->progress_user, &sizes);
}

static ith_status prepare(ith_engine *e, const ith_engine_params *p, ith_error *err)
{
    ith_comm *comm = e->world->comm;
    int threads = p->threads, share;

    ITH_TRY(ith_params_alike(comm, p, err));
    ITH_TRY(ith_comm_agree(comm, read_model(e, p, err), err));
    ITH_TRY(ith_model_alike(e, err));
    if (comm->ops->max(comm, threads == 0)) {
        ITH_TRY(default_threads(comm, &share, err));
        threads = threads == 0 ? share : threads;
    }
    ITH_TRY(ith_engine_share(e, p, threads, err));
    e->kv = kv_layout(p);
    describe(e, p, threads);
    ITH_TRY(check_dynamic(e, err));
    ith_engine_advise(e, p);
    return ITH_OK;
}

ith_status ith_engine_plan(ith_world *world, const ith_engine_params *params, ith_engine **out,
                           ith_error *err)
{
    *out = calloc(1, sizeof **out);
    ITH_TRY(ith_comm_agree_memory(world->comm, *out, "the engine", err));
    (*out)->world = world;
    (*out)->progress = params->progress;
    (*out)->chunk_progress = params->chunk_progress;
    (*out)->progress_user = params->progress_user;
    (*out)->exchange = params->exchange;
    (*out)->head_slices = params->head_slices;
    (*out)->prefill = params->prefill;
    return prepare(*out, params, err);
}

ith_status ith_engine_choose(ith_engine *e, const ith_engine_params *p, ith_store_params *store,
                             ith_error *err)
{
    *store = (ith_store_params){.mesh = &e->mesh,
                                .ram_level = p->offload == ITH_OFFLOAD_RAM ? RAM_LEVEL : -1,
                                .embed = e->model->embed,
                                .output = e->model->output,
                                .progress = e->progress == NULL ? NULL : load_progress,
                                .user = e};
    ith_engine_choose_domains(e, p);
    return ith_engine_distribute(e, p, store, err);
}

static ith_status load(ith_engine *e, const ith_engine_params *p, ith_error *err)
{
    ith_store_params store;
    ith_error table = {0};
    ith_status chosen;

    ITH_TRY(ith_comm_agree(e->world->comm, ith_team_open(e->info.threads, &e->team, err), err));
    if (e->model->exact)
        ITH_TRY(ith_comm_agree(e->world->comm, ith_blas_open(e->info.threads, err), err));
    chosen = ith_engine_choose(e, p, &store, err);
    /* Where nothing fits, the table shows why. */
    if (ith_rank_table_report(e, p, &store, &table) != ITH_OK && chosen == ITH_OK) {
        *err = table;
        return table.status;
    }
    ITH_TRY(chosen);
    report_sizes(e, p);
    ITH_TRY(ith_engine_find_homes(e, &store.homes, err));
    e->model->store = e->store;
    ITH_TRY(ith_store_load(e->store, &store, e->team, err));
    if (e->kv == ITH_KVL_Q8 && ith_key_means_cancel(&e->model->hp))
        ITH_TRY(ith_engine_find_key_means(e, p, err));
    /* After the store has started its own threads, which may run anywhere. */
    ith_team_bind(e->team, e->topology);
    return ith_comm_agree(e->world->comm, ith_source_check_unchanged(e->source, err), err);
}

ith_status ith_engine_open(ith_world *world, const ith_engine_params *params, ith_engine **out,
                           ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    ith_engine *e;
    ith_status status = ith_engine_plan(world, params, &e, err);

    *out = NULL;
    if (status == ITH_OK)
        status = load(e, params, err);
    if (status != ITH_OK) {
        ith_engine_close(e);
        return status;
    }
    *out = e;
    return ITH_OK;
}
