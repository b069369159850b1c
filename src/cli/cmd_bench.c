/* cmd_bench.c - measures the machine, the kernels or a model. The library gives JSON; here it becomes tables for people. */
#include "cli/arguments.h"
#include "cli/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTHS_MAX = 64, MIB = 1 << 20 };

/* ---- Printing ---- */

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* A number in `width` places, or a dash where there is none. */
static void print_number(const json_t *object, const char *key, double factor, int width, int digits)
{
    const json_t *value = json_object_get(object, key);

    if (json_is_number(value))
        printf(" %*.*f", width, digits, json_number_value(value) * factor);
    else
        printf(" %*s", width, "-");
}

static void print_percent(const json_t *object, const char *key, int width)
{
    print_number(object, key, 100, width, 1);
    printf(json_is_number(json_object_get(object, key)) ? "%%" : " ");
}

/* Hands out the result as it is (--json) or through `print`. Rank 0. */
static int show(const ith_cli *cli, char *text, bool as_json, void (*print)(const json_t *root))
{
    json_t *root = json_loads(text, 0, NULL);

    free(text);
    if (as_json || root == NULL)
        return ith_cli_write_json(cli, root);
    print(root);
    json_decref(root);
    return ITH_EXIT_DONE;
}

/* ---- roofline ---- */

static const ith_manual roofline_manual = {
    "ithaca bench roofline [--threads T] [--seconds S] [--json]",
    "Read bandwidth, 8-bit integer and f32 multiply-adds of this machine, for 1 to T threads. Under mpirun: of all "
    "ranks together.",
    "  ithaca bench roofline\n"
    "  ITHACA_SIMD=avx2 ithaca bench roofline --threads 1\n"
    "  mpirun -n 4 ithaca bench roofline --json\n",
};

static void print_roofline(const json_t *root)
{
    size_t i;
    json_t *row;

    printf("%d rank(s), %s: integer by %s, float by %s\n\n", (int)number(root, "ranks"), text_of(root, "simd"),
           text_of(root, "integer_instruction"), text_of(root, "f32_instruction"));
    printf("threads   read GB/s   integer GOP/s   f32 GFLOP/s\n");
    json_array_foreach(json_object_get(root, "threads"), i, row)
    {
        printf("%7d", (int)number(row, "threads"));
        print_number(row, "read_gbps", 1, 11, 1);
        print_number(row, "integer_gops", 1, 15, 0);
        print_number(row, "f32_gflops", 1, 13, 0);
        printf("\n");
    }
}

static int roofline(const ith_cli *cli, int argc, char **argv)
{
    int64_t threads = 0, buffer = 0;
    double seconds = 0.5;
    bool as_json = false;
    const ith_arg args[] = {
        {"threads", 't', ITH_ARG_INT, "T", "threads per rank (default: the node's cores, shared by its ranks)",
         &threads, 0, 4096},
        {"seconds", 0, ITH_ARG_REAL, "S", "of measuring each figure (default 0.5)", &seconds, 0, 3600},
        {"buffer", 0, ITH_ARG_INT, "MIB", "memory to read from (default 1024, beyond the caches)", &buffer, 0, 1 << 20},
        {"json", 0, ITH_ARG_FLAG, NULL, "one JSON object on stdout instead of text", &as_json, 0, 0},
    };
    ith_error err = {0};
    char *text = NULL;
    ith_status status;
    int code = ith_args_parse(cli, &roofline_manual, args, sizeof args / sizeof args[0], argc, argv);

    if (code != ITH_ARGS_OK)
        return code;
    status =
        ith_bench_roofline(cli->world, &(ith_bench_roofline_params){(int)threads, seconds, buffer * MIB}, &text, &err);
    if (status != ITH_OK)
        return ith_cli_failure(cli, status, &err);
    return text != NULL ? show(cli, text, as_json, print_roofline) : ITH_EXIT_DONE;
}

/* ---- kernels ---- */

static const ith_manual kernels_manual = {
    "ithaca bench kernels [--shapes LIST] [--simd LIST] [--filter TEXT] [OPTION]...",
    "Every kernel at the sizes of real models: rates, and their share of what the same threads can do at best.",
    "  ithaca bench kernels\n"
    "  ithaca bench kernels --shapes qwen3-8b,smollm2-135m --filter gemm_w4 --threads 2\n"
    "  ithaca bench kernels --simd avx2,avx512 --filter 'attn_q8' --json\n",
};

static void print_kernels(const json_t *root)
{
    const char *level;
    size_t i;
    json_t *row, *ceiling;

    json_object_foreach(json_object_get(root, "ceilings"), level, ceiling) printf(
        "ceilings of %d thread(s), %s: %.1f GB/s, %.0f integer GOP/s, %.0f f32 GFLOP/s\n", (int)number(root, "threads"),
        level, number(ceiling, "read_gbps"), number(ceiling, "integer_gops"), number(ceiling, "f32_gflops"));
    printf("\n%-19s%-9s%-28s%7s%10s%8s%11s%8s\n", "kernel", "simd", "shape.part [rows x cols]", "tokens", "GOP/s",
           "GB/s", "of ceiling", "ns/elem");
    json_array_foreach(json_object_get(root, "results"), i, row)
    {
        char part[100];
        int used = snprintf(part, sizeof part, "%s.%s", text_of(row, "shape"), text_of(row, "part"));
        if (number(row, "rows") > 0 && used < 60)
            snprintf(part + used, sizeof part - (size_t)used, " %.0fx%.0f", number(row, "rows"), number(row, "cols"));
        printf("%-19s%-9s%-28s", text_of(row, "kernel"), text_of(row, "simd"), part);
        print_number(row, "tokens", 1, 6, 0);
        print_number(row, "gops", 1, 9, 1);
        print_number(row, "gbps", 1, 7, 2);
        print_percent(row, "of_ceiling", 9);
        print_number(row, "ns_per_element", 1, 7, 3);
        printf("\n");
    }
}

static int kernels(const ith_cli *cli, int argc, char **argv)
{
    ith_bench_kernels_params params = {.seconds = 0.1};
    ith_watch watch = {0};
    int64_t threads = 1, buffer = 0;
    bool as_json = false;
    const ith_arg args[] = {
        {"shapes", 0, ITH_ARG_TEXT, "LIST",
         "qwen3-0.6b (default), -1.7b, -4b, -8b, -14b, -32b, -30b-a3b, llama-3.1-8b, smollm2-135m, or a config.json",
         &params.shapes, 0, 0},
        {"simd", 0, ITH_ARG_TEXT, "LIST", "levels, as ithaca version lists them (default: the one in use)",
         &params.simd, 0, 0},
        {"filter", 0, ITH_ARG_TEXT, "TEXT", "only lines \"KERNEL SHAPE.PART TOKENS\" that contain TEXT", &params.filter,
         0, 0},
        {"threads", 't', ITH_ARG_INT, "T", "threads that share each product (default 1)", &threads, 1, 4096},
        {"seconds", 0, ITH_ARG_REAL, "S", "of measuring each line (default 0.1)", &params.seconds, 0, 3600},
        {"buffer", 0, ITH_ARG_INT, "MIB", "memory to read from (default 1024, beyond the caches)", &buffer, 0, 1 << 20},
        {"json", 0, ITH_ARG_FLAG, NULL, "one JSON object on stdout instead of text", &as_json, 0, 0},
        {"quiet", 'q', ITH_ARG_FLAG, NULL, "no progress on stderr", &watch.quiet, 0, 0},
    };
    ith_error err = {0};
    char *text = NULL;
    ith_status status;
    int code = ith_args_parse(cli, &kernels_manual, args, sizeof args / sizeof args[0], argc, argv);

    if (code != ITH_ARGS_OK)
        return code;
    if (cli->rank != 0) /* one machine's kernels: the other ranks are done */
        return ITH_EXIT_DONE;
    params.threads = (int)threads;
    params.buffer = buffer * MIB;
    params.progress = ith_watch_progress;
    params.progress_user = &watch;
    status = ith_bench_kernels(&params, &text, &err);
    ith_watch_end(&watch);
    if (status != ITH_OK)
        return ith_cli_failure(cli, status, &err);
    return show(cli, text, as_json, print_kernels);
}

/* ---- model ---- */

static const ith_manual model_manual = {
    "ithaca bench model (-m MODEL | --shape SHAPE [--type TYPE]) [--depths LIST] [OPTION]...",
    "Prefill and decode at growing context, of a model's files or of random weights of a known shape. predicted: "
    "prefill by the\n"
    "rates of its kernels alone, measured in turns with it; reached: the share of that. Of streamed weights also what "
    "fetching\n"
    "them alone would give, and the share of that which decode reaches.",
    "  ithaca bench model -m model.gguf --depths 0,4096,16384\n"
    "  ithaca bench model --shape qwen3-8b --type q4_0 --depths 0,32768 --fill\n"
    "  mpirun -n 4 ithaca bench model -m Qwen3-8B --prompt 2048 --json\n",
};

typedef struct model_bench_args {
    ith_model_args model;
    const char *shape, *type, *depths;
    int64_t prompt, decode, repetitions, buffer;
    bool fill;
    int64_t depth[DEPTHS_MAX];
    size_t n_depths;
    char name[300];
} model_bench_args;

/* NULL, or null: weights stay. */
static void print_fetching(const json_t *fetching)
{
    if (!json_is_object(fetching))
        return;
    printf("        decode at %.1f%% of what fetching its weights alone gives: %.2f tokens/s; rank 0 reads %.2f GB/s, "
           "unpacks %.2f GB/s\n",
           100 * number(fetching, "reached"), number(fetching, "tps"), number(fetching, "read_gbps"),
           number(fetching, "unpacked_gbps"));
}

static void print_model(const json_t *root)
{
    const json_t *ceilings = json_object_get(root, "ceilings");
    size_t i;
    json_t *row;

    printf("%s: %d x %d threads, mesh %s, %s, %s cache; weights %.2f GB, %.1f KB of cache a token\n",
           text_of(root, "model"), (int)number(root, "ranks"), (int)number(root, "threads"), text_of(root, "mesh"),
           text_of(root, "simd"), text_of(root, "kv"), number(root, "weight_bytes") * 1e-9,
           number(root, "kv_bytes_per_token") * 1e-3);
    printf("ceilings: %.1f GB/s, %.0f integer GOP/s, %.0f f32 GFLOP/s\n", number(ceilings, "read_gbps"),
           number(ceilings, "integer_gops"), number(ceilings, "f32_gflops"));
    printf("prefill of %.0f tokens, decode of %.0f, medians of %.0f; depths reached by %s\n\n", number(root, "prompt"),
           number(root, "decode"), number(root, "repetitions"), text_of(root, "filled"));
    printf("           prefill                                                decode\n"
           "  depth    tokens/s  predicted  reached     GOP/s  of ceiling      tokens/s    GB/s  of ceiling   "
           "first token s\n");
    json_array_foreach(json_object_get(root, "depths"), i, row)
    {
        const json_t *prefill = json_object_get(row, "prefill"), *decode = json_object_get(row, "decode");
        printf("%7.0f ", number(row, "depth"));
        print_number(prefill, "tps", 1, 10, 2);
        print_number(json_object_get(prefill, "predicted"), "tps", 1, 10, 2);
        print_percent(json_object_get(prefill, "predicted"), "reached", 7);
        print_number(prefill, "gops", 1, 9, 1);
        print_percent(prefill, "of_ceiling", 10);
        printf("   ");
        print_number(decode, "tps", 1, 9, 2);
        print_number(decode, "gbps", 1, 7, 1);
        print_percent(decode, "of_ceiling", 10);
        print_number(row, "ttft_s", 1, 15, 2);
        printf("\n");
        print_fetching(json_object_get(decode, "fetching"));
        if (number(root, "ranks") > 1 && number(prefill, "sent") > 0)
            printf("        rank 0 sent %.2f MB in a prefill; by formula %.2f MB\n", number(prefill, "sent") * 1e-6,
                   number(prefill, "sent_formula") * 1e-6);
    }
}

static int read_depths(const ith_cli *cli, const char *command, model_bench_args *a)
{
    const char *at = a->depths;

    for (;;) {
        char *end;
        long long depth = strtoll(at, &end, 10);
        if (end == at || depth < 0 || depth > 1000000000 || (*end != 0 && *end != ',') || a->n_depths == DEPTHS_MAX ||
            (a->n_depths > 0 && depth <= a->depth[a->n_depths - 1]))
            return ith_args_wrong(cli, command, "--depths takes up to %d numbers of tokens, ascending: 0,4096,16384",
                                  DEPTHS_MAX);
        a->depth[a->n_depths++] = depth;
        if (*end == 0)
            return ITH_ARGS_OK;
        at = end + 1;
    }
}

static int check_model_args(const ith_cli *cli, const char *command, model_bench_args *a, ith_engine_params *params)
{
    int64_t more = a->prompt > a->decode ? a->prompt : a->decode;
    int code;

    if ((a->model.model != NULL) == (a->shape != NULL))
        return ith_args_wrong(cli, command, "give either -m MODEL or --shape SHAPE");
    if (a->shape != NULL) {
        snprintf(a->name, sizeof a->name, "synthetic:%s:%s", a->shape, a->type);
        a->model.model = a->name;
    }
    if (more == 0)
        return ith_args_wrong(cli, command, "--prompt and --decode are both 0: there is nothing to measure");
    code = read_depths(cli, command, a);
    if (code != ITH_ARGS_OK)
        return code;
    if (a->model.ctx == 0)
        a->model.ctx = a->depth[a->n_depths - 1] + more;
    return ith_model_args_check(cli, command, &a->model, params);
}

static int parse_model(const ith_cli *cli, int argc, char **argv, model_bench_args *a, ith_engine_params *params)
{
    const ith_arg own[] = {
        {"shape", 0, ITH_ARG_TEXT, "SHAPE",
         "random weights: qwen3-0.6b, -1.7b, -4b, -8b, -14b, -32b, -30b-a3b, llama-3.1-8b, smollm2-135m, or a config.json",
         &a->shape, 0, 0},
        {"type", 0, ITH_ARG_TEXT, "TYPE", "of random weights: q4_0 (default), q4_1, q8_0, bf16, f16, f32", &a->type, 0,
         0},
        {"depths", 0, ITH_ARG_TEXT, "LIST", "tokens in the cache before each measurement (default 0)", &a->depths, 0,
         0},
        {"prompt", 0, ITH_ARG_INT, "N", "tokens of a measured prefill (default 512; 0: none)", &a->prompt, 0, 1e9},
        {"decode", 0, ITH_ARG_INT, "N", "tokens decoded one by one (default 32; 0: none)", &a->decode, 0, 1e9},
        {"repetitions", 0, ITH_ARG_INT, "N", "of each, taking turns; medians are shown (default 3)", &a->repetitions, 1,
         ITH_BENCH_REPETITIONS_MAX},
        {"buffer", 0, ITH_ARG_INT, "MIB", "memory to read from (default 1024, beyond the caches)", &a->buffer, 0,
         1 << 20},
        {"fill", 0, ITH_ARG_FLAG, NULL, "reach depths by arbitrary keys and values instead of prefilling", &a->fill, 0,
         0},
    };
    ith_arg args[ITH_ARGS_MAX];
    size_t n = sizeof own / sizeof own[0];
    int code;

    memcpy(args, own, sizeof own);
    ith_model_args_append(&a->model, args, &n);
    code = ith_args_parse(cli, &model_manual, args, n, argc, argv);
    return code == ITH_ARGS_OK ? check_model_args(cli, argv[0], a, params) : code;
}

static int model(const ith_cli *cli, int argc, char **argv)
{
    model_bench_args a = {.model = ith_model_args_default(),
                          .type = "q4_0",
                          .depths = "0",
                          .prompt = 512,
                          .decode = 32,
                          .repetitions = 3};
    ith_watch watch = {0};
    ith_engine_params params;
    ith_engine *engine = NULL;
    ith_error err = {0};
    char *text = NULL;
    ith_status status;
    int code = parse_model(cli, argc, argv, &a, &params);

    if (code != ITH_ARGS_OK)
        return code;
    ith_watch_engine(&watch, cli, a.model.quiet, &params);
    status = ith_engine_open(cli->world, &params, &engine, &err);
    if (status == ITH_OK)
        status = ith_bench_model(engine,
                                 &(ith_bench_model_params){a.depth, a.n_depths, a.prompt, a.decode, (int)a.repetitions,
                                                           a.buffer * MIB, a.fill},
                                 &text, &err);
    ith_watch_end(&watch);
    ith_engine_close(engine);
    if (status != ITH_OK)
        return ith_cli_failure(cli, status, &err);
    return text != NULL ? show(cli, text, a.model.json, print_model) : ITH_EXIT_DONE;
}

/* ---- bench ---- */

static const char usage[] = "ithaca bench roofline|kernels|model [OPTION]...\n"
                            "Measures speed. \"ithaca bench KIND --help\" gives each kind's options.\n\n"
                            "  roofline  what this machine can do at best: bandwidth, integer and float arithmetic\n"
                            "  kernels   every kernel at the sizes of real models, and its share of that\n"
                            "  model     prefill and decode of a model at growing context, and their share of that\n\n"
                            "Examples:\n"
                            "  ithaca bench roofline\n"
                            "  ithaca bench kernels --filter gemm_w4\n"
                            "  ithaca bench model -m model.gguf --depths 0,4096\n";

int ith_cmd_bench(const ith_cli *cli, int argc, char **argv)
{
    static const struct {
        const char *name, *command; /* command: what errors call it */
        int (*run)(const ith_cli *cli, int argc, char **argv);
    } kinds[] = {{"roofline", "bench roofline", roofline},
                 {"kernels", "bench kernels", kernels},
                 {"model", "bench model", model}};

    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        if (cli->rank == 0)
            fputs(usage, stdout);
        return ITH_EXIT_DONE;
    }
    for (size_t i = 0; argc > 1 && i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(argv[1], kinds[i].name) == 0) {
            argv[1] = (char *)(uintptr_t)kinds[i].command;
            return kinds[i].run(cli, argc - 1, argv + 1);
        }
    return ith_args_wrong(cli, argv[0], "expected roofline, kernels or model%s%s", argc > 1 ? ", not " : "",
                          argc > 1 ? argv[1] : "");
}
