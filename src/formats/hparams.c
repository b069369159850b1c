/* hparams.c - defaults and checks of hyperparameters. */
#include "formats/hparams.h"

#include "base/range.h"

#include <math.h>
#include <string.h>

const char *const ith_rope_kind_names[] = {[ITH_ROPE_PLAIN] = "default",
                                           [ITH_ROPE_LINEAR] = "linear",
                                           [ITH_ROPE_YARN] = "yarn",
                                           [ITH_ROPE_LLAMA3] = "llama3",
                                           [ITH_ROPE_DYNAMIC] = "dynamic",
                                           [ITH_ROPE_LONG] = "longrope",
                                           [ITH_ROPE_PROPORTIONAL] = "proportional"};

const char *const ith_activation_names[] = {[ITH_ACT_SILU] = "silu",
                                            [ITH_ACT_GELU_TANH] = "gelu_pytorch_tanh",
                                            [ITH_ACT_RELU2] = "relu2",
                                            [ITH_ACT_GELU] = "gelu"};

ith_hparams ith_hparams_default(void)
{
    return (ith_hparams){
        .bos = -1,
        .rms_eps = 1e-6,
        .rope = {.theta = 10000, .beta_fast = 32, .beta_slow = 1, .truncate = true},
        .top_p = 1,
        .repetition_penalty = 1,
        .repetition_window = ITH_REPEAT_ALL,
        .embed_scale = 1,
        .residual_scale = 1,
        .logit_scale = 1,
        .attn_out_scale = 1,
        .ffn_gate_scale = 1,
        .ffn_out_scale = 1,
        .mamba = {
            .scale_z = 1, .scale_x = 1, .scale_b = 1, .scale_c = 1, .scale_dt = 1, .scale_out = 1}};
}

int32_t ith_hparams_traits(const ith_hparams *hp, int64_t layer)
{
    return layer < hp->n_traits ? hp->traits[layer] : 0;
}

void ith_hparams_settle(ith_hparams *hp)
{
    int32_t any = 0;

    for (int i = 0; i < hp->n_traits; i++)
        any |= hp->traits[i];
    if (any == 0)
        hp->n_traits = 0;
    if (!(any & ITH_LAYER_WINDOW))
        hp->window = 0;
    if (!(any & ITH_LAYER_WINDOW_ROPE))
        hp->window_theta = 0;
    if (hp->rope.rotated == ith_hparams_rope_dim(hp))
        hp->rope.rotated = 0;
}

/* Layers without a window have heads of their own in some models. */
static bool is_full(const ith_hparams *hp, int64_t layer)
{
    return !(ith_hparams_traits(hp, layer) & ITH_LAYER_WINDOW);
}

int64_t ith_hparams_kv_heads(const ith_hparams *hp, int64_t layer)
{
    return hp->full.kv_heads > 0 && is_full(hp, layer) ? hp->full.kv_heads : hp->n_kv_heads;
}

int64_t ith_hparams_head_dim(const ith_hparams *hp, int64_t layer)
{
    return is_full(hp, layer) ? ith_hparams_rope_dim(hp) : hp->head_dim;
}

int64_t ith_hparams_kv_from(const ith_hparams *hp, int64_t layer)
{
    int64_t from = hp->n_layers - hp->shared_kv - 1;

    if (layer <= from)
        return layer;
    while (from >= 0 && is_full(hp, from) != is_full(hp, layer))
        from--;
    return from;
}

int64_t ith_hparams_ffn(const ith_hparams *hp, int64_t layer)
{
    return hp->wide_sharers && layer >= hp->n_layers - hp->shared_kv ? 2 * hp->ffn : hp->ffn;
}

int64_t ith_hparams_rope_dim(const ith_hparams *hp)
{
    return hp->full.head_dim > 0 ? hp->full.head_dim : hp->head_dim;
}

int64_t ith_hparams_most_kv(const ith_hparams *hp)
{
    int64_t full = hp->full.kv_heads > 0 ? hp->full.kv_heads : hp->n_kv_heads;
    return ith_max(hp->n_kv_heads * hp->head_dim, full * ith_hparams_rope_dim(hp));
}

int64_t ith_hparams_shared_heads(const ith_hparams *hp)
{
    return hp->full.kv_heads > 0 ? ith_gcd(hp->n_kv_heads, hp->full.kv_heads) : hp->n_kv_heads;
}

int64_t ith_hparams_rotated(const ith_hparams *hp)
{
    bool partial = hp->rope.rotated > 0 && hp->rope.kind != ITH_ROPE_PROPORTIONAL;
    return partial ? hp->rope.rotated : ith_hparams_rope_dim(hp);
}

void ith_hparams_extend_context(ith_hparams *hp)
{
    double reach = hp->rope.factor * (double)hp->rope.original_context;
    if (hp->rope.kind == ITH_ROPE_YARN && reach > (double)hp->ctx_train && reach < 1e18)
        hp->ctx_train = (int64_t)llround(reach);
}

bool ith_hparams_has_experts(const ith_hparams *hp, int64_t layer)
{
    const ith_experts_params *e = &hp->experts;

    if (e->n == 0 || (layer + 1) % e->step != 0 || layer < e->first ||
        (e->end > 0 && layer >= e->end))
        return false;
    for (int i = 0; i < e->n_dense; i++)
        if (e->dense[i] == layer)
            return false;
    return true;
}

typedef struct limit {
    const char *what;
    int64_t value, max;
} limit;

static ith_status check_limits(const limit *limits, size_t n, const char *where, ith_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (limits[i].value < 1 || limits[i].value > limits[i].max)
            return ith_fail(err, ITH_E_FORMAT, "%s: the %s is %lld, expected 1 to %lld", where,
                            limits[i].what, (long long)limits[i].value, (long long)limits[i].max);
    return ITH_OK;
}

/* Bounds that no real model reaches. They keep products of a few sizes inside 64 bits. */
static ith_status check_ranges(const ith_hparams *hp, const char *where, ith_error *err)
{
    const limit limits[] = {
        {"number of layers", hp->n_layers, 10000},
        {"hidden size", hp->hidden, 1 << 20},
        {"feed-forward size", hp->ffn, 1 << 22},
        {"number of attention heads", hp->n_heads, 1 << 14},
        {"number of key/value heads", hp->n_kv_heads, 1 << 14},
        {"head size", hp->head_dim, ITH_MAX_HEAD_DIM},
        {"number of key/value heads of layers without a window",
         hp->full.kv_heads == 0 ? 1 : hp->full.kv_heads, 1 << 14},
        {"head size of layers without a window", ith_hparams_rope_dim(hp), ITH_MAX_HEAD_DIM},
        {"vocabulary size", hp->n_vocab, 1 << 24},
        {"context length", hp->ctx_train, ITH_MAX_CONTEXT},
    };

    return check_limits(limits, sizeof limits / sizeof *limits, where, err);
}

/* Products of sizes that are each in range. With these bounds the bytes of all weights, and those
 * of a cache of ITH_MAX_CONTEXT tokens, fit 63 bits in any layout. */
static ith_status check_products(const ith_hparams *hp, const char *where, ith_error *err)
{
    const double parameters_max = 0x1p50;
    int64_t most_d = ith_max(hp->head_dim, hp->full.head_dim),
            most_kv = ith_max(hp->n_kv_heads, hp->full.kv_heads);
    const limit limits[] = {
        {"size of all query heads together", hp->n_heads * most_d, 1 << 20},
        {"size of a token's keys in all layers", hp->n_layers * most_kv * most_d, INT64_C(1) << 32},
    };
    double hidden = (double)hp->hidden, d = (double)most_d,
           attention = hidden * d * 2 * (double)(hp->n_heads + most_kv),
           delta = hidden * (2 * (double)(hp->delta.key_heads * hp->delta.key_dim) +
                             3 * (double)(hp->delta.value_heads * hp->delta.value_dim)),
           mamba = hidden * (3 * (double)(hp->mamba.heads * hp->mamba.head_dim) +
                             2 * (double)(hp->mamba.groups * hp->mamba.state)),
           inputs =
               (double)hp->layer_inputs.size * (3 * hidden + (double)hp->layer_inputs.n_vocab) +
               2 * hidden * (double)hp->laurel_rank,
           mlp = 3 * hidden * (double)hp->ffn * (hp->wide_sharers ? 2 : 1),
           experts =
               3 * hidden *
               ((double)hp->experts.ffn * (double)hp->experts.n + (double)hp->experts.shared_ffn),
           layer = attention + delta + mamba + mlp + inputs + experts,
           all = (double)hp->n_layers * layer + 2 * hidden * (double)hp->n_vocab;

    ITH_TRY(check_limits(limits, sizeof limits / sizeof *limits, where, err));
    if (all > parameters_max)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: its sizes make a model of %.3g parameters, expected at most %.3g",
                        where, all, parameters_max);
    return ITH_OK;
}

static ith_status check_delta(const ith_hparams *hp, const char *where, ith_error *err)
{
    const ith_delta_params *d = &hp->delta;
    const limit limits[] = {
        {"number of key heads of recurrent layers", d->key_heads, 1 << 12},
        {"number of value heads of recurrent layers", d->value_heads, 1 << 12},
        {"size of recurrent layers' key heads", d->key_dim, 1 << 12},
        {"size of recurrent layers' value heads", d->value_dim, 1 << 12},
        {"kernel of the short convolutions", d->taps, ITH_MAX_TAPS},
    };
    const limit products[] = {
        {"size of all value heads together", d->value_heads * d->value_dim, 1 << 20},
        {"size of all key heads together", d->key_heads * d->key_dim, 1 << 20},
    };

    ITH_TRY(check_limits(limits, sizeof limits / sizeof *limits, where, err));
    ITH_TRY(check_limits(products, sizeof products / sizeof *products, where, err));
    if (d->value_heads % d->key_heads != 0)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: %lld value heads of recurrent layers cannot share %lld key heads "
                        "evenly",
                        where, (long long)d->value_heads, (long long)d->key_heads);
    return ITH_OK;
}

static ith_status check_mamba(const ith_hparams *hp, const char *where, ith_error *err)
{
    const ith_mamba_params *m = &hp->mamba;
    const limit limits[] = {
        {"number of recurrent layers' heads", m->heads, 1 << 14},
        {"number of recurrent layers' groups", m->groups, 1 << 14},
        {"size of recurrent layers' heads", m->head_dim, 1 << 12},
        {"size of recurrent layers' states", m->state, 1 << 12},
        {"kernel of the short convolutions", m->taps, ITH_MAX_TAPS},
    };
    const limit products[] = {
        {"size of all recurrent layers' heads together", m->heads * m->head_dim, 1 << 20},
        {"size of all groups' states together", m->groups * m->state, 1 << 20},
    };

    ITH_TRY(check_limits(limits, sizeof limits / sizeof *limits, where, err));
    ITH_TRY(check_limits(products, sizeof products / sizeof *products, where, err));
    if (m->heads % m->groups != 0)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: %lld heads of recurrent layers cannot be of %lld groups evenly", where,
                        (long long)m->heads, (long long)m->groups);
    return ITH_OK;
}

static ith_status check_recurrent(const ith_hparams *hp, const char *where, ith_error *err)
{
    const limit taps = {"kernel of the short convolutions", hp->conv_taps, ITH_MAX_TAPS};

    if (hp->delta.key_heads != 0)
        ITH_TRY(check_delta(hp, where, err));
    if (hp->mamba.heads != 0)
        ITH_TRY(check_mamba(hp, where, err));
    return hp->conv_taps == 0 ? ITH_OK : check_limits(&taps, 1, where, err);
}

/* A real number and its range; also false for NaN. */
typedef struct real_limit {
    const char *what;
    double value, min, max;
} real_limit;

static ith_status check_reals(const real_limit *limits, size_t n, const char *where, ith_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (!(limits[i].value >= limits[i].min && limits[i].value <= limits[i].max))
            return ith_fail(err, ITH_E_FORMAT, "%s: %s is %g, expected %g to %g", where,
                            limits[i].what, limits[i].value, limits[i].min, limits[i].max);
    return ITH_OK;
}

static ith_status check_router(const ith_experts_params *e, const char *where, ith_error *err)
{
    const ith_router_params *r = &e->router;
    const real_limit limits[] = {
        {"what is added to the sum of experts' weights", r->norm_add, 0, 1},
        {"the least sum of experts' weights", r->norm_least, 0, 1},
        {"the factor of experts' weights", r->factor, 1e-9, 1e9},
        {"the jitter of experts' logits", r->jitter, 0, 1},
    };
    const limit groups[] = {
        {"number of groups of experts", r->groups,
         e->n < ITH_MAX_EXPERT_GROUPS ? e->n : ITH_MAX_EXPERT_GROUPS},
        {"number of groups for a token", r->top_groups, r->groups},
        {"number of experts that a group is judged by", r->group_best,
         r->groups > 0 && e->n / r->groups < 2 ? 1 : 2},
    };

    ITH_TRY(check_reals(limits, sizeof limits / sizeof *limits, where, err));
    if ((unsigned)r->score >= ITH_ROUTER_SCORES)
        return ith_fail(err, ITH_E_FORMAT, "%s: experts are chosen by scores of an unknown kind",
                        where);
    if (r->score == ITH_ROUTER_MIXER && (e->used != 2 || r->groups > 1))
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: SparseMixer with %lld experts for a token, in %lld groups; Ithaca "
                        "supports 2, without groups",
                        where, (long long)e->used, (long long)r->groups);
    if (r->groups <= 1)
        return ITH_OK;
    ITH_TRY(check_limits(groups, sizeof groups / sizeof *groups, where, err));
    if (e->n % r->groups == 0 && e->used <= e->n / r->groups * r->top_groups)
        return ITH_OK;
    return ith_fail(err, ITH_E_FORMAT,
                    "%s: of %lld experts in %lld groups %lld in the best %lld are chosen: expected "
                    "groups of equal size that have so many",
                    where, (long long)e->n, (long long)r->groups, (long long)e->used,
                    (long long)r->top_groups);
}

static ith_status check_experts(const ith_hparams *hp, const char *where, ith_error *err)
{
    const ith_experts_params *e = &hp->experts;
    const limit limits[] = {
        {"number of experts", e->n, 1 << 12},
        {"number of experts for a token", e->used,
         e->n < ITH_MAX_EXPERTS_USED ? e->n : ITH_MAX_EXPERTS_USED},
        {"experts' feed-forward size", e->ffn, 1 << 20},
        {"step from a layer with experts to the next", e->step, 10000},
        {"shared experts' feed-forward size", e->shared_ffn == 0 ? 1 : e->shared_ffn, 1 << 20},
    };

    ITH_TRY(check_limits(limits, sizeof limits / sizeof *limits, where, err));
    ITH_TRY(check_router(e, where, err));
    if (e->first < 0 || e->end < 0)
        return ith_fail(err, ITH_E_FORMAT, "%s: layers from %lld to %lld have experts", where,
                        (long long)e->first, (long long)e->end);
    if (e->n_dense < 0 || e->n_dense > ITH_MAX_DENSE)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: %d layers without experts are listed, expected at most %d", where,
                        e->n_dense, ITH_MAX_DENSE);
    return ITH_OK;
}

static ith_status check_yarn(const ith_rope_params *rope, const char *where, ith_error *err)
{
    const real_limit limits[] = {
        {"YaRN's beta_fast", rope->beta_fast, 1e-6, 1e6},
        {"YaRN's beta_slow", rope->beta_slow, 1e-6, 1e6},
        {"YaRN's attention factor", rope->attention_factor, 0, 1e6},
        {"YaRN's mscale", rope->mscale, 0, 1e6},
        {"YaRN's mscale_all_dim", rope->mscale_all_dim, 0, 1e6},
    };
    return check_reals(limits, sizeof limits / sizeof *limits, where, err);
}

static ith_status check_llama3(const ith_rope_params *rope, const char *where, ith_error *err)
{
    const real_limit limits[] = {
        {"RoPE scaling's low_freq_factor", rope->low_freq_factor, 1e-6, 1e6},
        {"RoPE scaling's high_freq_factor", rope->high_freq_factor, 1e-6, 1e6},
    };
    ITH_TRY(check_reals(limits, sizeof limits / sizeof *limits, where, err));
    if (rope->high_freq_factor > rope->low_freq_factor)
        return ITH_OK;
    return ith_fail(err, ITH_E_FORMAT,
                    "%s: RoPE scaling with low_freq_factor %g and high_freq_factor %g: "
                    "expected 0 < low < high",
                    where, rope->low_freq_factor, rope->high_freq_factor);
}

static ith_status check_long(const ith_rope_params *rope, const char *where, ith_error *err)
{
    const real_limit attention = {"LongRoPE's attention factor", rope->attention_factor, 0, 1e6};

    if (rope->original_context < 2)
        return ith_fail(err, ITH_E_FORMAT, "%s: LongRoPE for a context of %lld tokens", where,
                        (long long)rope->original_context);
    for (int i = 0; i < rope->n_short; i++) {
        const real_limit factors[] = {
            {"a divisor of LongRoPE", rope->short_factors[i], 1e-3, 1e6},
            {"a divisor of LongRoPE", i < rope->n_long ? rope->long_factors[i] : 0, 1e-3, 1e6}};
        ITH_TRY(check_reals(factors, 2, where, err));
    }
    return check_reals(&attention, 1, where, err);
}

static ith_status check_rope(const ith_rope_params *rope, const char *where, ith_error *err)
{
    const limit original = {"RoPE scaling's original context length", rope->original_context,
                            ITH_MAX_CONTEXT};
    const real_limit theta = {"the RoPE base", rope->theta, 1.0001, 1e15},
                     factor = {"the RoPE scaling factor", rope->factor, 1, 1e6},
                     alpha = {"RoPE scaling's alpha", rope->alpha, 0, 1e12};

    ITH_TRY(check_reals(&theta, 1, where, err));
    if (rope->kind == ITH_ROPE_PLAIN)
        return ITH_OK;
    ITH_TRY(check_reals(&factor, 1, where, err));
    if (rope->kind == ITH_ROPE_LINEAR || rope->kind == ITH_ROPE_PROPORTIONAL)
        return ITH_OK;
    if (rope->kind == ITH_ROPE_DYNAMIC)
        return check_reals(&alpha, 1, where, err);
    ITH_TRY(check_limits(&original, 1, where, err));
    return rope->kind == ITH_ROPE_YARN   ? check_yarn(rope, where, err)
           : rope->kind == ITH_ROPE_LONG ? check_long(rope, where, err)
                                         : check_llama3(rope, where, err);
}

/* The kernels take latents in whole groups, and rows of a head in whole tiles. */
static ith_status check_latent(const ith_hparams *hp, const char *where, ith_error *err)
{
    const ith_latent_params *l = &hp->latent;
    const limit limits[] = {
        {"rank of keys and values", l->kv_rank, 1024},
        {"rank of queries", l->q_rank == 0 ? 1 : l->q_rank, 1 << 16},
        {"size of a head without rotated channels", l->nope, 1 << 12},
        {"number of rotated channels of a head", l->rope, ITH_LATENT_TAIL_MOST},
        {"size of a head's value", l->value, 1 << 12},
        {"size of all values together", hp->n_heads * l->value, 1 << 20},
    };

    if (l->kv_rank == 0)
        return ITH_OK;
    ITH_TRY(check_limits(limits, sizeof limits / sizeof *limits, where, err));
    if (hp->n_kv_heads != 1 || hp->head_dim != l->kv_rank + l->rope || hp->rope.rotated != l->rope)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: latent attention with %lld KV heads of size %lld and %lld rotated "
                        "channels, expected 1 of size %lld, %lld of them rotated",
                        where, (long long)hp->n_kv_heads, (long long)hp->head_dim,
                        (long long)hp->rope.rotated, (long long)(l->kv_rank + l->rope),
                        (long long)l->rope);
    if (l->kv_rank % 32 != 0 || l->value % 16 != 0 || hp->attn_softcap != 0)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: a rank of keys and values of %lld, and values of size %lld; Ithaca "
                        "supports multiples of 32 and of 16, without a soft cap",
                        where, (long long)l->kv_rank, (long long)l->value);
    return ITH_OK;
}

/* Enumerators and lists of what only some families have. */
static ith_status check_choices(const ith_hparams *hp, const char *where, ith_error *err)
{
    bool known = (unsigned)hp->act < ITH_ACTS && (unsigned)hp->qk_norm < ITH_QK_NORMS &&
                 (hp->n_traits == 0 || hp->n_traits == hp->n_layers);

    for (int i = 0; known && i < hp->n_traits; i++)
        known = hp->traits[i] >= 0 && hp->traits[i] <= ITH_LAYER_TRAITS &&
                (!(hp->traits[i] & ITH_LAYER_RECURRENT) || hp->delta.key_heads > 0 ||
                 hp->mamba.heads > 0 || hp->conv_taps > 0) &&
                (!(hp->traits[i] & ITH_LAYER_WINDOW) || hp->window > 0) &&
                (!(hp->traits[i] & ITH_LAYER_WINDOW_ROPE) || hp->window_theta > 0);
    return known ? ITH_OK
                 : ith_fail(err, ITH_E_FORMAT,
                            "%s: the activation, the norm of heads or the traits of layers have "
                            "values that Ithaca does not know",
                            where);
}

/* Layers that read others' keys and values, and vectors of tokens for each layer. */
static ith_status check_layers(const ith_hparams *hp, const char *where, ith_error *err)
{
    const limit limits[] = {
        {"size of a layer's inputs", hp->layer_inputs.size, 1 << 16},
        {"vocabulary of layers' inputs", hp->layer_inputs.n_vocab, 1 << 24},
        {"size of all layers' inputs together", hp->n_layers * hp->layer_inputs.size, 1 << 24},
    };
    const limit altup[] = {{"number of streams", hp->altup.streams, ITH_MAX_STREAMS}},
                laurel[] = {{"rank of the product beside attention", hp->laurel_rank, 1 << 16}};
    bool others = hp->latent.kv_rank > 0;

    if (hp->altup.streams != 0)
        ITH_TRY(check_limits(altup, 1, where, err));
    if (hp->laurel_rank != 0)
        ITH_TRY(check_limits(laurel, 1, where, err));
    if (hp->n_cuts != 0 && (hp->act == ITH_ACT_SILU || hp->mlp_bias || hp->ungated))
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: cuts of gates with biases, without a gate, or with the activation "
                        "silu are not supported",
                        where);
    if (hp->n_cuts != 0 && hp->n_cuts != hp->n_layers)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: cuts of gates are there for %d layers, expected %lld", where,
                        hp->n_cuts, (long long)hp->n_layers);
    for (int i = 0; i < hp->n_cuts; i++)
        if (hp->cuts[i] != ITH_NO_CUT && !(fabs(hp->cuts[i]) <= 100))
            return ith_fail(err, ITH_E_FORMAT,
                            "%s: the cut of gates in layer %d is %g standard deviations, expected "
                            "-100 to 100",
                            where, i, hp->cuts[i]);
    if (hp->layer_inputs.size != 0)
        ITH_TRY(check_limits(limits, sizeof limits / sizeof *limits, where, err));
    if (hp->shared_kv < 0 || hp->shared_kv >= hp->n_layers)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: the last %lld of %lld layers read keys and values of others, expected "
                        "0 to %lld",
                        where, (long long)hp->shared_kv, (long long)hp->n_layers,
                        (long long)hp->n_layers - 1);
    if (hp->shared_kv == 0)
        return ITH_OK;
    for (int i = 0; i < hp->n_traits; i++)
        others |= (hp->traits[i] & (ITH_LAYER_RECURRENT | ITH_LAYER_MLP)) != 0;
    if (others)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: layers that read keys and values of others, beside latents or layers "
                        "without attention, are not supported",
                        where);
    for (int64_t i = hp->n_layers - hp->shared_kv; i < hp->n_layers; i++)
        if (ith_hparams_kv_from(hp, i) < 0)
            return ith_fail(err, ITH_E_FORMAT,
                            "%s: layer %lld reads the keys and values of a layer before the last "
                            "%lld that is like it, but there is none",
                            where, (long long)i, (long long)hp->shared_kv);
    return ITH_OK;
}

/* What only some families have. */
static ith_status check_extras(const ith_hparams *hp, const char *where, ith_error *err)
{
    const real_limit limits[] = {
        {"the scale of embeddings", hp->embed_scale, 1e-9, 1e9},
        {"the scale of what is added to the residual", hp->residual_scale, 1e-9, 1e9},
        {"the scale of logits", hp->logit_scale, 1e-9, 1e9},
        {"the scale of attention's output", hp->attn_out_scale, 1e-9, 1e9},
        {"the scale of the MLP's gate", hp->ffn_gate_scale, 1e-9, 1e9},
        {"the scale of the MLP's output", hp->ffn_out_scale, 1e-9, 1e9},
        {"the scale of recurrent layers' z", hp->mamba.scale_z, 1e-9, 1e9},
        {"the scale of recurrent layers' x", hp->mamba.scale_x, 1e-9, 1e9},
        {"the scale of recurrent layers' B", hp->mamba.scale_b, 1e-9, 1e9},
        {"the scale of recurrent layers' C", hp->mamba.scale_c, 1e-9, 1e9},
        {"the scale of recurrent layers' dt", hp->mamba.scale_dt, 1e-9, 1e9},
        {"the scale of recurrent layers' output", hp->mamba.scale_out, 1e-9, 1e9},
        {"the least step of recurrent layers", hp->mamba.dt_least, 0, 1e6},
        {"the scale of attention's scores", hp->attn_scale, 0, 1e6},
        {"the limit of gate and up", hp->swiglu_limit, 0, 1e6},
        {"the gain of a gate with limits", hp->swiglu_alpha, 0, 1e6},
        {"what is added to up", hp->swiglu_plus, -1e6, 1e6},
        {"the limit of queries, keys and values", hp->qkv_limit, 0, 1e6},
        {"the soft cap of attention's scores", hp->attn_softcap, 0, 1e6},
        {"the soft cap of logits", hp->logit_softcap, 0, 1e6},
        {"the growth of queries with the position", hp->query_beta, 0, 1e3},
        {"the RoPE base of window layers", hp->window_theta == 0 ? 2 : hp->window_theta, 1.0001,
         1e15},
    };

    ITH_TRY(check_reals(limits, sizeof limits / sizeof *limits, where, err));
    ITH_TRY(check_choices(hp, where, err));
    if (hp->ungated && hp->act == ITH_ACT_SILU)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: the activation of an MLP without a gate is %s, which Ithaca supports "
                        "behind a gate only",
                        where, ith_activation_names[hp->act]);
    if (hp->window < 0 || hp->window > ITH_MAX_CONTEXT || hp->query_tokens < 0 ||
        hp->query_tokens > ITH_MAX_CONTEXT || (hp->query_beta > 0 && hp->query_tokens == 0))
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: the window is %lld and the step of query scaling %lld tokens, "
                        "expected 0 to %lld",
                        where, (long long)hp->window, (long long)hp->query_tokens,
                        (long long)ITH_MAX_CONTEXT);
    if (hp->rope.kind == ITH_ROPE_LONG && hp->latent.kv_rank > 0)
        return ith_fail(err, ITH_E_UNSUPPORTED, "%s: LongRoPE of latents is not supported", where);
    if (hp->rope.kind == ITH_ROPE_LONG &&
        (hp->rope.n_short != ith_hparams_rotated(hp) / 2 || hp->rope.n_long != hp->rope.n_short))
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: LongRoPE has %d and %d divisors for %lld pairs of channels", where,
                        hp->rope.n_short, hp->rope.n_long, (long long)ith_hparams_rotated(hp) / 2);
    if (hp->rope.rotated < 0 || hp->rope.rotated % 2 != 0 ||
        hp->rope.rotated > ith_hparams_rope_dim(hp))
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: %lld channels of a head are rotated, expected an even number up to "
                        "the head size, %lld",
                        where, (long long)hp->rope.rotated, (long long)ith_hparams_rope_dim(hp));
    return ITH_OK;
}

/* Of layers without a window. */
static ith_status check_full(const ith_hparams *hp, const char *where, ith_error *err)
{
    int64_t kv_heads = hp->full.kv_heads, d = ith_hparams_rope_dim(hp);

    if (hp->latent.kv_rank > 0 && (kv_heads > 0 || hp->full.head_dim > 0 || hp->value_norm))
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: latent attention whose heads differ by layer, or with a norm of "
                        "values, is not supported",
                        where);
    if (kv_heads > 0 && hp->n_heads % kv_heads != 0)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: %lld attention heads cannot share %lld key/value heads evenly", where,
                        (long long)hp->n_heads, (long long)kv_heads);
    return d % 2 == 0 ? ITH_OK
                      : ith_fail(err, ITH_E_FORMAT,
                                 "%s: the head size of layers without a window is %lld; rotary "
                                 "positions need an even one",
                                 where, (long long)d);
}

ith_status ith_hparams_check(const ith_hparams *hp, const char *where, ith_error *err)
{
    const real_limit epsilon = {"the norm's epsilon", hp->rms_eps, 1e-30, 1};

    ITH_TRY(check_ranges(hp, where, err));
    if (hp->experts.n != 0)
        ITH_TRY(check_experts(hp, where, err));
    ITH_TRY(check_recurrent(hp, where, err));
    ITH_TRY(check_products(hp, where, err));
    if (hp->n_heads % hp->n_kv_heads != 0)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: %lld attention heads cannot share %lld key/value heads evenly", where,
                        (long long)hp->n_heads, (long long)hp->n_kv_heads);
    if (hp->head_dim % 2 != 0)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: the head size is %lld; rotary positions need an even one", where,
                        (long long)hp->head_dim);
    ITH_TRY(check_full(hp, where, err));
    ITH_TRY(check_reals(&epsilon, 1, where, err));
    ITH_TRY(check_extras(hp, where, err));
    ITH_TRY(check_latent(hp, where, err));
    ITH_TRY(check_layers(hp, where, err));
    return check_rope(&hp->rope, where, err);
}

ith_status ith_hparams_check_sampling(const ith_hparams *hp, const char *where, ith_error *err)
{
    if (!isfinite(hp->temperature) || hp->temperature < 0)
        return ith_fail(err, ITH_E_FORMAT, "%s: the sampling temperature is %g, expected 0 or more",
                        where, hp->temperature);
    if (!(hp->top_p > 0 && hp->top_p <= 1))
        return ith_fail(err, ITH_E_FORMAT, "%s: top_p is %g, expected more than 0 and at most 1",
                        where, hp->top_p);
    if (!(hp->min_p >= 0 && hp->min_p <= 1))
        return ith_fail(err, ITH_E_FORMAT, "%s: min_p is %g, expected 0 to 1", where, hp->min_p);
    if (!isfinite(hp->repetition_penalty) || hp->repetition_penalty <= 0)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: the repetition penalty is %g, expected a positive number", where,
                        hp->repetition_penalty);
    if (hp->repetition_window < ITH_REPEAT_ALL)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: the repetition window is %d, expected 0 or more, or %d for all tokens",
                        where, hp->repetition_window, ITH_REPEAT_ALL);
    return ITH_OK;
}

ith_status ith_hparams_add_eos(ith_hparams *hp, int64_t id, const char *where, ith_error *err)
{
    if (id < 0 || id > INT32_MAX)
        return ITH_OK;
    for (int i = 0; i < hp->n_eos; i++)
        if (hp->eos[i] == id)
            return ITH_OK;
    if (hp->n_eos == ITH_MAX_EOS)
        return ith_fail(err, ITH_E_UNSUPPORTED, "%s: more than %d tokens end an answer", where,
                        ITH_MAX_EOS);
    hp->eos[hp->n_eos++] = (int32_t)id;
    return ITH_OK;
}
