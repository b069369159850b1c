#include "formats/shapes.h"

#include "formats/hparams.h"

#include <stdio.h>
#include <string.h>

typedef struct shape {
    const char *name, *architecture;
    int64_t n_layers, hidden, ffn, n_heads, n_kv_heads, head_dim, n_vocab, ctx;
    double theta, rms_eps;
    bool tied;
} shape;

static const shape shapes[] = {
    {"qwen3-0.6b", "qwen3", 28, 1024, 3072, 16, 8, 128, 151936, 40960, 1e6, 1e-6, true},
    {"qwen3-1.7b", "qwen3", 28, 2048, 6144, 16, 8, 128, 151936, 40960, 1e6, 1e-6, true},
    {"qwen3-4b", "qwen3", 36, 2560, 9728, 32, 8, 128, 151936, 40960, 1e6, 1e-6, true},
    {"qwen3-8b", "qwen3", 36, 4096, 12288, 32, 8, 128, 151936, 40960, 1e6, 1e-6, false},
    {"qwen3-14b", "qwen3", 40, 5120, 17408, 40, 8, 128, 151936, 40960, 1e6, 1e-6, false},
    {"qwen3-32b", "qwen3", 64, 5120, 25600, 64, 8, 128, 151936, 40960, 1e6, 1e-6, false},
    {"smollm2-135m", "llama", 30, 576, 1536, 9, 3, 64, 49152, 8192, 1e5, 1e-5, true},
};

enum { N_SHAPES = sizeof shapes / sizeof *shapes };

bool ith_shape_find(const char *name, ith_hparams *hp)
{
    for (int i = 0; i < N_SHAPES; i++) {
        const shape *s = &shapes[i];
        if (strcmp(s->name, name) != 0)
            continue;
        *hp = ith_hparams_default();
        snprintf(hp->architecture, sizeof hp->architecture, "%s", s->architecture);
        hp->n_layers = s->n_layers;
        hp->hidden = s->hidden;
        hp->ffn = s->ffn;
        hp->n_heads = s->n_heads;
        hp->n_kv_heads = s->n_kv_heads;
        hp->head_dim = s->head_dim;
        hp->n_vocab = s->n_vocab;
        hp->ctx_train = s->ctx;
        hp->rope.theta = s->theta;
        hp->rms_eps = s->rms_eps;
        hp->tied_embeddings = s->tied;
        return true;
    }
    return false;
}

void ith_shape_names(char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (int i = 0; i < N_SHAPES && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i == 0 ? "" : ", ", shapes[i].name);
}
