/* model_key.c - what stands for a model in the names of saved KV data.
 *
 * The key covers all that the bits of keys and values depend on, except the tokens: the numbers
 * of the architecture, the rotary frequencies, the constant subtracted from keys, the layout of
 * the cache, and the weights in the layout that the kernels read, by a SHA-256 of each tile. A
 * pack and the files it was made from therefore have the same key, wherever they lie; another
 * quantization has another key.
 */
#include "keep/model_key.h"
#include "base/number.h"
#include "base/workers.h"
#include "engine/bits.h"
#include "engine/engine.h"
#include "engine/key_means_measure.h"
#include "formats/hparams_json.h"
#include "weights/produce.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(ith_key) == sizeof(((ith_engine *)NULL)->model_key),
               "the engine keeps a key");

enum { UNITS_AT_A_TIME = 64 };

/* Of a tile as the kernels read it. Not what a pack says of it: whoever writes a pack could give it
 * the name of another model. */
typedef struct digest {
    uint8_t bytes[ITH_SHA256_BYTES];
} digest;

typedef struct job {
    ith_engine *engine;
    int64_t *first;           /* [entries + 1] units of the plan before each */
    int64_t n_units;          /* in all */
    ith_producer *producers;  /* [threads] */
    uint8_t **units;          /* [threads] room for a unit that has to be made */
    digest *digests;          /* [n_units] */
    ith_range mine;           /* units that this rank looks at */
    int64_t *counts, *displs; /* [ranks] bytes of digests */
} job;

/* Of the tile in memory, or of one that is made for this. */
static ith_status unit_digest(job *j, const ith_entry *e, int64_t unit, int tid, digest *out,
                              ith_error *err)
{
    const uint8_t *at = ith_store_unit(j->engine->store, e, unit);

    if (at == NULL) {
        ITH_TRY(ith_produce(&j->producers[tid], e, unit, 1, j->units[tid], err));
        at = j->units[tid];
    }
    ith_sha256(&(ith_digest_input){at, e->unit_bytes}, 1, out->bytes);
    return ITH_OK;
}

/* The entry that the plan's unit number `unit` is of. */
static size_t entry_of(const job *j, int64_t unit)
{
    size_t low = 0, high = ith_store_load_plan(j->engine->store)->n_entries;

    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (j->first[middle] <= unit)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static ith_status next_digest(void *user, int64_t item, int tid, ith_error *err)
{
    job *j = user;
    int64_t unit = j->mine.begin + item;
    size_t i = entry_of(j, unit);

    return unit_digest(j, &ith_store_load_plan(j->engine->store)->entries[i], unit - j->first[i],
                       tid, &j->digests[unit], err);
}

static ith_status no_memory(ith_error *err)
{
    return ith_fail(err, ITH_E_MEMORY, "no memory for the checksums of the weights");
}

static ith_status open_producers(job *j, ith_error *err)
{
    const ith_load_plan *plan = ith_store_load_plan(j->engine->store);
    size_t threads = (size_t)ith_team_size(j->engine->team), room = 0;

    for (size_t i = 0; i < plan->n_entries; i++)
        room = plan->entries[i].unit_bytes > room ? plan->entries[i].unit_bytes : room;
    j->producers = calloc(threads, sizeof *j->producers);
    j->units = calloc(threads, sizeof *j->units);
    if (j->producers == NULL || j->units == NULL)
        return no_memory(err);
    for (size_t i = 0; i < threads; i++) {
        j->units[i] = aligned_alloc(64, (room + 63) / 64 * 64);
        if (j->units[i] == NULL)
            return no_memory(err);
        ITH_TRY(ith_producer_open(plan, ITH_CACHED, &j->producers[i], err));
    }
    return ITH_OK;
}

/* Divides the units among the ranks, in order, so that the digests of each rank lie together. */
static ith_status deal(job *j, ith_error *err)
{
    const ith_load_plan *plan = ith_store_load_plan(j->engine->store);
    ith_comm *comm = j->engine->world->comm;
    size_t size = (size_t)comm->size;

    j->first = calloc(plan->n_entries + 1, sizeof *j->first);
    j->counts = calloc(size, sizeof *j->counts);
    j->displs = calloc(size, sizeof *j->displs);
    if (j->first == NULL || j->counts == NULL || j->displs == NULL)
        return no_memory(err);
    for (size_t i = 0; i < plan->n_entries; i++)
        j->first[i + 1] = j->first[i] + plan->entries[i].n_units;
    j->n_units = j->first[plan->n_entries];
    for (int r = 0; r < comm->size; r++) {
        ith_range units = ith_split(j->n_units, 1, comm->size, r);
        j->displs[r] = units.begin * (int64_t)sizeof *j->digests;
        j->counts[r] = ith_range_size(units) * (int64_t)sizeof *j->digests;
    }
    j->mine = ith_split(j->n_units, 1, comm->size, comm->rank);
    j->digests = calloc((size_t)j->n_units + 1, sizeof *j->digests);
    return j->digests == NULL ? no_memory(err) : open_producers(j, err);
}

static ith_status my_digests(job *j, ith_error *err)
{
    ith_work work = {.grab = UNITS_AT_A_TIME, .fn = next_digest, .user = j};

    ITH_TRY(deal(j, err));
    work.n = ith_range_size(j->mine);
    return ith_work_run(j->engine->team, &work, err);
}

static void close_job(job *j)
{
    for (int i = 0; i < ith_team_size(j->engine->team); i++) {
        if (j->producers != NULL)
            ith_producer_close(&j->producers[i]);
        if (j->units != NULL)
            free(j->units[i]);
    }
    free(j->producers);
    free(j->units);
    free(j->first);
    free(j->digests);
    free(j->counts);
    free(j->displs);
}

/* ---- The key ---- */

/* Names, shapes and layouts, as lines of text. */
static char *describe(const ith_engine *e, size_t *bytes)
{
    const ith_hparams *hp = &e->model->hp;
    const ith_load_plan *plan = ith_store_load_plan(e->store);
    float eps = (float)hp->rms_eps;
    char *text = NULL;
    FILE *out = open_memstream(&text, bytes);
    json_t *sparse = json_object();
    locale_t before;

    if (out == NULL || sparse == NULL ||
        !(ith_hparams_add_own(hp, sparse) && ith_hparams_add_sparse(hp, sparse))) {
        json_decref(sparse);
        if (out != NULL)
            fclose(out);
        free(text);
        return NULL;
    }
    before = uselocale(ith_c_locale()); /* the same text in every locale */
    fprintf(out, "ithaca kv bits %d layout %d\n%s %lld %lld %lld %lld %lld %lld %lld %a\n",
            ITH_BITS, (int)e->kv, hp->architecture, (long long)hp->n_layers, (long long)hp->hidden,
            (long long)hp->ffn, (long long)hp->n_heads, (long long)hp->n_kv_heads,
            (long long)hp->head_dim, (long long)hp->n_vocab, (double)eps);
    if (json_object_size(sparse) > 0)
        json_dumpf(sparse, out, JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    for (size_t i = 0; i < plan->n_entries; i++) {
        const ith_entry *entry = &plan->entries[i];
        fprintf(out, "%s %d %lld %lld\n", entry->name,
                entry->matrix != NULL ? (int)entry->matrix->layout : -1,
                (long long)(entry->matrix != NULL ? entry->matrix->rows : entry->n),
                (long long)(entry->matrix != NULL ? entry->matrix->cols : 1));
    }
    uselocale(before);
    json_decref(sparse);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static ith_status make_key(const job *j, ith_key *key, ith_error *err)
{
    const ith_model *m = j->engine->model;
    size_t bias = m->key_means == NULL ? 0 : ith_key_means_count(m), bytes = 0;
    char *text = describe(j->engine, &bytes);
    const ith_digest_input spans[] = {
        {text, bytes},
        {j->digests, (size_t)j->n_units * sizeof *j->digests},
        {m->rope.inv_freq, (size_t)m->rope.half * sizeof *m->rope.inv_freq},
        {&m->rope.attention_factor, sizeof m->rope.attention_factor},
        {m->key_means, bias * sizeof *m->key_means},
    };

    if (text == NULL)
        return no_memory(err);
    *key = ith_key_root(spans, sizeof spans / sizeof *spans);
    free(text);
    return ITH_OK;
}

ith_status ith_model_key(ith_engine *e, ith_key *key, ith_error *err)
{
    ith_comm *comm = e->world->comm;
    job j = {.engine = e};
    ith_status status;

    if (e->has_model_key) {
        memcpy(key->bytes, e->model_key, sizeof key->bytes);
        return ITH_OK;
    }
    status = ith_comm_agree(comm, my_digests(&j, err), err);
    if (status == ITH_OK) {
        comm->ops->allgatherv(comm, (const uint8_t *)j.digests + j.displs[comm->rank], j.digests,
                              j.counts, j.displs);
        status = ith_comm_agree(comm, make_key(&j, key, err), err);
    }
    close_job(&j);
    e->has_model_key = status == ITH_OK;
    if (e->has_model_key)
        memcpy(e->model_key, key->bytes, sizeof key->bytes);
    return status;
}
