/* RANKS: 1 4, long: 2
 *
 * test_calibrate.c - activation statistics: the file has the same bytes for any number of ranks and
 * threads and any chunk.
 *
 * The expected digests are those of one rank. They change when the arithmetic of simd/kernels.h or
 * the quantizers are changed on purpose. With float weights and cache, the means were compared with
 * those that hooks on the Linear modules of Transformers (float32) give: equal within 5e-6, and
 * within 3e-6 for the experts of tests/golden/qwen3moe-dense. Quantizing with the statistics gives
 * another model, the same on all ranks.
 */
#include "base/digest.h"
#include "tests/needle.h"

#include <unistd.h>

enum { WINDOW = 400 };

#define EXPERTS "synthetic:tests/models/experts/config.json:bf16"

static const char calibrated_w4[] =
    "69ef9d18c3cfbdadf71e8c965ad5fd10bb667fb0566e90aad73c5b7c3cef708a";

typedef struct form {
    const char *model;
    ith_quant quant;
    ith_kv_type kv;
    int64_t window;
    const char *sha;
} form;

static const form forms[] = {
    {NEEDLE_MODEL, ITH_QUANT_F32, ITH_KV_F32, 0,
     "0df4db88ea5c22db236e021b19666f43e2fe9681c0a4881a8e49abc0261556a6"},
    {EXPERTS, ITH_QUANT_W8, ITH_KV_Q8, WINDOW,
     "760b9a21eb23c39973c97d37578d0b07943b0d153766d9898f7ac7014541bf54"},
    {EXPERTS, ITH_QUANT_F32, ITH_KV_F32, 0,
     "cd14e7dd3d2346ed4bd84182d0db4d8d73fe2d38532c7c5c2dff3d30660ff7b9"},
    {NEEDLE_MODEL, ITH_QUANT_W8, ITH_KV_Q8, WINDOW,
     "25ffc88d2795640eb4eba7c8b3a2ab3b772952b0674450d902622fb3c1842e89"},
};

static char path[100];

static ith_engine *open_engine(const char *model, ith_quant quant, ith_kv_type kv,
                               const char *stats, int threads, int64_t chunk)
{
    ith_engine_params params = ith_engine_params_default();

    params.model = model;
    params.quant = quant;
    params.kv = kv;
    params.stats = stats;
    params.threads = threads;
    params.chunk = chunk;
    return must_open(&params);
}

static void file_digest(char hex[65])
{
    static char data[1 << 20];
    FILE *file = fopen(path, "rb");
    must(file != NULL, "open the statistics", NULL);
    ith_sha256_hex(data, fread(data, 1, sizeof data, file), hex);
    fclose(file);
}

static void calibrate(const form *f, int threads, int64_t chunk)
{
    ith_engine *engine = open_engine(f->model, f->quant, f->kv, NULL, threads, chunk);
    bool root = ith_world_rank(world) == 0;
    ith_calibrate_params params = {path, root ? ids : NULL, root ? n_ids : 0, f->window};
    ith_error err;
    char hex[65];

    must(ith_calibrate(engine, &params, &err) == ITH_OK, "calibrate", &err);
    ith_engine_close(engine);
    if (!root)
        return;
    file_digest(hex);
    if (strcmp(hex, f->sha) != 0)
        printf("# statistics: %s, expected %s\n", hex, f->sha);
    must(strcmp(hex, f->sha) == 0, "statistics", NULL);
    printf("ok calibrate: %s, window %lld, %d threads, chunks of %lld\n", f->model,
           (long long)f->window, threads, (long long)chunk);
}

/* Every rank reads the file that calibrate left. */
static void quantize_with_it(void)
{
    ith_engine *engine = open_engine(NEEDLE_MODEL, ITH_QUANT_W4, ITH_KV_Q8, path, 2, 0);
    ith_session *session = session_after(engine, ids, n_ids, 0);

    must_have_sha(session, calibrated_w4, "w4", "calibrated");
    if (ith_world_rank(world) == 0)
        printf("ok calibrate: w4 with statistics\n");
    ith_session_close(session);
    ith_engine_close(engine);
}

static void wrong_use_is_told(void)
{
    ith_engine *engine = open_engine(NEEDLE_MODEL, ITH_QUANT_W8, ITH_KV_Q8, NULL, 1, 0);
    ith_calibrate_params none = {path, ids, 0, 0}, wide = {path, ids, n_ids, 1 << 28};
    ith_error err;

    must(ith_calibrate(engine, &none, &err) == ITH_E_ARGUMENT, "no tokens", NULL);
    must(ith_calibrate(engine, &wide, &err) == ITH_E_ARGUMENT, "a window beyond the context", NULL);
    wide = (ith_calibrate_params){"/nowhere/at/all", ids, 16, 0};
    must(ith_calibrate(engine, &wide, &err) == ITH_E_IO, "a file that cannot be written", NULL);
    ith_engine_close(engine);
    if (ith_world_rank(world) == 0)
        printf("ok calibrate: wrong use fails on all ranks\n");
}

int main(void)
{
    static const int64_t chunks[] = {0, 48, 333};
    const char *folder = getenv("TMPDIR");
    int pid = (int)getpid();

    if (!open_needle())
        return 1;
    ith_world_bcast(world, &pid, sizeof pid);
    snprintf(path, sizeof path, "%s/ith-calibrate-%d", folder != NULL ? folder : "/tmp", pid);
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++)
        for (int i = 0; i < 3; i++)
            calibrate(&forms[f], 1 + i % 2, chunks[i]);
    quantize_with_it();
    wrong_use_is_told();
    if (ith_world_rank(world) == 0)
        unlink(path);
    ith_world_close(world);
    return 0;
}
