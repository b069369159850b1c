/* pack_body.h - a small pack, made when it is first asked for: the sections that an index given as
 * text can describe in its own way. It has a matrix of each kind of layout and codec, a vector, a
 * tokenizer and a GGUF file's metadata. */
#ifndef ITH_TESTS_FUZZ_PACK_BODY_H
#define ITH_TESTS_FUZZ_PACK_BODY_H

#include "formats/pack_write.h"
#include "tests/fuzz/format_targets.h"
#include "tests/prng.h"

enum { BODY_TILES = 4, BODY_TILE_BYTES = 4096 };

typedef struct body_matrix {
    const char *name;
    ith_layout layout;
    int64_t rows;
    ith_codec codec;
} body_matrix;

static inline void body_write_matrix(ith_pack_writer *w, const body_matrix *m, ith_zframe *z)
{
    static _Alignas(64) uint8_t tiles[BODY_TILES][BODY_TILE_BYTES],
        rooms[BODY_TILES][BODY_TILE_BYTES], planes[BODY_TILE_BYTES];
    ith_encoded encoded[BODY_TILES];
    const ith_packed *t;
    prng random = {(uint64_t)m->rows};

    fuzz_must(ith_pack_writer_begin(w, m->name, m->layout, m->rows, 32, m->codec, &t, NULL) ==
              ITH_OK);
    fuzz_must(t->n_tiles <= BODY_TILES && t->tile_bytes <= BODY_TILE_BYTES);
    for (int64_t i = 0; i < t->n_tiles; i++) {
        for (size_t b = 0; b < t->tile_bytes; b++)
            tiles[i][b] = b % 8 == 0 ? (uint8_t)prng_next(&random) : 17;
        encoded[i] =
            ith_pack_encode(m->layout, t->groups, z, m->codec == ITH_CODEC_ZSTD && i != 1 ? 3 : 0,
                            tiles[i], planes, rooms[i]);
    }
    fuzz_must(ith_pack_writer_tiles(w, encoded, t->n_tiles, NULL) == ITH_OK);
}

static inline void body_write_all(ith_pack_writer *w)
{
    static const body_matrix matrices[] = {
        {"w8", ITH_W8, 17, ITH_CODEC_RAW},      {"w4", ITH_W4, 16, ITH_CODEC_ZSTD},
        {"w4m", ITH_W4M, 33, ITH_CODEC_ZSTD},   {"bf16", ITH_BF16, 17, ITH_CODEC_ZSTD},
        {"f32t", ITH_F32T, 16, ITH_CODEC_ZSTD},
    };
    static const float norm[32];
    ith_encoded vector = ith_pack_encode_bytes(norm, sizeof norm);
    gguf_writer meta = gguf_small_pairs();
    buffer gguf = gguf_finish(&meta);
    const ith_packed *t;
    ith_zframe *z;

    fuzz_must(ith_zframe_open(&z, NULL) == ITH_OK);
    for (size_t i = 0; i < sizeof matrices / sizeof *matrices; i++)
        body_write_matrix(w, &matrices[i], z);
    ith_zframe_close(z);
    fuzz_must(ith_pack_writer_begin(w, "norm", ITH_F32T, 32, 0, ITH_CODEC_RAW, &t, NULL) == ITH_OK);
    fuzz_must(ith_pack_writer_tiles(w, &vector, 1, NULL) == ITH_OK);
    fuzz_must(ith_pack_writer_blob(w, "tokenizer.json", "{}", 2, NULL) == ITH_OK);
    fuzz_must(ith_pack_writer_blob(w, "gguf", gguf.data, gguf.n, NULL) == ITH_OK);
    free(gguf.data);
}

static inline const buffer *pack_body(void)
{
    static buffer body;
    ith_hparams hp = ith_hparams_default();
    json_t *index;
    ith_pack_writer *w;
    char path[128];

    if (body.n > 0)
        return &body;
    strcpy(hp.architecture, "llama");
    hp.n_layers = hp.n_heads = hp.n_kv_heads = 1;
    hp.hidden = hp.ffn = hp.head_dim = hp.n_vocab = hp.ctx_train = 32;
    hp.rope.factor = 1;
    index = json_pack("{s:o}", "hyperparameters", ith_hparams_to_json(&hp));
    snprintf(path, sizeof path, "%s/body.ith", fuzz_folder());
    fuzz_must(ith_pack_writer_open(path, true, &w, NULL) == ITH_OK);
    body_write_all(w);
    fuzz_must(ith_pack_writer_finish(w, index, NULL) == ITH_OK);
    ith_pack_writer_close(w);
    json_decref(index);
    body = fuzz_read_file(path);
    return &body;
}

#endif
