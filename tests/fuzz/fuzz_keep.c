/* fuzz_keep.c - a prompt cache and a checkpoint, as a run writes them, damaged before the next run.
 * The input's parts:
 *
 *   letters      c: with a cache, k: with a checkpoint; r: the model has recurrent states; a digit:
 *                tokens of the answer
 *   two prompts  a token each byte, of the first run and of the second
 *   damage       a line each, "FILE WHAT AT VALUE": the files of the folder are numbered in the
 *                order of their names
 *
 * The second run answers as one without cache and checkpoint does, unless what is damaged has no
 * checksum any more (FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION): then it may find keys and values
 * that are no numbers, and fail. */
#include "base/checksum.h"
#include "tests/fuzz/model_targets.h"

#include "ithaca_tools.h"

#include <fcntl.h>

enum { VOCAB = 64, TOKENS_MAX = 2200, ANSWER = 8, FILES = 64 };

static const char model[] =
    "{\"kv\":{\"general.architecture\":\"llama\",\"llama.block_count\":1,"
    "\"llama.context_length\":4096,\"llama.embedding_length\":32,\"llama.feed_forward_length\":32,"
    "\"llama.attention.head_count\":2,\"llama.attention.head_count_kv\":2,"
    "\"llama.attention.layer_norm_rms_epsilon\":0.001},\"tensors\":{"
    "\"token_embd.weight\":[\"F32\",32,64],\"output_norm.weight\":[\"F32\",32],"
    "\"blk.0.attn_norm.weight\":[\"F32\",32],\"blk.0.ffn_norm.weight\":[\"F32\",32],"
    "\"blk.0.attn_q.weight\":[\"F32\",32,32],\"blk.0.attn_k.weight\":[\"F32\",32,32],"
    "\"blk.0.attn_v.weight\":[\"F32\",32,32],\"blk.0.attn_output.weight\":[\"F32\",32,32],"
    "\"blk.0.ffn_gate.weight\":[\"F32\",32,32],\"blk.0.ffn_up.weight\":[\"F32\",32,32],"
    "\"blk.0.ffn_down.weight\":[\"F32\",32,32]}}";

static const char hybrid[] =
    "{\"model_type\":\"qwen3_5_text\",\"architectures\":[\"Qwen3_5ForCausalLM\"],"
    "\"hidden_size\":32,\"intermediate_size\":32,\"num_hidden_layers\":2,"
    "\"num_attention_heads\":2,\"num_key_value_heads\":2,\"head_dim\":16,\"vocab_size\":64,"
    "\"max_position_embeddings\":4096,\"rms_norm_eps\":0.001,\"tie_word_embeddings\":false,"
    "\"layer_types\":[\"linear_attention\",\"full_attention\"],\"linear_conv_kernel_dim\":4,"
    "\"linear_num_key_heads\":1,\"linear_num_value_heads\":2,\"linear_key_head_dim\":16,"
    "\"linear_value_head_dim\":16}";

/* Without what makes all rows of the text's matrices alike. */
static void vary(buffer *file)
{
    uint32_t x = 1;

    for (size_t at = file->n - file->n % 4 - 4 * 32 * (64 + 7 * 32); at + 4 <= file->n; at += 4) {
        float value;
        x = x * 1664525u + 1013904223u;
        value = (float)(x >> 8) / (1 << 25) - 0.25f;
        memcpy(file->data + at, &value, 4);
    }
}

static ith_engine *open_engine(const char *path)
{
    ith_engine_params params = fuzz_engine_params(path);
    ith_engine *engine;
    ith_error err = {0};

    params.ctx = TOKENS_MAX + ANSWER;
    params.chunk = 512;
    params.kv = ITH_KV_BF16;
    fuzz_must(ith_engine_open(fuzz_world(), &params, &engine, &err) == ITH_OK);
    return engine;
}

static ith_engine *plain_engine(void)
{
    static ith_engine *engine;
    buffer file;
    char path[128];

    if (engine != NULL)
        return engine;
    fuzz_must(gguf_from_json((ith_bytes){model, sizeof model - 1}, &file));
    vary(&file);
    snprintf(path, sizeof path, "%s/model.gguf", fuzz_folder());
    folder_write_buffer(fuzz_folder(), "model.gguf", file);
    engine = open_engine(path);
    return engine;
}

static ith_engine *hybrid_engine(void)
{
    static ith_engine *engine;
    char path[128];

    if (engine != NULL)
        return engine;
    folder_write(fuzz_folder(), "config.json", hybrid, sizeof hybrid - 1);
    snprintf(path, sizeof path, "synthetic:%s/config.json:f32", fuzz_folder());
    engine = open_engine(path);
    return engine;
}

static ith_engine *engine_of(const char *letters)
{
    return strchr(letters, 'r') != NULL ? hybrid_engine() : plain_engine();
}

/* ---- Runs ---- */

typedef struct prompt {
    int32_t ids[TOKENS_MAX];
    size_t n;
} prompt;

typedef struct outcome {
    int32_t ids[ANSWER];
    size_t n;
    char digest[65];
} outcome;

static void warn(void *user, const char *text)
{
    (void)user;
    fuzz_line(text);
}

static bool answer(ith_session *session, const prompt *p, const ith_generate_params *how,
                   outcome *out)
{
    ith_error err = {0};
    ith_generation got;

    if (!fuzz_verdict(ith_session_prefill(session, p->ids, p->n, &err), &err))
        return false;
    ith_session_logits_sha256(session, out->digest);
    if (!fuzz_verdict(ith_generate(session, how, &got, &err), &err))
        return false;
    fuzz_must(got.n_ids <= ANSWER);
    out->n = got.n_ids;
    for (size_t i = 0; i < got.n_ids; i++) {
        out->ids[i] = got.ids[i];
        fuzz_must(got.ids[i] >= 0 && got.ids[i] < VOCAB);
    }
    ith_generation_free(&got);
    return true;
}

/* keeps false: nothing is kept. done: the checkpoint is removed at the end, else saved. changed:
 * what is kept may be damaged, and the run fail. False: it does, or its checkpoint is of another
 * run. */
static bool run(const prompt *p, const char *letters, bool keeps, int max_tokens, bool done,
                bool changed, outcome *out)
{
    char cache[128], checkpoint[128];
    ith_generate_params how = ith_generate_params_default(engine_of(letters));
    ith_keep_params keep = {
        .cache_bytes = 1 << 20, .ids = p->ids, .n_ids = p->n, .generate = &how, .warn = warn};
    ith_session *session;
    ith_error err = {0};
    bool opened = true, answered = false;

    how.max_tokens = max_tokens;
    how.sampling.temperature = 1;
    snprintf(cache, sizeof cache, "%s/kept/cache", fuzz_folder());
    snprintf(checkpoint, sizeof checkpoint, "%s/kept/checkpoint", fuzz_folder());
    fuzz_must(ith_session_open(engine_of(letters), &session, &err) == ITH_OK);
    if (keeps && strchr(letters, 'c') != NULL)
        keep.cache = cache;
    if (keeps && strchr(letters, 'k') != NULL)
        keep.checkpoint = checkpoint;
    if (keep.cache != NULL || keep.checkpoint != NULL)
        opened = fuzz_verdict(ith_session_keep(session, &keep, &err), &err);
    if (opened) {
        answered = answer(session, p, &how, out);
        fuzz_must(answered || changed);
        if (keep.checkpoint != NULL)
            fuzz_verdict(done ? ith_session_remove_checkpoint(session, &err)
                              : ith_session_save(session, &err),
                         &err);
    }
    ith_session_close(session);
    return answered;
}

/* ---- Damage ---- */

static char files[FILES][512];
static size_t n_files;

static int list_file(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info, (void)at;
    if (kind == FTW_F && n_files < FILES && strlen(path) < sizeof files[0] - 8)
        strcpy(files[n_files++], path);
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* An answer's records have a checksum each: it is put right. */
static void seal_answer(const char *path)
{
    uint8_t record[24];
    int fd = open(path, O_RDWR);

    for (off_t at = 0; fd >= 0 && pread(fd, record, 24, at) == 24; at += 24) {
        uint64_t sum = ith_checksum(record, 16);
        fuzz_must(pwrite(fd, &sum, 8, at + 16) == 8);
    }
    if (fd >= 0)
        close(fd);
}

static void damage(const char *path, char what, long at, int value)
{
    uint8_t byte = 0;
    int fd;

    if (what == 'd' || what == 'l' || what == 'm' || what == 'p')
        unlink(path);
    if (what == 'l')
        fuzz_must(symlink(files[(size_t)value % n_files], path) == 0);
    if (what == 'm')
        fuzz_must(mkdir(path, 0700) == 0);
    if (what == 'p')
        fuzz_must(mkfifo(path, 0600) == 0);
    if (what != 't' && what != 'x')
        return;
    fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
    if (fd >= 0 && what == 't')
        fuzz_must(ftruncate(fd, at & 0xffff) == 0);
    else if (fd >= 0 && pread(fd, &byte, 1, at & 0xffff) == 1) {
        byte ^= (uint8_t)value;
        fuzz_must(pwrite(fd, &byte, 1, at & 0xffff) == 1);
    }
    if (fd >= 0)
        close(fd);
    if (strstr(path, "/answer") != NULL)
        seal_answer(path);
}

/* True: something was damaged that no checksum tells any more. */
static bool damage_all(char *lines)
{
    char *line, what, path[128];
    unsigned file;
    long at;
    int value;
    bool harmless = true;

    n_files = 0;
    snprintf(path, sizeof path, "%s/kept", fuzz_folder());
    nftw(path, list_file, 16, FTW_PHYS);
    qsort(files, n_files, sizeof files[0], by_name);
    while (n_files > 0 && (line = strsep(&lines, "\n")) != NULL) {
        at = value = 0;
        if (sscanf(line, "%u %c %ld %d", &file, &what, &at, &value) < 2)
            continue;
        damage(files[file % n_files], what, at, value < 0 ? 0 : value);
        harmless = harmless && strstr(files[file % n_files], "/answer") == NULL;
    }
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    harmless = harmless && n_files == 0;
#endif
    return !harmless;
}

/* ---- The whole ---- */

static void use_tools(void)
{
    char cache[128], *json;
    ith_error err = {0};

    snprintf(cache, sizeof cache, "%s/kept/cache", fuzz_folder());
    fuzz_json(ith_cache_list(cache, &json, &err), &json, &err);
    fuzz_json(ith_cache_verify(cache, NULL, NULL, &json, &err), &json, &err);
    fuzz_json(ith_cache_remove(cache, "a", &json, &err), &json, &err);
}

static prompt read_prompt(const uint8_t **data, size_t *size)
{
    ith_bytes part = fuzz_part(data, size);
    prompt p = {.n = part.len < TOKENS_MAX ? part.len : TOKENS_MAX};

    for (size_t i = 0; i < p.n; i++)
        p.ids[i] = (uint8_t)part.data[i] % VOCAB;
    p.n += p.n == 0;
    fuzz_part_free(part);
    return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ith_bytes letters = fuzz_part(&data, &size), lines;
    prompt first = read_prompt(&data, &size), second = read_prompt(&data, &size);
    outcome expected = {0}, found = {0};
    size_t digit = strcspn(letters.data, "12345678");
    int max_tokens = letters.data[digit] != '\0' ? letters.data[digit] - '0' : 2;
    char path[128];
    bool changed;

    lines = fuzz_part(&data, &size);
    engine_of(letters.data);
    snprintf(path, sizeof path, "%s/kept", fuzz_folder());
    fuzz_remove(path);
    mkdir(path, 0700);
    strcat(path, "/checkpoint");
    mkdir(path, 0700);
    fuzz_must(run(&first, letters.data, true, max_tokens, false, false, &found));
    changed = damage_all((char *)(uintptr_t)lines.data);
    use_tools();
    fuzz_must(run(&second, letters.data, false, max_tokens, true, false, &expected));
    memset(&found, 0, sizeof found);
    if (run(&second, letters.data, true, max_tokens, true, changed, &found) && !changed)
        fuzz_must(memcmp(&found, &expected, sizeof found) == 0);
    fuzz_part_free(letters);
    fuzz_part_free(lines);
    return 0;
}
