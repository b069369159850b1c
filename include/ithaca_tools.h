/* ithaca_tools.h - what is done with models besides running them: plans, packs, reports, benchmarks.
 *
 * The command line is made of these functions and of ithaca.h. Conventions are those of ithaca.h.
 */
#ifndef ITHACA_TOOLS_H
#define ITHACA_TOOLS_H

#include "ithaca.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Plans --------------------------------------------------------------------------------------------------- */

typedef struct ith_estimate_params {
    ith_engine_params engine; /* memory 0: this machine's stands for that of each node; threads 0: its cores, shared by a node's ranks */
    int nodes, ranks_per_node;
    double read_gbps, integer_gops;  /* of a node, as ith_bench_roofline gives them; 0: no times */
    double network_gbps, latency_us; /* of a node's connection, gigabytes a second; of an exchange between nodes */
} ith_estimate_params;

/* Local. What ith_engine_open and a session of its context would take on so many ranks, by the same functions, without loading: reads the
 * headers of the model's files only. *json is one malloc'd object:
 * {model, nodes, ranks_per_node, ranks, threads, mesh, shares, ctx, chunk, weight_bytes, placement: "replicated", "sharded", "streamed" or "none", why,
 *  memory: {node_weights_bytes, rank_kv_bytes, rank_workspace_bytes, rank_session_bytes, node_bytes},
 *  node_reads_bytes: {prompt_pass, answer_token},
 *  token_layer_bytes: {ulysses_prefill, rows_decode, tensor_parallel}, prefill_s, decode_tps}
 * shares: of tokens and rows, each rank's, or null: all the same. Ranks of a plan are alike, unless numbers are given.
 * node_reads_bytes: of weights that are streamed from files, what a node reads in a pass of a prompt that needs all of them, and for a token of an answer,
 * which goes to few of a mixture's experts: reckoned as if each were as likely as any, of which some are still in memory. null: none.
 * token_layer_bytes: what a rank sends on average for a token and layer, in prefill, in decode, and where tensor parallelism would all-reduce.
 * prefill_s: of the whole context; decode_tps: behind it; both from shares of the ceilings that bench/SPEED.md records, of ranks
 * that are as fast as their shares say; null for streamed weights. */
ith_status ith_estimate(const ith_estimate_params *params, char **json, ith_error *err);

/* ---- Reports on a session ---- */

/* Local. From now on the session notes where the time of its passes goes: a few clock readings a layer. */
ith_status ith_session_profile_start(ith_session *session, ith_error *err);

/* Local. What this rank noted, as JSON, malloc'd in *json: {rank, prefill: {passes, tokens, seconds, weights_s, products_s, attention_s, exchange_s,
 * rest_s, stall_s, read_bytes, unpacked_bytes, gathered_bytes, layers: [{seconds, ...}], outside: {...}}, decode: {...}}. weights_s: waits for
 * weights, of which stall_s for their fetching; bytes: what this rank fetched of streamed or sharded weights from files, as stored there; out of
 * compressed frames; from other nodes. outside: embedding, vocabulary. A call that gives logits after all its tokens counts as decode.
 * ITH_E_ARGUMENT: nothing was measured. */
ith_status ith_session_profile(const ith_session *session, char **json, ith_error *err);

/* Collective. Where weights and the session's cache lie: for every rank and memory node (NUMA) the bytes that shall lie there and those that do, and how
 * much of them is in huge pages. One page in each 64 KiB is looked at. Weights that ranks share, and the memory through which streamed ones come
 * and go, are counted on one of them. On rank 0 *json is one malloc'd object, else NULL:
 *     {"ranks": [{"rank", "known", "nodes": [{"node", "threads", "weights": {"wanted", "found"}, "kv": {...}}...],
 *                 "weights": {"bytes", "right", "absent", "huge"}, "kv": {...}}...]}
 * known is false where the system does not tell (a container); right: bytes on the node that they shall lie on; absent: not in memory. */
ith_status ith_session_page_report(const ith_session *session, char **json, ith_error *err);

/* ---- Contents of a prompt cache ---- */

/* Local. What is in a folder, as JSON, malloc'd: {folder, bytes, segments: [{key, parent, start, tokens, bytes, used (seconds since 1970), complete,
 * model, kv, layers, kv_heads}]}, the least recently used first. `start`: tokens before it. */
ith_status ith_cache_list(const char *folder, char **json, ith_error *err);

/* Local. Removes the timeline that ends with a segment whose key begins with `key`: it and those before it that no other timeline needs; NULL:
 * everything. *json (NULL: not wanted): {segments, bytes} removed. ITH_E_ARGUMENT: no such segment, or several. */
ith_status ith_cache_remove(const char *folder, const char *key, char **json, ith_error *err);

/* Local. Reads everything and compares all checksums. *json: {segments, bytes, damaged: [text], incomplete}. progress: "verify" (unit: bytes).
 * Damaged segments stay; they are removed by the first run that wants to use them, or by ith_cache_remove. */
ith_status ith_cache_verify(const char *folder, ith_progress_fn progress, void *user, char **json, ith_error *err);

/* ---- Files ------------------------------------------------------------------------------------------------------ */

/* Describes a model's files without loading them: a JSON text, malloc'd in *json: format, architecture, hyperparameters,
 * tensors (name, type, shape, bytes), tokenizer. Local. */
ith_status ith_inspect(const char *model, char **json, ith_error *err);

/* ---- Packs: models in the form in which they are computed with ---- */

enum { ITH_ZSTD_AUTO = -1 };

typedef struct ith_pack_params {
    const char *model;  /* anything that an engine opens, a pack too */
    const char *output; /* the pack's path */
    ith_quant quant;    /* ITH_QUANT_AUTO: as an engine's */
    const char *stats;  /* as an engine's */
    int zstd_level;     /* for matrices that get 3% smaller by it: 0 (none) to 22; ITH_ZSTD_AUTO: 1 for bf16 and f32, quantized ones stay as they
                         * are. What is not compressed is used where it is mapped; the rest is decompressed at load */
    int threads;        /* 0: the cores that this process may use */
    bool force;         /* replace an existing file */
    ith_progress_fn progress; /* what: "pack" (unit: bytes of tiles), then "measure" (as above); NULL: silent. Return false to stop: ITH_E_CANCELLED */
    void *progress_user;
} ith_pack_params;

ith_pack_params ith_pack_params_default(void);

/* Local. Converts a model into one file: weights in compute layouts with a checksum for every tile of 16 rows, hyperparameters, tokenizer,
 * chat template. A logit of the pack has the bits that it has when `model` itself is run with the same `quant`. Memory: some buffers and the
 * larger of a tile's rows and a vector, whatever the model's size; then, for the mean of its keys, which loading would have to measure, what streaming
 * a layer after another takes: where there is less, the pack is made without, and loading it measures it. The file appears under its name when it is
 * complete and on disk. ITH_E_ARGUMENT: `output` is there already. *json (malloc'd; NULL: not wanted): {output, bytes, seconds, layouts: {NAME: {tensors,
 * bytes, stored_bytes}}, key_means, key_means_missing}: is the mean in it, and if not why ("" if it is). */
ith_status ith_pack(const ith_pack_params *params, char **json, ith_error *err);

/* Local. Reads every byte of a pack and compares all checksums: the text of the error names the first damaged tensor and tile, or the part.
 * progress: "verify" (unit: bytes). threads as above. */
ith_status ith_pack_verify(const char *model, int threads, ith_progress_fn progress, void *user, ith_error *err);

/* ---- Calibration ---- */

typedef struct ith_calibrate_params {
    const char *output; /* the file to write, in place of an older one */
    const int32_t *ids; /* the text: read on rank 0 only */
    size_t n_ids;       /* rank 0's counts */
    int64_t window;     /* tokens that see each other, at most the engine's context; 0: 2,048, or the text if that is shorter */
} ith_calibrate_params;

/* Collective; every rank passes equal `output` and `window`. Runs the text and writes, for every matrix, the mean square of each column of
 * what it is multiplied with (of experts, over the tokens that go to them): ith_engine_params.stats and ith_pack_params.stats weigh the errors of quantized weights with it. The file's bytes
 * depend on the text, the window and the model in memory, on nothing else. Progress: "prefill". */
ith_status ith_calibrate(ith_engine *engine, const ith_calibrate_params *params, ith_error *err);

/* What this build and machine offer, as JSON, malloc'd: version, simd variants, MPI, BLAS, cores, memory nodes,
 * a core's share of the three caches in bytes. Local. */
ith_status ith_build_info(char **json, ith_error *err);

/* ---- Benchmarks -------------------------------------------------------------------------------------------------
 *
 * Each result is a JSON text, malloc'd in *json on rank 0 and NULL elsewhere; rates are per second, "gops" and "gflops" count
 * a multiplication with its addition as two. `of_ceiling` is always against what the same call measured on the same threads,
 * with loops that do nothing but read, or nothing but multiply and add.
 *
 * Models without files: wherever a model is named, "synthetic:SHAPE:TYPE" is one of random weights. SHAPE: qwen3-0.6b, -1.7b, -4b,
 * -8b, -14b, -32b, llama-3.1-8b, smollm2-135m, or the path of any config.json; TYPE, of every matrix: f32, f16, bf16, q8_0, q4_0,
 * q4_1. It has no tokenizer, and no token ends its text. Memory holds its converted weights only.
 */

typedef struct ith_bench_roofline_params {
    int threads;    /* per rank; 0: the cores this rank may use, shared among the node's ranks */
    double seconds; /* of measuring each figure at least */
    int64_t buffer; /* bytes of a node's read buffer; 0: 1 GiB, at most a quarter of the memory available */
} ith_bench_roofline_params;

/* Collective. What the machine can do at best, with 1 to `threads` threads on every rank at once, summed over the ranks: read
 * bandwidth over a buffer that should be beyond the caches, 8-bit integer and float multiply-adds. Best of the runs.
 * {simd, ranks, integer_instruction, f32_instruction, read_buffer_bytes, threads: [{threads, read_gbps, integer_gops, f32_gflops}]} */
ith_status ith_bench_roofline(ith_world *world, const ith_bench_roofline_params *params, char **json, ith_error *err);

typedef struct ith_bench_kernels_params {
    const char *shapes;   /* names as above, separated by commas; NULL: qwen3-0.6b */
    const char *simd;     /* levels, separated by commas; NULL: the one in use */
    const char *filter;   /* only lines "KERNEL SHAPE.PART TOKENS" that contain this text; NULL: all */
    int threads;          /* that share each product; 0: 1 */
    double seconds;       /* of measuring each line at least */
    int64_t buffer;       /* as above: what operands are read from */
    ith_progress_fn progress; /* what: "kernels" (unit: lines); NULL: silent */
    void *progress_user;
} ith_bench_kernels_params;

/* Local. Every kernel at the sizes of the shapes: best of the runs. Weights, and keys and values in decode, are read from memory, not
 * from cache; prefill attention works on segments in cache and has no gbps.
 * {threads, ceilings: {SIMD: {...}}, results: [{kernel, simd, shape, part, rows, cols, tokens, seconds, gops, gbps, of_ceiling}]};
 * element-wise kernels have `cols` elements and ns_per_element instead. */
ith_status ith_bench_kernels(const ith_bench_kernels_params *params, char **json, ith_error *err);

enum { ITH_BENCH_REPETITIONS_MAX = 100 };

typedef struct ith_bench_model_params {
    const int64_t *depths; /* tokens in the cache before what is measured, [n_depths], ascending */
    size_t n_depths;
    int64_t prompt;      /* tokens of each measured prefill; 0: none */
    int64_t decode;      /* tokens decoded one by one; 0: none */
    int repetitions;     /* 1 to ITH_BENCH_REPETITIONS_MAX: of both, taking turns; medians are given */
    int64_t buffer;      /* as above, for the ceiling */
    bool fill;           /* reach a depth by writing arbitrary keys and values instead of computing them: as fast to read */
} ith_bench_model_params;

/* Collective. Prefill and decode of random tokens at each depth, in a session of its own; the engine's context must hold the
 * last depth, the prompt and the decoded tokens. Ceilings are measured before, on all ranks at once, and added up.
 * {model, simd, ranks, threads, mesh, kv, weight_bytes, kv_bytes_per_token, prompt, decode, repetitions, filled: "prefill" or
 * "arbitrary data", ceilings: {...}, depths: [{depth, fill_s, prefill: {tps, predicted: {tps, reached}, seconds: [], gops, of_ceiling, sent,
 * sent_formula}, ttft_s, decode: {tps, seconds: [], gbps, of_ceiling, fetching: {tps, seconds: [], read_gbps,
 * unpacked_gbps, reached}}}]}. ttft_s: time to the first token of an empty session whose prompt has depth + prompt
 * tokens; null with `fill`. predicted: what the model's own kernels, each measured alone just before every prefill, would give (linear part + attention part,
 * src/tools/rates.h), and the median share of it that prefill reached; null without a prompt, with `exact`, and where ranks take the prompt by
 * rows. fetching: streamed weights fetched as decode does, by the same threads, with nothing computed, in turns with it; of rank 0 what it reads from files and
 * what comes out of compressed frames; the median share of tps that decode reached; null where weights stay. sent, sent_formula: bytes that rank 0 sends to others in a prefill, counted and by formula. gops and gbps: the model's multiply-adds, and the bytes of weights and cache that a token must read. */
ith_status ith_bench_model(ith_engine *engine, const ith_bench_model_params *params, char **json, ith_error *err);

#ifdef __cplusplus
}
#endif
#endif
