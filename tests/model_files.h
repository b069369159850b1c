/* model_files.h - writes small model files for tests: GGUF and safetensors in memory, folders on
 * disk.
 *
 * Everything is static, because a test program is one object file. Without memory it ends.
 */
#ifndef ITH_TESTS_MODEL_FILES_H
#define ITH_TESTS_MODEL_FILES_H

#include "formats/source_impl.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Bytes that grow ---- */

typedef struct buffer {
    uint8_t *data;
    size_t n;
} buffer;

static inline void put(buffer *b, const void *data, size_t n)
{
    b->data = realloc(b->data, b->n + n + 1);
    if (b->data == NULL)
        abort();
    if (n > 0) /* of nothing there may be no address */
        memcpy(b->data + b->n, data, n);
    b->n += n;
}

static inline void put_u32(buffer *b, uint32_t x)
{
    put(b, &x, sizeof x);
}
static inline void put_u64(buffer *b, uint64_t x)
{
    put(b, &x, sizeof x);
}

static inline void put_text(buffer *b, const char *text) /* as GGUF writes strings */
{
    put_u64(b, strlen(text));
    put(b, text, strlen(text));
}

static inline void put_zeros(buffer *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put(b, "", 1);
}

/* ---- GGUF ---- */

typedef struct gguf_writer {
    uint32_t version;
    size_t alignment;
    uint64_t n_pairs, n_tensors;
    buffer pairs, tensors, data;
} gguf_writer;

static inline void gguf_pair(gguf_writer *w, const char *key, uint32_t type, const void *value,
                             size_t n)
{
    put_text(&w->pairs, key);
    put_u32(&w->pairs, type);
    put(&w->pairs, value, n);
    w->n_pairs++;
}

static inline void gguf_u32(gguf_writer *w, const char *key, uint32_t x)
{
    gguf_pair(w, key, ITH_GGUF_U32, &x, sizeof x);
}
static inline void gguf_f32(gguf_writer *w, const char *key, float x)
{
    gguf_pair(w, key, ITH_GGUF_F32, &x, sizeof x);
}
static inline void gguf_bool(gguf_writer *w, const char *key, uint8_t x)
{
    gguf_pair(w, key, ITH_GGUF_BOOL, &x, 1);
}

static inline void gguf_text(gguf_writer *w, const char *key, const char *text)
{
    gguf_pair(w, key, ITH_GGUF_STRING, "", 0);
    put_text(&w->pairs, text);
}

static inline void gguf_array(gguf_writer *w, const char *key, uint32_t item_type, uint64_t count)
{
    gguf_pair(w, key, ITH_GGUF_ARRAY, "", 0);
    put_u32(&w->pairs, item_type);
    put_u64(&w->pairs, count);
}

static inline void gguf_texts(gguf_writer *w, const char *key, const char *const *texts, size_t n)
{
    gguf_array(w, key, ITH_GGUF_STRING, n);
    for (size_t i = 0; i < n; i++)
        put_text(&w->pairs, texts[i]);
}

/* ne[0] is the contiguous dimension. */
static inline void gguf_tensor_at(gguf_writer *w, const char *name, uint32_t type, uint32_t n_dims,
                                  const uint64_t *ne, uint64_t offset)
{
    put_text(&w->tensors, name);
    put_u32(&w->tensors, n_dims);
    for (uint32_t i = 0; i < n_dims; i++)
        put_u64(&w->tensors, ne[i]);
    put_u32(&w->tensors, type);
    put_u64(&w->tensors, offset);
    w->n_tensors++;
}

/* With `bytes` of data, counting up from `first`. */
static inline void gguf_tensor(gguf_writer *w, const char *name, uint32_t type, uint32_t n_dims,
                               const uint64_t *ne, size_t bytes, uint8_t first)
{
    put_zeros(&w->data, (w->alignment - w->data.n % w->alignment) % w->alignment);
    gguf_tensor_at(w, name, type, n_dims, ne, w->data.n);
    for (size_t i = 0; i < bytes; i++) {
        uint8_t x = (uint8_t)(first + i);
        put(&w->data, &x, 1);
    }
}

/* The file; the writer is freed. */
static inline buffer gguf_finish(gguf_writer *w)
{
    buffer out = {0};

    put(&out, "GGUF", 4);
    put_u32(&out, w->version);
    put_u64(&out, w->n_tensors);
    put_u64(&out, w->n_pairs);
    put(&out, w->pairs.data, w->pairs.n);
    if (w->tensors.n > 0)
        put(&out, w->tensors.data, w->tensors.n);
    put_zeros(&out, (w->alignment - out.n % w->alignment) % w->alignment);
    if (w->data.n > 0)
        put(&out, w->data.data, w->data.n);
    free(w->pairs.data);
    free(w->tensors.data);
    free(w->data.data);
    return out;
}

static const char *const small_tokens[] = {"<unk>", "<|endoftext|>", "<|im_end|>", "a", "b"};

/* Hyperparameters and vocabulary of a tiny Llama (1 layer, hidden 64, 4 heads, 2 KV heads), without
 * tensors. */
static inline gguf_writer gguf_small_pairs(void)
{
    gguf_writer w = {.version = 3, .alignment = 32};
    static const char *const merges[] = {"a b"};
    static const int32_t types[] = {2, 3, 3, 1, 1};

    gguf_text(&w, "general.architecture", "llama");
    gguf_text(&w, "general.name", "small");
    gguf_u32(&w, "llama.block_count", 1);
    gguf_u32(&w, "llama.context_length", 2048);
    gguf_u32(&w, "llama.embedding_length", 64);
    gguf_u32(&w, "llama.feed_forward_length", 96);
    gguf_u32(&w, "llama.attention.head_count", 4);
    gguf_u32(&w, "llama.attention.head_count_kv", 2);
    gguf_f32(&w, "llama.attention.layer_norm_rms_epsilon", 0.5f);
    gguf_f32(&w, "llama.rope.freq_base", 500000.0f);
    gguf_text(&w, "tokenizer.ggml.model", "gpt2");
    gguf_text(&w, "tokenizer.ggml.pre", "smollm");
    gguf_texts(&w, "tokenizer.ggml.tokens", small_tokens, 5);
    gguf_texts(&w, "tokenizer.ggml.merges", merges, 1);
    gguf_array(&w, "tokenizer.ggml.token_type", ITH_GGUF_I32, 5);
    put(&w.pairs, types, sizeof types);
    gguf_u32(&w, "tokenizer.ggml.bos_token_id", 1);
    gguf_u32(&w, "tokenizer.ggml.eos_token_id", 2);
    return w;
}

static inline void gguf_small_tensors(gguf_writer *w)
{
    gguf_tensor(w, "token_embd.weight", 8, 2, (uint64_t[]){64, 5}, 5 * 2 * 34, 1);
    gguf_tensor(w, "output_norm.weight", 0, 1, (uint64_t[]){64}, 256, 2);
    gguf_tensor(w, "blk.0.attn_q.weight", 3, 2, (uint64_t[]){64, 64}, 64 * 2 * 20, 3);
}

static inline buffer gguf_small(void)
{
    gguf_writer w = gguf_small_pairs();
    gguf_small_tensors(&w);
    return gguf_finish(&w);
}

/* ---- safetensors ---- */

static inline buffer safetensors_file(const char *header, size_t data_bytes)
{
    buffer out = {0};

    put_text(&out, header);
    for (size_t i = 0; i < data_bytes; i++) {
        uint8_t x = (uint8_t)(i + 1);
        put(&out, &x, 1);
    }
    return out;
}

#define SAFETENSORS_SMALL                                                                          \
    "{\"__metadata__\":{\"format\":\"pt\"},\"b\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_"      \
    "offsets\":[8,20]},"                                                                           \
    "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"c\":{\"dtype\":\"F16\","     \
    "\"shape\":[],\"data_"                                                                         \
    "offsets\":[20,22]}}"
enum { SAFETENSORS_SMALL_DATA = 22 };

/* ---- Parsing memory ----
 *
 * A copy of exactly the file's size, so that a sanitizer sees an access to the first byte past the
 * end. */

typedef struct memory_source {
    ith_source source;
    ith_mapfile file;
} memory_source;

static inline void memory_source_close(memory_source *m)
{
    ith_source_clear(&m->source);
    free((void *)(uintptr_t)m->file.data);
    free(m->file.path);
    memset(m, 0, sizeof *m);
}

static inline void memory_source_begin(memory_source *m, const void *data, size_t size,
                                       const char *name)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);

    *m = (memory_source){.file = {.data = copy, .size = size, .path = strdup(name)}};
    m->source.path = strdup(name);
    if (copy == NULL || m->file.path == NULL || m->source.path == NULL)
        abort();
    if (size > 0)
        memcpy(copy, data, size);
}

/* To be closed on failure too. */
static inline ith_status memory_gguf(memory_source *m, const void *data, size_t size,
                                     unsigned flags, ith_error *err)
{
    memory_source_begin(m, data, size, "memory.gguf");
    return ith_source_read_gguf(&m->source, &m->file, flags, err);
}

/* Touches the ends of everything that a parser returned, and describes it: wrong addresses crash.
 */
static inline uint64_t source_touch(const ith_source *source)
{
    uint64_t sum = 0;
    json_t *description = NULL;
    char *text;

    for (size_t i = 0; i < ith_source_n_tensors(source); i++) {
        const ith_tensor *t = ith_source_tensor(source, i);
        if (t->bytes > 0)
            sum += (uint64_t)t->data[0] + t->data[t->bytes - 1];
        if (ith_source_find(source, t->name) != t)
            abort();
    }
    for (size_t i = 0; i < source->vocab.n_tokens; i++)
        for (size_t j = 0; j < source->vocab.tokens[i].len; j++)
            sum += (uint8_t)source->vocab.tokens[i].data[j];
    for (size_t i = 0; i < source->vocab.n_merges; i++)
        for (size_t j = 0; j < source->vocab.merges[i].len; j++)
            sum += (uint8_t)source->vocab.merges[i].data[j];
    if (ith_source_describe(source, &description, NULL) != ITH_OK ||
        (text = ith_json_text(description, false)) == NULL)
        abort();
    json_decref(description);
    free(text);
    return sum;
}

/* ---- Folders ---- */

/* Makes build/tmp/<random> and gives its path. */
static inline void folder_make(char path[64])
{
    mkdir("build", 0777);
    mkdir("build/tmp", 0777);
    strcpy(path, "build/tmp/files-XXXXXX");
    if (mkdtemp(path) == NULL)
        abort();
}

static inline void folder_write(const char *folder, const char *name, const void *data, size_t n)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, n, file) != n || fclose(file) != 0)
        abort();
}

static inline void folder_write_text(const char *folder, const char *name, const char *text)
{
    folder_write(folder, name, text, strlen(text));
}

static inline void folder_write_buffer(const char *folder, const char *name, buffer b)
{
    folder_write(folder, name, b.data, b.n);
    free(b.data);
}

static inline void folder_remove(const char *folder) /* and the files in it */
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    char path[512];

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        unlink(path);
    }
    if (dir != NULL)
        closedir(dir);
    rmdir(folder);
}

#endif
