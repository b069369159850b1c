/* cmd_bench.c - measures the machine, the kernels or a model. The library gives JSON; here it
 * becomes tables for people. */
#include "base/newfile.h"
#include "base/size.h"
#include "base/testhook.h"
#include "cli/arguments.h"
#include "cli/bench_document.h"
#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/watch.h"

#include <stddef.h>
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

/* A number in `width` columns, or a dash if there is none. */
static void print_number(const json_t *object, const char *key, double factor, int width,
                         int digits)
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

/* Rank 0. Prints the result as it is (--json) or by `print`. */
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

static const ith_option buffer_options[] = {
    {.name = "buffer",
     .kind = ITH_OPTION_INT,
     .metavar = "MIB",
     .max = 1 << 20,
     .otherwise = "1024, beyond the caches",
     .help = "size of the memory to read from, in MiB"},
    {.name = NULL},
};

static const ith_option_group buffer_group = {"Measurement", buffer_options}; /* int64_t */

#define SHAPES                                                                                     \
    "qwen3-0.6b, -1.7b, -4b, -8b, -14b, -32b, -30b-a3b, llama-3.1-8b, smollm2-135m, "              \
    "or a config.json"

/* ---- roofline ---- */

typedef struct roofline_args {
    int64_t threads, buffer;
    double seconds;
    ith_output_args output;
} roofline_args;

static const ith_option roofline_options[] = {
    {.name = "seconds",
     .kind = ITH_OPTION_REAL,
     .metavar = "S",
     .at = offsetof(roofline_args, seconds),
     .max = 3600,
     .preset = "0.5",
     .help = "time to measure each figure"},
    {.name = NULL},
};

static const ith_option_group roofline_group = {"Measurement", roofline_options};

static const ith_group_use roofline_groups[] = {
    {&roofline_group, 0},
    {&buffer_group, offsetof(roofline_args, buffer)},
    {&ith_group_threads, offsetof(roofline_args, threads)},
    {&ith_group_json, offsetof(roofline_args, output)},
    {&ith_group_quiet, offsetof(roofline_args, output)},
    {NULL, 0},
};

static void print_roofline(const json_t *root)
{
    size_t i;
    json_t *row;

    printf("%d rank(s), %s: integer by %s, float by %s\n\n", (int)number(root, "ranks"),
           text_of(root, "simd"), text_of(root, "integer_instruction"),
           text_of(root, "f32_instruction"));
    printf("threads   read GB/s   integer GOP/s   f32 GFLOP/s\n");
    json_array_foreach (json_object_get(root, "threads"), i, row) {
        printf("%7d", (int)number(row, "threads"));
        print_number(row, "read_gbps", 1, 11, 1);
        print_number(row, "integer_gops", 1, 15, 0);
        print_number(row, "f32_gflops", 1, 13, 0);
        printf("\n");
    }
}

static int roofline_main(const ith_cli *cli, int argc, char **argv)
{
    roofline_args args = {0};
    ith_error err = {0};
    char *text = NULL;
    ith_status status;
    int code = ith_args_parse(cli, &ith_command_bench_roofline, &args, argc, argv);

    if (code != ITH_ARGS_OK)
        return code;
    status = ith_bench_roofline(
        cli->world,
        &(ith_bench_roofline_params){(int)args.threads, args.seconds, args.buffer * MIB}, &text,
        &err);
    if (status != ITH_OK)
        return ith_cli_failure(cli, status, &err);
    return text != NULL ? show(cli, text, args.output.json, print_roofline) : ITH_EXIT_DONE;
}

const ith_command ith_command_bench_roofline = {
    .name = "bench roofline",
    .summary = "what this machine can do at best: bandwidth and arithmetic",
    .synopsis = "bench roofline [-t T] [--seconds S] [--json]",
    .description =
        "Measures read bandwidth, 8-bit integer and f32 multiply-adds of this machine with 1 "
        "to T threads. Under mpirun: of all ranks together.",
    .examples = "ithaca bench roofline\n"
                "ITHACA_SIMD=avx2 ithaca bench roofline --threads 1\n"
                "mpirun -n 4 ithaca bench roofline --json\n",
    .groups = roofline_groups,
    .collective = true,
    .run = roofline_main,
};

/* ---- kernels ---- */

typedef struct kernels_args {
    const char *shapes, *simd, *filter;
    int64_t threads, buffer;
    double seconds;
    ith_output_args output;
} kernels_args;

static const ith_option kernels_options[] = {
    {.name = "shapes",
     .kind = ITH_OPTION_TEXT,
     .metavar = "LIST",
     .at = offsetof(kernels_args, shapes),
     .otherwise = "qwen3-0.6b",
     .help = "models whose sizes to use, separated by commas",
     .more = "Known: " SHAPES "."},
    {.name = "simd",
     .kind = ITH_OPTION_TEXT,
     .metavar = "LIST",
     .at = offsetof(kernels_args, simd),
     .otherwise = "the one in use",
     .help = "instruction sets, as ithaca version lists them"},
    {.name = "filter",
     .kind = ITH_OPTION_TEXT,
     .metavar = "TEXT",
     .at = offsetof(kernels_args, filter),
     .help = "measure only lines that contain TEXT",
     .more = "A line reads \"KERNEL SHAPE.OPERAND TOKENS\"."},
    {.name = "threads",
     .letter = 't',
     .kind = ITH_OPTION_INT,
     .metavar = "T",
     .at = offsetof(kernels_args, threads),
     .min = 1,
     .max = 4096,
     .preset = "1",
     .help = "threads that share each product"},
    {.name = "seconds",
     .kind = ITH_OPTION_REAL,
     .metavar = "S",
     .at = offsetof(kernels_args, seconds),
     .max = 3600,
     .preset = "0.1",
     .help = "time to measure each line"},
    {.name = NULL},
};

static const ith_option_group kernels_group = {"Measurement", kernels_options};

static const ith_group_use kernels_groups[] = {
    {&kernels_group, 0},
    {&buffer_group, offsetof(kernels_args, buffer)},
    {&ith_group_json, offsetof(kernels_args, output)},
    {&ith_group_quiet, offsetof(kernels_args, output)},
    {NULL, 0},
};

static void print_kernels(const json_t *root)
{
    const char *level;
    size_t i;
    json_t *row, *ceiling;

    json_object_foreach (json_object_get(root, "ceilings"), level, ceiling)
        printf("ceilings of %d thread(s), %s: %.1f GB/s, %.0f integer GOP/s, %.0f f32 GFLOP/s\n",
               (int)number(root, "threads"), level, number(ceiling, "read_gbps"),
               number(ceiling, "integer_gops"), number(ceiling, "f32_gflops"));
    printf("\n%-19s%-9s%-28s%7s%10s%8s%11s%8s\n", "kernel", "simd", "shape.operand [rows x cols]",
           "tokens", "GOP/s", "GB/s", "of ceiling", "ns/elem");
    json_array_foreach (json_object_get(root, "results"), i, row) {
        char label[100];
        int used =
            snprintf(label, sizeof label, "%s.%s", text_of(row, "shape"), text_of(row, "part"));
        if (number(row, "rows") > 0 && used < 60)
            snprintf(label + used, sizeof label - (size_t)used, " %.0fx%.0f", number(row, "rows"),
                     number(row, "cols"));
        printf("%-19s%-9s%-28s", text_of(row, "kernel"), text_of(row, "simd"), label);
        print_number(row, "tokens", 1, 6, 0);
        print_number(row, "gops", 1, 9, 1);
        print_number(row, "gbps", 1, 7, 2);
        print_percent(row, "of_ceiling", 9);
        print_number(row, "ns_per_element", 1, 7, 3);
        printf("\n");
    }
}

static int kernels_main(const ith_cli *cli, int argc, char **argv)
{
    kernels_args args = {0};
    ith_bench_kernels_params params;
    ith_watch watch = {.cli = cli};
    ith_error err = {0};
    char *text = NULL;
    ith_status status;
    int code = ith_args_parse(cli, &ith_command_bench_kernels, &args, argc, argv);

    if (code != ITH_ARGS_OK)
        return code;
    watch.quiet = args.output.quiet;
    params = (ith_bench_kernels_params){.shapes = args.shapes,
                                        .simd = args.simd,
                                        .filter = args.filter,
                                        .threads = (int)args.threads,
                                        .seconds = args.seconds,
                                        .buffer = args.buffer * MIB,
                                        .progress = ith_watch_progress,
                                        .progress_user = &watch};
    status = ith_bench_kernels(&params, &text, &err);
    ith_watch_end(&watch);
    if (status != ITH_OK)
        return ith_cli_failure(cli, status, &err);
    return show(cli, text, args.output.json, print_kernels);
}

const ith_command ith_command_bench_kernels = {
    .name = "bench kernels",
    .summary = "every kernel at the sizes of real models",
    .synopsis = "bench kernels [--shapes LIST] [--simd LIST] [--filter TEXT] [OPTION]...",
    .description =
        "Measures every kernel at the sizes of real models: its rates, and their share of what "
        "the same threads can do at best.",
    .examples = "ithaca bench kernels\n"
                "ithaca bench kernels --shapes qwen3-8b,smollm2-135m --filter gemm_w4 -t 2\n"
                "ithaca bench kernels --simd avx2,avx512 --filter attn_q8 --json\n",
    .groups = kernels_groups,
    .run = kernels_main,
};

/* ---- model ---- */

typedef struct model_bench_args {
    ith_model_args model;
    const char *shape, *type, *depths, *output;
    int64_t prompt, decode, repetitions, buffer;
    bool fill, csv;
    int64_t depth[DEPTHS_MAX];
    size_t n_depths;
    char name[300];
} model_bench_args;

static const ith_option model_options[] = {
    {.name = "shape",
     .kind = ITH_OPTION_TEXT,
     .metavar = "SHAPE",
     .at = offsetof(model_bench_args, shape),
     .help = "random weights of this shape instead of a model",
     .more = "Known: " SHAPES "."},
    {.name = "type",
     .kind = ITH_OPTION_TEXT,
     .metavar = "TYPE",
     .at = offsetof(model_bench_args, type),
     .otherwise = "q4_0",
     .help = "type of the random weights",
     .more = "q4_0, q4_1, q8_0, bf16, f16 or f32."},
    {.name = "depths",
     .kind = ITH_OPTION_TEXT,
     .metavar = "LIST",
     .at = offsetof(model_bench_args, depths),
     .preset = "0",
     .help = "tokens in the cache before each measurement",
     .more = "Ascending and separated by commas, such as 0,4k,128k."},
    {.name = "prompt",
     .kind = ITH_OPTION_TOKENS,
     .metavar = "N",
     .at = offsetof(model_bench_args, prompt),
     .max = 1e9,
     .preset = "512",
     .help = "tokens of a measured prefill; 0: none"},
    {.name = "decode",
     .kind = ITH_OPTION_TOKENS,
     .metavar = "N",
     .at = offsetof(model_bench_args, decode),
     .max = 1e9,
     .preset = "32",
     .help = "tokens decoded one by one; 0: none"},
    {.name = "repetitions",
     .kind = ITH_OPTION_INT,
     .metavar = "N",
     .at = offsetof(model_bench_args, repetitions),
     .min = 1,
     .max = ITH_BENCH_REPETITIONS_MAX,
     .preset = "3",
     .help = "measurements of each; medians are shown"},
    {.name = "fill",
     .kind = ITH_OPTION_FLAG,
     .at = offsetof(model_bench_args, fill),
     .help = "fill the cache with arbitrary data, not by prefill"},
    {.name = "output",
     .letter = 'o',
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .at = offsetof(model_bench_args, output),
     .help = "keep results in this document, and measure what it lacks",
     .more = "It is written after each depth. Depths that it has for the same model, machine, "
             "ranks and sizes are not measured again."},
    {.name = "csv",
     .kind = ITH_OPTION_FLAG,
     .at = offsetof(model_bench_args, csv),
     .help = "print results as comma-separated values"},
    {.name = NULL},
};

static const ith_option_group model_group = {"Measurement", model_options};

static const ith_group_use model_groups[] = {
    {&ith_group_model, offsetof(model_bench_args, model.model)},
    {&model_group, 0},
    {&buffer_group, offsetof(model_bench_args, buffer)},
    ITH_ENGINE_GROUPS(model_bench_args, model),
    {&ith_group_json, offsetof(model_bench_args, model.output)},
    {&ith_group_quiet, offsetof(model_bench_args, model.output)},
    {NULL, 0},
};

/* `fetching` is null unless weights are streamed. */
static void print_fetching(const json_t *fetching)
{
    if (!json_is_object(fetching))
        return;
    printf("        decode at %.1f%% of what fetching its weights alone gives: %.2f tokens/s; rank "
           "0 reads %.2f GB/s, "
           "unpacks %.2f GB/s\n",
           100 * number(fetching, "reached"), number(fetching, "tps"),
           number(fetching, "read_gbps"), number(fetching, "unpacked_gbps"));
}

static void print_model(const json_t *root)
{
    const json_t *ceilings = json_object_get(root, "ceilings");
    size_t i;
    json_t *row;

    printf(
        "%s: %d x %d threads, mesh %s, %s, %s cache; weights %.2f GB, %.1f KB of cache a token\n",
        text_of(root, "model"), (int)number(root, "ranks"), (int)number(root, "threads"),
        text_of(root, "mesh"), text_of(root, "simd"), text_of(root, "kv"),
        number(root, "weight_bytes") * 1e-9, number(root, "kv_bytes_per_token") * 1e-3);
    printf("ceilings: %.1f GB/s, %.0f integer GOP/s, %.0f f32 GFLOP/s\n",
           number(ceilings, "read_gbps"), number(ceilings, "integer_gops"),
           number(ceilings, "f32_gflops"));
    printf("prefill of %.0f tokens, decode of %.0f, medians of %.0f; depths reached by %s\n\n",
           number(root, "prompt"), number(root, "decode"), number(root, "repetitions"),
           text_of(root, "filled"));
    printf("           prefill                                                decode\n"
           "  depth    tokens/s  predicted  reached     GOP/s  of ceiling      tokens/s    GB/s  "
           "of ceiling   "
           "first token s\n");
    json_array_foreach (json_object_get(root, "depths"), i, row) {
        const json_t *prefill = json_object_get(row, "prefill"),
                     *decode = json_object_get(row, "decode");
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
            printf("        rank 0 sent %.2f MB in a prefill; by formula %.2f MB\n",
                   number(prefill, "sent") * 1e-6, number(prefill, "sent_formula") * 1e-6);
    }
}

static int read_depths(const ith_cli *cli, const char *command, model_bench_args *a)
{
    const char *at = a->depths;

    for (;;) {
        const char *end;
        int64_t depth;
        if (!ith_count_read(at, &end, &depth) || depth > 1000000000 || (*end != 0 && *end != ',') ||
            a->n_depths == DEPTHS_MAX || (a->n_depths > 0 && depth <= a->depth[a->n_depths - 1]))
            return ith_args_wrong(cli, command,
                                  "--depths takes up to %d ascending numbers of tokens: 0,4k,16k",
                                  DEPTHS_MAX);
        a->depth[a->n_depths++] = depth;
        if (*end == 0)
            return ITH_ARGS_OK;
        at = end + 1;
    }
}

/* ---- The document of results: rank 0 has it ---- */

typedef struct model_results {
    const ith_cli *cli;
    const model_bench_args *args;
    json_t *document;  /* NULL on other ranks */
    json_t *described; /* what runs, and where */
    char *run;         /* its name in the document */
    ith_status status; /* of the last time that the file was written */
    ith_error err;
} model_results;

static void close_results(model_results *r)
{
    json_decref(r->document);
    json_decref(r->described);
    free(r->run);
}

/* Rank 0 opens the document and leaves out depths that it has. */
static ith_status open_results(model_results *r, const ith_engine *engine, int64_t *depth,
                               size_t *n_depths, ith_error *err)
{
    const model_bench_args *a = r->args;
    const ith_bench_sizes sizes = {a->prompt, a->decode, (int)a->repetitions, a->fill};
    const char *source = a->shape != NULL ? "random weights" : NULL;
    size_t kept = 0;

    ITH_TRY(ith_bench_document_open(a->output, &r->document, err));
    if (a->output != NULL)
        ITH_TRY(ith_newfile_try(a->output, err));
    ITH_TRY(ith_bench_describe(ith_engine_get_info(engine), source, &sizes, &r->described, err));
    for (size_t i = 0; i < *n_depths; i++)
        if (!ith_bench_document_has(r->document, r->described, depth[i]))
            depth[kept++] = depth[i];
    *n_depths = kept;
    r->run = ith_bench_document_begin(r->document, r->described);
    return r->run != NULL ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "no memory for the results");
}

/* Collective. */
static ith_status agree_on_depths(model_results *r, const ith_engine *engine, model_bench_args *a,
                                  ith_error *err)
{
    ith_world *world = r->cli->world;
    ith_status status =
        r->cli->rank != 0 ? ITH_OK : open_results(r, engine, a->depth, &a->n_depths, err);

    ITH_TRY(ith_cli_agree(r->cli, status));
    ith_world_bcast(world, &a->n_depths, sizeof a->n_depths);
    ith_world_bcast(world, a->depth, sizeof a->depth);
    return ITH_OK;
}

static int64_t last_depth(const char *json)
{
    json_t *root = json_loads(json, 0, NULL);
    const json_t *depths = json_object_get(root, "depths");
    double depth = number(json_array_get(depths, json_array_size(depths) - 1), "depth");

    json_decref(root);
    return (int64_t)depth;
}

static void keep_results(void *user, const char *json)
{
    model_results *r = user;

    bool stops = ith_test_hook_due("bench", last_depth(json)); /* once: false after it has acted */

    while (stops && ith_test_hook_act())
        continue;
    r->status = ith_bench_document_put(r->document, r->described, r->run, json, &r->err);
    if (r->status == ITH_OK && r->args->output != NULL)
        r->status = ith_bench_document_write(r->args->output, r->document, &r->err);
    if (r->status != ITH_OK) /* hours may pass until the end, and a later write may succeed */
        ith_cli_warning(r->cli, "%s", r->err.text);
}

/* Collective. */
static ith_status measure_model(model_results *r, ith_engine *engine, model_bench_args *a,
                                char **text, ith_error *err)
{
    ITH_TRY(agree_on_depths(r, engine, a, err));
    if (a->n_depths == 0)
        return ITH_OK;
    ITH_TRY(ith_bench_model(engine,
                            &(ith_bench_model_params){.depths = a->depth,
                                                      .n_depths = a->n_depths,
                                                      .prompt = a->prompt,
                                                      .decode = a->decode,
                                                      .repetitions = (int)a->repetitions,
                                                      .buffer = a->buffer * MIB,
                                                      .fill = a->fill,
                                                      .measured = keep_results,
                                                      .measured_user = r},
                            text, err));
    if (r->status != ITH_OK)
        *err = r->err;
    return ith_cli_agree(r->cli, r->status);
}

static int show_model(model_results *r, char *text)
{
    const model_bench_args *a = r->args;

    if (r->cli->rank != 0)
        return ITH_EXIT_DONE;
    if (a->csv) {
        free(text);
        return ith_bench_document_print(r->document);
    }
    if (a->model.output.json) {
        free(text);
        return ith_cli_write_json(r->cli, json_incref(r->document));
    }
    if (text == NULL) {
        ith_cli_say(r->cli, "%s has all of these depths", a->output);
        return ITH_EXIT_DONE;
    }
    return show(r->cli, text, false, print_model);
}

static int check_model_args(const ith_cli *cli, const char *command, model_bench_args *a,
                            ith_engine_params *params)
{
    int64_t more = a->prompt > a->decode ? a->prompt : a->decode;
    int code;

    if ((a->model.model != NULL) == (a->shape != NULL))
        return ith_args_wrong(cli, command, "expected either MODEL or --shape SHAPE");
    if (a->type != NULL && a->shape == NULL)
        return ith_args_wrong(cli, command, "--type is that of --shape; a model has its own");
    if (a->shape != NULL) {
        snprintf(a->name, sizeof a->name, "synthetic:%s:%s", a->shape,
                 a->type != NULL ? a->type : "q4_0");
        a->model.model = a->name;
    }
    if (a->csv && a->model.output.json)
        return ith_args_wrong(cli, command, "--csv and --json are two forms of the same results");
    if (more == 0)
        return ith_args_wrong(cli, command, "--prompt and --decode are both 0: nothing to measure");
    code = read_depths(cli, command, a);
    if (code != ITH_ARGS_OK)
        return code;
    if (a->model.ctx == 0)
        a->model.ctx = a->depth[a->n_depths - 1] + more;
    return ith_model_args_check(cli, command, &a->model, params);
}

static int bench_model_main(const ith_cli *cli, int argc, char **argv)
{
    model_bench_args a = {.model = ith_model_args_default()};
    ith_watch watch = {0};
    ith_engine_params params;
    ith_engine *engine = NULL;
    model_results results = {.cli = cli, .args = &a};
    ith_error err = {0};
    char *text = NULL;
    ith_status status;
    int code = ith_args_parse(cli, &ith_command_bench_model, &a, argc, argv);

    if (code == ITH_ARGS_OK)
        code = check_model_args(cli, ith_command_bench_model.name, &a, &params);
    if (code != ITH_ARGS_OK)
        return code;
    ith_watch_engine(&watch, cli, a.model.output.quiet, &params);
    status = ith_engine_open(cli->world, &params, &engine, &err);
    if (status == ITH_OK)
        status = measure_model(&results, engine, &a, &text, &err);
    ith_watch_end(&watch);
    ith_engine_close(engine);
    code = status != ITH_OK ? ith_cli_failure(cli, status, &err) : show_model(&results, text);
    if (status != ITH_OK)
        free(text);
    close_results(&results);
    return code;
}

const ith_command ith_command_bench_model = {
    .name = "bench model",
    .summary = "prefill and decode of a model at growing context",
    .synopsis = "bench model MODEL [--depths LIST] [OPTION]...\n"
                "bench model --shape SHAPE [--type TYPE] [--depths LIST] [OPTION]...",
    .description =
        "Measures prefill and decode at growing context, of a model's files or of random weights "
        "of a "
        "known shape.\n\n"
        "predicted: prefill at the rates of its kernels alone, measured in turns with it; reached: "
        "the share of that. For streamed weights, the speed of fetching them alone is shown "
        "too, and which share of it decode reaches.\n\n"
        "--json and -o FILE give a document as bench/schema/bench-1.json describes it, in which "
        "results of many runs, machines and engines can stand side by side.",
    .examples = "ithaca bench model model.gguf --depths 0,4k,16k\n"
                "ithaca bench model --shape qwen3-8b --type q4_0 --depths 0,32k --fill\n"
                "mpirun -n 4 ithaca bench model Qwen3-8B --prompt 2048 --json\n"
                "ithaca bench model Qwen3-8B --depths 0,8k,32k,128k -o here.json\n",
    .groups = model_groups,
    .operand = "model",
    .collective = true,
    .run = bench_model_main,
};
