/* describe.c - the JSON behind `ithaca inspect`.
 *
 * A NULL from jansson anywhere (no memory) makes the result NULL, also through json_pack's "o". */
#include "base/character.h"
#include "formats/hparams.h"
#include "formats/hparams_json.h"
#include "formats/packfile_impl.h"
#include "formats/source_impl.h"

#include <stdio.h>
#include <string.h>

static json_t *clean_string(const char *text, size_t len)
{
    char out[4096];
    ith_clean_text(text, len, out, sizeof out);
    return json_string(out);
}

static json_t *describe_rope(const ith_rope_params *rope)
{
    json_t *out = json_pack("{s:s, s:o}", "type", ith_rope_kind_names[rope->kind], "theta",
                            ith_json_number(rope->theta));

    if (rope->kind != ITH_ROPE_PLAIN)
        json_object_set_new(out, "factor", ith_json_number(rope->factor));
    if (rope->kind == ITH_ROPE_YARN || rope->kind == ITH_ROPE_LLAMA3)
        json_object_set_new(out, "original_context", json_integer(rope->original_context));
    if (rope->kind == ITH_ROPE_YARN) {
        json_object_set_new(out, "beta_fast", ith_json_number(rope->beta_fast));
        json_object_set_new(out, "beta_slow", ith_json_number(rope->beta_slow));
        if (rope->attention_factor > 0)
            json_object_set_new(out, "attention_factor", ith_json_number(rope->attention_factor));
    }
    if (rope->kind == ITH_ROPE_LLAMA3) {
        json_object_set_new(out, "low_freq_factor", ith_json_number(rope->low_freq_factor));
        json_object_set_new(out, "high_freq_factor", ith_json_number(rope->high_freq_factor));
    }
    return out;
}

static json_t *describe_sampling(const ith_hparams *hp)
{
    if (!hp->has_sampling && hp->repetition_penalty == 1)
        return json_null();
    return json_pack("{s:o, s:i, s:o, s:o, s:o}", "temperature", ith_json_number(hp->temperature),
                     "top_k", hp->top_k, "top_p", ith_json_number(hp->top_p), "min_p",
                     ith_json_number(hp->min_p), "repetition_penalty",
                     ith_json_number(hp->repetition_penalty));
}

static json_t *describe_eos(const ith_hparams *hp)
{
    json_t *out = json_array();
    for (int i = 0; i < hp->n_eos; i++)
        json_array_append_new(out, json_integer(hp->eos[i]));
    return out;
}

static json_t *describe_hparams(const ith_hparams *hp)
{
    json_t *out = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:b, s:o, s:o, s:o, s:o}", "layers",
        (json_int_t)hp->n_layers, "hidden", (json_int_t)hp->hidden, "ffn", (json_int_t)hp->ffn,
        "heads", (json_int_t)hp->n_heads, "kv_heads", (json_int_t)hp->n_kv_heads, "head_dim",
        (json_int_t)hp->head_dim, "vocabulary", (json_int_t)hp->n_vocab, "context",
        (json_int_t)hp->ctx_train, "rms_eps", ith_json_number(hp->rms_eps), "tied_embeddings",
        hp->tied_embeddings, "rope", describe_rope(&hp->rope), "bos",
        hp->bos < 0 ? json_null() : json_integer(hp->bos), "eos", describe_eos(hp), "sampling",
        describe_sampling(hp));

    if (out != NULL && !(ith_hparams_add_own(hp, out) && ith_hparams_add_sparse(hp, out))) {
        json_decref(out);
        return NULL;
    }
    return out;
}

static json_t *describe_tensor(const ith_tensor *t)
{
    json_t *shape = json_array();

    for (int i = 0; i < t->n_dims; i++)
        json_array_append_new(shape, json_integer(t->dims[i]));
    if (t->packed != NULL)
        return json_pack("{s:s, s:s, s:o, s:I, s:s, s:I}", "name", t->name, "type",
                         ith_packed_type(t->packed), "shape", shape, "bytes",
                         (json_int_t)((size_t)t->packed->n_tiles * t->packed->tile_bytes), "codec",
                         ith_codec_names[t->packed->codec], "stored_bytes",
                         (json_int_t)t->packed->bytes);
    if (t->quantized != NULL)
        return json_pack("{s:s, s:s, s:o, s:I, s:s}", "name", t->name, "type", t->quantized->type,
                         "shape", shape, "bytes", (json_int_t)ith_quantized_bytes(t), "read_as",
                         ith_dtype_get(t->dtype)->name);
    return json_pack("{s:s, s:s, s:o, s:I}", "name", t->name, "type",
                     t->dtype == ITH_DT_UNREAD ? t->unread : ith_dtype_get(t->dtype)->name, "shape",
                     shape, "bytes", (json_int_t)t->bytes);
}

/* Not counted: a tied output matrix that the file repeats, and tables that are not parameters. */
static bool is_parameter(const ith_source *source, const ith_tensor *t)
{
    return strcmp(t->name, "rope_freqs.weight") != 0 &&
           !(source->hparams.tied_embeddings && strcmp(t->name, "lm_head.weight") == 0);
}

static json_t *describe_tensors(const ith_source *source, int64_t *parameters, int64_t *bytes)
{
    json_t *out = json_array();

    for (size_t i = 0; i < source->tensors.n; i++) {
        const ith_tensor *t = &source->tensors.items[i];
        *bytes += (int64_t)(t->quantized != NULL ? ith_quantized_bytes(t) : t->bytes);
        *parameters += is_parameter(source, t) ? ith_tensor_elements(t) : 0;
        json_array_append_new(out, describe_tensor(t));
    }
    return out;
}

static json_t *optional_string(const char *text, size_t len)
{
    return text == NULL ? json_null() : clean_string(text, len);
}

static json_t *describe_tokenizer(const ith_source *source)
{
    const ith_gguf_vocab *v = ith_source_gguf_vocab(source);
    const char *file = ith_source_tokenizer_file(source);

    if (v == NULL)
        return file == NULL ? json_null()
                            : json_pack("{s:o}", "file", clean_string(file, strlen(file)));
    return json_pack("{s:o, s:o, s:I, s:I, s:b, s:b}", "model",
                     optional_string(v->model.data, v->model.len), "pre",
                     optional_string(v->pre.data, v->pre.len), "tokens", (json_int_t)v->n_tokens,
                     "merges", (json_int_t)v->n_merges, "add_bos", v->add_bos, "chat_template",
                     v->n_templates > 0);
}

ith_status ith_source_describe(const ith_source *source, json_t **out, ith_error *err)
{
    const ith_hparams *hp = &source->hparams;
    char format[32] = "Hugging Face";
    int64_t parameters = 0, bytes = 0;
    json_t *tensors = describe_tensors(source, &parameters, &bytes);

    if (source->kind == ITH_SOURCE_SYNTHETIC)
        snprintf(format, sizeof format, "synthetic");
    if (source->kind == ITH_SOURCE_GGUF)
        snprintf(format, sizeof format, "GGUF v%u", source->meta.version);
    if (source->kind == ITH_SOURCE_PACK)
        snprintf(format, sizeof format, "Ithaca pack v%d", ITH_PACK_VERSION);
    *out = json_pack("{s:s, s:o, s:s, s:s, s:o, s:I, s:I, s:i, s:o, s:o, s:o}", "format", format,
                     "path", clean_string(source->path, strlen(source->path)), "architecture",
                     hp->architecture, "name", hp->name, "hyperparameters", describe_hparams(hp),
                     "parameters", (json_int_t)parameters, "bytes", (json_int_t)bytes, "files",
                     (int)source->n_files, "tensors", tensors, "tokenizer",
                     describe_tokenizer(source), "notes", ith_json_lines(ith_source_notes(source)));
    if (*out != NULL && source->pack != NULL)
        json_object_set(*out, "packed", json_object_get(source->pack->index, "packed"));
    if (*out == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for its description", source->path);
    return ITH_OK;
}
