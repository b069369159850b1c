/* archive_targets.h - what a fuzzer feeds the archive: any bytes as a manifest, as a file of keys
 * and values. Used by fuzz_archive.c and by tests/unit/test_fuzz_archive.c. */
#ifndef ITH_TESTS_FUZZ_ARCHIVE_TARGETS_H
#define ITH_TESTS_FUZZ_ARCHIVE_TARGETS_H

#include "base/checksum.h"
#include "keep/kvfile.h"
#include "keep/manifest.h"
#include "tests/fuzz/format_targets.h"

static inline bool fuzz_manifest(const uint8_t *data, size_t size)
{
    ith_manifest m;
    ith_error err = {0};
    bool accepted =
        fuzz_verdict(ith_manifest_parse((const char *)data, size, "manifest.json", &m, &err), &err);

    if (accepted && (m.n < 1 || m.n > ITH_KV_SEGMENT))
        abort();
    return accepted;
}

enum { FUZZ_LAYERS = 2, FUZZ_DIM = 16, FUZZ_TOKENS = 70 };

static const ith_kvfile_what fuzz_what = {.layout = ITH_KVL_BF16,
                                          .n_layers = FUZZ_LAYERS,
                                          .head_dim = FUZZ_DIM,
                                          .head = 1,
                                          .n_tokens = FUZZ_TOKENS};

/* Checksums of layers, table and header are put right first, or nothing behind them would ever be
 * reached. */
static inline void seal_kvfile(uint8_t *data, size_t size)
{
    enum { HEADER = 64, BYTES = 48, SEAL = 56, LINE = 16, TABLE = LINE * FUZZ_LAYERS };
    uint64_t sum, end = size;
    size_t at = HEADER + TABLE;

    if (size < HEADER + TABLE)
        return;
    for (int i = 0; i < FUZZ_LAYERS; i++) {
        uint32_t bytes;
        memcpy(&bytes, data + HEADER + LINE * i + 8, sizeof bytes);
        if (bytes > size - at)
            break;
        sum = ith_checksum(data + at, bytes);
        memcpy(data + HEADER + LINE * i, &sum, sizeof sum);
        at += bytes;
    }
    memcpy(data + BYTES, &end, sizeof end);
    sum = ith_checksum(data + HEADER, TABLE);
    memcpy(data + SEAL, &sum, sizeof sum);
    sum = ith_checksum(data, HEADER);
    memcpy(data + SEAL, &sum, sizeof sum);
}

static inline bool fuzz_kvfile(const uint8_t *data, size_t size)
{
    size_t bytes = ith_kvfile_layer_bytes(&fuzz_what, FUZZ_TOKENS);
    uint8_t *layers = malloc(FUZZ_LAYERS * bytes), *copy = malloc(size + 1);
    void *const to[FUZZ_LAYERS] = {layers, layers + bytes};
    ith_kvfile_buffer *room;
    char folder[64], path[128];
    ith_error err = {0};
    bool missing, accepted;
    FILE *file;

    folder_make(folder);
    snprintf(path, sizeof path, "%s/head-1.kv", folder);
    memcpy(copy, data, size);
    seal_kvfile(copy, size);
    file = fopen(path, "wb");
    if (file == NULL || fwrite(copy, 1, size, file) != size || fclose(file) != 0 ||
        ith_kvfile_buffer_open(&room, &err) != ITH_OK)
        abort();
    accepted = fuzz_verdict(
        ith_kvfile_read(AT_FDCWD, path, &fuzz_what, FUZZ_TOKENS, to, room, &missing, &err), &err);
    ith_kvfile_buffer_close(room);
    folder_remove(folder);
    free(layers);
    free(copy);
    return accepted;
}

#endif
