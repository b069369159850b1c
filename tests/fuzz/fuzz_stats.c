/* fuzz_stats.c - a file of activation statistics, by its header or whole. */
#include "formats/stats.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ith_bytes part = fuzz_part(&data, &size);
    ith_stats *stats;
    const float *values;
    char path[128];
    ith_error err = {0};

    if (part.len > 0 && part.data[0] == '{')
        fuzz_safetensors_file("stats.safetensors", part);
    else
        fuzz_file("stats.safetensors", part);
    snprintf(path, sizeof path, "%s/stats.safetensors", fuzz_folder());
    if (fuzz_verdict(ith_stats_open(path, &stats, &err), &err)) {
        fuzz_must(strcmp(ith_stats_path(stats), path) == 0);
        for (int64_t cols = 1; cols <= 4096; cols *= 2)
            if (fuzz_verdict(ith_stats_find(stats, "a", cols, &values, &err), &err) &&
                values != NULL)
                for (int64_t i = 0; i < cols; i++)
                    fuzz_must(values[i] >= 0);
        ith_stats_close(stats);
    } else
        fuzz_must(stats == NULL);
    fuzz_part_free(part);
    return 0;
}
