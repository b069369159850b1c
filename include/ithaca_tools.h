/* ithaca_tools.h - what can be done with a model besides running it.
 *
 * Introduction
 * ------------
 * These functions inspect, pack, calibrate and plan models, look after prompt caches, report where
 * time and memory go, and run benchmarks. The commands of `ithaca` are made of them. Each one
 * returns its result as JSON, so that programs in any language can use it.
 *
 * A complete program that converts a model to a pack, which loads without any conversion:
 *
 *     #include <ithaca_tools.h>
 *     #include <stdio.h>
 *     #include <stdlib.h>
 *
 *     int main(void)
 *     {
 *         ith_pack_params params = ith_pack_params_default();
 *         ith_error err;
 *         char *json;
 *
 *         params.model = "model.gguf";
 *         params.output = "model.ith";
 *         if (ith_pack(&params, &json, &err))
 *             return fprintf(stderr, "%s\n", err.text), 1;
 *         puts(json);
 *         free(json);
 *         return 0;
 *     }
 *
 * The rules of ithaca.h hold here too. In addition:
 *
 * JSON. *json is one JSON object in UTF-8 with a NUL, which the caller frees with free(). After a
 * failure it is NULL. Collective functions give it on rank 0 and NULL elsewhere. In the
 * descriptions below `null` values and lists are explained where they occur; programs should ignore
 * keys that they do not know.
 *
 * Sections: Files, Hub, Packs, Calibration, Plans, Prompt caches, Reports, Benchmarks.
 */
#ifndef ITHACA_TOOLS_H
#define ITHACA_TOOLS_H

#include "ithaca.h"

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

/* ---- Files ----------------------------------------------------------------------------------- */

/* Local. Describes the files of a model without loading it: format, architecture, hyperparameters,
 * tensors (name, type, shape, bytes), tokenizer, and notes as in ith_engine_info. `model` as in
 * ith_engine_params.
 * Errors: ITH_E_IO, ITH_E_FORMAT, ITH_E_UNSUPPORTED. */
ith_status ith_inspect(const char *model, char **json, ith_error *err);

/* Local. Describes the library and the machine: version, SIMD variants, MPI, BLAS, processor,
 * cores, memory nodes, and a core's share of its three caches in bytes. */
ith_status ith_build_info(char **json, ith_error *err);

/* ---- Hub ----------------------------------------------------------------------------------------
 *
 * Models on huggingface.co have names of the form ORG/NAME. They are downloaded into the cache
 * that Hugging Face's own programs use, and are found there by those and by ithaca.h: `model` of
 * ith_engine_params may be such a name. Nothing but ith_pull uses the network. */

/* Start from ith_pull_params_default and change what is needed. */
typedef struct ith_pull_params {
    /* "ORG/NAME", "ORG/NAME:FILE", "ORG/NAME@REVISION" or "ORG/NAME@REVISION:FILE". FILE is the
     * name of a file, or a tag in the name of a GGUF file, such as Q4_K_M. Without it: the Hugging
     * Face folder if there is one with safetensors, else the GGUF file with Q4_K_M or Q8_0 in its
     * name, or the only one. */
    const char *model;

    const char *revision; /* branch, tag or commit; NULL: what `model` says, else "main" */
    int at_once;          /* files at a time, at most 16; 0: 4 */
    bool dry_run;         /* only find out what would be downloaded */

    /* "download" (bytes; of 0, as long as it is not known of how many), also while nothing comes.
     * NULL: none. */
    ith_progress_fn progress;
    void *progress_user; /* first argument of `progress` */
} ith_pull_params;

/* Local. All defaults; `model` is NULL and must be set. */
ith_pull_params ith_pull_params_default(void);

/* Local. Downloads a model into the folder in HF_HUB_CACHE, or HF_HOME/hub, or
 * ~/.cache/huggingface/hub. Files that are there are not downloaded again, and the rest of one that
 * was partly downloaded is. Each is compared with the checksum that the hub lists; all appear under
 * their names when the last one is complete. Several processes may download the same files at once.
 * The environment says where the hub is, and who asks: HF_ENDPOINT, HF_TOKEN (else what
 * `hf auth login` has stored), HF_HUB_OFFLINE, HF_HUB_DOWNLOAD_TIMEOUT; proxies: https_proxy.
 *
 *     {model, revision, commit,
 *      path,              the model: a folder, or the file, of a split model the first
 *      bytes, received,   of all files; over the network
 *      files: [{name, bytes, digest,
 *               cached}]} was it there before?
 *
 * Errors: ITH_E_ARGUMENT for a name of another form; ITH_E_IO if the hub cannot be reached or
 * refuses, a file cannot be written, or the disk is full; ITH_E_FORMAT if a checksum is wrong, or
 * FILE names no file or several; ITH_E_UNSUPPORTED if there is no model that could be run;
 * ITH_E_CANCELLED. What has come by then is kept for the next call. `json` may be NULL. */
ith_status ith_pull(const ith_pull_params *params, char **json, ith_error *err);

/* ---- Packs --------------------------------------------------------------------------------------
 *
 * A pack is one file that holds a model in the layout that the kernels read: weights with a
 * checksum for each tile of 16 rows, hyperparameters, tokenizer, and chat template. It is used
 * where it is mapped, so that it loads quickly and processes share its pages. */

/* Value of zstd_level: 1 for bf16 and f32; quantized matrices are not compressed. */
enum { ITH_ZSTD_AUTO = -1 };

/* Start from ith_pack_params_default and change what is needed. */
typedef struct ith_pack_params {
    const char *model;  /* as in ith_engine_params; may be a pack itself */
    const char *output; /* path of the new file */
    ith_quant quant;    /* as in ith_engine_params */
    const char *stats;  /* as in ith_engine_params */

    /* zstd level, 1 to 22, for matrices that become at least 3% smaller; 0: none. A compressed
     * matrix is decompressed when the pack is loaded, instead of being used where it is mapped.
     * Default: ITH_ZSTD_AUTO. */
    int zstd_level;

    int threads; /* 0: the cores that this process may use */
    bool force;  /* replace an existing file */

    /* "pack" (bytes of weights), then "measure", as in ith_engine_open. NULL: none. */
    ith_progress_fn progress;
    void *progress_user; /* first argument of `progress` */
} ith_pack_params;

/* Local. All defaults; `model` and `output` are NULL and must be set. */
ith_pack_params ith_pack_params_default(void);

/* Local. Converts a model to a pack. Run from the pack, it gives the same bits as `model` does with
 * the same `quant` and `stats`. The file appears under its name when it is complete and on disk.
 *
 * Memory: a few buffers, whatever the size of the model. The mean of the model's keys, which an
 * engine would have to measure when it loads the pack, needs as much as streaming the model layer
 * by layer does. With less memory the pack is made without it.
 *
 *     {output, bytes, seconds,
 *      layouts: {NAME: {tensors, bytes, stored_bytes}},
 *      key_means,           is the mean in the pack?
 *      key_means_missing,   if not, why not; else ""
 *      notes: [TEXT]}       as in ith_engine_info
 *
 * Errors: ITH_E_ARGUMENT if `output` exists, or with `force` if it is a file that is read here, by
 * whatever name; ITH_E_IO if the model's files change meanwhile; those of ith_engine_open,
 * ITH_E_CANCELLED. `json` may be NULL. */
ith_status ith_pack(const ith_pack_params *params, char **json, ith_error *err);

/* Local. Reads all bytes of a pack and compares all checksums.
 * Progress: "verify" (bytes). Threads as in ith_pack_params.
 * Errors: ITH_E_FORMAT, whose text names the first damaged tensor and tile or section; ITH_E_IO,
 * ITH_E_CANCELLED. */
ith_status ith_pack_verify(const char *model, int threads, ith_progress_fn progress, void *user,
                           ith_error *err);

/* ---- Calibration --------------------------------------------------------------------------------
 *
 * Quantization loses less if it is known what matrices are multiplied with: errors then count by
 * how much they matter. Calibration runs a text and records that; ith_engine_params and
 * ith_pack_params take the file as `stats`. */

typedef struct ith_calibrate_params {
    const char *output; /* the file to write; an existing one is replaced, unless it is read here */

    /* The text, [n_ids], read on rank 0 only. */
    const int32_t *ids;
    size_t n_ids;

    /* The text is run in windows of so many tokens; at most the context of the engine. 0: 2,048, or
     * the whole text or the context if that is shorter. */
    int64_t window;
} ith_calibrate_params;

/* Collective. Runs the text and writes, for each matrix, the mean square of each column of its
 * inputs. For an expert these are the tokens that are routed to it. The bytes of the file depend
 * only on the text, the window and the engine's weights.
 * Progress: "prefill".
 * Errors: ITH_E_ARGUMENT, ITH_E_IO; those of ith_session_prefill. */
ith_status ith_calibrate(ith_engine *engine, const ith_calibrate_params *params, ith_error *err);

/* ---- Plans ----------------------------------------------------------------------------------- */

typedef struct ith_machine_probe_params {
    int threads;      /* per rank; 0: the cores this rank may use, divided among the node's ranks */
    double seconds;   /* minimal time for each of some 150 figures; 0.02 will do */
    int64_t buffer;   /* of a node, to read from; 0: 256 MiB, or more where caches are large */
    const char *disk; /* a file to measure the disk with, 4 MiB at least; NULL: not measured */
} ith_machine_probe_params;

/* Collective. Measures this machine, all ranks at the same time, and the links between them: what a
 * machine file says. Of several nodes the slowest counts.
 *
 *     as cluster/machines/schema/machine-1.json has it
 *
 * Errors: ITH_E_ARGUMENT, ITH_E_IO for `disk`, ITH_E_MEMORY. */
ith_status ith_machine_probe(ith_world *world, const ith_machine_probe_params *params, char **json,
                             ith_error *err);

/* Local. Reads a machine file, which says what a node and its links can do; *json is its text. Such
 * files are in cluster/machines, with their schema.
 * Errors: ITH_E_IO; ITH_E_FORMAT, naming the first field that is wrong. */
ith_status ith_machine_read(const char *path, char **json, ith_error *err);

typedef struct ith_estimate_params {
    /* `memory` 0: of the machine, divided among the ranks of a node; where that is not known, of
     * this machine. `threads` 0: its cores, likewise. */
    ith_engine_params engine;

    int nodes, ranks_per_node;

    /* What ith_machine_read gives; NULL: a machine of which only the rates below are known. */
    const char *machine;

    /* Of a node, as ith_bench_roofline measures them: read bandwidth in GB/s, and 8-bit integer
     * operations per second in 10^9. 0: those of `machine`, without which times are not
     * estimated. */
    double read_gbps, integer_gops;

    /* Of a node's connection in gigabytes per second, and of a message between nodes in
     * microseconds; 0: of `machine`, else 1.25 and 20. */
    double network_gbps, latency_us;

    int64_t answer; /* tokens of the answer, after a prompt that fills the rest of the context */
    double price, watts; /* of a node for an hour, in any currency; of a node; 0: unknown */
} ith_estimate_params;

/* Local. What an engine and its largest session would take on this many ranks. The same functions
 * as in ith_engine_open decide, but only the headers of the model's files are read (and two
 * matrices, if the files have an output matrix although embeddings are tied).
 *
 *     {model, nodes, ranks_per_node, ranks, threads, mesh,
 *      node: {name, cores, read_gbps, integer_gops, network_gbps, latency_us},    as it was used;
 *                         null: unknown
 *      shares,            each rank's share of tokens and rows, or null if all are equal; ranks
 *                         are taken to be alike unless engine.shares has numbers
 *      ctx, chunk, weight_bytes,
 *      distribution,      "replicated", "sharded" or "streamed"; "none" if nothing fits
 *      fits,              do weights and session fit the memory, so that none is read again? Not if
 *                         a distribution that was asked for needs more
 *      why,               one line
 *      memory: {node_weights_bytes, rank_kv_bytes, rank_workspace_bytes, rank_session_bytes,
 *               node_bytes},
 *      node_reads_bytes:  weights that a node reads from files, or null if none are streamed
 *          {prompt_pass,      in a pass of a prompt that needs all of them
 *           answer_token},    for a token of the answer; of a mixture of experts, each expert is
 *                             taken to be as likely as any other, and some to be in memory still
 *      token_layer_bytes: what a rank sends per token and layer, on average
 *          {ulysses_prefill, rows_decode,
 *           tensor_parallel}, if prefill were tensor parallel with all-reduces
 *      rows_tokens,       passes of up to so many tokens run by rows
 *      load_s,            until all nodes have read their weights from disk; null if unknown
 *      prefill_s,         seconds for a prompt that fills the context
 *      decode_tps,        tokens per second after it
 *      prefill: {parts: BREAKDOWN,
 *                sent_bytes,       by rank 0
 *                depths: [{tokens, seconds, tps}]},   so far; of the chunk that ends there
 *      decode: {parts: BREAKDOWN,
 *               gathers, collectives, sent_bytes},     for a token
 *      run: {prompt, answer, seconds,        the whole: loading where it is known, prompt, answer
 *            cost, energy_wh},               null unless price, watts are given
 *      assumed: [TEXT]}   what of the machine is not known, and was assumed
 *
 *     BREAKDOWN: {products_s, attention_s, states_s, memory_s, barriers_s, network_s, waiting_s}
 *
 * Times are simulated (src/tools/simulate.h says how, and what is left out). load_s, prefill_s,
 * decode_tps, prefill, decode and run are null without a machine or both of read_gbps and
 * integer_gops, where nothing fits, and where weights are streamed from a disk of unknown speed.
 * Errors: those of ith_engine_open and of ith_machine_read; too little memory is none of them. */
ith_status ith_estimate(const ith_estimate_params *params, char **json, ith_error *err);

/* Local. The memory that ith_estimate gives each rank of a machine with so many bytes: all but what
 * the system keeps. */
int64_t ith_estimate_memory(int64_t machine_bytes, int ranks_per_node);

/* ---- Prompt caches --------------------------------------------------------------------------- */

/* Local. Lists what a prompt cache holds, the least recently used first.
 *
 *     {folder, bytes,
 *      segments: [{key, parent,         names by content: its own and its predecessor's
 *                  start, tokens,       the tokens before it, and its own
 *                  bytes, used,         `used`: seconds since 1970
 *                  complete, states,    are all its files there; those of recurrent states?
 *                  model, kv, layers, kv_heads}]}     `layers`: those with keys and values
 *
 * Errors: ITH_E_IO. */
ith_status ith_cache_list(const char *folder, char **json, ith_error *err);

/* Local. Deletes the segment whose key begins with `key`, and those before it that no other
 * timeline needs. NULL: everything. `json` may be NULL.
 *
 *     {segments, bytes}    that were deleted
 *
 * Errors: ITH_E_ARGUMENT if no segment, or more than one, matches. */
ith_status ith_cache_remove(const char *folder, const char *key, char **json, ith_error *err);

/* Local. Reads everything in a prompt cache and compares all checksums. Damaged segments stay; the
 * next run that would use one deletes it.
 * Progress: "verify" (bytes).
 *
 *     {segments, bytes,
 *      damaged: [TEXT],    one sentence each
 *      incomplete}         segments of which files are missing
 *
 * Errors: ITH_E_IO, ITH_E_CANCELLED. */
ith_status ith_cache_verify(const char *folder, ith_progress_fn progress, void *user, char **json,
                            ith_error *err);

/* ---- Reports on a session -------------------------------------------------------------------- */

/* Local. From now on the session records where the time of its passes goes, at the cost of a few
 * clock readings per layer.
 * Errors: ITH_E_MEMORY. */
ith_status ith_session_profile_start(ith_session *session, ith_error *err);

/* Local. Returns what this rank has recorded; *json is set on every rank.
 *
 *     {rank, prefill: PHASE, decode: PHASE}
 *
 * A call that computes logits for all of its tokens counts as decode.
 *
 *     PHASE: {passes, tokens,
 *             seconds,           the sum of the following five
 *             weights_s,         waiting for weights
 *             products_s, attention_s, exchange_s, rest_s,
 *             wait_s,            part of exchange_s in which other ranks had not come yet
 *             stall_s,           part of weights_s in which they were being fetched
 *             read_bytes,        read from files, as stored there
 *             unpacked_bytes,    decompressed
 *             gathered_bytes,    received from other nodes
 *             layers: [{seconds, ..., gathered_bytes}],
 *             outside: {seconds, ..., gathered_bytes}}    embedding and output matrix
 *
 * Errors: ITH_E_ARGUMENT if nothing was recorded. */
ith_status ith_session_profile(const ith_session *session, char **json, ith_error *err);

/* Collective. Like ith_session_profile_start, and from now on each step of a layer is kept with its
 * time. The memory that this takes grows with the passes: some 30 bytes for a step. One session of
 * an engine is traced at a time.
 * Errors: ITH_E_ARGUMENT: another session of the engine is; ITH_E_MEMORY. */
ith_status ith_session_trace_start(ith_session *session, ith_error *err);

/* Collective. What all ranks have kept, in the form of Chrome's trace viewer, which Perfetto
 * (ui.perfetto.dev) opens; *json is set on rank 0. Processes are ranks. Thread 0 of each has its
 * passes and in them, without gaps, "GEMM", "attention", "exchange" (all-to-all), "gather"
 * (all-gather), "wait for ranks" (until the others have come to an exchange or gather; those of
 * other machines are known for gathers of few bytes only), "wait for weights" and "other", each
 * with its layer; between passes, in the category "between passes", "wait for ranks" and "other"
 * (choosing the token). Further threads have "decompression" and "reading" of weights that are
 * streamed. Times are microseconds since ith_session_trace_start, by each rank's own clock.
 * Errors: ITH_E_ARGUMENT if nothing was kept; ITH_E_MEMORY. */
ith_status ith_session_trace(const ith_session *session, char **json, ith_error *err);

/* Collective. Reports on which memory nodes (NUMA) the pages of weights and KV cache lie, by
 * looking at one page in each 64 KiB. What ranks share is counted on one of them.
 *
 *     {ranks: [{rank,
 *               known,                          false where the system does not tell (a container)
 *               nodes: [{node, threads,
 *                        weights: {wanted, found},
 *                        kv: {wanted, found}}],
 *               weights: {bytes,
 *                         right,                bytes on the node where they are wanted
 *                         absent,               bytes not in memory
 *                         huge},                bytes in huge pages
 *               kv: {bytes, right, absent, huge}}]} */
ith_status ith_session_page_report(const ith_session *session, char **json, ith_error *err);

/* ---- Benchmarks ---------------------------------------------------------------------------------
 *
 * Rates are per second. "gops" and "gflops" count 10^9 operations, and a multiplication with its
 * addition as two; "gbps" counts 10^9 bytes. "of_ceiling" is the fraction of what the hardware can
 * do at best, measured in the same call and on the same threads with loops that do nothing but
 * read, or nothing but multiply and add.
 *
 * Models without files: wherever a model is named, "synthetic:SHAPE:TYPE" is one with random
 * weights. It has no tokenizer, and no token ends its answers. Only its converted weights take up
 * memory.
 *   SHAPE    qwen3-0.6b, qwen3-1.7b, qwen3-4b, qwen3-8b, qwen3-14b, qwen3-32b, qwen3-30b-a3b,
 *            llama-3.1-8b, smollm2-135m, or the path of a config.json
 *   TYPE     of every matrix: f32, f16, bf16, q8_0, q4_0 or q4_1 */

typedef struct ith_bench_roofline_params {
    int threads;    /* per rank; 0: the cores this rank may use, divided among the node's ranks */
    double seconds; /* minimal time for each figure */
    int64_t buffer; /* read buffer of a node in bytes; 0: 1 GiB, or 1/4 of free memory if less */
} ith_bench_roofline_params;

/* Collective. What the hardware can do at best, with 1 to `threads` threads on all ranks at the
 * same time, added up over the ranks: read bandwidth over a buffer that should not fit the caches,
 * 8-bit integer and float multiply-adds. Of several runs the best counts.
 *
 *     {simd, ranks, integer_instruction, f32_instruction, read_buffer_bytes,
 *      threads: [{threads, read_gbps, integer_gops, f32_gflops}]} */
ith_status ith_bench_roofline(ith_world *world, const ith_bench_roofline_params *params,
                              char **json, ith_error *err);

typedef struct ith_bench_kernels_params {
    const char *shapes; /* names as above, separated by commas; NULL: qwen3-0.6b */
    const char *simd;   /* SIMD levels, separated by commas; NULL: the one in use */
    const char *filter; /* only lines "KERNEL SHAPE.OPERAND TOKENS" with this text; NULL: all */
    int threads;        /* threads that share each product; 0: 1 */
    double seconds;     /* minimal time for each line */
    int64_t buffer;     /* operands are read from it; as in ith_bench_roofline_params */
    ith_progress_fn progress; /* "kernels" (lines); NULL: none */
    void *progress_user;      /* first argument of `progress` */
} ith_bench_kernels_params;

/* Local. Runs each kernel at the sizes of the shapes; of several runs the best counts. Weights, and
 * keys and values in decode, come from memory instead of the caches. Attention of prefill works on
 * segments in the caches and has no gbps. Element-wise kernels have `cols` elements and
 * ns_per_element instead of rates.
 *
 *     {threads, ceilings: {SIMD: {...}},
 *      results: [{kernel, simd, shape, part, rows, cols, tokens, seconds, gops, gbps,
 *                 of_ceiling}]} */
ith_status ith_bench_kernels(const ith_bench_kernels_params *params, char **json, ith_error *err);

/* The largest number of repetitions. */
enum { ITH_BENCH_REPETITIONS_MAX = 100 };

typedef struct ith_bench_model_params {
    /* Tokens in the cache before each measurement, [n_depths], ascending. */
    const int64_t *depths;
    size_t n_depths;

    int64_t prompt;  /* tokens of each measured prefill; 0: none */
    int64_t decode;  /* tokens that are decoded one by one; 0: none */
    int repetitions; /* of both, in turns, 1 to ITH_BENCH_REPETITIONS_MAX; medians are reported */
    int64_t buffer;  /* for the ceilings; as in ith_bench_roofline_params */

    /* Reach a depth by writing arbitrary keys and values instead of computing them. Reading them
     * takes the same time. */
    bool fill;

    /* Called on rank 0 after each depth with the result up to there. NULL: none. */
    void (*measured)(void *user, const char *json);
    void *measured_user; /* its first argument */
} ith_bench_model_params;

/* Collective. Prefill and decode of random tokens at each depth, in a session of its own. The
 * engine's context must hold the last depth and the longer of prompt and decoded tokens. Ceilings
 * are measured first, on all ranks at the same time, and added up.
 *
 *     {model, simd, ranks, threads, mesh, kv, weight_bytes, kv_bytes_per_token, prompt, decode,
 *      repetitions, filled,     "prefill" or "arbitrary data"
 *      ceilings: {...},
 *      depths: [{depth,
 *                resident,      memory of rank 0 after these measurements, in bytes
 *                peak,          the most memory that any rank has had, ceilings left out; null
 *                               where the system does not let a process forget its own
 *                fill_s,        seconds to reach the depth
 *                ttft_s,        seconds to the first token for a prompt of depth + prompt tokens,
 *                               in an empty session; null with `fill`
 *                prefill: {tps, seconds: [], gops, of_ceiling,
 *                          sent, sent_formula,           bytes sent by rank 0: counted, by formula
 *                          predicted: {tps, reached}},
 *                decode: {tps, seconds: [], gbps, of_ceiling,
 *                         fetching: {tps, seconds: [], read_gbps, unpacked_gbps, reached}}}]}
 *
 * gops and gbps: the multiply-adds of the model, and the bytes of weights and cache that a token
 * has to read.
 *
 * predicted: what the kernels of the model would give, each measured alone right before each
 * prefill (products + attention), and the median fraction of it that prefill reached. null
 * without a prompt, with `exact`, and where ranks share the prompt by rows.
 *
 * fetching: streamed weights fetched as decode does, by the same threads, but without computing, in
 * turns with decode; what rank 0 reads from files and what it decompresses; and the median fraction
 * of tps that decode reached. null if weights are not streamed. */
ith_status ith_bench_model(ith_engine *engine, const ith_bench_model_params *params, char **json,
                           ith_error *err);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
