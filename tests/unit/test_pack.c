/* test_pack.c - packs: what was written is read, and every flipped bit and every truncation is
 * found. Packs with correct checksums but false contents are in test_pack_hostile.c. */
#include "unit/pack_fixture.h"

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
                    assert_memory_equal(ith_pack_in_place(t) + (size_t)(first + i) * t->tile_bytes,
                                        want, t->tile_bytes);
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
        assert_float_equal(((const float *)(const void *)ith_pack_in_place(norm))[i], norm_value(i),
                           0);
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

/* Sizes of the blobs written before sealing: more than the writer buffers, then less. The index
 * comes on top of both. */
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
        buffer want = written(f->path, large_blobs[i], false),
               got = written(f->path, large_blobs[i], true);
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

/* The writer writes as many blobs as readers take, and refuses more. */
static void no_more_blobs_than_are_read(void **state)
{
    const fixture *f = *state;
    json_t *index = json_object();
    ith_pack_writer *w;
    ith_zframe *z;
    ith_error err = {0};
    buffer b;
    char name[20];

    assert_int_equal(ith_zframe_open(&z, NULL), ITH_OK);
    assert_int_equal(ith_pack_writer_open(f->path, true, &w, NULL), ITH_OK);
    write_matrix(w, &matrices[0], z);
    for (int i = 0; i < 64; i++) {
        snprintf(name, sizeof name, "blob %d", i);
        assert_int_equal(ith_pack_writer_blob(w, name, blob, sizeof blob, NULL), ITH_OK);
    }
    assert_int_equal(ith_pack_writer_blob(w, "more", blob, sizeof blob, &err), ITH_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "no room for the blob \"more\""));
    assert_int_equal(ith_pack_writer_finish(w, index, NULL), ITH_OK);
    ith_pack_writer_close(w);
    ith_zframe_close(z);
    json_decref(index);
    b = read_file(f->path);
    assert_int_equal(check_all(b.data, b.n, NULL), ITH_OK);
    free(b.data);
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
    assert_int_equal(ith_pack_writer_begin(w, "f", ITH_F32T, 16, 32, ITH_CODEC_ZSTD, &t, NULL),
                     ITH_OK);
    assert_int_equal(ith_pack_writer_tiles(w, &tile, 1, NULL), ITH_OK);
    assert_int_equal(ith_pack_writer_finish(w, index, NULL), ITH_OK);
    ith_pack_writer_close(w);
    json_decref(index);
    assert_int_equal(ith_mapfile_open(f->path, &file, NULL), ITH_OK);
    assert_int_equal(ith_pack_open(&file, &pack, NULL), ITH_OK);
    assert_int_equal(ith_pack_reader_open(pack, ITH_CACHED, &reader, NULL), ITH_OK);
    assert_int_equal(ith_pack_read(reader, ith_pack_tensor(pack, 0), 0, 1, out, &err),
                     ITH_E_FORMAT);
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
        cmocka_unit_test_setup_teardown(no_more_blobs_than_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(every_flipped_bit_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(every_cut_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reader_finds_damage_and_names_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reader_finds_another_file, setup, teardown),
        cmocka_unit_test_setup_teardown(what_does_not_decompress_is_named, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
