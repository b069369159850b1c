/* alike.c - do all ranks open the same model in the same way? */
#include "engine/alike.h"

#include "base/checksum.h"
#include "comm/same.h"
#include "formats/filereader.h"
#include "formats/hparams_json.h"
#include "formats/packfile.h"
#include "formats/quantized.h"

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
    ith_same_text(&same, "the function for the table of ranks", p->ranks != NULL ? "given" : NULL);
    ith_same_int(&same, "the measurement of the network", p->measure_network);
    return ith_comm_same(comm, &same, err);
}

/* ---- Model ---- */

enum { SAMPLES = 4096, SAMPLE_BYTES = 256, SAMPLES_OF_TENSOR = 16 };

/* Takes samples of tensors with pread: touching a mapping would leave its pages in this process. */
typedef struct sampler {
    int64_t n;            /* of each tensor */
    ith_filereader *file; /* read last; NULL: none yet */
} sampler;

static ith_status add_bytes(sampler *s, const ith_tensor *t, size_t at, size_t bytes,
                            uint64_t *digest, ith_error *err)
{
    const uint8_t *data;
    ith_status status;

    if (s->file == NULL || ith_filereader_file(s->file) != t->mapping) {
        ith_filereader_close(s->file);
        s->file = NULL;
        ITH_TRY(ith_filereader_open(t->mapping, ITH_CACHED, &s->file, err));
    }
    status =
        ith_filereader_get(s->file, (uint64_t)(t->data - t->mapping->data) + at, bytes, &data, err);
    if (status != ITH_OK)
        return ith_fail_prefix(err, status, "%s: tensor %s", t->file, t->name);
    *digest = ith_checksum_more(*digest, data, bytes);
    return ITH_OK;
}

/* Windows of the tensor, the first and the last bytes among them; all of a small one. */
static ith_status add_samples(sampler *s, const ith_tensor *t, uint64_t *digest, ith_error *err)
{
    int64_t last = (int64_t)t->bytes - SAMPLE_BYTES;

    if (t->mapping == NULL)
        return ITH_OK;
    if (t->bytes <= (size_t)s->n * SAMPLE_BYTES)
        return add_bytes(s, t, 0, t->bytes, digest, err);
    for (int64_t i = 0; i < s->n; i++) {
        int64_t at =
            s->n == 1 ? last / 2 : last / (s->n - 1) * i + last % (s->n - 1) * i / (s->n - 1);
        ITH_TRY(add_bytes(s, t, (size_t)at, SAMPLE_BYTES, digest, err));
    }
    return ITH_OK;
}

static ith_status add_companions(sampler *s, const ith_quantized *q, uint64_t *digest,
                                 ith_error *err)
{
    const ith_tensor *const companions[] = {&q->scales, &q->zeros, &q->order};

    for (int i = 0; i < 3; i++)
        ITH_TRY(add_samples(s, companions[i], digest, err));
    return ITH_OK;
}

static void add_checksums(const ith_packed *packed, uint64_t *digest)
{
    for (int64_t i = 0; i < packed->n_tiles; i++) {
        ith_pack_tile tile = ith_pack_tile_get(packed, i);
        *digest = ith_checksum_more(*digest, &tile.checksum, sizeof tile.checksum);
    }
}

/* How the entry is made of its tensor: name, shape and layout, weights of its columns. */
static uint64_t description_digest(const ith_entry *e)
{
    const ith_tensor *t = e->tensor;
    const int64_t form[] = {e->n_units,   (int64_t)e->unit_bytes,
                            e->first_row, e->matrix != NULL ? (int64_t)e->matrix->layout : -1,
                            t->dtype,     t->n_dims};
    uint64_t digest = ith_checksum(e->name, strlen(e->name));

    digest = ith_checksum_more(digest, form, sizeof form);
    digest = ith_checksum_more(digest, t->dims, (size_t)t->n_dims * sizeof *t->dims);
    if (e->importance != NULL)
        digest = ith_checksum_more(digest, e->importance,
                                   (size_t)e->matrix->cols * sizeof *e->importance);
    return digest;
}

static ith_status entry_digest(sampler *s, const ith_entry *e, uint64_t *digest, ith_error *err)
{
    *digest = description_digest(e);
    if (e->tensor->packed != NULL) {
        add_checksums(e->tensor->packed, digest);
        return ITH_OK;
    }
    ITH_TRY(add_samples(s, e->tensor, digest, err));
    return e->tensor->quantized == NULL ? ITH_OK
                                        : add_companions(s, e->tensor->quantized, digest, err);
}

static ith_status make_digests(const ith_load_plan *plan, uint64_t *digests, ith_error *err)
{
    sampler s = {.n = ith_max(1, ith_min(SAMPLES_OF_TENSOR, SAMPLES / (int64_t)plan->n_entries))};
    ith_status status = ITH_OK;

    for (size_t i = 0; status == ITH_OK && i < plan->n_entries; i++)
        status = entry_digest(&s, &plan->entries[i], &digests[i], err);
    ith_filereader_close(s.file);
    return status;
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
    uint64_t *digests = calloc(plan->n_entries, sizeof *digests);
    ith_status status = ith_comm_agree_memory(comm, digests, "the digests of the tensors", err);

    if (status == ITH_OK)
        status = ith_comm_agree(comm, make_digests(plan, digests, err), err);
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
    ith_status status;
    json_t *hparams;
    char *text;

    if (comm->size == 1)
        return ITH_OK;
    hparams = ith_hparams_to_json(&e->model->hp);
    text = hparams != NULL ? json_dumps(hparams, JSON_REAL_PRECISION(17)) : NULL;
    json_decref(hparams);
    status = ith_comm_agree_memory(comm, text, "the hyperparameters as text", err);
    if (status == ITH_OK) {
        ith_same_text(&same, "the model's architecture", e->model->hp.architecture);
        ith_same_data(&same, "the digest of the hyperparameters", text, strlen(text));
        ith_same_data(&same, "the digest of the rotary frequencies", rope->inv_freq,
                      (size_t)rope->half * sizeof *rope->inv_freq);
        ith_same_int(&same, "the number of tensors",
                     (int64_t)ith_store_load_plan(e->store)->n_entries);
        status = ith_comm_same(comm, &same, err);
    }
    free(text);
    ITH_TRY(status);
    return compare_weights(e, err);
}
