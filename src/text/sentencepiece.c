/* sentencepiece.c - from tokenizer.model to the arrays of a vocabulary. */
#include "text/sentencepiece.h"
#include "text/sentencepiece.pb-c.h"

#include <stdlib.h>
#include <string.h>

/* A line of a tiktoken file: base64, a space, digits. */
static bool is_tiktoken(ith_bytes model)
{
    const char *space = memchr(model.data, ' ', model.len < 64 ? model.len : 64);

    for (const char *c = model.data; space != NULL && c < space; c++)
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=", *c) ==
                NULL ||
            *c == '\0')
            return false;
    return space != NULL && space > model.data && space + 1 < model.data + model.len &&
           space[1] >= '0' && space[1] <= '9';
}

static ith_status refuse(const char *path, const char *what, ith_error *err)
{
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "%s: %s is not supported; Ithaca reads SentencePiece models of BPE", path,
                    what);
}

static ith_status check_trainer(const char *path, const Ith__Sp__Trainer *trainer, ith_error *err)
{
    static const char *const kinds[] = {"an unknown kind of model", "a Unigram model", "BPE",
                                        "a model of words", "a model of characters"};
    int32_t kind = trainer->model_type;

    if (kind != 2)
        return refuse(path, kinds[kind >= 1 && kind <= 4 ? kind : 0], err);
    if (trainer->treat_whitespace_as_suffix)
        return refuse(path, "treat_whitespace_as_suffix", err);
    return ITH_OK;
}

static ith_status check_normalizer(const char *path, const Ith__Sp__Normalizer *normalizer,
                                   ith_error *err)
{
    if (normalizer->precompiled_charsmap.len > 0)
        return refuse(path, "a normalizer with rules (precompiled_charsmap)", err);
    if (normalizer->remove_extra_whitespaces)
        return refuse(path, "remove_extra_whitespaces", err);
    if (!normalizer->escape_whitespaces)
        return refuse(path, "a normalizer without escape_whitespaces", err);
    return ITH_OK;
}

/* The arrays' memory. */
typedef struct arrays {
    ith_bytes *tokens;
    int32_t *types;
    float *scores;
} arrays;

static ith_status list_pieces(const char *path, const Ith__Sp__Model *model, arrays *a,
                              ith_error *err)
{
    size_t n = model->n_pieces;

    a->tokens = calloc(n + 1, sizeof *a->tokens);
    a->types = calloc(n + 1, sizeof *a->types);
    a->scores = calloc(n + 1, sizeof *a->scores);
    if (a->tokens == NULL || a->types == NULL || a->scores == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for %zu tokens", path, n);
    for (size_t i = 0; i < n; i++) {
        const Ith__Sp__Piece *piece = model->pieces[i];
        if (piece->piece.len == 0)
            return ith_fail(err, ITH_E_FORMAT, "%s: token %zu is empty", path, i);
        a->tokens[i] = (ith_bytes){(const char *)piece->piece.data, piece->piece.len};
        a->types[i] = piece->type;
        a->scores[i] = piece->score;
    }
    return ITH_OK;
}

static int32_t id_in(const Ith__Sp__Model *model, int32_t id)
{
    return id >= 0 && (size_t)id < model->n_pieces ? id : -1;
}

static ith_status build(ith_builder *builder, const char *path, const Ith__Sp__Model *model,
                        ith_error *err)
{
    const Ith__Sp__Trainer *trainer = model->trainer_spec;
    const Ith__Sp__Normalizer *normalizer = model->normalizer_spec;
    ith_tokenizer_spec spec = {.where = path, .n_tokens = model->n_pieces};
    arrays a = {NULL, NULL, NULL};
    ith_status status;

    if (trainer == NULL || normalizer == NULL)
        return ith_fail(err, ITH_E_FORMAT, "%s: there is no trainer_spec or no normalizer_spec",
                        path);
    ITH_TRY(check_trainer(path, trainer, err));
    ITH_TRY(check_normalizer(path, normalizer, err));
    ITH_CHECK(list_pieces(path, model, &a, err));
    spec.tokens = a.tokens;
    spec.types = a.types;
    spec.scores = a.scores;
    spec.add_space_prefix = normalizer->add_dummy_prefix;
    spec.bos = id_in(model, trainer->bos_id);
    spec.eos = id_in(model, trainer->eos_id);
    spec.unk = id_in(model, trainer->unk_id);
    ITH_CHECK(ith_builder_arrays(builder, &spec, err));
    builder->tok->byte_fallback = trainer->byte_fallback;
done:
    free(a.tokens);
    free(a.types);
    free(a.scores);
    return status;
}

ith_status ith_sentencepiece_read(ith_builder *builder, const char *path, ith_bytes model,
                                  ith_error *err)
{
    Ith__Sp__Model *unpacked;
    ith_status status;

    if (is_tiktoken(model))
        return refuse(path, "a file of tiktoken", err);
    unpacked = ith__sp__model__unpack(NULL, model.len, (const uint8_t *)model.data);
    if (unpacked == NULL)
        return ith_fail(err, ITH_E_FORMAT, "%s: it is not a model of SentencePiece", path);
    status = build(builder, path, unpacked, err);
    ith__sp__model__free_unpacked(unpacked, NULL);
    return status;
}
