/* ithaca.h - long-context language models on CPU machines.
 *
 * Introduction
 * ------------
 * Ithaca runs decoder-only transformers with prompts of 100,000 tokens and more. One process may do
 * all the work, or many MPI ranks may share the work of one prompt. The same program does both: run
 * by itself it is one rank, run by mpirun or srun it is as many ranks as the launcher starts.
 *
 * A complete program that reads a prompt and prints the answer (longer ones are in examples/):
 *
 *     #include <ithaca.h>
 *     #include <stdio.h>
 *     #include <stdlib.h>
 *     #include <string.h>
 *
 *     static bool show(void *user, const char *text, size_t len)
 *     {
 *         (void)user;
 *         return fwrite(text, 1, len, stdout) == len;
 *     }
 *
 *     int main(void)
 *     {
 *         static const char prompt[] = "Ithaca is an island that";
 *         ith_world *world = NULL;
 *         ith_engine *engine = NULL;
 *         ith_session *session = NULL;
 *         ith_engine_params params = ith_engine_params_default();
 *         ith_generate_params how;
 *         ith_generation answer;
 *         ith_error err = {0};
 *         int32_t *ids = NULL;
 *         size_t n = 0;
 *
 *         params.model = "model.gguf";
 *         if (ith_world_open(&world, &err) || ith_engine_open(world, &params, &engine, &err))
 *             return fprintf(stderr, "%s\n", err.text), 1;
 *         if (ith_world_rank(world) == 0 &&
 *             ith_vocab_tokenize(ith_engine_vocab(engine), prompt, strlen(prompt), 0, &ids, &n,
 *                                &err))
 *             ith_world_abort(world, 1, err.text);
 *         how = ith_generate_params_default(engine);
 *         how.on_text = show;
 *         if (ith_session_open(engine, &session, &err) ||
 *             ith_session_prefill(session, ids, n, &err) ||
 *             ith_generate(session, &how, &answer, &err))
 *             return fprintf(stderr, "%s\n", err.text), 1;
 *         ith_generation_free(&answer);
 *         free(ids);
 *         ith_session_close(session);
 *         ith_engine_close(engine);
 *         ith_world_close(world);
 *         return 0;
 *     }
 *
 *     cc answer.c -o answer $(pkg-config --cflags --libs ithaca)
 *     ./answer                    one rank
 *     mpirun -n 4 ./answer        four ranks, the same answer
 *
 * The objects:
 *   world     the ranks that run together. MPI does not show.
 *   engine    a loaded model: weights, tokenizer, threads. Does not change once it is open.
 *   session   one timeline of tokens and its KV cache. An engine may have several.
 *   vocab     a tokenizer.
 *
 * Sections, from simple to advanced: Version, Errors, World, Engine, Text, Conversations, Streams,
 * Session, Embeddings, Grammars (ithaca_grammars.h), Generation, Prompt cache and checkpoint, Steps
 * and Many prompts (ithaca_many.h), Traffic and memory. This header includes the two headers named
 * here. Plans, packs, reports and benchmarks are in ithaca_tools.h.
 *
 * Rules that hold everywhere
 * --------------------------
 * Errors. A function that can fail returns ith_status; ITH_OK is 0. It takes `err` last and writes
 * one sentence to err->text that names the file, tensor or rank. `err` may be NULL. On failure,
 * handles and pointers that a function was to set are NULL, unless its comment says otherwise. The
 * library neither prints nor exits, except in ith_world_abort and after an error inside MPI (or if
 * memory for a list of its messages runs out). These end the job, because no rank can tell the
 * others.
 *
 * Ranks. The comment of each function begins with one of two words:
 *   Collective   every rank of the world calls it, all in the same order. It succeeds on all ranks
 *                or fails on all of them: no rank is left waiting.
 *   Local        one rank may call it alone.
 * Arguments of a collective function must be equal on all ranks, except for those that are read on
 * rank 0 only, as its comment then says. If they differ, the function fails with ITH_E_COMM on all
 * ranks, and the text names a rank and the argument.
 *
 * Ownership. Every *_open has a *_close, which accepts NULL. Texts, ids and JSON that a function
 * returns through a pointer are malloc'd: the caller frees them with free().
 *
 * Threads. All calls on an engine and on its sessions come from the thread that opened the engine.
 * On a machine with several memory nodes (NUMA) that thread is bound to the cores of one of them
 * until the engine is closed.
 *
 * Bits. Logits are equal bit for bit for any number of ranks and threads, any chunk size, prefill
 * or decode, every instruction set, and wherever weights and cache are kept. With `exact` they are
 * equal only up to rounding, because OpenBLAS computes the products. The caller's floating-point
 * environment (rounding, traps, flushing to zero) has no influence: functions and the callbacks
 * that they call run in the default one, and leave the caller's as it was.
 */
#ifndef ITHACA_H
#define ITHACA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

/* ---- Version ------------------------------------------------------------------------------------
 *
 * Of this header. As long as the major version is 0, a new minor version may change the interface,
 * and a new patch version may not. */

#define ITH_VERSION_MAJOR 0
#define ITH_VERSION_MINOR 2
#define ITH_VERSION_PATCH 0

/* For comparisons: #if ITH_VERSION_NUMBER >= 200 is true from 0.2.0 on. */
#define ITH_VERSION_NUMBER (ITH_VERSION_MAJOR * 10000 + ITH_VERSION_MINOR * 100 + ITH_VERSION_PATCH)

#define ITH_VERSION "0.2.0"

/* Local. Returns the ITH_VERSION of the library in use, which a shared library may have replaced
 * since the program was compiled. The text is static. */
const char *ith_version(void);

/* ---- Errors ---------------------------------------------------------------------------------- */

typedef enum ith_status {
    ITH_OK = 0,
    ITH_E_ARGUMENT,    /* an argument is out of range or contradicts another one */
    ITH_E_IO,          /* the operating system refused to open, read, write or map a file */
    ITH_E_FORMAT,      /* a file is truncated, damaged, or not what its name says */
    ITH_E_UNSUPPORTED, /* well-formed, but not implemented: architecture, tensor type, mesh */
    ITH_E_MEMORY,      /* an allocation failed; the text gives its size and purpose */
    ITH_E_COMM,        /* ranks disagree, or the launcher's environment cannot be used */
    ITH_E_CANCELLED    /* the program's progress function asked to stop */
} ith_status;

typedef struct ith_error {
    ith_status status;
    char text[1000]; /* one sentence without a line end */
} ith_error;

/* ---- World: the ranks that run together ------------------------------------------------------ */

typedef struct ith_world ith_world;

/* Collective. Joins the ranks that mpirun or srun has started, if the environment says that one of
 * them did and that there are several. Otherwise the world is one rank, and MPI is not started.
 * Call it once per process, before the program starts threads. MPI is finalized when the world is
 * closed; after an error when the process exits, so that the program can report it first: a
 * launcher ends all ranks as soon as one has left with an error.
 * Errors: ITH_E_COMM, also if another rank is another build of the library; ITH_E_MEMORY. */
ith_status ith_world_open(ith_world **world, ith_error *err);

/* Local. Opens a world of this process alone, whatever started it. MPI is not started.
 * Errors: ITH_E_MEMORY. */
ith_status ith_world_open_alone(ith_world **world, ith_error *err);

/* Local. What the user should know about how the world was opened, in one line; "" if nothing. The
 * text is the world's. */
const char *ith_world_note(const ith_world *world);

/* Local. The rank that the launcher's variables give this process, before a world is open; 0 if
 * there was no launcher. */
int ith_launched_rank(void);

/* Collective. Leaves the world. Close its engines first. */
void ith_world_close(ith_world *world);

/* Local. This rank, from 0 to size - 1. */
int ith_world_rank(const ith_world *world);

/* Local. The number of ranks. */
int ith_world_size(const ith_world *world);

/* Collective. Copies `bytes` bytes at `buf` from rank 0 to all other ranks. Use it where only rank
 * 0 reads input, to tell the others what to do next. */
void ith_world_bcast(ith_world *world, void *buf, size_t bytes);

/* Collective. Waits for all ranks, however long it takes. Unlike other functions, it lets the cores
 * sleep meanwhile. Call it before ith_world_bcast of something that rank 0 has to wait for, such as
 * a user's input. */
void ith_world_wait(ith_world *world);

/* Collective. Checks that all ranks have the same n named values; a value may be NULL, and n may
 * differ. Functions of the library check their own arguments; a program can check what it acts on
 * itself.
 * Errors: ITH_E_COMM: a rank's list differs from rank 0's; the text names the rank and the first
 * difference. */
ith_status ith_world_same(ith_world *world, const char *const *names, const char *const *values,
                          size_t n, ith_error *err);

/* Local. Prints `text` with the rank's number on stderr and ends all ranks at once with exit status
 * `code`. For errors that one rank alone can see. Does not return. */
void ith_world_abort(ith_world *world, int code, const char *text);

/* ---- Engine: a loaded model ------------------------------------------------------------------ */

typedef struct ith_engine ith_engine;

/* How float weights are kept in memory. Weights that the file has quantized keep their bits. */
typedef enum ith_quant {
    ITH_QUANT_W8,       /* 8-bit integers, one scale per 32 weights */
    ITH_QUANT_W4,       /* 4 bits, scale and minimum per 32; embedding and output matrix: w8 */
    ITH_QUANT_BF16,     /* bfloat16; products in f32 */
    ITH_QUANT_F32,      /* 32-bit float */
    ITH_QUANT_LOSSLESS, /* bfloat16 stays bfloat16; F16 and F32 become f32 */
    ITH_QUANT_AUTO      /* the weights of a pack as they are, all others as ITH_QUANT_W8 */
} ith_quant;

/* The element type of the KV cache. */
typedef enum ith_kv_type {
    ITH_KV_Q8,   /* 8-bit integers, one scale per token and head */
    ITH_KV_BF16, /* bfloat16 */
    ITH_KV_F32   /* 32-bit float */
} ith_kv_type;

/* How weights are distributed. A node is a machine, or one of its memory nodes (NUMA) if each rank
 * is bound to one of them. */
typedef enum ith_distribution {
    /* The first of the following that fits into memory together with the largest session. */
    ITH_DISTRIBUTION_AUTO,

    /* Each node has one copy, shared by its ranks. `memory` is not checked. */
    ITH_DISTRIBUTION_REPLICATED,

    /* Each node holds the rows of its own ranks; prefill gathers each layer before it is used.
     * `memory` is not checked. On one node this is ITH_DISTRIBUTION_REPLICATED. Over several nodes
     * MPI must provide MPI_THREAD_MULTIPLE. */
    ITH_DISTRIBUTION_SHARDED,

    /* What memory cannot hold is read again in every pass, ahead of its use. Over several nodes
     * each node reads only its own rows; the ranks of a node share the reading. */
    ITH_DISTRIBUTION_STREAMED
} ith_distribution;

/* Where streamed weights are while they are not in use. */
typedef enum ith_offload {
    /* In the model's files. They are read through the page cache if it has room for all of them, so
     * that the disk is read once, and past it if not. */
    ITH_OFFLOAD_DISK,

    ITH_OFFLOAD_RAM,   /* in memory, compressed with zstd */
    ITH_OFFLOAD_DIRECT /* in the model's files, always read past the page cache (O_DIRECT) */
} ith_offload;

/* How ranks share a chunk of the prompt. Results are the same. */
typedef enum ith_prefill {
    ITH_PREFILL_AUTO,    /* ulysses; rows for a few tokens */
    ITH_PREFILL_ULYSSES, /* by tokens, and by heads in attention: all-to-alls in each layer */
    ITH_PREFILL_ROWS     /* by rows of each matrix, as decode does: all-gathers in each layer */
} ith_prefill;

/* How the all-to-all of prefill is done. Bytes and results are the same. */
typedef enum ith_exchange {
    ITH_EXCHANGE_AUTO,      /* depends on the size, and on which ranks share a machine */
    ITH_EXCHANGE_ALLTOALLV, /* MPI_Alltoallv */
    ITH_EXCHANGE_PAIRWISE,  /* messages between all pairs of ranks, a few at a time */
    ITH_EXCHANGE_NODE       /* shared memory within a machine, one message between two machines */
} ith_exchange;

/* Reports progress. Called on rank 0 only, a few times per second at most, from the thread that
 * called the library. `what` says what is being done, and with it the unit of `done` and `total`:
 *   "load"      reading and converting weights: bytes
 *   "measure"   computing the mean of the model's keys, which a pack has stored: bytes of weights
 *   "read"      reading saved keys and values: tokens
 *   "prefill"   computing a prompt: tokens
 * More are named where they occur. Return false to stop. The call then fails with ITH_E_CANCELLED
 * on all ranks, after at most one layer ("measure") or one chunk ("prefill"). */
typedef bool (*ith_progress_fn)(void *user, const char *what, int64_t done, int64_t total);

/* Reports progress inside a chunk of a prompt, which may take a minute: `share` of its `tokens`
 * tokens, from 0 to 1, is computed. They follow those that ith_progress_fn reported last. Called on
 * rank 0 only, before the first and after each layer, from the thread that called the library. */
typedef void (*ith_chunk_fn)(void *user, int64_t tokens, double share);

/* The memory that an engine and a session will need. */
typedef struct ith_sizes {
    int64_t weights; /* bytes per node, including weights that are streamed */
    int64_t kv;      /* bytes of this rank's KV cache when a session holds `ctx` tokens */
    int64_t ctx;     /* tokens */
    int64_t work;    /* bytes per rank for activations and logits */

    /* How the weights are distributed, in one line. */
    const char *distribution;

    /* Cost of one more earlier token: the operations of attention to it, divided by those that are
     * the same for every token. It says how prefill slows down as the context grows. */
    double key_share;
} ith_sizes;

/* Called once, on rank 0, when the sizes are known and nothing large has been allocated. `sizes` is
 * valid during the call. */
typedef void (*ith_sizes_fn)(void *user, const ith_sizes *sizes);

/* Called once, on rank 0, before weights are read, even if they will not fit in memory. `json` is
 * valid during the call:
 *
 *     {ranks: [{rank, host,
 *               machine,                 number of the node (ranks that share memory)
 *               threads,
 *               cores, hardware_threads, that the rank may run on
 *               core_list,               "0-7", each by the system's number of its first thread
 *               machine_cores,
 *               memory_nodes,            numbers of those next to its cores
 *               machine_memory_nodes,
 *               memory_bytes,            that it may use
 *               memory_limit,            what sets this limit: "the SLURM job"
 *               plan_bytes,              that it needs if all weights are in memory
 *               huge_pages,              "always", "madvise", "never"
 *               interface,               that MPI's TCP uses, {name, mbps}; null: none, or unknown
 *               fastest_interface,
 *               measured_mbps}],         of a message to another machine; 0: not measured
 *      warnings: [...]}                  one line for each problem */
typedef void (*ith_ranks_fn)(void *user, const char *json);

/* Start from ith_engine_params_default and change what is needed. Strings are read during
 * ith_engine_open only. */
typedef struct ith_engine_params {
    /* The model: a Hugging Face folder, a .gguf file, a pack (ithaca_tools.h),
     * "synthetic:SHAPE:TYPE" for random weights (ithaca_tools.h, Benchmarks), or, where there is no
     * such file, the name of a model in Hugging Face's cache (ithaca_tools.h, Hub). */
    const char *model;

    ith_quant quant;   /* default: ITH_QUANT_AUTO */
    ith_kv_type kv;    /* default: ITH_KV_Q8; ITH_KV_F32 if `exact` */
    const char *stats; /* file of ith_calibrate, to quantize with less error; NULL: none */

    /* The accuracy reference: weights, KV cache and arithmetic in f32, products by OpenBLAS. */
    bool exact;

    /* Threads per rank. 0: the cores that this rank may use; a core that several ranks may use is
     * divided among them. May differ between ranks. */
    int threads;

    int64_t ctx;    /* largest timeline of a session in tokens; 0: what the model was trained for */
    int64_t chunk;  /* prompt tokens computed at a time by all ranks together; 0: 512 per rank */
    int64_t memory; /* bytes this rank may use for everything; 0: what the machine has to offer */

    ith_distribution distribution; /* default: ITH_DISTRIBUTION_AUTO */
    ith_offload offload;           /* default: ITH_OFFLOAD_DISK */

    /* Scaling of rotary positions, for contexts longer than the model was trained for. NULL: as the
     * model's files say. Otherwise one of
     *   "yarn:FACTOR:TRAINED"   YaRN; "yarn:4:32768" makes 131,072 tokens of Qwen3's 32,768
     *   "yarn:FACTOR"           the same, with TRAINED from the model's files
     *   "linear:FACTOR"         positions divided by FACTOR
     *   "none"                  no scaling, whatever the files say
     * The context that the model was trained for becomes FACTOR times TRAINED tokens. */
    const char *rope_scaling;

    /* "UxR": Ulysses degree U times context-parallel degree R. U must divide the KV heads, and U
     * times R must be the number of ranks. NULL: chosen. */
    const char *mesh;

    /* How tokens (in prefill) and matrix rows (in decode) are divided among ranks. Results are the
     * same. NULL: equally. Otherwise one of
     *   "threads"    in proportion to the threads of each rank
     *   "measured"   in proportion to speed, which a product of 50 ms measures
     *   "A,B,..."    in proportion to these whole numbers, one per rank; a rank with 0 still has
     *                its heads: their cache and the attention to it */
    const char *shares;

    ith_prefill prefill;   /* default: ITH_PREFILL_AUTO */
    ith_exchange exchange; /* default: ITH_EXCHANGE_AUTO */

    /* Head slices per exchange of prefill: one slice is exchanged while another is computed.
     * 0: as many as pay. */
    int head_slices;

    ith_progress_fn progress;    /* NULL: none */
    ith_chunk_fn chunk_progress; /* NULL: none */
    ith_sizes_fn sizes;          /* NULL: none */
    ith_ranks_fn ranks;          /* NULL: none */
    bool measure_network;        /* for `ranks`: send 16 MiB from machine to machine */
    void *progress_user;         /* first argument of all four */
} ith_engine_params;

/* Local. All defaults; `model` is NULL and must be set. */
ith_engine_params ith_engine_params_default(void);

/* Collective. Opens the model's files and makes the weights ready for use: they are converted to
 * the layout that the kernels read, in one copy per node. A pack already has that layout, so its
 * weights are mapped, and only their checksums are read. If weights are streamed, each rank starts
 * at least four threads that read them.
 * Progress: "load", "measure".
 * Errors: ITH_E_ARGUMENT for parameters, ITH_E_IO and ITH_E_FORMAT for files, ITH_E_UNSUPPORTED for
 * what is not implemented; ITH_E_MEMORY if the largest session does not fit beside streamed weights
 * (the text has the numbers); ITH_E_CANCELLED. */
ith_status ith_engine_open(ith_world *world, const ith_engine_params *params, ith_engine **engine,
                           ith_error *err);

/* Collective. Close its sessions first. */
void ith_engine_close(ith_engine *engine);

/* Facts about an open engine. Pointers are valid until it is closed. */
typedef struct ith_engine_info {
    const char *architecture; /* "qwen3", "llama", ... */
    const char *name;         /* from the model's metadata, else the name of its file */
    const char *simd;         /* kernels in use: "ref", "avx2", "avx512", ... */
    const char *mesh;         /* "4x1": U x R */
    const double *shares;     /* [ranks], sum 1: each rank's share; NULL: all equal */
    const char *distribution; /* of the weights, and why: "sharded over 4 nodes: ..." */
    const char *advice;       /* if the launcher leaves cores unused: what to do; else "" */

    /* Unusual things in the model's files, one per line, such as an adapter that is not applied, or
     * settings that contradict the weights; "" if there are none. */
    const char *notes;

    int64_t n_params;     /* parameters, including embeddings */
    int64_t weight_bytes; /* of all weights in their layout in memory */
    /* Of all ranks together, in all layers; those with a window keep few tokens. */
    int64_t kv_bytes_per_token;
    int64_t ctx;       /* tokens that a session may hold */
    int64_t ctx_train; /* tokens that the model was trained for, scaling included */
    int64_t chunk;     /* prompt tokens computed at a time */

    int n_layers, n_heads, n_kv_heads, head_dim, hidden, ffn, n_vocab;
    int ranks;
    int threads; /* per rank */
    ith_kv_type kv;
    bool exact;

    const char *weights; /* the layout in memory of most weights: "w8", "w4", "q4_k", "bf16", ... */
    int nodes;           /* machines, or the memory nodes that stand for them */

    /* KV heads and head size of layers without a window, if they differ from n_kv_heads and
     * head_dim, which are those of the other layers; else 0. Number of experts, and of experts per
     * token; 0: none. Rows of gate and up of one expert, and of all shared experts together. */
    int full_kv_heads, full_head_dim;
    int n_experts, n_experts_used, expert_ffn, shared_ffn;
} ith_engine_info;

/* Local. The engine owns the result. */
const ith_engine_info *ith_engine_get_info(const ith_engine *engine);

/* ---- Text: a tokenizer ----------------------------------------------------------------------- */

/* A vocab does not change once it is open: any number of threads may use it, also while the engine
 * runs. */
typedef struct ith_vocab ith_vocab;

/* Local. The engine's tokenizer, which the engine owns. NULL on all ranks but rank 0, and for
 * models without a tokenizer, which take token ids only. The functions of this and the next two
 * sections, except for ith_vocab_is_stop, ith_vocab_notes and ith_vocab_close, fail with
 * ITH_E_ARGUMENT if `vocab` is NULL. */
const ith_vocab *ith_engine_vocab(const ith_engine *engine);

/* Local. A tokenizer without an engine, for programs that need no more: `model` as in
 * ith_engine_params, of which only the tokenizer is read.
 * Errors: ITH_E_IO, ITH_E_FORMAT, ITH_E_UNSUPPORTED (also: there is no tokenizer). */
ith_status ith_vocab_open(const char *model, ith_vocab **vocab, ith_error *err);

/* Local. Only for what ith_vocab_open opened. */
void ith_vocab_close(ith_vocab *vocab);

/* Flags of ith_vocab_tokenize. */
enum {
    /* Markers in the text, such as <|im_start|>, become their special tokens. */
    ITH_TOKENIZE_SPECIAL = 1,

    /* Begins with the beginning-of-sequence token if the model's tokenizer does so, unless the text
     * itself begins with that marker. Set it for a text that stands at the beginning of a timeline
     * and has no template: a template writes the token itself. */
    ITH_TOKENIZE_BOS = 2,

    /* Ends with the end-of-sequence token if the model's tokenizer does so, unless the text itself
     * ends with that marker. Set it for a text that is scored, not for one that is continued. */
    ITH_TOKENIZE_EOS = 4
};

/* Local. Tokenizes `len` bytes of UTF-8. The caller frees *ids. */
ith_status ith_vocab_tokenize(const ith_vocab *vocab, const char *text, size_t len, unsigned flags,
                              int32_t **ids, size_t *n_ids, ith_error *err);

/* Local. Unusual things in the tokenizer's files and chat template that were not refused: one
 * sentence per line, "" if there are none. Lives as long as the vocab, which may not be NULL. */
const char *ith_vocab_notes(const ith_vocab *vocab);

/* Local. Returns the bytes of `n` tokens: *len bytes and a NUL. Special tokens appear as their
 * text. The caller frees *text. */
ith_status ith_vocab_detokenize(const ith_vocab *vocab, const int32_t *ids, size_t n, char **text,
                                size_t *len, ith_error *err);

/* Local. The bytes of one token inside a text, which live as long as the vocab. In some
 * vocabularies the first token of a text leaves out a space that it has here. NULL, with *len 0: no
 * token has this id, or the vocab is NULL. */
const char *ith_vocab_token(const ith_vocab *vocab, int32_t id, size_t *len);

/* Local. Does the model end its answer with this token? Those that its files name do, and the
 * special token that its chat template writes after an answer. */
bool ith_vocab_is_stop(const ith_vocab *vocab, int32_t id);

/* ---- Conversations ------------------------------------------------------------------------------
 *
 * A chat model was trained on conversations in a certain form, and its files hold a template that
 * writes that form: a small program in Jinja, from chat_template.jinja, tokenizer_config.json or
 * GGUF metadata. Ithaca runs it with what Transformers' apply_chat_template gives it (messages,
 * tools, documents, add_generation_prompt, bos_token and its like, strftime_now, raise_exception)
 * and makes the same tokens:
 *
 *     const ith_message messages[] = {{"system", "Be brief."}, {"user", "What is a sail?"}};
 *     ith_chat_params chat = {.messages = messages, .n_messages = 2};
 *
 *     ith_chat_tokenize(vocab, &chat, &ids, &n, NULL, &err);
 *     ith_session_prefill(session, ids, n, &err);
 *
 * Ithaca tracks for each byte whether it comes from the template. A marker such as <|im_end|> is a
 * token if all of it comes from the template; in messages, tools and arguments it is plain text, so
 * that a text cannot end its own turn. Two things count as the template's: a role of letters,
 * digits, '_' and '-', and markers that are not tokens of the vocabulary, which nothing
 * distinguishes from text.
 *
 * A template is untrusted input. It can read only its variables and the clock, and an endless loop
 * is an error within a second. */

typedef struct ith_message {
    const char *role; /* "system", "user", "assistant"; others if the template knows them */
    const char *content;
} ith_message;

/* Whether a model thinks before it answers, if its template lets the user choose. */
typedef enum ith_thinking { ITH_THINKING_DEFAULT, ITH_THINKING_ON, ITH_THINKING_OFF } ith_thinking;

/* A conversation and how to write it. Start from ith_chat_params_default, or from zeros, which is
 * the same. Texts are UTF-8; in `messages`, bytes that are not become U+FFFD. */
typedef struct ith_chat_params {
    /* The messages: those of the JSON text, a list of objects with "role", "content" and whatever
     * else the template reads ("tool_calls", "reasoning_content"); then those of the array. At
     * least one of the two has some. */
    const char *messages_json; /* or NULL */
    const ith_message *messages;
    size_t n_messages;

    const char *tools; /* JSON list of functions in the form of OpenAI's interface; NULL: none */

    ith_thinking thinking;

    /* JSON object of more variables for the template; NULL: none. They win over `thinking` and over
     * what the model's files say. "documents" is one of them. */
    const char *arguments;

    /* The template: `template_source`, Jinja, if it is not NULL; else the one of the model that
     * `template_name` names; if both are NULL, "tool_use" if there are tools and the model has it,
     * else "default". */
    const char *template_source, *template_name;

    bool no_generation_prompt; /* end after the last message, not where the assistant speaks */

    /* Markers are tokens in messages too. For text that is trusted. */
    bool markers_everywhere;
} ith_chat_params;

/* Local. No messages; the model's own template. */
ith_chat_params ith_chat_params_default(void);

/* Local. Writes a conversation as text. The caller frees *text, which ends with a NUL. To make
 * tokens of it, use ith_chat_tokenize: the text alone does not tell who wrote what.
 * Errors: ITH_E_ARGUMENT: there is no message, a JSON text is not a list or an object as it should
 * be, the template refuses the conversation or has no argument of this name. ITH_E_UNSUPPORTED: the
 * model has no template, the template takes no tools, does not let the user choose whether the
 * model thinks, or uses what Ithaca does not support. ITH_E_FORMAT: what should be JSON is not, the
 * template is not Jinja, or it does not end. ITH_E_MEMORY. */
ith_status ith_chat_render(const ith_vocab *vocab, const ith_chat_params *params, char **text,
                           ith_error *err);

/* Local. The tokens of a conversation. The caller frees *ids. *plain_markers, unless NULL, tells
 * whether markers were read as plain text because the template did not write them.
 * Errors: those of ith_chat_render. ITH_E_UNSUPPORTED also if some of the markers that the template
 * writes are tokens of the vocabulary, but others are not. */
ith_status ith_chat_tokenize(const ith_vocab *vocab, const ith_chat_params *params, int32_t **ids,
                             size_t *n_ids, bool *plain_markers, ith_error *err);

/* ---- Streams ------------------------------------------------------------------------------------
 *
 * Tokens are parts of words, and may be parts of characters. */

/* Turns tokens into text one by one, and never splits a UTF-8 character. */
typedef struct ith_stream ith_stream;

/* Local. The vocab must outlive the stream. */
ith_status ith_stream_open(const ith_vocab *vocab, ith_stream **stream, ith_error *err);

/* Local. Adds a token and returns the *len bytes that can now be shown, perhaps none. They are
 * valid until the next call on the stream, and no NUL follows them. */
const char *ith_stream_push(ith_stream *stream, int32_t id, size_t *len);

/* Local. Returns what is left: the bytes of an unfinished character. */
const char *ith_stream_flush(ith_stream *stream, size_t *len);

/* Local. */
void ith_stream_close(ith_stream *stream);

/* ---- Session: one timeline of tokens ------------------------------------------------------------
 *
 * Most programs prefill a prompt and call ith_generate (next section). A program that chooses
 * tokens itself does what ith_generate does:
 *
 *     ith_session_prefill(session, ids, n, &err);
 *     while (more) {
 *         const float *logits = ith_session_logits(session);
 *         ...rank 0 chooses `id`; all ranks learn from it whether there is more...
 *         ith_session_decode(session, id, &err);
 *     }
 */

typedef struct ith_session ith_session;

/* Collective. Opens an empty timeline. Its KV cache grows as tokens are added, and is in memory
 * before they are computed.
 * Errors: ITH_E_MEMORY. */
ith_status ith_session_open(ith_engine *engine, ith_session **session, ith_error *err);

/* Collective. */
void ith_session_close(ith_session *session);

/* Collective. Appends `n` tokens and computes the logits after the last one. `ids` and `n` are read
 * on rank 0 only; other ranks may pass NULL and 0.
 * Progress: "read" (of a prompt cache), "prefill".
 * Errors: ITH_E_ARGUMENT if n is 0, the context is too small, or an id is not in the vocabulary,
 * and ITH_E_MEMORY if the KV cache cannot grow: the session is unchanged. ITH_E_CANCELLED: the
 * chunks that were finished stay. ITH_E_IO and ITH_E_FORMAT if streamed weights cannot be read, and
 * ITH_E_IO if a file has changed from which passes read weights: the session can only be closed,
 * and nothing that was computed from such a file is saved. ITH_E_FORMAT if the numbers of a chunk
 * or its logits are not finite; the text names the layer where that begins, and the chunks that
 * were finished stay.
 * LongRoPE: if the timeline becomes longer than the context that the model was first trained for,
 * or is shorter again, its earlier tokens are computed anew in the same call, with other rotary
 * frequencies. If that fails or is cancelled, those that were not finished are lost. */
ith_status ith_session_prefill(ith_session *session, const int32_t *ids, size_t n, ith_error *err);

/* Collective. Appends one token, rank 0's `id`. As ith_session_prefill otherwise. */
ith_status ith_session_decode(ith_session *session, int32_t id, ith_error *err);

/* Collective. As ith_session_prefill, and measures how well the model predicts the tokens: on rank
 * 0 nll[i] = -ln p(ids[i + 1] | all tokens before it) for i from 0 to n - 2. `nll` is the caller's
 * array of n - 1 floats; other ranks may pass NULL. */
ith_status ith_session_score(ith_session *session, const int32_t *ids, size_t n, float *nll,
                             ith_error *err);

/* Collective. Removes all tokens after the first `length`, at no cost. If tokens were removed,
 * there are no logits until others are appended.
 * Errors, with the session unchanged: ITH_E_ARGUMENT for a negative length or one beyond the end;
 * ITH_E_UNSUPPORTED if this would remove whole segments of 1,024 tokens that ith_session_keep
 * saves, or if layers with a window no longer hold the tokens that they would see. The latter never
 * happens for length 0 or within a chunk's length of the end. */
ith_status ith_session_truncate(ith_session *session, int64_t length, ith_error *err);

/* Local. On rank 0: the n_vocab logits after the last token, valid until the next call on the
 * session. NULL if there are none: on other ranks, before the first token, after a truncation. */
const float *ith_session_logits(const ith_session *session);

/* Local, on rank 0. Writes the SHA-256 of the logits (little-endian f32, in vocabulary order) as 64
 * hexadecimal digits and a NUL, to compare two runs bit for bit. There must be logits. */
void ith_session_logits_sha256(const ith_session *session, char hex[65]);

/* Local. The number of tokens in the timeline. */
int64_t ith_session_length(const ith_session *session);

/* Collective. Reserves memory for the timeline to grow to n_tokens tokens. A program with many
 * sessions admits each one with this call; its steps then do not run out of memory.
 * Errors: ITH_E_ARGUMENT if the context is smaller; ITH_E_MEMORY: the session is unchanged. */
ith_status ith_session_reserve(ith_session *session, int64_t n_tokens, ith_error *err);

/* ---- Embeddings ---------------------------------------------------------------------------------
 *
 * An embedding is a vector that stands for a text: the output of the model's last layer for the
 * text's last token, behind the last norm. It has the same bits on any number of ranks and threads,
 * alone and beside other prompts. Models that are made for it (Qwen3-Embedding) end a text with a
 * token of their own, and compare vectors of length 1:
 *
 *     ith_vocab_tokenize(vocab, text, len, ITH_TOKENIZE_BOS | ITH_TOKENIZE_EOS, &ids, &n, &err);
 *     ith_session_embed(session, ids, n, embedding, &err);
 *     ith_embedding_normalize(embedding, dims);
 *     ith_session_truncate(session, 0, &err);
 *
 * Many texts at a time: `embeds` of ith_many_prompt. */

/* Collective. As ith_session_prefill. On rank 0 `embedding` becomes the output after the last
 * token, [hidden of ith_engine_info]; other ranks may pass NULL.
 * Errors: those of ith_session_prefill; ITH_E_UNSUPPORTED: the model's files (modules.json,
 * 1_Pooling/config.json, pooling_type of GGUF) say that its embeddings are made otherwise. */
ith_status ith_session_embed(ith_session *session, const int32_t *ids, size_t n, float *embedding,
                             ith_error *err);

/* Local. Divides the first n numbers of an embedding by their length, the square root of the sum of
 * their squares, added in double precision and in their order. Vectors of models that were trained
 * for it (Matryoshka representations) may be cut to their first numbers. Zeros stay. */
void ith_embedding_normalize(float *embedding, size_t n);

#include "ithaca_grammars.h"

/* ---- Generation ------------------------------------------------------------------------------ */

/* A repeat_window: all tokens of the timeline. */
enum { ITH_REPEAT_ALL = -1 };

/* How the next token is chosen from the logits. The same seed gives the same choices. */
typedef struct ith_sampling {
    float temperature;    /* 0: the most likely token (greedy) */
    int top_k;            /* only the k most likely tokens; 0: off */
    float top_p;          /* only the most likely tokens that add up to this probability; 1: off */
    float min_p;          /* only tokens this likely relative to the most likely one; 0: off */
    float repeat_penalty; /* lowers the logits of repeated tokens; 1: off */
    int repeat_window;    /* tokens that count as repeated: the last so many, or ITH_REPEAT_ALL */
    uint64_t seed;
} ith_sampling;

/* Local. What the model's generation_config says, else greedy. A repetition penalty of the model
 * counts for greedy choices too, and by default for all tokens. The seed is 0. */
ith_sampling ith_sampling_default(const ith_engine *engine);

/* Called on rank 0 with text that is ready to be shown. `len` may be 0. Return false to stop. */
typedef bool (*ith_text_fn)(void *user, const char *text, size_t len);

/* The largest max_draft. */
enum { ITH_DRAFT_MAX = 15 };

/* Start from ith_generate_params_default and change what is needed. `max_tokens`, `max_draft`
 * and `draft` are the same on all ranks; all else is read on rank 0 only. */
typedef struct ith_generate_params {
    /* Longest answer in tokens. It ends earlier when the context is full: the context holds the
     * timeline and all of the answer but its last token. */
    int64_t max_tokens;

    ith_sampling sampling;
    bool ignore_eos; /* continue past the end-of-sequence token */

    /* The text of the answer continues that of the prompt. Otherwise the leading space that
     * SentencePiece's vocabularies put before a text is stripped. */
    bool continues;

    /* Strings that end the answer and are not part of it, [n_stop]. */
    const char *const *stop;
    size_t n_stop;

    ith_text_fn on_text; /* NULL: none */
    void *user;          /* first argument of `on_text` */

    /* Speculation: up to max_draft tokens are guessed and verified in one pass, so that right
     * guesses cost almost nothing. The text is the same with and without it. How many tokens are
     * guessed follows from how many were right before. 0: off; ITH_DRAFT_MAX is a good choice
     * without a draft model, about 5 with one. */
    int max_draft;

    /* Where guesses come from. NULL: from the timeline itself, from what followed the last tokens
     * where they occurred before, which suits answers that quote the prompt. Otherwise a session of
     * a smaller model with the same vocabulary, opened in the same world. Its timeline becomes this
     * session's; what both have in common at the beginning is not computed again. */
    ith_session *draft;

    /* What the answer must fit. Several answers may use one grammar at the same time. NULL: no
     * restriction. Not together with ignore_eos or `answer`. */
    ith_grammar *grammar;

    /* Teacher forcing: these max_tokens tokens are the answer and nothing is chosen. For timing on
     * a given text. NULL: tokens are chosen by `sampling`. */
    const int32_t *answer;
} ith_generate_params;

/* Local. Up to 512 tokens, the model's own sampling, no speculation. */
ith_generate_params ith_generate_params_default(const ith_engine *engine);

typedef enum ith_finish {
    ITH_FINISH_LENGTH,   /* max_tokens was reached, or the context is full */
    ITH_FINISH_STOP,     /* the model or its grammar ended the answer, or a stop string was found */
    ITH_FINISH_CANCELLED /* on_text returned false */
} ith_finish;

typedef struct ith_generation {
    int32_t *ids; /* [n_ids] the answer, without the token that ended it */
    size_t n_ids;
    char *text; /* [text_len] and a NUL; NULL if there is none */
    size_t text_len;
    ith_finish finish;

    /* Of a prompt with `embeds` (ith_generate_many): [hidden of ith_engine_info]; else NULL. */
    float *embedding;
    bool whole; /* the text is one of the grammar's, not only the beginning of one */

    /* On every rank: passes through the model, tokens guessed, tokens guessed right. */
    int64_t n_passes, n_drafted, n_accepted;

    /* Of ith_generate_many: tokens of the prompt that were read from a prompt cache, or that
     * another prompt in flight had computed. */
    int64_t n_reused;
} ith_generation;

/* Collective. Generates an answer from the logits of the session, which must have some. Rank 0
 * chooses the tokens. *out is filled on rank 0; other ranks get its counts only. Free it with
 * ith_generation_free, after a failure too. Afterwards the session holds all tokens of the answer
 * but the last; its logits are those that the last token was chosen from.
 * Errors: ITH_E_ARGUMENT if there are no logits, a parameter is out of range, or an id of `answer`
 * is not in the vocabulary; ITH_E_UNSUPPORTED if the grammar cannot be followed, because no token
 * of the vocabulary fits or there are too many ways to parse the answer; those of
 * ith_session_prefill. */
ith_status ith_generate(ith_session *session, const ith_generate_params *params,
                        ith_generation *out, ith_error *err);

/* Local. Frees what *out points to, and zeroes it. */
void ith_generation_free(ith_generation *out);

/* ---- Prompt cache and checkpoint ----------------------------------------------------------------
 *
 * Both save the keys and values of a session in a folder on disk. A prompt cache serves any number
 * of runs: a prompt that begins like an earlier one is read up to where they part, and only the
 * remainder is computed. A checkpoint serves one run: started again, it resumes after the last
 * saved chunk or token.
 *
 *     ith_session_open(engine, &session, &err);
 *     ith_session_keep(session, &keep, &err);
 *     ith_session_prefill(session, ids, n, &err);             reads what is saved, saves the rest
 *     ith_generate(session, &how, &answer, &err);
 *     if (finished)
 *         ith_session_remove_checkpoint(session, &err);       the answer is delivered
 *     else
 *         ith_session_save(session, &err);                    to be continued by the same calls
 *
 * Saved data is named by content: keys and values depend only on the model's bits and the tokens up
 * to them. A run on any number of ranks, with any chunk size and instruction set, can read what
 * another run has saved, and then computes the same bits. Data is saved in the background, in
 * segments of 1,024 tokens and a shorter last one, for which each rank holds a copy of at most
 * 1,024 tokens' keys and values. Recurrent states are copied and saved every 8,192 tokens and at
 * the end of a prompt; a prompt is read up to the last of them. On several machines the folder must
 * be on a file system that all of them share. Any number of runs may use a prompt cache at once.
 *
 * Damaged or missing data is computed again, and data that cannot be written is not saved. In both
 * cases the run continues, after a warning. */

/* Called on rank 0 with one sentence without a line end. */
typedef void (*ith_warning_fn)(void *user, const char *text);

typedef struct ith_keep_params {
    const char *cache; /* folder of the prompt cache, created if it is missing; NULL: none */

    /* Largest size of the cache in bytes. When the session is closed, the least recently used data
     * is deleted until the cache is no larger. 0: no limit. */
    int64_t cache_bytes;

    /* Folder of the checkpoint, of this run only; NULL: none. If there is a cache too, keys and
     * values are saved there. */
    const char *checkpoint;

    /* With a checkpoint: the prompt, [n_ids], and what ith_generate will be called with. Both are
     * read on rank 0, during ith_session_keep only. */
    const int32_t *ids;
    size_t n_ids;
    const ith_generate_params *generate;

    ith_warning_fn warn; /* NULL: none */
    void *user;          /* first argument of `warn` */
} ith_keep_params;

/* Collective. Says where the keys and values of a session are saved. Call it once, while the
 * session is empty. The model is named by a SHA-256 of its weights, all of which are read. If there
 * is a checkpoint of the same run, the prefill resumes after its last chunk, and ith_generate shows
 * the answer so far and continues it.
 * Errors: ITH_E_ARGUMENT if the checkpoint is in use, or is of another model, prompt or way to
 * generate, which the text names; ITH_E_IO if the folder cannot be created, or not all ranks see
 * it; ITH_E_UNSUPPORTED for an `exact` engine, whose bits may differ between runs. */
ith_status ith_session_keep(ith_session *session, const ith_keep_params *params, ith_error *err);

/* Local. How many tokens this session has read from disk instead of computing them. */
int64_t ith_session_restored(const ith_session *session);

/* Local, on rank 0. How many tokens of prompt and answer this session has added to what a prompt
 * cache or checkpoint holds. 0: a run that starts again gets no further than this one began. */
int64_t ith_session_saved(const ith_session *session);

/* Collective. Waits until the checkpoint is on disk.
 * Errors: the first one that occurred while it was written; the checkpoint is then incomplete. */
ith_status ith_session_save(ith_session *session, ith_error *err);

/* Collective. Deletes the files of the checkpoint. The folder stays. */
ith_status ith_session_remove_checkpoint(ith_session *session, ith_error *err);

/* Local. Returns true and the seed of the run that a checkpoint is of, or false if there is no
 * checkpoint in the folder. For programs that draw a seed at random. */
bool ith_checkpoint_seed(const char *folder, uint64_t *seed);

#include "ithaca_many.h"

/* ---- Traffic and memory ---------------------------------------------------------------------- */

/* Exchanges of one kind. Bytes within a machine go through shared memory. */
typedef struct ith_exchange_traffic {
    int64_t calls;
    int64_t in_node;    /* bytes to ranks of the same machine */
    int64_t cross_node; /* bytes to ranks of other machines */
} ith_exchange_traffic;

/* The bytes that a rank has sent to others since the world was opened. Ranks send about the same
 * amount. */
typedef struct ith_traffic {
    /* The all-to-alls of prefill, by kind; the entry of ITH_EXCHANGE_AUTO is empty. */
    ith_exchange_traffic exchange[ITH_EXCHANGE_NODE + 1];

    int64_t allgather; /* of decode, and of prefill by rows */
    int64_t messages;  /* between ranks that share heads (mesh UxR with R > 1) */
    int64_t bcast;     /* of tokens and agreements */
} ith_traffic;

/* Local. */
ith_traffic ith_world_traffic(const ith_world *world);

/* What this rank uses, in bytes. */
typedef struct ith_usage {
    int64_t sent;     /* to other ranks since the world was opened */
    int64_t resident; /* memory of the process, including what the ranks of a node share */
    int64_t kv;       /* of that, KV caches */
} ith_usage;

/* Local. May be called in a progress function. */
ith_usage ith_world_usage(const ith_world *world);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
