/* fuzz_checkpoint.c - a folder with a checkpoint: its description and its answer, whose checksums
 * are put right. What is read can be continued, and is read again as it was. */
#include "base/checksum.h"
#include "keep/checkpoint.h"
#include "tests/fuzz/fuzz.h"

enum { RECORD = 24, SEAL = 16 };

static json_t *description(void)
{
    return json_pack("{s:s, s:i, s:{s:f}}", "model", "small", "seed", 1, "sampling", "temperature",
                     0.5);
}

static void reopen(const json_t *run, const int32_t *ids, int64_t n)
{
    ith_checkpoint *c;
    ith_error err = {0};
    int64_t again;

    fuzz_must(ith_checkpoint_open(fuzz_folder(), run, &c, &err) == ITH_OK);
    fuzz_must(memcmp(ith_checkpoint_answer(c, &again), ids, (size_t)n * sizeof *ids) == 0);
    fuzz_must(again >= n + 1);
    fuzz_must(ith_checkpoint_answer(c, &again)[n] == 7 && ith_checkpoint_draws(c, n) == 9);
    ith_checkpoint_remove(c);
    ith_checkpoint_close(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ith_bytes state = fuzz_part(&data, &size), answer = fuzz_part(&data, &size);
    json_t *run = description();
    ith_checkpoint *c;
    ith_error err = {0};
    int64_t n;

    for (size_t at = 0; at + RECORD <= answer.len; at += RECORD) {
        uint64_t sum = ith_checksum(answer.data + at, SEAL);
        memcpy((char *)(uintptr_t)answer.data + at + SEAL, &sum, sizeof sum);
    }
    fuzz_file("checkpoint.json", state);
    fuzz_file("answer", answer);
    json_decref(ith_checkpoint_peek(fuzz_folder()));
    if (fuzz_verdict(ith_checkpoint_open(fuzz_folder(), run, &c, &err), &err)) {
        const int32_t *ids = ith_checkpoint_answer(c, &n);
        int32_t *copy = malloc((size_t)n * sizeof *ids + 1);
        fuzz_must(copy != NULL && n <= (int64_t)(answer.len / RECORD));
        memcpy(copy, ids, (size_t)n * sizeof *ids);
        fuzz_must(ith_checkpoint_put(c, n, 7, 9, &err) == ITH_OK);
        ith_checkpoint_close(c);
        reopen(run, copy, n);
        free(copy);
    }
    json_decref(run);
    fuzz_part_free(state);
    fuzz_part_free(answer);
    return 0;
}
