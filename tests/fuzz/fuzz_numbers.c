/* fuzz_numbers.c - what people type: a command line of `run`, a word a line, and each word as a
 * size, a count, a scaling of positions, a mesh, caches and token ids. What is accepted is in
 * range. */
#include "base/caches.h"
#include "base/size.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/run_options.h"
#include "comm/mesh.h"
#include "model/rope.h"
#include "tests/fuzz/fuzz.h"

#include <getopt.h>
#include <math.h>

enum { WORDS = 40 };

static void numbers(const char *word)
{
    const char *end;
    int64_t value;

    if (ith_size_read(word, &end, &value))
        fuzz_must(end > word && value >= 0);
    if (ith_count_read(word, &end, &value))
        fuzz_must(end > word && value >= 0);
}

static void texts(const char *word)
{
    ith_rope_params rope = {.theta = 10000, .factor = 1};
    int64_t trained = 4096;
    ith_caches caches;
    ith_mesh mesh;
    ith_text text = {(char *)(uintptr_t)word, strlen(word), 0};
    ith_ids ids;
    ith_error err = {0};

    if (fuzz_verdict(ith_rope_scale(word, &rope, &trained, &err), &err))
        fuzz_must(trained > 0 && isfinite(rope.factor) && rope.factor >= 1);
    if (fuzz_verdict(ith_mesh_make(word, 12, 5, 6, &mesh, &err), &err))
        fuzz_must(mesh.ulysses * mesh.context == 12);
    if (fuzz_verdict(ith_caches_read("ITHACA_CACHES", word, &caches, &err), &err))
        fuzz_must(caches.l1 >= 1024 && caches.l2 >= 1024 && caches.l3 <= 1 << 30);
    if (fuzz_verdict(ith_parse_ids(&text, "ids", &ids, &err), &err))
        for (size_t i = 0; i < ids.n; i++)
            fuzz_must(ids.data[i] >= 0);
    free(ids.data);
}

/* Rank 1 of 2 prints nothing. */
static void command_line(int argc, char **argv)
{
    static const ith_command *const none[] = {NULL};
    const ith_cli cli = {.rank = 1, .size = 2, .commands = none};
    ith_engine_params params;
    ith_run_args args;

    optind = 0;
    if (ith_run_args_parse(&cli, &ith_command_run, argc, argv, &args, &params) == ITH_ARGS_OK)
        fuzz_must(params.model != NULL && params.threads >= 0 && params.ctx >= 0 &&
                  params.chunk >= 0 && params.memory >= 0 &&
                  !(args.sampling.top_p < 0 || args.sampling.top_p > 1) &&
                  !isinf(args.sampling.temp));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ith_bytes input = fuzz_part(&data, &size);
    char *rest = (char *)(uintptr_t)input.data, name[] = "run", *argv[WORDS + 1] = {name};
    int argc = 1;

    while (argc < WORDS && (argv[argc] = strsep(&rest, "\n")) != NULL) {
        numbers(argv[argc]);
        texts(argv[argc]);
        if (strncmp(argv[argc], "-h", 2) != 0 && strncmp(argv[argc], "--h", 3) != 0)
            argc++;
    }
    argv[argc] = NULL;
    command_line(argc, argv);
    fuzz_part_free(input);
    return 0;
}
