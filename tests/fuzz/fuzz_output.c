/* fuzz_output.c - the output of a batch, which is read when the batch goes on. What is accepted is
 * whole lines, to which another one can be added, and is accepted again. */
#include "cli/batch_output.h"
#include "tests/fuzz/fuzz.h"

enum { LINES = 1000 };

static bool opens(const char *path, ith_batch_output *out)
{
    ith_error err = {0};

    return fuzz_verdict(ith_batch_output_open(path, LINES, out, &err), &err);
}

static void add(ith_batch_output *out)
{
    char id[40], line[200];
    ith_error err = {0};

    ith_batch_output_request_id(1, out->n_done > 0 ? out->options : 2, id);
    snprintf(line, sizeof line,
             "{\"id\":\"" ITH_BATCH_ID "%d\",\"response\":{\"request_id\":\"%s\"}}", LINES, id);
    fuzz_must(fuzz_verdict(ith_batch_output_add(out, line, &err), &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ith_batch_output out;
    char path[128];
    bool good;
    int64_t n, bytes;

    snprintf(path, sizeof path, "%s/output", fuzz_folder());
    fuzz_file("output", (ith_bytes){(const char *)data, size});
    good = opens(path, &out);
    n = out.n_done;
    if (good) {
        fuzz_must(n <= LINES && out.bytes <= (int64_t)size);
        n += LINES >= out.room || out.done[LINES] == 0;
        add(&out);
    }
    bytes = out.bytes;
    ith_batch_output_close(&out);
    if (!good)
        return 0;
    fuzz_must(opens(path, &out) && out.n_done == n && out.bytes == bytes && !out.cut);
    ith_batch_output_close(&out);
    return 0;
}
