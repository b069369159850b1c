/* source_pack.c - a pack as a source, and what of another source a pack holds. */
#include "formats/source_impl.h"

#include "base/range.h"
#include "formats/hparams_json.h"
#include "formats/packfile_impl.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char gguf_blob[] = "gguf";

/* ---- Reading one ---- */

static ith_status add_tensor(ith_source *source, const ith_packed *p, const ith_mapfile *file,
                             ith_error *err)
{
    ith_tensor t = {.name = p->name,
                    .file = file->path,
                    .dtype = ITH_DT_F32,
                    .n_dims = p->vector ? 1 : 2,
                    .dims = {p->rows, p->vector ? 0 : p->cols},
                    .data = file->data + p->offset,
                    .bytes = p->bytes,
                    .packed = p};
    return ith_tensor_table_add(&source->tensors, &t, err);
}

/* The longest row that a tensor of this model can have. */
static int64_t longest_row(const ith_hparams *hp)
{
    const int64_t sizes[] = {hp->hidden,
                             ith_hparams_ffn(hp, hp->n_layers - 1),
                             hp->n_layers * hp->layer_inputs.size,
                             hp->laurel_rank,
                             hp->experts.ffn,
                             hp->experts.shared_ffn,
                             hp->n_heads * hp->head_dim,
                             hp->n_heads * ith_hparams_rope_dim(hp),
                             hp->latent.q_rank,
                             hp->latent.nope,
                             hp->latent.kv_rank,
                             hp->n_heads * hp->latent.value,
                             hp->delta.value_heads * hp->delta.value_dim,
                             hp->mamba.heads * hp->mamba.head_dim};
    int64_t most = 0;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        most = ith_max(most, sizes[i]);
    return most;
}

/* A row's length decides how much memory a tile takes, and the file may hold it compressed to
 * nearly nothing. */
static ith_status check_row(const ith_packed *p, const ith_hparams *hp, const char *where,
                            ith_error *err)
{
    int64_t most = longest_row(hp);

    if (p->vector || p->cols <= most)
        return ITH_OK;
    return ith_fail(err, ITH_E_FORMAT,
                    "%s: tensor %s has rows of %lld numbers, but no row of a model of this shape "
                    "has more than %lld",
                    where, p->name, (long long)p->cols, (long long)most);
}

/* The metadata of the GGUF file that the pack was made from, for its tokenizer. */
static ith_status read_meta(ith_source *source, const ith_mapfile *file, ith_error *err)
{
    ith_bytes blob = ith_pack_blob(source->pack, gguf_blob);
    ith_mapfile head = {.data = (const uint8_t *)blob.data, .size = blob.len, .path = file->path};
    ith_cursor cursor;

    if (blob.data == NULL)
        return ITH_OK;
    source->meta_bytes = blob.len;
    ITH_TRY(ith_gguf_meta_read(&head, &cursor, &source->meta, err));
    ITH_TRY(ith_gguf_vocab_read(&source->meta, &source->vocab, err));
    return ith_source_note_pre(source, err);
}

ith_status ith_source_read_pack(ith_source *source, const ith_mapfile *file, ith_error *err)
{
    source->kind = ITH_SOURCE_PACK;
    ith_mapfile_want_huge_pages(file);
    ITH_TRY(ith_pack_open(file, &source->pack, err));
    ITH_TRY(ith_hparams_from_json(json_object_get(ith_pack_index(source->pack), "hyperparameters"),
                                  file->path, &source->hparams, err));
    for (size_t i = 0; i < ith_pack_n_tensors(source->pack); i++) {
        ITH_TRY(check_row(ith_pack_tensor(source->pack, i), &source->hparams, file->path, err));
        ITH_TRY(add_tensor(source, ith_pack_tensor(source->pack, i), file, err));
    }
    ITH_TRY(ith_tensor_table_index(&source->tensors, err));
    return read_meta(source, file, err);
}

/* ---- What a pack must hold of it ---- */

static const char *const folder_blobs[] = {
    "tokenizer.json",        "tokenizer.model",         "vocab.json",        "merges.txt",
    "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"};

/* Of the forms of a vocabulary that a folder may have beside each other, only one is read. */
static bool is_read(const ith_source *source, const char *name)
{
    const char *file = source->tokenizer_file != NULL ? strrchr(source->tokenizer_file, '/') : NULL;

    /* Beside a tokenizer.json it counts for nothing. */
    if (strcmp(name, "added_tokens.json") == 0)
        return file != NULL && strcmp(file + 1, "tokenizer.json") != 0;
    if (strcmp(name, "merges.txt") == 0)
        name = "vocab.json";
    return (strcmp(name, "tokenizer.model") != 0 && strcmp(name, "vocab.json") != 0) ||
           (file != NULL && strcmp(file + 1, name) == 0);
}

static const char more_templates[] = "additional_chat_templates/",
                  old_template[] = "chat_template.json";

static bool names_template(const char *name)
{
    size_t len = strlen(name);

    return len > 6 && name[0] != '.' && strcmp(name + len - 6, ".jinja") == 0;
}

static ith_status hand_out_file(const char *folder, const char *name, ith_blob_fn fn, void *user,
                                ith_error *err)
{
    ith_mapfile file;
    char *path = NULL;
    ith_status status = ITH_OK;

    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for the name of %s", folder, name);
    if (access(path, F_OK) == 0) {
        status = ith_mapfile_open(path, &file, err);
        if (status == ITH_OK)
            status = fn(user, name, file.data, file.size, err);
        ith_mapfile_close(&file);
    }
    free(path);
    return status;
}

static ith_status hand_out(const ith_source *source, const char *name, ith_blob_fn fn, void *user,
                           ith_error *err)
{
    ith_bytes blob = ith_source_blob(source, name);

    if (blob.data != NULL)
        return fn(user, name, blob.data, blob.len, err);
    return source->kind == ITH_SOURCE_HF && is_read(source, name)
               ? hand_out_file(source->path, name, fn, user, err)
               : ITH_OK;
}

/* The templates of a pack whose names are not known before. */
static ith_status hand_out_packed(const ith_source *source, ith_blob_fn fn, void *user,
                                  ith_error *err)
{
    size_t n = strlen(more_templates);

    for (size_t i = 0; i < source->pack->n_blobs; i++) {
        const char *name = source->pack->blobs[i].name;
        if (strncmp(name, more_templates, n) == 0 && names_template(name + n))
            ITH_TRY(hand_out(source, name, fn, user, err));
    }
    return ITH_OK;
}

static int is_template(const struct dirent *entry)
{
    return names_template(entry->d_name);
}

/* The same of a folder, in the order of their names. */
static ith_status hand_out_listed(const ith_source *source, ith_blob_fn fn, void *user,
                                  ith_error *err)
{
    struct dirent **entries = NULL;
    ith_status status = ITH_OK;
    char *path = NULL, *name;
    int n;

    if (asprintf(&path, "%s/%s", source->path, more_templates) < 0)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for its chat templates", source->path);
    n = scandir(path, &entries, is_template, alphasort);
    free(path);
    for (int i = 0; i < n; i++) {
        if (status == ITH_OK && asprintf(&name, "%s%s", more_templates, entries[i]->d_name) < 0)
            status =
                ith_fail(err, ITH_E_MEMORY, "%s: no memory for its chat templates", source->path);
        else if (status == ITH_OK) {
            status = hand_out_file(source->path, name, fn, user, err);
            free(name);
        }
        free(entries[i]);
    }
    free(entries);
    return status;
}

ith_status ith_source_each_blob(const ith_source *source, ith_blob_fn fn, void *user,
                                ith_error *err)
{
    if (source->kind == ITH_SOURCE_GGUF)
        return fn(user, gguf_blob, source->files[0]->data, source->meta_bytes, err);
    if (source->kind == ITH_SOURCE_PACK && source->meta_bytes > 0)
        ITH_TRY(fn(user, gguf_blob, ith_pack_blob(source->pack, gguf_blob).data, source->meta_bytes,
                   err));
    for (size_t i = 0; i < sizeof folder_blobs / sizeof *folder_blobs; i++)
        ITH_TRY(hand_out(source, folder_blobs[i], fn, user, err));
    if (source->kind == ITH_SOURCE_PACK)
        ITH_TRY(hand_out_packed(source, fn, user, err));
    else if (source->kind == ITH_SOURCE_HF)
        ITH_TRY(hand_out_listed(source, fn, user, err));
    return hand_out(source, old_template, fn, user, err);
}
