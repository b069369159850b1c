/* bench_model.c - prefill and decode of one model at growing context.
 *
 * One session goes through all depths. It is truncated to the present depth before each
 * measurement, so that new tokens overwrite those of the last one. Measurements of kernels, prefill
 * and decode alternate, so that a slow moment of the machine affects all of them.
 */
#include "base/fpenv.h"
#include "base/mem.h"
#include "base/progress.h"
#include "engine/cost.h"
#include "engine/session.h"
#include "tools/ranks.h"
#include "tools/rates.h"
#include "tools/simulate.h"

#include <stdlib.h>
#include <string.h>

enum { WARM_UP_TOKENS = 32 };

static const double CEILING_SECONDS = 0.3;

typedef struct model_bench {
    ith_engine *engine;
    const ith_bench_model_params *params;
    ith_session *session;
    ith_ceilings ceilings;
    int32_t *ids;     /* [ctx]: the tokens that are fed */
    bool *chosen;     /* [experts]: those drawn for a token */
    uint64_t chance;  /* state of the random numbers */
    ith_rates *rates; /* NULL: prefill is not predicted */

    /* [repetitions] each, in seconds. */
    double *prefill, *decode;
    double *predicted; /* prefill, from the rates of the kernels measured just before */
    double *fetching;  /* the weights that decode streams; 0: none are streamed */

    ith_feed_counts fetched; /* by this rank, the last time */
    int64_t sent;            /* bytes, by this rank in the last prefill measured */
    double filled_s;         /* seconds of prefilling up to the present depth */
    int64_t loaded; /* the most bytes of this rank in memory before ceilings were measured */
    bool forgot;    /* that, so that the system counts anew */
    int64_t peak;   /* the most of any rank; 0: unknown */
    int64_t depth;
} model_bench;

/* The shortest time that the measured ceilings allow. */
static double least_s(const model_bench *b, ith_cost c)
{
    const ith_engine *e = b->engine;
    double linear = e->model->quantized ? b->ceilings.integer_ops : b->ceilings.f32_ops;
    double attention = e->kv == ITH_KVL_Q8 ? b->ceilings.integer_ops : b->ceilings.f32_ops;
    double compute_s =
        c.linear_ops / linear + c.key_ops / attention + c.state_ops / b->ceilings.f32_ops;
    double read_s = c.bytes / b->ceilings.read_bytes;
    return compute_s > read_s ? compute_s : read_s;
}

/* ---- Filling ---- */

/* Writes bytes that are small positive numbers, not all the same, as keys, values and scales of any
 * layout. */
static void write_arbitrary(uint8_t *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)(0x3c | (i * 2654435761u >> 13 & 3));
}

/* The same for a layer's keys and values of the tokens [from, to), as far as they are kept. It goes
 * block by block, because the last segment of a short context is not whole. */
static void fill_layer(ith_session *s, int layer, int64_t from, int64_t to)
{
    const ith_engine *e = s->engine;
    const ith_layer_state *form = &e->model->states[layer];
    size_t block;
    ith_kv *kv;
    int number;

    if (form->form != ITH_STATE_KV)
        return;
    kv = ith_state_kv(s->state, layer, &number);
    block = ith_cache_block_bytes(form->latent, e->kv, (int)form->head_dim);
    from = ith_max(from, ith_kv_first(kv) * ITH_KV_SEGMENT);
    for (int head = 0; head < form->heads / e->mesh.ulysses; head++)
        for (int64_t at = from / ITH_KV_BLOCK * ITH_KV_BLOCK; at < to; at += ITH_KV_BLOCK)
            if (ith_kv_holds(kv, head, at / ITH_KV_SEGMENT))
                write_arbitrary(ith_kv_block(kv, number, head, at), block);
}

/* Fills this rank's share of the KV cache up to `depth`. */
static ith_status fill_arbitrary(ith_session *s, int64_t depth, ith_error *err)
{
    const ith_engine *e = s->engine;

    ITH_TRY(ith_comm_agree(e->world->comm, ith_state_reserve(s->state, depth, err), err));
    ith_state_enter(s->state, s->length, depth - s->length);
    for (int layer = 0; layer < e->info.n_layers; layer++)
        fill_layer(s, layer, s->length, depth);
    if (s->state->recurrent != NULL)
        ith_recurrent_claim(s->state->recurrent, depth);
    s->length = depth;
    return ITH_OK;
}

/* Recurrent states cannot be cut back, but what is measured does not depend on them. */
static ith_status cut(const model_bench *b, ith_error *err)
{
    ith_session *s = b->session;
    ith_status status = ith_session_truncate(s, b->depth, err);

    if (status != ITH_E_UNSUPPORTED || s->state->recurrent == NULL)
        return status;
    ith_recurrent_claim(s->state->recurrent, b->depth);
    return ith_session_truncate(s, b->depth, err);
}

/* Brings the session to `depth`, by prefill or with arbitrary data. */
static ith_status reach(model_bench *b, int64_t depth, ith_error *err)
{
    double start_s = ith_now_s();
    ith_status status = ITH_OK;

    ITH_TRY(cut(b, err));
    if (b->params->fill && depth > 0)
        status = fill_arbitrary(b->session, depth, err);
    else if (depth > b->depth)
        status =
            ith_session_prefill(b->session, b->ids + b->depth, (size_t)(depth - b->depth), err);
    b->filled_s += ith_now_s() - start_s;
    b->depth = depth;
    return status;
}

/* ---- Measuring ---- */

static ith_status time_prefill(model_bench *b, int64_t n, double *seconds, ith_error *err)
{
    const ith_comm *comm = b->engine->world->comm;
    int64_t sent = ith_bench_ranks_sent(comm);
    double start_s;

    ITH_TRY(cut(b, err));
    start_s = ith_now_s();
    ITH_TRY(ith_session_prefill(b->session, b->ids + b->depth, (size_t)n, err));
    *seconds = ith_now_s() - start_s;
    b->sent = ith_bench_ranks_sent(comm) - sent;
    return ITH_OK;
}

static ith_status time_decode(model_bench *b, int64_t n, double *seconds, ith_error *err)
{
    double start_s;

    ITH_TRY(cut(b, err));
    start_s = ith_now_s();
    for (int64_t i = 0; i < n; i++)
        ITH_TRY(ith_session_decode(b->session, b->ids[b->depth + i], err));
    *seconds = ith_now_s() - start_s;
    return ITH_OK;
}

static ith_feed_counts count_fetched(const ith_engine *e)
{
    ith_feed_counts sum = ith_store_count(e->store, ITH_NO_LAYER);

    for (int layer = 0; layer < e->info.n_layers; layer++) {
        ith_feed_counts c = ith_store_count(e->store, layer);
        sum.read += c.read;
        sum.unpacked += c.unpacked;
    }
    return sum;
}

/* The next random number (xorshift). */
static uint64_t draw(uint64_t *x)
{
    *x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17;
    return *x;
}

/* Draws as many experts as a token is routed to, the same on all ranks. */
static const bool *choose_experts(model_bench *b)
{
    const ith_experts_params *e = &b->engine->model->hp.experts;

    memset(b->chosen, 0, (size_t)e->n * sizeof *b->chosen);
    for (int64_t left = e->used; left > 0;) {
        bool *one = &b->chosen[draw(&b->chance) % (uint64_t)e->n];
        left -= !*one;
        *one = true;
    }
    return b->chosen;
}

/* Fetches streamed weights as n decoded tokens do, with the same threads but without computing: the
 * rate of disk and decompressor. A first token is not counted, because its first weights were
 * fetched during the decode before. Experts are drawn at random, so fewer of them are in memory
 * than with a real text. */
static ith_status time_fetching(model_bench *b, int64_t n, double *seconds, ith_error *err)
{
    ith_store *store = b->engine->store;
    ith_need need = b->engine->model->hp.experts.n > 0 ? ITH_NEED_CHOSEN : ITH_NEED_HELD;
    ith_feed_counts before;
    double start_s;

    *seconds = 0;
    if (!ith_store_pass_by(store, need, choose_experts(b)))
        return ITH_OK;
    before = count_fetched(b->engine);
    start_s = ith_now_s();
    for (int64_t i = 0; i < n; i++)
        ith_store_pass_by(store, need, choose_experts(b));
    *seconds = ith_now_s() - start_s;
    b->fetched = count_fetched(b->engine);
    b->fetched.read -= before.read;
    b->fetched.unpacked -= before.unpacked;
    return ith_comm_agree(b->engine->world->comm, ith_store_status(store, err), err);
}

static ith_status warm_up(model_bench *b, ith_error *err)
{
    int64_t room = b->session->ctx, n = room < WARM_UP_TOKENS ? room : WARM_UP_TOKENS;
    double seconds;

    ITH_TRY(time_prefill(b, n, &seconds, err));
    return time_decode(b, n < 4 ? n : 4, &seconds, err);
}

static ith_status measure_depth(model_bench *b, ith_error *err)
{
    for (int i = 0; i < b->params->repetitions; i++) {
        if (b->rates != NULL)
            b->predicted[i] = ith_depth_cost_s(
                ith_rates_measure(b->rates, b->depth + b->params->prompt, b->ceilings.read_bytes,
                                  ITH_SIM_STATES * b->ceilings.f32_ops),
                b->depth, b->depth + b->params->prompt);
        if (b->params->prompt > 0)
            ITH_TRY(time_prefill(b, b->params->prompt, &b->prefill[i], err));
        if (b->params->decode > 0)
            ITH_TRY(time_decode(b, b->params->decode, &b->decode[i], err));
        if (b->params->decode > 0)
            ITH_TRY(time_fetching(b, b->params->decode, &b->fetching[i], err));
    }
    return ITH_OK;
}

/* ---- Results ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median of n values, whose order is kept. */
static double median(const double *values, int n)
{
    double sorted[ITH_BENCH_REPETITIONS_MAX];

    memcpy(sorted, values, (size_t)n * sizeof *values);
    qsort(sorted, (size_t)n, sizeof *sorted, compare);
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static json_t *prediction_json(const model_bench *b)
{
    int n = b->params->repetitions;
    double reached[ITH_BENCH_REPETITIONS_MAX];

    if (b->rates == NULL)
        return json_null();
    for (int i = 0; i < n; i++)
        reached[i] = b->predicted[i] / b->prefill[i];
    return json_pack("{s:o, s:o}", "tps",
                     ith_json_number((double)b->params->prompt / median(b->predicted, n)),
                     "reached", ith_json_number(median(reached, n)));
}

static json_t *prefill_json(const model_bench *b)
{
    int n = b->params->repetitions;
    double s = median(b->prefill, n);
    ith_cost c = ith_pass_cost(b->engine, b->depth, b->params->prompt);

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:I}", "tps",
                     ith_json_number((double)b->params->prompt / s), "predicted",
                     prediction_json(b), "seconds", ith_json_numbers(b->prefill, n), "gops",
                     ith_json_number((c.linear_ops + c.key_ops + c.state_ops) / s * 1e-9),
                     "of_ceiling", ith_json_number(least_s(b, c) / s), "sent", (json_int_t)b->sent,
                     "sent_formula",
                     (json_int_t)ith_bench_ranks_formula(b->session, b->depth, b->params->prompt));
}

/* null unless weights are streamed. */
static json_t *fetching_json(const model_bench *b)
{
    int n = b->params->repetitions;
    double s = median(b->fetching, n), reached[ITH_BENCH_REPETITIONS_MAX];

    if (s == 0)
        return json_null();
    for (int i = 0; i < n; i++)
        reached[i] = b->fetching[i] / b->decode[i];
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "tps",
                     ith_json_number((double)b->params->decode / s), "seconds",
                     ith_json_numbers(b->fetching, n), "read_gbps",
                     ith_json_number((double)b->fetched.read / s * 1e-9), "unpacked_gbps",
                     ith_json_number((double)b->fetched.unpacked / s * 1e-9), "reached",
                     ith_json_number(median(reached, n)));
}

static json_t *decode_json(const model_bench *b)
{
    int n = b->params->repetitions;
    double s = median(b->decode, n) / (double)b->params->decode;
    ith_cost middle = ith_pass_cost(b->engine, b->depth + b->params->decode / 2, 1);

    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "tps", ith_json_number(1 / s), "seconds",
                     ith_json_numbers(b->decode, n), "gbps",
                     ith_json_number(middle.bytes / s * 1e-9), "of_ceiling",
                     ith_json_number(least_s(b, middle) / s), "fetching", fetching_json(b));
}

static json_t *depth_json(const model_bench *b)
{
    bool prompt = b->params->prompt > 0;
    json_t *ttft = prompt && !b->params->fill
                       ? ith_json_number(b->filled_s + median(b->prefill, b->params->repetitions))
                       : json_null();

    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "depth", (json_int_t)b->depth,
                     "resident", (json_int_t)ith_mem_resident(), "peak",
                     b->peak > 0 ? json_integer((json_int_t)b->peak) : json_null(), "fill_s",
                     ith_json_number(b->filled_s), "prefill",
                     prompt ? prefill_json(b) : json_null(), "ttft_s", ttft, "decode",
                     b->params->decode > 0 ? decode_json(b) : json_null());
}

static json_t *bench_json(const model_bench *b, json_t *depths)
{
    const ith_engine_info *info = &b->engine->info;
    const ith_bench_model_params *p = b->params;

    return json_pack("{s:s, s:s, s:i, s:i, s:s, s:s, s:I, s:I, s:I, s:I, s:i, s:s, s:o, s:o}",
                     "model", info->name, "simd", info->simd, "ranks", info->ranks, "threads",
                     info->threads, "mesh", info->mesh, "kv", ith_kv_layout_name(b->engine->kv),
                     "weight_bytes", (json_int_t)info->weight_bytes, "kv_bytes_per_token",
                     (json_int_t)info->kv_bytes_per_token, "prompt", (json_int_t)p->prompt,
                     "decode", (json_int_t)p->decode, "repetitions", p->repetitions, "filled",
                     p->fill ? "arbitrary data" : "prefill", "ceilings",
                     ith_ceilings_json(&b->ceilings), "depths", depths);
}

/* ---- The whole ---- */

static ith_status check(const ith_engine *e, const ith_bench_model_params *p, ith_error *err)
{
    int64_t more = p->prompt > p->decode ? p->prompt : p->decode;

    if (p->n_depths == 0 || p->prompt < 0 || p->decode < 0 || more == 0 || p->repetitions < 1 ||
        p->repetitions > ITH_BENCH_REPETITIONS_MAX)
        return ith_fail(
            err, ITH_E_ARGUMENT,
            "nothing to measure: expected depths, a prompt or decode length, and 1 to %d runs",
            ITH_BENCH_REPETITIONS_MAX);
    for (size_t i = 0; i < p->n_depths; i++)
        if (p->depths[i] < 0 || (i > 0 && p->depths[i] <= p->depths[i - 1]) ||
            p->depths[i] > e->info.ctx - more)
            return ith_fail(err, ITH_E_ARGUMENT,
                            "depth %lld: depths must ascend and leave room for %lld more tokens in "
                            "a context of %lld",
                            (long long)p->depths[i], (long long)more, (long long)e->info.ctx);
    return ITH_OK;
}

static ith_status open_bench(model_bench *b, ith_error *err)
{
    int64_t ctx = b->engine->info.ctx;

    b->ids = calloc((size_t)ctx, sizeof *b->ids);
    b->chosen = calloc((size_t)b->engine->model->hp.experts.n + 1, sizeof *b->chosen);
    b->chance = 88172645463325252u;
    b->prefill = calloc((size_t)b->params->repetitions, sizeof *b->prefill);
    b->decode = calloc((size_t)b->params->repetitions, sizeof *b->decode);
    b->predicted = calloc((size_t)b->params->repetitions, sizeof *b->predicted);
    b->fetching = calloc((size_t)b->params->repetitions, sizeof *b->fetching);
    if (b->ids == NULL || b->chosen == NULL || b->prefill == NULL || b->predicted == NULL ||
        b->decode == NULL || b->fetching == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a timeline of %lld tokens",
                        (long long)ctx);
    for (int64_t i = 0; i < ctx; i++)
        b->ids[i] = (int32_t)(draw(&b->chance) % (uint64_t)b->engine->info.n_vocab);
    return ITH_OK;
}

/* Collective. After each measurement, the session is cut back to its depth. */
static ith_status open_session(model_bench *b, ith_error *err)
{
    const ith_engine_info *info = &b->engine->info;
    const ith_session_sizes sizes = {.ctx = info->ctx,
                                     .chunk = info->chunk,
                                     .back = ith_max(b->params->prompt, b->params->decode)};

    return ith_session_open_sized(b->engine, &sizes, &b->session, err);
}

/* Local. No prediction for a prompt that runs by rows: the rates are those of a pass by ulysses. */
static ith_status open_rates(model_bench *b, ith_error *err)
{
    bool by_rows = b->engine->info.ranks > 1 && b->params->prompt <= b->session->rows_tokens;
    return b->params->prompt == 0 || by_rows
               ? ITH_OK
               : ith_rates_open(b->engine, b->params->prompt, &b->rates, err);
}

static ith_status measure_ceilings(model_bench *b, ith_error *err)
{
    ith_world *world = b->engine->world;
    void *buffer = NULL;
    size_t bytes = 0;
    ith_status status;

    b->loaded = (int64_t)ith_mem_peak();
    status = ith_bench_buffer(b->params->buffer, world->comm->node_size, &buffer, &bytes, err);

    status = ith_comm_agree(world->comm, status, err);
    if (status == ITH_OK)
        b->ceilings = ith_bench_ranks_ceilings(
            world, b->engine->team, ith_team_size(b->engine->team), buffer, bytes, CEILING_SECONDS);
    ith_mem_free(buffer);
    b->forgot = ith_mem_forget_peak();
    return status;
}

/* Rank 0 hands over what is measured so far; without memory for the text, nothing. */
static void hand_over(const model_bench *b, json_t *depths)
{
    json_t *root;
    char *text = NULL;

    if (b->params->measured == NULL || b->engine->world->comm->rank != 0)
        return;
    root = bench_json(b, json_incref(depths));
    if (ith_bench_text(root, &text, NULL) == ITH_OK)
        b->params->measured(b->params->measured_user, text);
    free(text);
    json_decref(root);
}

/* Collective. The memory of the measured ceilings is none of the model's: where the system does not
 * let a process forget it, nobody knows. */
static void measure_peak(model_bench *b)
{
    ith_comm *comm = b->engine->world->comm;
    bool known = comm->ops->max(comm, !b->forgot) == 0;

    if (known)
        b->peak =
            comm->ops->max(comm, ith_max(ith_max(b->loaded, (int64_t)ith_mem_peak()), b->peak));
}

static ith_status measure_depths(model_bench *b, json_t *depths, ith_error *err)
{
    ITH_TRY(warm_up(b, err));
    b->filled_s = 0;
    for (size_t i = 0; i < b->params->n_depths; i++) {
        ITH_TRY(reach(b, b->params->depths[i], err));
        ITH_TRY(measure_depth(b, err));
        measure_peak(b);
        json_array_append_new(depths, depth_json(b));
        hand_over(b, depths);
    }
    return ITH_OK;
}

ith_status ith_bench_model(ith_engine *engine, const ith_bench_model_params *params, char **json,
                           ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    ith_comm *comm = engine->world->comm;
    model_bench b = {.engine = engine, .params = params};
    json_t *root = NULL, *depths = json_array();
    ith_status status;

    *json = NULL;
    ITH_CHECK(check(engine, params, err)); /* the same on all ranks */
    ITH_CHECK(ith_comm_agree(comm, open_bench(&b, err), err));
    ITH_CHECK(measure_ceilings(&b, err));
    ITH_CHECK(open_session(&b, err));
    ITH_CHECK(ith_comm_agree(comm, open_rates(&b, err), err));
    ITH_CHECK(measure_depths(&b, depths, err));
    root = bench_json(&b, json_incref(depths));
    status = comm->rank == 0 ? ith_bench_text(root, json, err) : ITH_OK;
    status = ith_comm_agree(comm, status, err);
done:
    json_decref(root);
    json_decref(depths);
    ith_session_close(b.session);
    free(b.ids);
    free(b.chosen);
    free(b.prefill);
    free(b.predicted);
    free(b.fetching);
    ith_rates_close(b.rates);
    free(b.decode);
    return status;
}
