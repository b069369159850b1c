/* tokenizer_files.c - builds a tokenizer from the files of a Hugging Face folder, whatever their
 * form. */
#include "text/sentencepiece.h"
#include "text/tokenizer_config.h"
#include "text/tokenizer_json.h"

/* The JSON files, parsed; NULL: there is none. */
typedef struct json_roots {
    json_t *json, *vocab, *config, *special, *added;
} json_roots;

static ith_status parse(const ith_tokenizer_file *file, json_t **root, ith_error *err)
{
    return file->bytes.data != NULL
               ? ith_json_parse(file->bytes.data, file->bytes.len, file->path, root, err)
               : ITH_OK;
}

/* The vocabulary: the first form that is there. */
static ith_status read_vocabulary(const ith_tokenizer_files *files, const json_roots *roots,
                                  ith_json_reader *r, ith_error *err)
{
    if (roots->json != NULL)
        return ith_json_tokenizer(r, roots->json, err);
    if (files->model.bytes.data == NULL)
        return ith_json_vocab_and_merges(r, roots->vocab, files->merges.bytes, roots->config, err);
    ITH_TRY(ith_sentencepiece_read(&r->builder, files->model.path, files->model.bytes, err));
    r->next_added = (int64_t)r->builder.tok->tokens.n;
    return ITH_OK;
}

static const char *path_of(const ith_tokenizer_files *files)
{
    return files->json.bytes.data != NULL    ? files->json.path
           : files->model.bytes.data != NULL ? files->model.path
                                             : files->vocab.path;
}

static ith_status build(const ith_tokenizer_files *files, const json_roots *roots,
                        ith_tokenizer **tok, ith_error *err)
{
    const char *path = path_of(files);
    ith_json_reader r = {.next_added = 0};
    ith_status status;

    ITH_CHECK(ith_builder_begin(&r.builder, path, err));
    ITH_CHECK(read_vocabulary(files, roots, &r, err));
    if (roots->json == NULL && roots->added != NULL &&
        json_object_get(roots->config, "added_tokens_decoder") == NULL) {
        r.builder.where = files->added.path;
        ITH_CHECK(ith_json_added_file(&r, roots->added, roots->config, roots->special, err));
    }
    if (roots->config != NULL || roots->special != NULL)
        r.builder.where = roots->config != NULL ? files->config.path : files->special.path;
    ITH_CHECK(ith_json_config(&r, roots->config, roots->special, err));
    r.builder.where = path;
    ITH_CHECK(ith_builder_finish(&r.builder, tok, err));
done:
    ith_builder_free(&r.builder);
    return status;
}

ith_status ith_tokenizer_from_files(const ith_tokenizer_files *files, ith_tokenizer **tok,
                                    ith_error *err)
{
    json_roots roots = {NULL, NULL, NULL, NULL, NULL};
    ith_status status;

    *tok = NULL;
    ITH_CHECK(parse(&files->json, &roots.json, err));
    ITH_CHECK(parse(&files->vocab, &roots.vocab, err));
    ITH_CHECK(parse(&files->config, &roots.config, err));
    ITH_CHECK(parse(&files->special, &roots.special, err));
    ITH_CHECK(parse(&files->added, &roots.added, err));
    ITH_CHECK(build(files, &roots, tok, err));
done:
    json_decref(roots.json);
    json_decref(roots.vocab);
    json_decref(roots.config);
    json_decref(roots.special);
    json_decref(roots.added);
    return status;
}
