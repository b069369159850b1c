/* hparams.c - defaults and checks of hyperparameters. */
#include "formats/hparams.h"

#include "base/character.h"

#include <math.h>
#include <string.h>

const char *const ith_rope_kind_names[] = {[ITH_ROPE_PLAIN] = "default",
                                           [ITH_ROPE_LINEAR] = "linear",
                                           [ITH_ROPE_YARN] = "yarn",
                                           [ITH_ROPE_LLAMA3] = "llama3"};

ith_hparams ith_hparams_default(void)
{
    return (ith_hparams){
        .bos = -1,
        .rms_eps = 1e-6,
        .rope = {.theta = 10000, .beta_fast = 32, .beta_slow = 1, .truncate = true},
        .top_p = 1,
        .repetition_penalty = 1};
}

/* Bytes of the printable UTF-8 character at text; 0 if there is none. */
static size_t printable_bytes(const char *text, size_t len)
{
    unsigned char first = (unsigned char)text[0];
    size_t n = ith_utf8_bytes(text, len);
    bool control =
        first < 0x20 || first == 0x7f || (n == 2 && first == 0xc2 && (unsigned char)text[1] < 0xa0);

    return control ? 0 : n;
}

void ith_clean_text(const char *text, size_t len, char *out, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < len;) {
        size_t n = printable_bytes(text + i, len - i), bytes = n > 0 ? n : 1;
        if (used + bytes >= size)
            break;
        memcpy(out + used, n > 0 ? text + i : "?", bytes);
        used += bytes;
        i += bytes;
    }
    out[used] = '\0';
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

    if (e->n == 0 || (layer + 1) % e->step != 0)
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
        {"head size", hp->head_dim, 1 << 12},
        {"vocabulary size", hp->n_vocab, 1 << 24},
        {"context length", hp->ctx_train, INT64_C(1) << 40},
    };

    return check_limits(limits, sizeof limits / sizeof *limits, where, err);
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
    };

    ITH_TRY(check_limits(limits, sizeof limits / sizeof *limits, where, err));
    if (e->n_dense < 0 || e->n_dense > ITH_MAX_DENSE)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: %d layers without experts are listed, expected at most %d", where,
                        e->n_dense, ITH_MAX_DENSE);
    return ITH_OK;
}

static ith_status check_rope(const ith_rope_params *rope, const char *where, ith_error *err)
{
    if (!isfinite(rope->theta) || rope->theta <= 0)
        return ith_fail(err, ITH_E_FORMAT, "%s: the RoPE base is %g, expected a positive number",
                        where, rope->theta);
    if (rope->kind == ITH_ROPE_PLAIN)
        return ITH_OK;
    if (!isfinite(rope->factor) || rope->factor < 1)
        return ith_fail(err, ITH_E_FORMAT, "%s: the RoPE scaling factor is %g, expected 1 or more",
                        where, rope->factor);
    if (rope->kind != ITH_ROPE_LINEAR && rope->original_context < 1)
        return ith_fail(
            err, ITH_E_FORMAT,
            "%s: the RoPE scaling's original context length is %lld, expected 1 or more", where,
            (long long)rope->original_context);
    if (rope->kind == ITH_ROPE_YARN &&
        !(rope->beta_fast > 0 && rope->beta_slow > 0 && rope->attention_factor >= 0))
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: YaRN with beta_fast %g, beta_slow %g, attention factor %g: expected "
                        "positive numbers",
                        where, rope->beta_fast, rope->beta_slow, rope->attention_factor);
    if (rope->kind == ITH_ROPE_LLAMA3 &&
        !(rope->low_freq_factor > 0 && rope->high_freq_factor > rope->low_freq_factor))
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: RoPE scaling with low_freq_factor %g and high_freq_factor %g: "
                        "expected 0 < low < high",
                        where, rope->low_freq_factor, rope->high_freq_factor);
    return ITH_OK;
}

ith_status ith_hparams_check(const ith_hparams *hp, const char *where, ith_error *err)
{
    ITH_TRY(check_ranges(hp, where, err));
    if (hp->experts.n != 0)
        ITH_TRY(check_experts(hp, where, err));
    if (hp->n_heads % hp->n_kv_heads != 0)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: %lld attention heads cannot share %lld key/value heads evenly", where,
                        (long long)hp->n_heads, (long long)hp->n_kv_heads);
    if (hp->head_dim % 2 != 0)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: the head size is %lld; rotary positions need an even one", where,
                        (long long)hp->head_dim);
    if (!isfinite(hp->rms_eps) || hp->rms_eps < 0)
        return ith_fail(err, ITH_E_FORMAT, "%s: the RMS norm's epsilon is %g", where, hp->rms_eps);
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
    return ITH_OK;
}

void ith_hparams_add_eos(ith_hparams *hp, int64_t id)
{
    if (id < 0 || id > INT32_MAX || hp->n_eos == ITH_MAX_EOS)
        return;
    for (int i = 0; i < hp->n_eos; i++)
        if (hp->eos[i] == id)
            return;
    hp->eos[hp->n_eos++] = (int32_t)id;
}
