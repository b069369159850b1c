/* pack_fixture.h - a small pack with every layout, raw and compressed, as a file and in memory, and
 * functions that check it. */
#ifndef ITH_TESTS_PACK_FIXTURE_H
#define ITH_TESTS_PACK_FIXTURE_H

#include "formats/pack_write.h"
#include "formats/packfile_impl.h"
#include "prng.h"
#include "tests/model_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { LEVEL = 3, N_MATRICES = 11, MAX_TILES = 5, NORM = 24 };

typedef struct matrix {
    const char *name;
    ith_layout layout;
    int64_t rows, cols;
    ith_codec codec;
} matrix;

static const matrix matrices[N_MATRICES] = {
    {"w8", ITH_W8, 33, 64, ITH_CODEC_RAW},
    {"w4", ITH_W4, 16, 32, ITH_CODEC_RAW},
    {"w4m", ITH_W4M, 70, 40, ITH_CODEC_RAW},
    {"bf16", ITH_BF16, 17, 33, ITH_CODEC_RAW},
    {"w8.zstd", ITH_W8, 48, 96, ITH_CODEC_ZSTD},
    {"w4m.zstd", ITH_W4M, 20, 64, ITH_CODEC_ZSTD},
    {"bf16.zstd", ITH_BF16, 65, 32, ITH_CODEC_ZSTD},
    {"f32t.zstd", ITH_F32T, 16, 96, ITH_CODEC_ZSTD},
    {"q4_k", ITH_Q4_K, 17, 512, ITH_CODEC_RAW},
    {"q6_k.zstd", ITH_Q6_K, 33, 256, ITH_CODEC_ZSTD},
    {"mxfp4.zstd", ITH_MXFP4, 20, 96, ITH_CODEC_ZSTD},
};

static const char blob[] = "{\"a\": \"tokenizer\"}";

/* Half of each tile is noise, half repeats, so that some compress and none is empty. */
static inline void fill(const matrix *m, int64_t tile, uint8_t *out)
{
    size_t bytes = ith_tile_bytes(m->layout, (size_t)(m->cols + 31) / 32);
    prng rng = {(uint64_t)(m->rows * 1000 + tile)};

    for (size_t i = 0; i < bytes; i++)
        out[i] = i % 4 < 2 ? (uint8_t)prng_next(&rng) : (uint8_t)(7 * m->layout);
}

static inline float norm_value(int i)
{
    return (float)i / 3 - 1;
}

/* ---- Writing one ---- */

static inline void write_matrix(ith_pack_writer *w, const matrix *m, ith_zframe *z)
{
    static _Alignas(64) uint8_t tiles[MAX_TILES][8192], rooms[MAX_TILES][8192], planes[8192];
    ith_encoded encoded[MAX_TILES];
    const ith_packed *t;

    assert_int_equal(
        ith_pack_writer_begin(w, m->name, m->layout, m->rows, m->cols, m->codec, &t, NULL), ITH_OK);
    assert_in_range(t->n_tiles, 1, MAX_TILES);
    assert_in_range(t->tile_bytes, 1, sizeof planes);
    for (int64_t i = 0; i < t->n_tiles; i++) {
        fill(m, i, tiles[i]);
        encoded[i] = ith_pack_encode(m->layout, t->groups, z,
                                     m->codec == ITH_CODEC_ZSTD && i != 1 ? LEVEL : 0, tiles[i],
                                     planes, rooms[i]);
    }
    assert_int_equal(ith_pack_writer_tiles(w, encoded, 1, NULL), ITH_OK);
    assert_int_equal(ith_pack_writer_tiles(w, encoded + 1, t->n_tiles - 1, NULL), ITH_OK);
}

static inline void write_pack(const char *path)
{
    json_t *index =
        json_pack("{s:s, s:o}", "packed", "by a test", "hyperparameters", json_object());
    ith_pack_writer *w;
    ith_zframe *z;
    const ith_packed *t;
    float norm[NORM];

    for (int i = 0; i < NORM; i++)
        norm[i] = norm_value(i);
    ith_encoded encoded = ith_pack_encode_bytes(norm, sizeof norm);
    assert_int_equal(ith_zframe_open(&z, NULL), ITH_OK);
    assert_int_equal(ith_pack_writer_open(path, true, &w, NULL), ITH_OK);
    for (int i = 0; i < N_MATRICES; i++)
        write_matrix(w, &matrices[i], z);
    assert_int_equal(ith_pack_writer_begin(w, "norm", ITH_F32T, NORM, 0, ITH_CODEC_RAW, &t, NULL),
                     ITH_OK);
    assert_int_equal(ith_pack_writer_tiles(w, &encoded, 1, NULL), ITH_OK);
    assert_int_equal(ith_pack_writer_blob(w, "tokenizer.json", blob, sizeof blob - 1, NULL),
                     ITH_OK);
    assert_int_equal(ith_pack_writer_blob(w, "empty", NULL, 0, NULL), ITH_OK);
    assert_int_equal(ith_pack_writer_finish(w, index, NULL), ITH_OK);
    ith_pack_writer_close(w);
    ith_zframe_close(z);
    json_decref(index);
}

/* ---- The file in memory ---- */

typedef struct fixture {
    char folder[64], path[128];
    buffer file; /* 64-byte aligned */
} fixture;

static inline buffer read_file(const char *path)
{
    struct stat info;
    FILE *f = fopen(path, "rb");
    buffer b;

    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &info), 0);
    b.n = (size_t)info.st_size;
    b.data = aligned_alloc(64, (b.n + 63) / 64 * 64);
    assert_non_null(b.data);
    assert_int_equal(fread(b.data, 1, b.n, f), b.n);
    fclose(f);
    return b;
}

static inline int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    if (f == NULL)
        return -1;
    folder_make(f->folder);
    snprintf(f->path, sizeof f->path, "%s/test.ith", f->folder);
    write_pack(f->path);
    f->file = read_file(f->path);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    fixture *f = *state;
    folder_remove(f->folder);
    free(f->file.data);
    free(f);
    return 0;
}

/* Everything that can be checked of a file in memory. */
static inline ith_status check_all(const uint8_t *data, size_t size, ith_error *err)
{
    ith_mapfile file = {.data = data, .size = size, .path = (char *)(uintptr_t) "memory.ith"};
    ith_packfile *pack = NULL;
    ith_status status = ITH_OK;

    ITH_CHECK(ith_pack_probe(&file) ? ITH_OK
                                    : ith_fail(err, ITH_E_FORMAT, "it does not begin as a pack"));
    ITH_CHECK(ith_pack_open(&file, &pack, err));
    for (size_t i = 0; i < ith_pack_n_tensors(pack); i++)
        for (int64_t tile = 0; tile < ith_pack_tensor(pack, i)->n_tiles; tile++)
            ITH_CHECK(ith_pack_check(ith_pack_tensor(pack, i), tile, err));
    ITH_CHECK(ith_pack_check_gaps(pack, err));
done:
    ith_pack_close(pack);
    return status;
}

#endif
