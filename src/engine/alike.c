/* alike.c - do all ranks open the same model in the same way? */
#include "engine/alike.h"

#include "base/checksum.h"
#include "comm/same.h"
#include "formats/hparams_json.h"
#include "formats/packfile.h"

#include <stdlib.h>
#include <string.h>

/* ---- Parameters ---- */

ith_status ith_params_alike(ith_comm *comm, const ith_engine_params *p, ith_error *err)
{
    ith_same same = {0};

    if (comm->size == 1)
        return ITH_OK;
    ith_same_text(&same, "the model", p->model);
    ith_same_int(&same, "the quantization", p->quant);
    ith_same_int(&same, "the type of the KV cache", p->kv);
    ith_same_text(&same, "the file of statistics", p->stats);
    ith_same_int(&same, "exact", p->exact);
    ith_same_int(&same, "the context", p->ctx);
    ith_same_int(&same, "the chunk", p->chunk);
    ith_same_int(&same, "the weight distribution", p->distribution);
    ith_same_int(&same, "the offload", p->offload);
    ith_same_text(&same, "the scaling of rotary positions", p->rope_scaling);
    ith_same_text(&same, "the mesh", p->mesh);
    ith_same_text(&same, "the list of shares", p->shares);
    ith_same_int(&same, "the way of prefill", p->prefill);
    ith_same_int(&same, "the exchange", p->exchange);
    ith_same_int(&same, "the number of head slices", p->head_slices);
    ith_same_text(&same, "the progress function", p->progress != NULL ? "given" : NULL);
    ith_same_text(&same, "the chunk progress function", p->chunk_progress != NULL ? "given" : NULL);
    return ith_comm_same(comm, &same, err);
}

/* ---- Model ---- */

enum { SAMPLES = 4096, SAMPLE_BYTES = 256, SAMPLES_OF_TENSOR = 16 };

static uint64_t mix(uint64_t digest, const void *data, size_t bytes)
{
    const uint64_t both[] = {digest, ith_checksum(data, bytes)};
    return ith_checksum(both, sizeof both);
}

/* `n` windows of the tensor, the first and the last bytes among them; all of a small one. */
static uint64_t mix_samples(uint64_t digest, const ith_tensor *t, size_t n)
{
    size_t window = SAMPLE_BYTES;

    if (t->mapping == NULL)
        return digest;
    if (t->bytes <= n * window)
        return mix(digest, t->data, t->bytes);
    for (size_t i = 0; i < n; i++) {
        size_t last = t->bytes - window,
               at = n == 1 ? last / 2 : (size_t)((double)last / (double)(n - 1) * (double)i);
        digest = mix(digest, t->data + (at < last ? at : last), window);
    }
    return digest;
}

static uint64_t mix_checksums(uint64_t digest, const ith_packed *packed)
{
    for (int64_t i = 0; i < packed->n_tiles; i++) {
        ith_pack_tile tile = ith_pack_tile_get(packed, i);
        digest = mix(digest, &tile.checksum, sizeof tile.checksum);
    }
    return digest;
}

static uint64_t entry_digest(const ith_entry *e, size_t samples)
{
    const ith_tensor *t = e->tensor;
    const int64_t shape[] = {e->n_units,
                             (int64_t)e->unit_bytes,
                             e->matrix != NULL ? (int64_t)e->matrix->layout : -1,
                             e->first_row,
                             t->dtype,
                             t->n_dims,
                             t->dims[0],
                             t->n_dims > 1 ? t->dims[1] : 1,
                             t->n_dims > 2 ? t->dims[2] : 1,
                             t->n_dims > 3 ? t->dims[3] : 1};
    uint64_t digest = mix(0, e->name, strlen(e->name));

    digest = mix(digest, shape, sizeof shape);
    if (e->importance != NULL)
        digest = mix(digest, e->importance, (size_t)e->matrix->cols * sizeof *e->importance);
    return t->packed != NULL ? mix_checksums(digest, t->packed) : mix_samples(digest, t, samples);
}

static const char *entry_name(const void *user, int64_t i)
{
    const ith_load_plan *plan = user;
    return plan->entries[i].name;
}

static ith_status compare_weights(const ith_engine *e, ith_error *err)
{
    const ith_load_plan *plan = ith_store_load_plan(e->store);
    ith_comm *comm = e->world->comm;
    size_t each = ith_max(1, ith_min(SAMPLES_OF_TENSOR, SAMPLES / (int64_t)plan->n_entries));
    uint64_t *digests = calloc(plan->n_entries, sizeof *digests);
    ith_status status = digests != NULL
                            ? ITH_OK
                            : ith_fail(err, ITH_E_MEMORY, "no memory for the tensors' digests");

    status = ith_comm_agree(comm, status, err);
    for (size_t i = 0; status == ITH_OK && i < plan->n_entries; i++)
        digests[i] = entry_digest(&plan->entries[i], each);
    if (status == ITH_OK)
        status =
            ith_comm_same_digests(comm, digests, (int64_t)plan->n_entries, entry_name, plan, err);
    free(digests);
    return status;
}

ith_status ith_model_alike(const ith_engine *e, ith_error *err)
{
    ith_comm *comm = e->world->comm;
    const ith_rope *rope = &e->model->rope;
    ith_same same = {0};
    json_t *hparams;
    char *text;

    if (comm->size == 1)
        return ITH_OK;
    hparams = ith_hparams_to_json(&e->model->hp);
    text = hparams != NULL ? json_dumps(hparams, JSON_REAL_PRECISION(17)) : NULL;
    ith_same_text(&same, "the model's architecture", e->model->hp.architecture);
    ith_same_data(&same, "the digest of the hyperparameters", text != NULL ? text : "",
                  text != NULL ? strlen(text) : 0);
    ith_same_data(&same, "the digest of the rotary frequencies", rope->inv_freq,
                  (size_t)rope->half * sizeof *rope->inv_freq);
    ith_same_int(&same, "the number of tensors", (int64_t)ith_store_load_plan(e->store)->n_entries);
    free(text);
    json_decref(hparams);
    ITH_TRY(ith_comm_same(comm, &same, err));
    return compare_weights(e, err);
}
