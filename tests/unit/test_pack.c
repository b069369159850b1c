/* Packs: what was written is read, every flipped bit and every cut is found, and no index can lead outside the file. */
#include "base/checksum.h"
#include "formats/hparams_json.h"
#include "formats/pack_write.h"
#include "formats/packfile_parts.h"
#include "prng.h"
#include "tests/model_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { LEVEL = 3, N_MATRICES = 8, MAX_TILES = 5, NORM = 24 };

typedef struct matrix {
    const char *name;
    ith_layout layout;
    int64_t rows, cols;
    ith_codec codec;
} matrix;

static const matrix matrices[N_MATRICES] = {
    {"w8", ITH_W8, 33, 64, ITH_CODEC_RAW},           {"w4", ITH_W4, 16, 32, ITH_CODEC_RAW},
    {"w4m", ITH_W4M, 70, 40, ITH_CODEC_RAW},         {"bf16", ITH_BF16, 17, 33, ITH_CODEC_RAW},
    {"w8.zstd", ITH_W8, 48, 96, ITH_CODEC_ZSTD},     {"w4m.zstd", ITH_W4M, 20, 64, ITH_CODEC_ZSTD},
    {"bf16.zstd", ITH_BF16, 65, 32, ITH_CODEC_ZSTD}, {"f32t.zstd", ITH_F32T, 16, 96, ITH_CODEC_ZSTD},
};

static const char blob[] = "{\"a\": \"tokenizer\"}";

/* Half of each tile is noise, half repeats, so that some compress and none is empty. */
static void fill(const matrix *m, int64_t tile, uint8_t *out)
{
    size_t bytes = ith_tile_bytes(m->layout, (size_t)(m->cols + 31) / 32);
    prng rng = {(uint64_t)(m->rows * 1000 + tile)};

    for (size_t i = 0; i < bytes; i++)
        out[i] = i % 4 < 2 ? (uint8_t)prng_next(&rng) : (uint8_t)(7 * m->layout);
}

static float norm_value(int i)
{
    return (float)i / 3 - 1;
}

/* ---- Writing one ---- */

static void write_matrix(ith_pack_writer *w, const matrix *m, ith_zframe *z)
{
    static _Alignas(64) uint8_t tiles[MAX_TILES][8192], rooms[MAX_TILES][8192], planes[8192];
    ith_encoded encoded[MAX_TILES];
    const ith_packed *t;

    assert_int_equal(ith_pack_writer_begin(w, m->name, m->layout, m->rows, m->cols, m->codec, &t, NULL), ITH_OK);
    assert_in_range(t->n_tiles, 1, MAX_TILES);
    assert_in_range(t->tile_bytes, 1, sizeof planes);
    for (int64_t i = 0; i < t->n_tiles; i++) {
        fill(m, i, tiles[i]);
        encoded[i] = ith_pack_encode(m->layout, t->groups, z, m->codec == ITH_CODEC_ZSTD && i != 1 ? LEVEL : 0,
                                     tiles[i], planes, rooms[i]);
    }
    assert_int_equal(ith_pack_writer_tiles(w, encoded, 1, NULL), ITH_OK);
    assert_int_equal(ith_pack_writer_tiles(w, encoded + 1, t->n_tiles - 1, NULL), ITH_OK);
}

static void write_pack(const char *path)
{
    json_t *index = json_pack("{s:s, s:o}", "packed", "by a test", "hyperparameters", json_object());
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
    assert_int_equal(ith_pack_writer_begin(w, "norm", ITH_F32T, NORM, 0, ITH_CODEC_RAW, &t, NULL), ITH_OK);
    assert_int_equal(ith_pack_writer_tiles(w, &encoded, 1, NULL), ITH_OK);
    assert_int_equal(ith_pack_writer_blob(w, "tokenizer.json", blob, sizeof blob - 1, NULL), ITH_OK);
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

static buffer read_file(const char *path)
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

static int setup(void **state)
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

static int teardown(void **state)
{
    fixture *f = *state;
    folder_remove(f->folder);
    free(f->file.data);
    free(f);
    return 0;
}

/* Everything that can be checked of a file in memory. */
static ith_status check_all(const uint8_t *data, size_t size, ith_error *err)
{
    ith_mapfile file = {.data = data, .size = size, .path = (char *)(uintptr_t) "memory.ith"};
    ith_packfile *pack = NULL;
    ith_status status = ITH_OK;

    ITH_CHECK(ith_pack_probe(&file) ? ITH_OK : ith_fail(err, ITH_E_FORMAT, "it does not begin as a pack"));
    ITH_CHECK(ith_pack_open(&file, &pack, err));
    for (size_t i = 0; i < ith_pack_n_tensors(pack); i++)
        for (int64_t tile = 0; tile < ith_pack_tensor(pack, i)->n_tiles; tile++)
            ITH_CHECK(ith_pack_check(ith_pack_tensor(pack, i), tile, err));
    ITH_CHECK(ith_pack_check_gaps(pack, err));
done:
    ith_pack_close(pack);
    return status;
}

/* ---- Reading ---- */

static void check_matrix(const ith_packfile *pack, const matrix *m)
{
    const ith_packed *t = ith_pack_find(pack, m->name);
    static _Alignas(64) uint8_t got[MAX_TILES * 8192], want[8192];
    ith_pack_reader *reader;

    assert_non_null(t);
    assert_int_equal(t->layout, m->layout);
    assert_int_equal(t->rows, m->rows);
    assert_int_equal(t->cols, m->cols);
    assert_int_equal(t->n_tiles, (m->rows + 15) / 16);
    assert_string_equal(ith_packed_type(t), ith_layout_name(m->layout));
    assert_int_equal(ith_pack_in_place(t) != NULL, m->codec == ITH_CODEC_RAW);
    assert_int_equal(ith_pack_reader_open(pack, ITH_CACHED, &reader, NULL), ITH_OK);
    for (int64_t first = 0; first <= t->n_tiles; first++)
        for (int64_t n = 0; n <= t->n_tiles - first; n++) {
            memset(got, 0xa5, sizeof got);
            assert_int_equal(ith_pack_read(reader, t, first, n, got, NULL), ITH_OK);
            for (int64_t i = 0; i < n; i++) {
                fill(m, first + i, want);
                assert_memory_equal(got + (size_t)i * t->tile_bytes, want, t->tile_bytes);
                if (m->codec == ITH_CODEC_RAW)
                    assert_memory_equal(ith_pack_in_place(t) + (size_t)(first + i) * t->tile_bytes, want,
                                        t->tile_bytes);
            }
            assert_int_equal(got[(size_t)n * t->tile_bytes], 0xa5);
        }
    ith_pack_reader_close(reader);
}

static void what_was_written_is_read(void **state)
{
    const fixture *f = *state;
    ith_mapfile file;
    ith_packfile *pack;
    const ith_packed *norm;

    assert_int_equal(ith_mapfile_open(f->path, &file, NULL), ITH_OK);
    assert_int_equal(ith_pack_open(&file, &pack, NULL), ITH_OK);
    assert_int_equal(ith_pack_n_tensors(pack), N_MATRICES + 1);
    for (int i = 0; i < N_MATRICES; i++) {
        check_matrix(pack, &matrices[i]);
        assert_string_equal(ith_pack_tensor(pack, (size_t)i)->name, matrices[i].name);
    }
    norm = ith_pack_find(pack, "norm");
    assert_true(norm->vector);
    assert_int_equal(norm->rows, NORM);
    for (int i = 0; i < NORM; i++)
        assert_float_equal(((const float *)(const void *)ith_pack_in_place(norm))[i], norm_value(i), 0);
    assert_null(ith_pack_find(pack, "other"));
    assert_int_equal(ith_pack_blob(pack, "tokenizer.json").len, sizeof blob - 1);
    assert_memory_equal(ith_pack_blob(pack, "tokenizer.json").data, blob, sizeof blob - 1);
    assert_int_equal(ith_pack_blob(pack, "empty").len, 0);
    assert_non_null(ith_pack_blob(pack, "empty").data);
    assert_null(ith_pack_blob(pack, "none").data);
    ith_pack_close(pack);
    ith_mapfile_close(&file);
}

static void tensors_lie_where_they_can_be_used(void **state)
{
    const fixture *f = *state;
    ith_mapfile file;
    ith_packfile *pack;
    size_t compressed = 0;

    assert_int_equal(ith_mapfile_open(f->path, &file, NULL), ITH_OK);
    assert_int_equal(ith_pack_open(&file, &pack, NULL), ITH_OK);
    for (size_t i = 0; i < ith_pack_n_tensors(pack); i++) {
        const ith_packed *t = ith_pack_tensor(pack, i);
        assert_int_equal(t->offset % 4096, 0);
        for (int64_t tile = 0; tile < t->n_tiles; tile++) {
            ith_pack_tile entry = ith_pack_tile_get(t, tile);
            compressed += entry.bytes < t->tile_bytes;
            if (t->codec == ITH_CODEC_RAW)
                assert_int_equal(entry.offset, t->offset + (uint64_t)tile * t->tile_bytes);
        }
    }
    assert_in_range(compressed, 4, 100); /* or the test tests nothing */
    ith_pack_close(pack);
    ith_mapfile_close(&file);
}

/* ---- Sealed in between ---- */

/* Of what comes before: more than the writer holds back, then less. The index is more in any case. */
static const size_t large_blobs[] = {(5 << 20) + 4321, 4321};

/* A sealed pack is whole: it has what was written so far. */
static void look_at_sealed(const char *path)
{
    buffer b = read_file(path);
    ith_mapfile file;
    ith_packfile *pack;
    ith_error err = {0};

    if (check_all(b.data, b.n, &err) != ITH_OK)
        fail_msg("sealed: %s", err.text);
    assert_int_equal(ith_mapfile_open(path, &file, NULL), ITH_OK);
    assert_int_equal(ith_pack_open(&file, &pack, NULL), ITH_OK);
    assert_int_equal(ith_pack_n_tensors(pack), 1);
    check_matrix(pack, &matrices[4]);
    assert_non_null(ith_pack_blob(pack, "large").data);
    assert_null(ith_pack_blob(pack, "more").data);
    ith_pack_close(pack);
    ith_mapfile_close(&file);
    free(b.data);
}

static buffer written(const char *path, size_t large, bool sealed)
{
    static uint8_t data[(5 << 20) + 4321];
    static char filler[(3 << 20) + 1];
    json_t *index = json_pack("{s:s}", "filler", (char *)memset(filler, 'x', sizeof filler - 1));
    const char *temporary;
    ith_pack_writer *w;
    ith_zframe *z;
    prng rng = {5};

    for (size_t i = 0; i < large; i++)
        data[i] = (uint8_t)prng_next(&rng);
    assert_int_equal(ith_zframe_open(&z, NULL), ITH_OK);
    assert_int_equal(ith_pack_writer_open(path, true, &w, NULL), ITH_OK);
    write_matrix(w, &matrices[4], z);
    assert_int_equal(ith_pack_writer_blob(w, "large", data, large, NULL), ITH_OK);
    for (int i = 0; sealed && i < 2; i++) {
        assert_int_equal(ith_pack_writer_seal(w, index, &temporary, NULL), ITH_OK);
        look_at_sealed(temporary);
        assert_int_equal(ith_pack_writer_unseal(w, NULL), ITH_OK);
    }
    assert_int_equal(ith_pack_writer_blob(w, "more", blob, sizeof blob, NULL), ITH_OK);
    write_matrix(w, &matrices[0], z);
    assert_int_equal(ith_pack_writer_finish(w, index, NULL), ITH_OK);
    ith_pack_writer_close(w);
    ith_zframe_close(z);
    json_decref(index);
    return read_file(path);
}

static void sealing_in_between_leaves_no_trace(void **state)
{
    const fixture *f = *state;

    for (size_t i = 0; i < sizeof large_blobs / sizeof *large_blobs; i++) {
        buffer want = written(f->path, large_blobs[i], false), got = written(f->path, large_blobs[i], true);
        assert_int_equal(got.n, want.n);
        assert_memory_equal(got.data, want.data, want.n);
        assert_int_equal(check_all(got.data, got.n, NULL), ITH_OK);
        free(want.data);
        free(got.data);
    }
}

/* ---- Damage ---- */

static void every_flipped_bit_is_found(void **state)
{
    fixture *f = *state;
    prng rng = {17};

    assert_int_equal(check_all(f->file.data, f->file.n, NULL), ITH_OK);
    for (size_t i = 0; i < f->file.n; i++) {
        uint8_t bit = (uint8_t)(1u << prng_int(&rng, 0, 7));
        ith_error err = {0};
        f->file.data[i] ^= bit;
        if (check_all(f->file.data, f->file.n, &err) == ITH_OK)
            fail_msg("bit %d of byte %zu", bit, i);
        assert_true(err.text[0] != '\0');
        f->file.data[i] ^= bit;
    }
}

static void every_cut_is_found(void **state)
{
    const fixture *f = *state;

    for (size_t n = 0; n < f->file.n; n += n < 200 || n + 200 > f->file.n ? 1 : 97)
        if (check_all(f->file.data, n, NULL) == ITH_OK)
            fail_msg("cut to %zu of %zu bytes", n, f->file.n);
}

/* The reader sees damage on disk that came after the pack was opened, and names it. */
static void a_reader_finds_damage_and_names_it(void **state)
{
    const fixture *f = *state;
    static uint8_t out[MAX_TILES * 8192];
    ith_mapfile file;
    ith_packfile *pack;

    assert_int_equal(ith_mapfile_open(f->path, &file, NULL), ITH_OK);
    assert_int_equal(ith_pack_open(&file, &pack, NULL), ITH_OK);
    for (int i = 0; i < N_MATRICES; i++) {
        const ith_packed *t = ith_pack_find(pack, matrices[i].name);
        ith_pack_tile entry = ith_pack_tile_get(t, t->n_tiles - 1);
        FILE *on_disk = fopen(f->path, "r+b");
        ith_pack_reader *reader;
        ith_error err = {0};
        char named[64];
        assert_non_null(on_disk);
        fseek(on_disk, (long)(entry.offset + entry.bytes - 1), SEEK_SET);
        fputc(f->file.data[entry.offset + entry.bytes - 1] ^ 4, on_disk);
        fclose(on_disk);
        assert_int_equal(ith_pack_reader_open(pack, ITH_CACHED, &reader, &err), ITH_OK);
        assert_int_equal(ith_pack_read(reader, t, 0, t->n_tiles, out, &err), ITH_E_FORMAT);
        snprintf(named, sizeof named, "tensor %s, tile %d of", t->name, (int)t->n_tiles - 1);
        assert_non_null(strstr(err.text, named));
        ith_pack_reader_close(reader);
    }
    ith_pack_close(pack);
    ith_mapfile_close(&file);
}

static void a_reader_finds_another_file(void **state)
{
    const fixture *f = *state;
    ith_pack_reader *reader;
    ith_mapfile file;
    ith_packfile *pack;
    ith_error err = {0};

    assert_int_equal(ith_mapfile_open(f->path, &file, NULL), ITH_OK);
    assert_int_equal(ith_pack_open(&file, &pack, NULL), ITH_OK);
    assert_int_equal(unlink(f->path), 0);
    folder_write_text(f->folder, "test.ith", "another");
    assert_int_equal(ith_pack_reader_open(pack, ITH_CACHED, &reader, &err), ITH_E_IO);
    assert_non_null(strstr(err.text, "replaced"));
    ith_pack_close(pack);
    ith_mapfile_close(&file);
}

/* ---- Hostile files: all checksums right ---- */

static void seal_header(buffer *b)
{
    uint64_t sum = ith_checksum(b->data, offsetof(ith_pack_header, checksum));
    memcpy(b->data + offsetof(ith_pack_header, checksum), &sum, 8);
}

static ith_pack_header header_of(const buffer *b)
{
    ith_pack_header h;
    memcpy(&h, b->data, sizeof h);
    return h;
}

/* The file with another index text behind everything. */
static buffer with_index(const buffer *file, const char *text)
{
    ith_pack_header h = header_of(file);
    buffer out = {aligned_alloc(64, (file->n + strlen(text) + 63) / 64 * 64), file->n + strlen(text)};

    assert_non_null(out.data);
    memcpy(out.data, file->data, file->n);
    memset(out.data + h.index_offset, 0, h.index_bytes);
    memcpy(out.data + file->n, text, strlen(text));
    h.index_offset = file->n;
    h.index_bytes = strlen(text);
    h.index_checksum = ith_checksum(text, strlen(text));
    h.file_bytes = out.n;
    memcpy(out.data, &h, sizeof h);
    seal_header(&out);
    return out;
}

static json_t *index_of(const buffer *b)
{
    ith_pack_header h = header_of(b);
    json_t *root = json_loadb((const char *)b->data + h.index_offset, h.index_bytes, 0, NULL);
    assert_non_null(root);
    return root;
}

static void expect(const buffer *b, ith_status status, const char *text)
{
    ith_error err = {0};
    ith_status got = check_all(b->data, b->n, &err);

    if (got != status || strstr(err.text, text) == NULL)
        fail_msg("status %d, \"%s\" instead of %d, \"%s\"", got, err.text, status, text);
}

/* One member of one tensor (or blob) is another value. `value` is JSON; NULL: the member is missing. */
typedef struct hostile {
    const char *list;
    int item;
    const char *key, *value;
    ith_status status;
    const char *text;
} hostile;

static const hostile hostiles[] = {
    {"tensors", 0, "name", NULL, ITH_E_FORMAT, "\"name\" should be a string"},
    {"tensors", 0, "name", "\"\"", ITH_E_FORMAT, "name of 0 bytes"},
    {"tensors", 0, "name", "\"a b\"", ITH_E_FORMAT, "not printable"},
    {"tensors", 0, "name", "\"w4\"", ITH_E_FORMAT, "tensor w4 comes twice"},
    {"tensors", 0, "layout", "\"w3\"", ITH_E_UNSUPPORTED, "unknown layout \"w3\""},
    {"tensors", 0, "layout", "\"f32\"", ITH_E_UNSUPPORTED, "unknown layout"},
    {"tensors", 0, "layout", "\"w4\"", ITH_E_FORMAT, "tile 0 has 1088 bytes"},
    {"tensors", 0, "layout", "\"vector\"", ITH_E_FORMAT, "\"shape\" should be one"},
    {"tensors", 0, "shape", "[33]", ITH_E_FORMAT, "\"shape\" should be two"},
    {"tensors", 0, "shape", "[0, 64]", ITH_E_FORMAT, "\"shape\""},
    {"tensors", 0, "shape", "[-33, 64]", ITH_E_FORMAT, "\"shape\""},
    {"tensors", 0, "shape", "[33, 9000000000000000000]", ITH_E_FORMAT, "\"shape\""},
    {"tensors", 0, "shape", "[1073741823, 1073741823]", ITH_E_FORMAT, "too large"},
    {"tensors", 0, "shape", "[1073741823, 64]", ITH_E_FORMAT, "takes"},
    {"tensors", 0, "shape", "[17, 64]", ITH_E_FORMAT, "checksum of the tile table of w8"},
    {"tensors", 0, "codec", "\"lzma\"", ITH_E_UNSUPPORTED, "unknown codec"},
    {"tensors", 4, "codec", "\"raw\"", ITH_E_FORMAT, "tensor w8.zstd: tile 0 has"},
    {"tensors", 8, "codec", "\"zstd\"", ITH_E_FORMAT, "never compressed"},
    {"tensors", 0, "offset", "-4096", ITH_E_FORMAT, "\"offset\""},
    {"tensors", 0, "offset", "4097", ITH_E_FORMAT, "multiple of 4096"},
    {"tensors", 0, "offset", "0", ITH_E_FORMAT, "w8 takes 3264 bytes at 0"},
    {"tensors", 0, "offset", "9223372036854771712", ITH_E_FORMAT, "the file has"},
    {"tensors", 0, "offset", "8192", ITH_E_FORMAT, "tile 0 has 1088 bytes at 4096"},
    {"tensors", 0, "bytes", "9223372036854775807", ITH_E_FORMAT, "the file has"},
    {"tensors", 0, "bytes", "3263", ITH_E_FORMAT, "together"},
    {"tensors", 0, "bytes", "0", ITH_E_FORMAT, "\"bytes\""},
    {"tensors", 0, "table", "9223372036854775807", ITH_E_FORMAT, "the file has"},
    {"tensors", 0, "table", "64", ITH_E_FORMAT, "tile table of w8"},
    {"tensors", 0, "table_xxh64", "\"0\"", ITH_E_FORMAT, "tile table of w8"},
    {"blobs", 0, "offset", "4096", ITH_E_FORMAT, "checksum of tokenizer.json"},
    {"blobs", 0, "bytes", "1000000000000", ITH_E_FORMAT, "the file has"},
    {"blobs", 0, "xxh64", "\"00000000000000zz\"", ITH_E_FORMAT, "checksum of tokenizer.json"},
    {"blobs", 0, "name", "7", ITH_E_FORMAT, "\"name\""},
};

static void no_index_leads_outside_the_file(void **state)
{
    const fixture *f = *state;

    for (size_t i = 0; i < sizeof hostiles / sizeof *hostiles; i++) {
        const hostile *h = &hostiles[i];
        json_t *root = index_of(&f->file), *item = json_array_get(json_object_get(root, h->list), (size_t)h->item);
        assert_non_null(json_object_get(item, h->key));
        if (h->value == NULL)
            json_object_del(item, h->key);
        else
            json_object_set_new(item, h->key, json_loads(h->value, JSON_DECODE_ANY, NULL));
        char *text = json_dumps(root, JSON_COMPACT);
        buffer b = with_index(&f->file, text);
        expect(&b, h->status, h->text);
        free(b.data);
        free(text);
        json_decref(root);
    }
}

static void two_parts_may_not_share_bytes(void **state)
{
    const fixture *f = *state;
    json_t *root = index_of(&f->file), *tensors = json_object_get(root, "tensors"),
           *copy = json_deep_copy(json_array_get(tensors, 1));
    char *text;
    buffer b;

    json_object_set_new(copy, "name", json_string("twin"));
    json_array_append_new(tensors, copy);
    text = json_dumps(root, JSON_COMPACT);
    b = with_index(&f->file, text);
    expect(&b, ITH_E_FORMAT, "overlap");
    free(b.data);
    free(text);
    json_decref(root);
}

static void an_index_is_an_object_with_lists(void **state)
{
    static const char *const texts[] = {"",
                                        "{",
                                        "[]",
                                        "{}",
                                        "{\"tensors\": [], \"blobs\": []}",
                                        "{\"tensors\": [7], \"blobs\": []}",
                                        "{\"tensors\": [{}], \"blobs\": {}}"};
    const fixture *f = *state;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        buffer b = with_index(&f->file, texts[i]);
        expect(&b, ITH_E_FORMAT, "memory.ith: ");
        free(b.data);
    }
}

static void headers_of_other_versions_are_refused(void **state)
{
    const struct {
        size_t at;
        uint64_t value;
        size_t bytes;
        ith_status status;
        const char *text;
    } cases[] = {
        {offsetof(ith_pack_header, version), 2, 4, ITH_E_UNSUPPORTED, "needs a newer ithaca"},
        {offsetof(ith_pack_header, features), 3, 4, ITH_E_UNSUPPORTED, "features 3"},
        {offsetof(ith_pack_header, reserved), 1, 8, ITH_E_UNSUPPORTED, "needs a newer ithaca"},
        {offsetof(ith_pack_header, file_bytes), 100, 8, ITH_E_FORMAT, "its header says 100"},
        {offsetof(ith_pack_header, index_offset), UINT64_MAX, 8, ITH_E_FORMAT, "the index takes"},
        {offsetof(ith_pack_header, index_offset), 0, 8, ITH_E_FORMAT, "the index takes"},
        {offsetof(ith_pack_header, index_bytes), UINT64_MAX, 8, ITH_E_FORMAT, "the index takes"},
    };
    const fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ith_pack_header h = header_of(&f->file);
        buffer b = f->file;
        memcpy(b.data + cases[i].at, &cases[i].value, cases[i].bytes);
        seal_header(&b);
        expect(&b, cases[i].status, cases[i].text);
        memcpy(b.data, &h, sizeof h);
    }
}

/* An entry of a table says something else; table, index and header are sealed again. */
static void expect_entry(const fixture *f, int tensor, int64_t tile, size_t at, uint64_t value, size_t bytes,
                         const char *expected)
{
    buffer b = {aligned_alloc(64, (f->file.n + 63) / 64 * 64), f->file.n};
    json_t *root = index_of(&f->file), *item = json_array_get(json_object_get(root, "tensors"), (size_t)tensor);
    uint64_t table = (uint64_t)json_integer_value(json_object_get(item, "table"));
    int64_t rows = json_integer_value(json_array_get(json_object_get(item, "shape"), 0));
    char checksum[17], *text;

    memcpy(b.data, f->file.data, b.n);
    memcpy(b.data + table + (size_t)tile * ITH_PACK_ENTRY + at, &value, bytes);
    ith_checksum_text(ith_checksum(b.data + table, (size_t)(rows + 15) / 16 * ITH_PACK_ENTRY), checksum);
    json_object_set_new(item, "table_xxh64", json_string(checksum));
    text = json_dumps(root, JSON_COMPACT);
    buffer sealed = with_index(&b, text);
    expect(&sealed, ITH_E_FORMAT, expected);
    free(sealed.data);
    free(b.data);
    free(text);
    json_decref(root);
}

static void no_table_leads_outside_its_tensor(void **state)
{
    const fixture *f = *state;

    expect_entry(f, 0, 0, 0, 8192, 8, "tensor w8: tile 0 has 1088 bytes at 8192");
    expect_entry(f, 0, 1, 0, UINT64_MAX, 8, "tensor w8: tile 1");
    expect_entry(f, 0, 2, 8, 1087, 4, "tensor w8: tile 2 has 1087 bytes");
    expect_entry(f, 0, 2, 8, 0, 4, "tensor w8: tile 2 has 0 bytes");
    expect_entry(f, 0, 2, 12, 1, 4, "tensor w8: tile 2");
    expect_entry(f, 4, 1, 8, UINT32_MAX, 4, "tensor w8.zstd: tile 1 has 4294967295 bytes");
    expect_entry(f, 4, 2, 8, 1, 4, "tensor w8.zstd: its tiles have");
    expect_entry(f, 4, 2, 16, 5, 8, "tensor w8.zstd, tile 2 of 3");
}

/* One whose checksum is right, read from a file. */
static void what_does_not_decompress_is_named(void **state)
{
    static const uint8_t junk[100] = {1, 2, 3};
    static _Alignas(64) uint8_t out[2048];
    const fixture *f = *state;
    ith_encoded tile = ith_pack_encode_bytes(junk, sizeof junk);
    json_t *index = json_object();
    const ith_packed *t;
    ith_pack_writer *w;
    ith_pack_reader *reader;
    ith_mapfile file;
    ith_packfile *pack;
    ith_error err = {0};

    assert_int_equal(ith_pack_writer_open(f->path, true, &w, NULL), ITH_OK);
    assert_int_equal(ith_pack_writer_begin(w, "f", ITH_F32T, 16, 32, ITH_CODEC_ZSTD, &t, NULL), ITH_OK);
    assert_int_equal(ith_pack_writer_tiles(w, &tile, 1, NULL), ITH_OK);
    assert_int_equal(ith_pack_writer_finish(w, index, NULL), ITH_OK);
    ith_pack_writer_close(w);
    json_decref(index);
    assert_int_equal(ith_mapfile_open(f->path, &file, NULL), ITH_OK);
    assert_int_equal(ith_pack_open(&file, &pack, NULL), ITH_OK);
    assert_int_equal(ith_pack_reader_open(pack, ITH_CACHED, &reader, NULL), ITH_OK);
    assert_int_equal(ith_pack_read(reader, ith_pack_tensor(pack, 0), 0, 1, out, &err), ITH_E_FORMAT);
    assert_non_null(strstr(err.text, "tensor f, tile 0 of 1 does not decompress"));
    ith_pack_reader_close(reader);
    ith_pack_close(pack);
    ith_mapfile_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_written_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(tensors_lie_where_they_can_be_used, setup, teardown),
        cmocka_unit_test_setup_teardown(sealing_in_between_leaves_no_trace, setup, teardown),
        cmocka_unit_test_setup_teardown(every_flipped_bit_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(every_cut_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reader_finds_damage_and_names_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reader_finds_another_file, setup, teardown),
        cmocka_unit_test_setup_teardown(no_index_leads_outside_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(two_parts_may_not_share_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(an_index_is_an_object_with_lists, setup, teardown),
        cmocka_unit_test_setup_teardown(headers_of_other_versions_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(no_table_leads_outside_its_tensor, setup, teardown),
        cmocka_unit_test_setup_teardown(what_does_not_decompress_is_named, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
