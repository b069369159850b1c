/* format_targets.h - what a fuzzer feeds: any bytes to one parser of src/formats, then a walk over
 * all that it accepted. Used by fuzz_*.c and by tests/unit/test_fuzz_formats.c.
 */
#ifndef ITH_TESTS_FUZZ_FORMAT_TARGETS_H
#define ITH_TESTS_FUZZ_FORMAT_TARGETS_H

#include "base/checksum.h"
#include "formats/hf_config.h"
#include "formats/hparams_json.h"
#include "formats/packfile_impl.h"
#include "formats/safetensors.h"
#include "tests/fuzz/fuzz.h"

/* A model's hyperparameters, written to a pack and read again, are the same. */
static inline void fuzz_hparams(const ith_hparams *hp)
{
    json_t *object = ith_hparams_to_json(hp);
    char *text = json_dumps(object, JSON_REAL_PRECISION(17)), *again;
    ith_hparams read;
    ith_error err = {0};

    json_decref(object);
    fuzz_must(text != NULL && (object = json_loads(text, 0, NULL)) != NULL);
    fuzz_must(ith_hparams_from_json(object, "memory", &read, &err) == ITH_OK);
    json_decref(object);
    object = ith_hparams_to_json(&read);
    again = json_dumps(object, JSON_REAL_PRECISION(17));
    fuzz_must(again != NULL && strcmp(text, again) == 0);
    json_decref(object);
    free(text);
    free(again);
}

static inline bool fuzz_gguf(const uint8_t *data, size_t size, unsigned flags)
{
    memory_source m;
    ith_error err = {0};
    bool accepted = fuzz_verdict(memory_gguf(&m, data, size, flags, &err), &err);

    if (accepted)
        source_touch(&m.source);
    if (accepted && (flags & ITH_SOURCE_TOKENIZER_ONLY) == 0)
        fuzz_hparams(&m.source.hparams);
    memory_source_close(&m);
    return accepted;
}

static inline bool fuzz_safetensors(const uint8_t *data, size_t size)
{
    memory_source m;
    ith_error err = {0};
    ith_status status;
    bool accepted;

    memory_source_begin(&m, data, size, "memory.safetensors");
    status = ith_safetensors_parse(&m.file, &m.source.tensors, &err);
    if (status == ITH_OK)
        status = ith_tensor_table_index(&m.source.tensors, &err);
    accepted = fuzz_verdict(status, &err);
    if (accepted)
        source_touch(&m.source);
    memory_source_close(&m);
    return accepted;
}

/* Checksums of header and index are put right first: else nothing behind them would be reached. */
static inline void seal_pack(uint8_t *data, size_t size)
{
    ith_pack_header h;

    if (size < sizeof h)
        return;
    memcpy(&h, data, sizeof h);
    h.file_bytes = size;
    if (h.index_offset <= size && h.index_bytes <= size - h.index_offset)
        h.index_checksum = ith_checksum(data + h.index_offset, h.index_bytes);
    h.checksum = ith_checksum(&h, offsetof(ith_pack_header, checksum));
    memcpy(data, &h, sizeof h);
}

static inline bool fuzz_pack(const uint8_t *data, size_t size)
{
    memory_source m;
    ith_error err = {0};
    bool accepted;

    memory_source_begin(&m, data, size, "memory.ith");
    seal_pack((uint8_t *)(uintptr_t)m.file.data, size);
    accepted = fuzz_verdict(ith_source_read_pack(&m.source, &m.file, &err), &err);
    if (accepted) {
        const ith_packfile *pack = ith_source_pack(&m.source);
        source_touch(&m.source);
        fuzz_hparams(&m.source.hparams);
        for (size_t i = 0; i < ith_pack_n_tensors(pack); i++)
            for (int64_t tile = 0; tile < ith_pack_tensor(pack, i)->n_tiles; tile++)
                fuzz_verdict(ith_pack_check(ith_pack_tensor(pack, i), tile, &err), &err);
        fuzz_verdict(ith_pack_check_gaps(pack, &err), &err);
    }
    memory_source_close(&m);
    return accepted;
}

static inline bool fuzz_hf_config(const uint8_t *data, size_t size)
{
    json_t *root;
    ith_hparams hp;
    ith_error err = {0};
    ith_status status = ith_json_parse((const char *)data, size, "config.json", &root, &err);

    if (!fuzz_verdict(status, &err))
        return false;
    status = ith_hf_config_parse(root, "config.json", &hp, &err);
    if (status == ITH_OK)
        status = ith_hf_generation_parse(root, "config.json", &hp, &err);
    json_decref(root);
    if (!fuzz_verdict(status, &err))
        return false;
    fuzz_hparams(&hp);
    return true;
}

#endif
