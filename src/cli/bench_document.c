/* bench_document.c - results of `ithaca bench model` as a benchmark document. */
#include "cli/bench_document.h"

#include "base/newfile.h"
#include "cli/model_options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define SCHEMA "ithaca-bench/1"

enum { MAX_BYTES = 256 << 20 };

static const char *const tables[] = {"engines", "machines", "models", "runs"};
enum { TABLES = sizeof tables / sizeof *tables };

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static json_t *now(void)
{
    char text[32];
    time_t clock = time(NULL);
    struct tm utc;

    gmtime_r(&clock, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return json_string(text);
}

/* ---- The file ---- */

static json_t *empty(void)
{
    return json_pack("{s:s, s:o, s:{}, s:{}, s:{}, s:{}, s:[]}", "schema", SCHEMA, "created", now(),
                     "engines", "machines", "models", "runs", "results");
}

static bool is_document(const json_t *root)
{
    bool good = strcmp(text_of(root, "schema"), SCHEMA) == 0 &&
                json_is_array(json_object_get(root, "results"));

    for (size_t i = 0; i < TABLES; i++)
        good = good && json_is_object(json_object_get(root, tables[i]));
    return good;
}

static ith_status read_document(const char *path, json_t **document, ith_error *err)
{
    *document = NULL;
    ITH_TRY(ith_json_read(path, MAX_BYTES, document, err));
    if (is_document(*document))
        return ITH_OK;
    json_decref(*document);
    *document = NULL;
    return ith_fail(err, ITH_E_FORMAT, "%s is not a benchmark document of schema " SCHEMA, path);
}

ith_status ith_bench_document_open(const char *path, json_t **document, ith_error *err)
{
    struct stat info;

    if (path != NULL && (lstat(path, &info) == 0 || errno != ENOENT))
        return read_document(path, document, err);
    *document = empty();
    return *document != NULL ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "no memory for results");
}

ith_status ith_bench_document_write(const char *path, const json_t *document, ith_error *err)
{
    char *text = ith_json_exact_text(document, true);
    ith_status status = text != NULL
                            ? ith_newfile_text(AT_FDCWD, path, text, false, err)
                            : ith_fail(err, ITH_E_MEMORY, "no memory for the text of %s", path);

    free(text);
    return status;
}

/* ---- What runs, and where ---- */

static json_t *host_json(const json_t *build)
{
    struct utsname system;
    const char *cpu = text_of(build, "cpu");
    json_int_t nodes = (json_int_t)number(build, "memory_nodes");

    uname(&system);
    return json_pack("{s:s, s:I, s:I, s:I, s:s}", "cpu", *cpu != '\0' ? cpu : system.machine,
                     "cores", (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "memory_bytes",
                     (json_int_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE), "numa_nodes",
                     nodes > 0 ? nodes : 1, "kernel", system.release);
}

static json_t *engine_json(const json_t *build)
{
    return json_pack("{s:s, s:s, s:s, s:{s:s, s:s}}", "name", "Ithaca", "version",
                     text_of(build, "version"), "commit", text_of(build, "build"), "packages",
                     "mpi", text_of(build, "mpi"), "blas", text_of(build, "blas"));
}

/* In Hugging Face's words, so that a shape can be found among those of other engines. The number of
 * parameters tells apart what differs elsewhere: in latents, in recurrent states. */
static json_t *shape_json(const ith_engine_info *info)
{
    const struct {
        const char *key;
        int value; /* 0: the model has none */
    } sizes[] = {{"num_hidden_layers", info->n_layers},
                 {"hidden_size", info->hidden},
                 {"intermediate_size", info->ffn},
                 {"num_attention_heads", info->n_heads},
                 {"num_key_value_heads", info->n_kv_heads},
                 {"head_dim", info->head_dim},
                 {"vocab_size", info->n_vocab},
                 {"num_global_key_value_heads", info->full_kv_heads},
                 {"global_head_dim", info->full_head_dim},
                 {"num_experts", info->n_experts},
                 {"num_experts_per_tok", info->n_experts_used},
                 {"moe_intermediate_size", info->expert_ffn},
                 {"shared_expert_intermediate_size", info->shared_ffn}};
    json_t *shape = json_pack("{s:I}", "num_parameters", (json_int_t)info->n_params);

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i].value != 0)
            json_object_set_new(shape, sizes[i].key, json_integer(sizes[i].value));
    return shape;
}

static json_t *model_json(const ith_engine_info *info, const char *source)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:o}", "architecture", info->architecture,
                     "weight_type", info->weights, "kv_type",
                     ith_word_name(ith_kv_words, (int)info->kv), "source",
                     ith_json_c_string(source != NULL ? source : info->name), "weight_bytes",
                     (json_int_t)info->weight_bytes, "kv_bytes_per_token",
                     (json_int_t)info->kv_bytes_per_token, "shape", shape_json(info));
}

static json_t *placement_json(const ith_engine_info *info)
{
    return json_pack("{s:i, s:i, s:i, s:s, s:s}", "ranks", info->ranks, "devices", 0, "threads",
                     info->threads, "mesh", info->mesh, "isa", info->simd);
}

static json_t *detail_json(const ith_engine_info *info, const ith_bench_sizes *sizes)
{
    if (sizes == NULL)
        return json_pack("{s:o}", "name", ith_json_c_string(info->name));
    return json_pack("{s:o, s:I, s:I, s:i, s:s}", "name", ith_json_c_string(info->name), "prompt",
                     (json_int_t)sizes->prompt, "decode", (json_int_t)sizes->decode, "repetitions",
                     sizes->repetitions, "filled", sizes->fill ? "arbitrary data" : "prefill");
}

ith_status ith_bench_describe(const ith_engine_info *info, const char *source,
                              const ith_bench_sizes *sizes, json_t **described, ith_error *err)
{
    char *text = NULL;
    json_t *build;

    ITH_TRY(ith_build_info(&text, err));
    build = json_loads(text, 0, NULL);
    free(text);
    *described = json_pack("{s:o, s:{s:i, s:o, s:[]}, s:o, s:o, s:o}", "engine", engine_json(build),
                           "machine", "nodes", info->nodes, "host", host_json(build), "gpus",
                           "model", model_json(info, source), "placement", placement_json(info),
                           "detail", detail_json(info, sizes));
    json_decref(build);
    return *described != NULL ? ITH_OK : ith_fail(err, ITH_E_MEMORY, "no memory for results");
}

/* ---- Finding ---- */

/* The entry of a table that a member of a run names. */
static const json_t *entry(const json_t *document, const char *table, const json_t *run,
                           const char *key)
{
    return json_object_get(json_object_get(document, table), text_of(run, key));
}

static bool is_described(const json_t *document, const json_t *run, const json_t *described)
{
    static const char *const keys[] = {"engine", "machine", "model"};
    bool same =
        json_equal(json_object_get(run, "placement"), json_object_get(described, "placement")) &&
        json_equal(json_object_get(run, "detail"), json_object_get(described, "detail"));

    for (int i = 0; i < 3; i++)
        same = same && json_equal(entry(document, tables[i], run, keys[i]),
                                  json_object_get(described, keys[i]));
    return same;
}

static bool has_phase(const json_t *document, const json_t *described, int64_t depth,
                      const char *phase)
{
    const json_t *runs = json_object_get(document, "runs");
    const json_t *result;
    size_t i;

    json_array_foreach (json_object_get(document, "results"), i, result)
        if ((int64_t)json_integer_value(json_object_get(result, "depth")) == depth &&
            strcmp(text_of(result, "phase"), phase) == 0 &&
            strcmp(text_of(result, "status"), "measured") == 0 &&
            is_described(document, json_object_get(runs, text_of(result, "run")), described))
            return true;
    return false;
}

bool ith_bench_document_has(const json_t *document, const json_t *described, int64_t depth)
{
    const json_t *detail = json_object_get(described, "detail");

    return (number(detail, "prompt") == 0 || has_phase(document, described, depth, "prefill")) &&
           (number(detail, "decode") == 0 || has_phase(document, described, depth, "decode"));
}

/* `base`, or with a number behind it, such that the table lacks it or, unless `fresh`, has an equal
 * entry under it. Takes `base`. NULL: no memory. */
static json_t *choose_name(const json_t *table, const json_t *wanted, json_t *base, bool fresh)
{
    json_t *name = json_incref(base);

    for (int i = 2; name != NULL; i++) {
        const json_t *there = json_object_get(table, json_string_value(name));
        if (there == NULL || (!fresh && json_equal(there, wanted)))
            break;
        json_decref(name);
        name = json_sprintf("%s #%d", json_string_value(base), i);
    }
    json_decref(base);
    return name;
}

char *ith_bench_document_begin(const json_t *document, const json_t *described)
{
    const json_t *placement = json_object_get(described, "placement");
    json_t *base = json_sprintf("%s, Ithaca, %d x %d threads",
                                text_of(json_object_get(described, "detail"), "name"),
                                (int)number(placement, "ranks"), (int)number(placement, "threads"));
    json_t *name = choose_name(json_object_get(document, "runs"), NULL, base, true);
    char *text = name != NULL ? strdup(json_string_value(name)) : NULL;

    json_decref(name);
    return text;
}

/* ---- Results ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* {median, min, max, values} of the numbers of `seconds`, each times `factor` plus `more`. */
static json_t *spread_json(const json_t *seconds, double factor, double more)
{
    double values[ITH_BENCH_REPETITIONS_MAX], sorted[ITH_BENCH_REPETITIONS_MAX];
    int n = (int)json_array_size(seconds);

    for (int i = 0; i < n; i++)
        values[i] = json_number_value(json_array_get(seconds, (size_t)i)) * factor + more;
    memcpy(sorted, values, sizeof sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, compare);
    return json_pack("{s:o, s:o, s:o, s:o}", "median",
                     ith_json_number((sorted[(n - 1) / 2] + sorted[n / 2]) / 2), "min",
                     ith_json_number(sorted[0]), "max", ith_json_number(sorted[n - 1]), "values",
                     ith_json_numbers(values, n));
}

/* Null: the peak is unknown. */
static json_t *memory_json(const json_t *row)
{
    if (!json_is_integer(json_object_get(row, "peak")))
        return json_null();
    return json_pack("{s:O, s:s}", "peak", json_object_get(row, "peak"), "scope", "rank");
}

static json_t *result_json(const char *run, const char *phase, const json_t *row, json_int_t tokens)
{
    const json_t *measured = json_object_get(row, phase);

    return json_pack("{s:s, s:s, s:s, s:O, s:I, s:i, s:s, s:O, s:O, s:o}", "run", run, "phase",
                     phase, "mode", "default", "depth", json_object_get(row, "depth"), "tokens",
                     tokens, "batch", 1, "status", "measured", "tokens_per_second",
                     json_object_get(measured, "tps"), "of_ceiling",
                     json_object_get(measured, "of_ceiling"), "memory", memory_json(row));
}

static json_t *prefill_result(const char *run, const json_t *row, json_int_t tokens)
{
    const json_t *measured = json_object_get(row, "prefill"),
                 *seconds = json_object_get(measured, "seconds");
    json_t *result = result_json(run, "prefill", row, tokens);
    double s = (double)tokens / number(measured, "tps");

    json_object_set_new(result, "seconds", spread_json(seconds, 1, 0));
    if (json_is_number(json_object_get(row, "ttft_s")))
        json_object_set_new(result, "ttft_seconds", spread_json(seconds, 1, number(row, "fill_s")));
    json_object_set_new(result, "operations", ith_json_number(number(measured, "gops") * 1e9 * s));
    json_object_set(result, "wire_bytes_per_rank", json_object_get(measured, "sent"));
    json_object_set_new(result, "detail",
                        json_pack("{s:O, s:O, s:O}", "fill_s", json_object_get(row, "fill_s"),
                                  "predicted", json_object_get(measured, "predicted"),
                                  "sent_formula", json_object_get(measured, "sent_formula")));
    return result;
}

static json_t *decode_result(const char *run, const json_t *row, json_int_t tokens)
{
    const json_t *measured = json_object_get(row, "decode");
    json_t *result = result_json(run, "decode", row, tokens);

    json_object_set_new(result, "seconds",
                        spread_json(json_object_get(measured, "seconds"), 1 / (double)tokens, 0));
    json_object_set_new(result, "bytes_read",
                        ith_json_number(number(measured, "gbps") * 1e9 / number(measured, "tps")));
    json_object_set_new(result, "detail",
                        json_pack("{s:O}", "fetching", json_object_get(measured, "fetching")));
    return result;
}

/* The list without the results of a run. */
static json_t *without(const json_t *results, const char *run)
{
    json_t *kept = json_array(), *result;
    size_t i;

    json_array_foreach (results, i, result)
        if (strcmp(text_of(result, "run"), run) != 0)
            json_array_append(kept, result);
    return kept;
}

static json_t *ceilings_json(const json_t *c)
{
    if (c == NULL)
        return json_object();
    return json_pack("{s:o, s:o, s:o}", "memory_bytes_per_second",
                     ith_json_number(number(c, "read_gbps") * 1e9), "int8_ops",
                     ith_json_number(number(c, "integer_gops") * 1e9), "f32_flops",
                     ith_json_number(number(c, "f32_gflops") * 1e9));
}

/* Adds what is described to a table, under a name that says it, and run[key] names it. Takes
 * `base`. */
static void refer(json_t *document, const char *table, const json_t *described, const char *key,
                  json_t *base, json_t *run)
{
    json_t *wanted = json_object_get(described, key), *there = json_object_get(document, table);
    json_t *name = choose_name(there, wanted, base, false);

    if (name != NULL)
        json_object_set(there, json_string_value(name), wanted);
    json_object_set_new(run, key, name);
}

static json_t *run_json(json_t *document, const json_t *described, const json_t *ceilings)
{
    const json_t *machine = json_object_get(described, "machine"),
                 *detail = json_object_get(described, "detail"),
                 *model = json_object_get(described, "model");
    json_t *run = json_pack("{s:o, s:O, s:o, s:O}", "started", now(), "placement",
                            json_object_get(described, "placement"), "ceilings",
                            ceilings_json(ceilings), "detail", detail);

    refer(document, "engines", described, "engine",
          json_sprintf("Ithaca %s", text_of(json_object_get(described, "engine"), "version")), run);
    refer(document, "machines", described, "machine",
          json_sprintf("%d x %s", (int)number(machine, "nodes"),
                       text_of(json_object_get(machine, "host"), "cpu")),
          run);
    refer(document, "models", described, "model",
          json_sprintf("%s %s, %s cache", text_of(detail, "name"), text_of(model, "weight_type"),
                       text_of(model, "kv_type")),
          run);
    return run;
}

ith_status ith_bench_document_put(json_t *document, const json_t *described, const char *run,
                                  const char *text, ith_error *err)
{
    json_t *root = json_loads(text, 0, NULL), *runs = json_object_get(document, "runs");
    json_t *results = without(json_object_get(document, "results"), run), *row;
    size_t i;

    if (root == NULL || results == NULL) {
        json_decref(root);
        json_decref(results);
        return ith_fail(err, ITH_E_MEMORY, "no memory for the results");
    }
    if (json_object_get(runs, run) == NULL)
        json_object_set_new(runs, run,
                            run_json(document, described, json_object_get(root, "ceilings")));
    json_array_foreach (json_object_get(root, "depths"), i, row) {
        if (json_is_object(json_object_get(row, "prefill")))
            json_array_append_new(results,
                                  prefill_result(run, row, (json_int_t)number(root, "prompt")));
        if (json_is_object(json_object_get(row, "decode")))
            json_array_append_new(results,
                                  decode_result(run, row, (json_int_t)number(root, "decode")));
    }
    json_object_set_new(document, "results", results);
    json_decref(root);
    return ITH_OK;
}

/* ---- Answers ---- */

/* Of a run that is described so; a new one where there is none. The caller frees it. */
static char *find_run(json_t *document, const json_t *described)
{
    json_t *runs = json_object_get(document, "runs"), *run;
    const char *name;
    char *text;

    json_object_foreach (runs, name, run)
        if (is_described(document, run, described))
            return strdup(name);
    text = ith_bench_document_begin(document, described);
    if (text != NULL)
        json_object_set_new(runs, text, run_json(document, described, NULL));
    return text;
}

/* Do two results answer one question? */
static bool is_same_question(const json_t *a, const json_t *b)
{
    static const char *const keys[] = {"run", "phase", "depth", "tokens"}, *const of_needle[] = {
                                                                               "position", "seed"};
    const json_t *x = json_object_get(a, "needle"), *y = json_object_get(b, "needle");
    bool same = true;

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        same = same && json_equal(json_object_get(a, keys[i]), json_object_get(b, keys[i]));
    for (size_t i = 0; x != NULL && i < sizeof of_needle / sizeof *of_needle; i++)
        same =
            same && json_equal(json_object_get(x, of_needle[i]), json_object_get(y, of_needle[i]));
    x = json_object_get(json_object_get(a, "perplexity"), "sha256");
    y = json_object_get(json_object_get(b, "perplexity"), "sha256");
    return same && (x == NULL || json_equal(x, y));
}

ith_status ith_bench_document_add(json_t *document, const json_t *described, json_t *result,
                                  ith_error *err)
{
    json_t *results = json_object_get(document, "results");
    char *run = find_run(document, described);

    if (run == NULL || result == NULL) {
        json_decref(result);
        free(run);
        return ith_fail(err, ITH_E_MEMORY, "no memory for the results");
    }
    json_object_set_new(result, "run", json_string(run));
    free(run);
    for (size_t i = json_array_size(results); i-- > 0;)
        if (is_same_question(result, json_array_get(results, i)))
            json_array_remove(results, i);
    json_array_append_new(results, result);
    return ITH_OK;
}

/* ---- Comma-separated values ---- */

/* In quotes, with quotes within doubled. */
static void print_quoted(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++)
        printf(*text == '"' ? "\"\"" : "%c", *text);
    putchar('"');
}

/* A number, or nothing. */
static void print_value(const json_t *value)
{
    putchar(',');
    if (json_is_integer(value))
        printf("%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        printf("%.9g", json_real_value(value));
}

static void print_result(const json_t *document, const json_t *result)
{
    static const char *const numbers[] = {"depth", "tokens", "batch", "tokens_per_second"};
    const json_t *run = json_object_get(json_object_get(document, "runs"), text_of(result, "run")),
                 *seconds = json_object_get(result, "seconds");

    print_quoted(text_of(result, "run"));
    for (int i = 0; i < 3; i++) {
        static const char *const keys[] = {"engine", "machine", "model"};
        putchar(',');
        print_quoted(text_of(run, keys[i]));
    }
    for (int i = 0; i < 3; i++) {
        static const char *const keys[] = {"phase", "mode", "status"};
        putchar(',');
        print_quoted(text_of(result, keys[i]));
    }
    for (int i = 0; i < 4; i++)
        print_value(json_object_get(result, numbers[i]));
    print_value(json_object_get(seconds, "median"));
    print_value(json_object_get(seconds, "min"));
    print_value(json_object_get(seconds, "max"));
    print_value(json_object_get(json_object_get(result, "ttft_seconds"), "median"));
    print_value(json_object_get(result, "of_ceiling"));
    print_value(json_object_get(json_object_get(result, "memory"), "peak"));
    print_value(json_object_get(result, "wire_bytes_per_rank"));
    putchar('\n');
}

int ith_bench_document_print(const json_t *document)
{
    const json_t *result;
    size_t i;

    printf("run,engine,machine,model,phase,mode,status,depth,tokens,batch,tokens_per_second,"
           "seconds,seconds_min,seconds_max,ttft_seconds,of_ceiling,peak_bytes,"
           "wire_bytes_per_rank\n");
    json_array_foreach (json_object_get(document, "results"), i, result)
        print_result(document, result);
    return ITH_EXIT_DONE;
}
