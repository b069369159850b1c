/* vocab.c - reads the tokenizer, chat templates and stop tokens of a model's files. */
#include "engine/vocab.h"
#include "base/fpenv.h"
#include "text/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ith_status tokenizer_from_gguf(const ith_source *source, const ith_gguf_vocab *v,
                                      ith_tokenizer **tok, ith_error *err)
{
    ith_tokenizer_spec spec = {
        .where = ith_source_path(source),
        .pre = v->pre,
        .n_tokens = v->n_tokens,
        .tokens = v->tokens,
        .n_merges = v->n_merges,
        .merges = v->merges,
        .types = v->types,
        .add_space_prefix = v->add_space_prefix,
        .bos = v->bos,
        .eos = v->eos,
        .unk = v->unk,
        .add_bos = v->add_bos,
        .add_eos = v->add_eos,
    };
    bool scored = ith_bytes_equal(v->model, "llama"), gemma = ith_bytes_equal(v->model, "gemma4");

    if (!scored && !gemma && !ith_bytes_equal(v->model, "gpt2"))
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s: the tokenizer is \"%.*s\"; supported are byte-level BPE (\"gpt2\"), "
                        "SentencePiece's BPE (\"llama\") and \"gemma4\"",
                        spec.where, (int)(v->model.len < 60 ? v->model.len : 60),
                        v->model.data == NULL ? "" : v->model.data);
    if (!scored && v->n_merges == 0)
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: tokenizer.ggml.merges is missing, without which every text becomes "
                        "single bytes; convert the model again with a current converter",
                        spec.where);
    if (scored && v->scores == NULL)
        return ith_fail(err, ITH_E_FORMAT, "%s: tokenizer.ggml.scores is missing", spec.where);
    spec.scores = scored ? v->scores : NULL;
    spec.pre = gemma ? v->model : v->pre;
    return ith_tokenizer_from_arrays(&spec, tok, err);
}

/* The tokens that templates write by name. */
static ith_status name_tokens(ith_vocab *vocab, const ith_gguf_vocab *v, ith_error *err)
{
    const struct named {
        const char *name;
        int32_t id;
    } tokens[] = {{"bos_token", v->bos},  {"eos_token", v->eos}, {"unk_token", v->unk},
                  {"sep_token", v->sep},  {"pad_token", v->pad}, {"cls_token", v->cls},
                  {"mask_token", v->mask}};

    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        size_t len;
        const char *text = ith_tokenizer_token(vocab->tok, tokens[i].id, &len);
        if (text != NULL)
            ITH_TRY(ith_chat_files_name(&vocab->chat, tokens[i].name, text, len, err));
    }
    return ITH_OK;
}

static ith_status read_gguf(const ith_source *source, ith_vocab *vocab, ith_error *err)
{
    const ith_gguf_vocab *v = ith_source_gguf_vocab(source);

    ITH_TRY(tokenizer_from_gguf(source, v, &vocab->tok, err));
    ITH_TRY(name_tokens(vocab, v, err));
    for (size_t i = 0; i < v->n_templates; i++)
        ITH_TRY(ith_chat_files_add(&vocab->chat, v->templates[i].name, "tokenizer.chat_template",
                                   v->templates[i].source, err));
    return ITH_OK;
}

/* ---- The files of a folder, or of a pack of it ---- */

typedef struct collection {
    const ith_source *source;
    ith_tokenizer_files files; /* bytes and paths are malloc'd */
    ith_chat_files *chat;
} collection;

static ith_tokenizer_file *place_of(ith_tokenizer_files *files, const char *name)
{
    const struct {
        const char *name;
        ith_tokenizer_file *file;
    } places[] = {{"tokenizer.json", &files->json},
                  {"tokenizer.model", &files->model},
                  {"vocab.json", &files->vocab},
                  {"merges.txt", &files->merges},
                  {"tokenizer_config.json", &files->config},
                  {"special_tokens_map.json", &files->special},
                  {"added_tokens.json", &files->added}};

    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (strcmp(places[i].name, name) == 0)
            return places[i].file;
    return NULL;
}

/* Copies a file, which is gone after the call. */
static ith_status collect(void *user, const char *name, const void *data, size_t bytes,
                          ith_error *err)
{
    collection *c = user;
    const char *source = ith_source_path(c->source);
    bool folder = ith_source_get_kind(c->source) == ITH_SOURCE_HF;
    ith_tokenizer_file *file = place_of(&c->files, name);
    char *path = NULL, *copy;

    if (ith_chat_files_take(c->chat, name, (ith_bytes){data, bytes}, err) != ITH_OK)
        return ith_fail_prefix(err, err->status, "%s", source);
    if (file == NULL)
        return ITH_OK;
    copy = malloc(bytes + 1);
    if (copy == NULL ||
        asprintf(&path, "%s%s%s", source, folder ? "/" : "", folder ? name : "") < 0) {
        free(copy);
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for %s", source, name);
    }
    if (bytes > 0)
        memcpy(copy, data, bytes);
    *file = (ith_tokenizer_file){path, {copy, bytes}};
    return ITH_OK;
}

static void free_file(ith_tokenizer_file *file)
{
    free((char *)file->path);
    free((char *)file->bytes.data);
}

static ith_status read_files(const ith_source *source, ith_vocab *vocab, ith_error *err)
{
    collection c = {.source = source, .chat = &vocab->chat};
    ith_status status;

    ITH_CHECK(ith_source_each_blob(source, collect, &c, err));
    ITH_CHECK(ith_tokenizer_from_files(&c.files, &vocab->tok, err));
done:
    free_file(&c.files.json);
    free_file(&c.files.model);
    free_file(&c.files.vocab);
    free_file(&c.files.merges);
    free_file(&c.files.config);
    free_file(&c.files.special);
    free_file(&c.files.added);
    return status;
}

static void add_stop(ith_vocab *vocab, int32_t id)
{
    if (id >= 0 && !ith_vocab_is_stop(vocab, id) && vocab->n_stops < ITH_MAX_EOS + 2)
        vocab->stops[vocab->n_stops++] = id;
}

/* Fine-tuned models often keep the files of the model that they were made from, whose answers ended
 * with another token. */
static ith_status add_answer_end(ith_vocab *vocab, ith_error *err)
{
    int32_t id = ith_vocab_answer_end(vocab);
    const char *notes = ith_tokenizer_notes(vocab->tok), *text;
    size_t len;

    if (id < 0 || ith_vocab_is_stop(vocab, id))
        return ITH_OK;
    text = ith_tokenizer_token(vocab->tok, id, &len);
    if (vocab->n_stops > 0 &&
        asprintf(&vocab->notes,
                 "%s%sthe model's files do not name %.*s among the tokens that end an answer; its "
                 "chat template ends answers with it, so it counts",
                 notes, notes[0] != '\0' ? "\n" : "", (int)len, text) < 0) {
        vocab->notes = NULL;
        return ith_fail(err, ITH_E_MEMORY, "no memory for the tokenizer");
    }
    add_stop(vocab, id);
    return ITH_OK;
}

bool ith_vocab_in(const ith_source *source)
{
    const ith_gguf_vocab *v = ith_source_gguf_vocab(source);
    return v != NULL ? v->n_tokens > 0 : ith_source_tokenizer_file(source) != NULL;
}

ith_status ith_vocab_from_source(const ith_source *source, ith_vocab **out, ith_error *err)
{
    const ith_hparams *hp = ith_source_hparams(source);
    bool gguf = ith_source_gguf_vocab(source) != NULL;
    ith_vocab *vocab;
    ith_status status;

    *out = NULL;
    if (!ith_vocab_in(source))
        return ith_fail(err, ITH_E_UNSUPPORTED, "%s has no tokenizer%s", ith_source_path(source),
                        gguf ? "" : " (tokenizer.json or tokenizer.model)");
    vocab = calloc(1, sizeof *vocab);
    if (vocab != NULL)
        vocab->grammars = ith_vocab_grammars_new();
    if (vocab == NULL || vocab->grammars == NULL) {
        free(vocab);
        return ith_fail(err, ITH_E_MEMORY, "no memory for the tokenizer");
    }
    status = gguf ? read_gguf(source, vocab, err) : read_files(source, vocab, err);
    if (status != ITH_OK) {
        ith_vocab_close(vocab);
        return status;
    }
    for (int i = 0; i < hp->n_eos; i++)
        add_stop(vocab, hp->eos[i]);
    add_stop(vocab, ith_tokenizer_eos(vocab->tok));
    status = add_answer_end(vocab, err);
    if (status != ITH_OK) {
        ith_vocab_close(vocab);
        return status;
    }
    *out = vocab;
    return ITH_OK;
}

ith_status ith_vocab_open(const char *model, ith_vocab **vocab, ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    ith_source *source;
    ith_status status;

    *vocab = NULL;
    ITH_TRY(ith_source_open(model, ITH_SOURCE_TOKENIZER_ONLY, &source, err));
    status = ith_vocab_from_source(source, vocab, err);
    ith_source_close(source);
    return status;
}

void ith_vocab_close(ith_vocab *vocab)
{
    if (vocab == NULL)
        return;
    ith_vocab_grammars_free(vocab->grammars);
    ith_tokenizer_free(vocab->tok);
    ith_chat_files_free(&vocab->chat);
    free(vocab->notes);
    free(vocab);
}

/* ith_engine_vocab may return NULL, and a program may pass it on. */
ith_status ith_vocab_tokenize(const ith_vocab *vocab, const char *text, size_t len, unsigned flags,
                              int32_t **ids, size_t *n_ids, ith_error *err)
{
    ITH_NEED_ERROR(err);
    *ids = NULL;
    *n_ids = 0;
    ITH_TRY(ith_vocab_need(vocab, err));
    return ith_tokenizer_encode(vocab->tok, text, len, flags, ids, n_ids, err);
}

ith_status ith_vocab_detokenize(const ith_vocab *vocab, const int32_t *ids, size_t n, char **text,
                                size_t *len, ith_error *err)
{
    ITH_NEED_ERROR(err);
    *text = NULL;
    *len = 0;
    ITH_TRY(ith_vocab_need(vocab, err));
    return ith_tokenizer_decode(vocab->tok, ids, n, text, len, err);
}

const char *ith_vocab_notes(const ith_vocab *vocab)
{
    return vocab->notes != NULL ? vocab->notes : ith_tokenizer_notes(vocab->tok);
}

const char *ith_vocab_token(const ith_vocab *vocab, int32_t id, size_t *len)
{
    *len = 0;
    return vocab != NULL ? ith_tokenizer_token(vocab->tok, id, len) : NULL;
}

bool ith_vocab_is_stop(const ith_vocab *vocab, int32_t id)
{
    for (int i = 0; i < vocab->n_stops; i++)
        if (vocab->stops[i] == id)
            return true;
    return false;
}

/* ---- Streams ---- */

struct ith_stream {
    ith_detok *detok;
};

ith_status ith_stream_open(const ith_vocab *vocab, ith_stream **out, ith_error *err)
{
    ITH_NEED_ERROR(err);
    ith_stream *stream;
    ith_status status;

    *out = NULL;
    ITH_TRY(ith_vocab_need(vocab, err));
    stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for a text stream");
    status = ith_detok_open(vocab->tok, &stream->detok, err);
    if (status != ITH_OK) {
        free(stream);
        return status;
    }
    *out = stream;
    return ITH_OK;
}

const char *ith_stream_push(ith_stream *stream, int32_t id, size_t *len)
{
    return ith_detok_push(stream->detok, id, len);
}
const char *ith_stream_flush(ith_stream *stream, size_t *len)
{
    return ith_detok_flush(stream->detok, len);
}

void ith_stream_close(ith_stream *stream)
{
    if (stream == NULL)
        return;
    ith_detok_close(stream->detok);
    free(stream);
}
