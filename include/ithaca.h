/* ithaca.h - long-context language models on CPU machines.
 *
 * Introduction
 * ------------
 * Ithaca runs decoder-only transformers (Qwen3, Llama) with prompts of up to 128k tokens and more on one
 * process, or on many MPI ranks that share the work of one prompt. The same program does both: started by
 * itself it is one rank; started by mpirun or srun it is as many as the launcher says.
 *
 *     #include <ithaca.h>
 *
 *     ith_error err;
 *     ith_world *world;
 *     ith_engine *engine;
 *     ith_session *session;
 *     ith_engine_params params = ith_engine_params_default();
 *     params.model = "model.gguf";
 *     if (ith_world_open(&world, &err) || ith_engine_open(world, &params, &engine, &err) ||
 *         ith_session_open(engine, &session, &err))
 *         fprintf(stderr, "%s\n", err.text);
 *     ith_session_prefill(session, ids, n_ids, &err);            // every rank calls; rank 0's ids count
 *     while (more) {
 *         const float *logits = ith_session_logits(session);     // rank 0: n_vocab floats; other ranks: NULL
 *         ...choose `id` on rank 0...
 *         ith_session_decode(session, id, &err);                 // every rank calls; rank 0's id counts
 *     }
 *     ith_session_close(session); ith_engine_close(engine); ith_world_close(world);
 *
 * The nouns:
 *   world    the ranks that run together (MPI stays behind it).
 *   engine   a loaded model: weights, tokenizer, threads, the mesh of ranks. Immutable once open.
 *   session  one mutable timeline of tokens with its KV cache. Several sessions may share an engine.
 *   sampler  chooses the next token from logits; a sampler with the same seed gives the same choices.
 *
 * Errors: functions that can fail return ith_status (ITH_OK is 0) and describe the failure in `err->text`, one
 * sentence that names the file, tensor or rank. `err` may be NULL. Nothing in the library exits or prints.
 *
 * Collective functions must be called by every rank of the world, in the same order; each says so in its first
 * word. They fail on all ranks together or end the job: no rank is left waiting. Others are local.
 *
 * The same bits: logits are equal bit for bit for any number of ranks and threads, any chunk size, prefill or
 * decode, and every instruction set, whatever the weights and the cache are kept in. With `exact` they are equal
 * only to rounding, because the products are OpenBLAS's.
 *
 * Threads: an engine and its sessions belong to the thread that opened them. On a machine with several memory nodes (NUMA) that thread runs on
 * the cores of one of them while the engine is open, as each of the engine's own does.
 */
#ifndef ITHACA_H
#define ITHACA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ITH_VERSION "0.1.0"

/* ---- Errors -------------------------------------------------------------------------------------------- */

typedef enum ith_status {
    ITH_OK = 0,
    ITH_E_ARGUMENT,    /* a parameter is out of range or contradicts another */
    ITH_E_IO,          /* the operating system refused: open, read, write, map */
    ITH_E_FORMAT,      /* a file is truncated, damaged or not what its name says */
    ITH_E_UNSUPPORTED, /* well-formed, but Ithaca does not do this (architecture, tensor type, mesh) */
    ITH_E_MEMORY,      /* an allocation failed; the text gives the size and its purpose */
    ITH_E_COMM,        /* ranks disagree or a launcher's environment is unusable */
    ITH_E_CANCELLED    /* the caller's progress function asked to stop */
} ith_status;

typedef struct ith_error {
    ith_status status;
    char text[1000]; /* one sentence, no line end */
} ith_error;

/* ---- World: the ranks that run together ------------------------------------------------------------------ */

typedef struct ith_world ith_world;

/* Collective. Joins the ranks of the launcher (mpirun, srun) when the environment shows one, else makes a world of
 * one rank without starting MPI. Call once per process, before threads are started. */
ith_status ith_world_open(ith_world **world, ith_error *err);

/* Collective. Leaves the world; accepts NULL. */
void ith_world_close(ith_world *world);

int ith_world_rank(const ith_world *world);
int ith_world_size(const ith_world *world);

/* Collective. Rank 0's `bytes` bytes at `buf` arrive in every rank's: for programs whose rank 0 alone reads the input and must
 * tell the others whether, and how often, to go on. */
void ith_world_bcast(ith_world *world, void *buf, size_t bytes);

typedef enum ith_exchange { /* how the all-to-all of prefill is done; the bytes and the results are the same */
    ITH_EXCHANGE_AUTO,      /* by size and by which ranks share a machine */
    ITH_EXCHANGE_ALLTOALLV, /* MPI_Alltoallv */
    ITH_EXCHANGE_PAIRWISE,  /* messages between all pairs, some at a time */
    ITH_EXCHANGE_NODE       /* through shared memory inside a machine, one message between two machines */
} ith_exchange;

/* Bytes that this rank has sent so far. Those to the ranks of its own machine went through memory. Rank 0's is about every rank's. */
typedef struct ith_exchange_traffic {
    int64_t calls, in_node, cross_node;
} ith_exchange_traffic;

typedef struct ith_traffic {
    ith_exchange_traffic exchange[ITH_EXCHANGE_NODE + 1]; /* of the all-to-all, by strategy; [ITH_EXCHANGE_AUTO] is empty */
    int64_t allgather;                                    /* of decode, and of prefill by rows */
    int64_t messages;                                     /* of groups that share heads (mesh U x R, R > 1) */
    int64_t bcast;                                        /* tokens, agreements */
} ith_traffic;

/* Local. */
ith_traffic ith_world_traffic(const ith_world *world);

/* Ends every rank of the world at once with exit status `code`, after printing `text` with the rank's number on stderr.
 * For errors that one rank alone can see. Does not return. */
void ith_world_abort(ith_world *world, int code, const char *text);

/* ---- Engine: a loaded model ------------------------------------------------------------------------------ */

typedef enum ith_quant { /* how float weights are kept; those that are quantized in the file keep their own bits */
    ITH_QUANT_W8,        /* int8, a scale per 32 */
    ITH_QUANT_W4,        /* 4 bits, scale and minimum per 32 (embedding and output matrix: w8) */
    ITH_QUANT_BF16,      /* bfloat16, products in f32 */
    ITH_QUANT_F32,       /* float */
    ITH_QUANT_LOSSLESS,      /* without loss: bfloat16 as it is, F16 and F32 as float */
    ITH_QUANT_AUTO       /* the default: a pack's as they are, others as ITH_QUANT_W8 */
} ith_quant;

typedef enum ith_kv_type {
    ITH_KV_Q8,   /* int8, a scale per token and head: the default */
    ITH_KV_BF16, /* bfloat16 */
    ITH_KV_F32   /* float */
} ith_kv_type;

/* Called during anything long, on rank 0 only, at most a few times a second, from the thread that called in.
 * what: "load" (unit: bytes), "measure" (the mean of the model's keys, which a pack holds; unit: bytes of weights), "read" (saved keys and values, unit:
 * tokens) or "prefill" (unit: tokens). Return false to stop: the call then ends with ITH_E_CANCELLED on all ranks, within one layer of "measure", one chunk of
 * "prefill". */
typedef bool (*ith_progress_fn)(void *user, const char *what, int64_t done, int64_t total);

typedef enum ith_distribution { /* of the weights */
    ITH_DISTRIBUTION_AUTO,          /* the first of these that fits the memory together with the largest session */
    ITH_DISTRIBUTION_REPLICATED,    /* one copy a node (the ranks of a machine; those beside one of its memory nodes, where ranks are
                              * bound to these), shared by its ranks, whatever `memory` says */
    ITH_DISTRIBUTION_SHARDED,       /* every node holds the rows of its ranks only; prefill gathers each layer's ahead of use. Whatever `memory` says. Over
                              * several nodes MPI must provide MPI_THREAD_MULTIPLE. On one node: replicated */
    ITH_DISTRIBUTION_STREAMED       /* what the memory does not hold is read ahead of use in every pass: each node its rows, each rank of it a share */
} ith_distribution;

typedef enum ith_offload { /* where streamed weights are meanwhile */
    ITH_OFFLOAD_DISK,      /* in the model's files: read through the system's page cache if free memory has room for all that is streamed,
                            * so that it comes from the disk once; else past it */
    ITH_OFFLOAD_RAM,       /* zstd-compressed in memory */
    ITH_OFFLOAD_DIRECT     /* in the files, always read past the page cache (O_DIRECT) */
} ith_offload;

typedef enum ith_prefill { /* how the ranks share a chunk of the prompt; the results are the same */
    ITH_PREFILL_AUTO,      /* by tokens; a few tokens by rows */
    ITH_PREFILL_ULYSSES,   /* by tokens, and by heads in attention, whatever the chunk: an all-to-all in each layer */
    ITH_PREFILL_ROWS       /* by rows of every matrix, as in decode (tensor parallel): all-gathers in each layer */
} ith_prefill;

typedef struct ith_sizes { /* bytes */
    int64_t weights;       /* in their compute layouts, of a node; streamed weights: what is streamed is counted too */
    int64_t kv, ctx;       /* of a rank's part of the KV cache when a session has ctx tokens; it grows as they come */
    int64_t work;          /* of a rank: activations and logits */
    const char *distribution; /* of the weights, one line */
    double key_share;      /* a token's operations in attention for one key before it, over those in its matrices: how prefill slows down with depth */
} ith_sizes;

/* Once, on rank 0, when an engine knows what it and a session will take, and nothing of it is allocated. */
typedef void (*ith_sizes_fn)(void *user, const ith_sizes *sizes);

typedef struct ith_engine_params {
    const char *model;        /* a Hugging Face folder, a .gguf file, a pack, or "synthetic:SHAPE:TYPE": see Benchmarks */
    ith_quant quant;          /* see above */
    const char *stats;        /* a file of ith_calibrate, after which floats are quantized; NULL: none */
    ith_kv_type kv;           /* KV cache element; ITH_KV_F32 when exact */
    bool exact;               /* f32 weights (dequantized if need be), f32 KV, OpenBLAS: the accuracy reference */
    int threads;              /* threads per rank; 0: the cores this rank may use, each shared among the ranks that may */
    int64_t chunk;            /* prompt tokens in flight over all ranks; 0: 512 per rank */
    int64_t ctx;              /* largest timeline of a session in tokens; 0: what the model was trained for */
    ith_distribution distribution; /* see above */
    int64_t memory;           /* bytes that a rank may take, for everything; 0: what the machine has to give */
    ith_offload offload;      /* see above */
    /* Rotary positions for contexts longer than the model was trained for, in place of what its files say; NULL: as they say.
     * "yarn:FACTOR:TRAINED" (Qwen3's recipe for 131,072 tokens: yarn:4:32768; TRAINED left out: what the files say), "linear:FACTOR", "none".
     * The context that the model was made for (ctx, ctx_train) becomes FACTOR times TRAINED. */
    const char *rope_scaling;
    const char *mesh;         /* "UxR", or NULL to choose: Ulysses degree U times context-parallel degree R */
    /* How tokens (in prefill) and rows of matrices (in decode) are shared out to ranks; NULL: all get the same. "threads": in proportion to their threads;
     * "measured": to the speed of a product that all compute at the same time, for a twentieth of a second; "A,B,...": to these whole numbers, one a
     * rank. A rank of 0 keeps its part of the heads only: its cache, and attention to it. The results are the same. */
    const char *shares;
    ith_exchange exchange;    /* see above */
    int head_slices;       /* of each exchange of prefill, one behind the compute of others; 0: as many as pay */
    ith_prefill prefill;      /* see above */
    ith_progress_fn progress; /* NULL: silent */
    ith_sizes_fn sizes;       /* NULL: not wanted */
    void *progress_user;      /* handed to `progress` and `sizes` */
} ith_engine_params;

ith_engine_params ith_engine_params_default(void);

typedef struct ith_engine ith_engine;

/* Collective; every rank passes equal parameters. Maps the model's files, converts weights to the compute layout
 * (one copy per machine or memory node, shared by its ranks; a pack's are used where they are mapped, after a look at their checksums). Threads in the
 * background only where weights are streamed: four per rank or more, which read them. ITH_E_MEMORY, with the numbers, if not even streamed
 * weights and the largest session fit. */
ith_status ith_engine_open(ith_world *world, const ith_engine_params *params, ith_engine **engine, ith_error *err);

/* Collective. Accepts NULL. Sessions must be closed before. */
void ith_engine_close(ith_engine *engine);

typedef struct ith_engine_info { /* strings live as long as the engine */
    const char *architecture;    /* "qwen3", "llama" */
    const char *name;            /* the model's own name, or its file's */
    const char *simd;            /* the kernels in use, a name that ITHACA_SIMD may have: "ref", "avx2", "avx512"... */
    const char *mesh;            /* "4x1": U x R */
    const double *shares;        /* [ranks], their sum is 1: what each gets of tokens and rows (params); NULL: all the same */
    const char *distribution;    /* of the weights, and why: "replicated: ...", "sharded over 4 nodes: ...", "streamed: ...": one line */
    const char *advice;          /* one line on how the launcher binds ranks, where that leaves cores unused; else "" */
    int64_t n_params;            /* parameters, embeddings included */
    int64_t weight_bytes;        /* of all weights in their compute layouts: in memory per node, if they are replicated */
    int64_t kv_bytes_per_token;  /* over all ranks together */
    int64_t ctx;                 /* tokens a session may hold */
    int64_t ctx_train;           /* tokens the model was made for, with the scaling of its positions */
    int64_t chunk;               /* prompt tokens in flight */
    int n_layers, n_heads, n_kv_heads, head_dim, hidden, ffn, n_vocab;
    int ranks, threads; /* threads: per rank */
    ith_kv_type kv;
    bool exact;
} ith_engine_info;

const ith_engine_info *ith_engine_get_info(const ith_engine *engine);

typedef struct ith_usage { /* of this rank, in bytes */
    int64_t sent;          /* to other ranks since the world was opened */
    int64_t resident;      /* memory of the process, what ranks of a node share included */
    int64_t kv;            /* of that, KV caches */
} ith_usage;

/* What a rank has used so far: for reports of progress. Local, from any progress function too. */
ith_usage ith_world_usage(const ith_world *world);

/* ---- Text ---------------------------------------------------------------------------------------------------- */

enum {
    ITH_TOKENIZE_SPECIAL = 1, /* markers such as <|im_start|> in the text become their special tokens */
};

/* A tokenizer without its model, for tools: reads only what tokenizing needs. Local. */
typedef struct ith_vocab ith_vocab;
ith_status ith_vocab_open(const char *model, ith_vocab **vocab, ith_error *err);
void ith_vocab_close(ith_vocab *vocab);
/* The engine's own, not to be closed: on rank 0; NULL on other ranks, and for models without a tokenizer (ids only). The functions below then
 * fail with ITH_E_ARGUMENT. */
const ith_vocab *ith_engine_vocab(const ith_engine *engine);
/* Tokenizes `len` bytes of UTF-8. *ids is malloc'd, the caller frees it. Local. */
ith_status ith_vocab_tokenize(const ith_vocab *vocab, const char *text, size_t len, unsigned flags, int32_t **ids,
                              size_t *n_ids, ith_error *err);
/* The bytes of n ids, malloc'd in *text with a NUL after *len bytes. Special tokens appear as their text. Local. */
ith_status ith_vocab_detokenize(const ith_vocab *vocab, const int32_t *ids, size_t n, char **text, size_t *len,
                                ith_error *err);
bool ith_vocab_is_stop(const ith_vocab *vocab, int32_t id); /* does the model end its answer with this token? */

/* Bytes of a growing answer, never splitting a UTF-8 character: a push returns what may be shown now, valid until the
 * next call on the stream. */
typedef struct ith_stream ith_stream;
ith_status ith_stream_open(const ith_vocab *vocab, ith_stream **stream, ith_error *err);
const char *ith_stream_push(ith_stream *stream, int32_t id, size_t *len);
const char *ith_stream_flush(ith_stream *stream, size_t *len); /* what is left, an unfinished character included */
void ith_stream_close(ith_stream *stream);

typedef struct ith_message {
    const char *role; /* "system", "user", "assistant" */
    const char *content;
} ith_message;

typedef enum ith_thinking { ITH_THINKING_DEFAULT, ITH_THINKING_ON, ITH_THINKING_OFF } ith_thinking;

/* The conversation in the model's chat template, ready for ITH_TOKENIZE_SPECIAL, ending where the assistant speaks.
 * *text is malloc'd. ITH_E_UNSUPPORTED if the model's template is not one of those known. Local. */
ith_status ith_chat_render(const ith_vocab *vocab, const ith_message *messages, size_t n_messages, ith_thinking thinking,
                           char **text, ith_error *err);

/* ---- Session: one timeline ----------------------------------------------------------------------------------- */

typedef struct ith_session ith_session;

/* Collective. The KV cache grows as tokens come. */
ith_status ith_session_open(ith_engine *engine, ith_session **session, ith_error *err);
void ith_session_close(ith_session *session); /* Collective. Accepts NULL. */

/* Collective. Appends n tokens (rank 0's ids and n count; other ranks may pass NULL, 0) and computes the logits after
 * the last one. ITH_E_ARGUMENT if the timeline would exceed the context or an id is not in the vocabulary: the
 * session is unchanged. ITH_E_MEMORY if the cache cannot grow: unchanged too. ITH_E_CANCELLED: the chunks that were finished stay. ITH_E_IO,
 * ITH_E_FORMAT: streamed weights could not be read; the chunk does not count, nor will any after it. */
ith_status ith_session_prefill(ith_session *session, const int32_t *ids, size_t n, ith_error *err);

/* Collective. Appends one token (rank 0's counts): prefill of one, the row-cut way. */
ith_status ith_session_decode(ith_session *session, int32_t id, ith_error *err);

/* Collective. As prefill, and rank 0 gets nll[i] = -ln p(ids[i+1] | ids[0..i] and what the session held before) for
 * i in [0, n-1). nll is the caller's, n-1 floats, read on rank 0 only. */
ith_status ith_session_score(ith_session *session, const int32_t *ids, size_t n, float *nll, ith_error *err);

/* Collective; every rank passes the same length. Cuts the timeline back to its first `length` tokens: what follows is forgotten, at no
 * cost, and other tokens may be appended. ITH_E_ARGUMENT for more tokens than there are, or less than 0;
 * ITH_E_UNSUPPORTED below what ith_session_keep has on disk in whole segments of 1,024 tokens. The logits of the token that
 * is then the last are there if nothing was cut; else append one first. */
ith_status ith_session_truncate(ith_session *session, int64_t length, ith_error *err);

/* Rank 0: the n_vocab logits after the last token, valid until the next call on the session. Other ranks, before any token, or cut
 * back: NULL. */
const float *ith_session_logits(const ith_session *session);
int64_t ith_session_length(const ith_session *session); /* tokens in the timeline */

/* SHA-256 of the logits (little-endian f32 in vocabulary order) as 64 hexadecimal digits and a NUL. Rank 0 only. */
void ith_session_logits_sha256(const ith_session *session, char hex[65]);

/* ---- Sampling and generation ------------------------------------------------------------------------------------ */

typedef struct ith_sampling {
    float temperature;    /* 0: greedy */
    int top_k;            /* 0: off */
    float top_p;          /* 1: off */
    float min_p;          /* 0: off */
    float repeat_penalty; /* 1: off; over the last repeat_window tokens */
    int repeat_window;
    uint64_t seed;
} ith_sampling;

ith_sampling ith_sampling_default(const ith_engine *engine); /* what the model's generation_config says, else greedy */

typedef enum ith_finish { ITH_FINISH_LENGTH, ITH_FINISH_STOP, ITH_FINISH_CANCELLED } ith_finish;

/* On rank 0, for every piece of text ready to be shown; `len` may be 0. Return false to stop. */
typedef bool (*ith_text_fn)(void *user, const char *text, size_t len);

enum { ITH_DRAFT_MAX = 15 };

/* Speculation: with max_draft > 0 the tokens that may come next are guessed, and one pass computes the logits after all of them: those
 * guessed right cost next to nothing. The text is the same as without, to the last token, greedy or sampled. How many are guessed follows what
 * was right so far. Guesses come from the timeline itself: what followed its longest ending that occurred before (good for answers that
 * quote); or from a session of a smaller model with the same vocabulary, opened in the same world, whose timeline becomes this session's (where it
 * begins with the same prompt, that part is not computed again). */
typedef struct ith_generate_params {
    int64_t max_tokens;
    int max_draft;      /* 0: off; to ITH_DRAFT_MAX, which is a good choice without a model, some 5 with one */
    ith_session *draft; /* of the smaller model; NULL: from the timeline */
    bool ignore_eos;
    ith_sampling sampling;
    const int32_t *answer; /* [max_tokens] on rank 0: these tokens are the answer, nothing is chosen (teacher forcing), so that
                            * passes and guesses can be timed on a text that this model would not say. NULL: by `sampling` */
    const char *const *stop; /* strings that end the answer and are not part of it */
    size_t n_stop;
    ith_text_fn on_text; /* NULL: none */
    void *user;
} ith_generate_params;

typedef struct ith_generation { /* rank 0; freed by ith_generation_free */
    int32_t *ids;               /* generated tokens, the stop token excluded */
    size_t n_ids;
    char *text;
    size_t text_len;
    ith_finish finish;
    int64_t n_passes, n_drafted, n_accepted; /* passes over the model; tokens guessed, and guessed right: on every rank */
} ith_generation;

/* Collective. Generates from the session's last logits (so after a prefill). Rank 0 samples and broadcasts.
 * All ranks get the same status; `out` is filled on rank 0, and has its counts only elsewhere. Afterwards the session holds all generated tokens but
 * the last: its logits are those that the last one was chosen from. ITH_E_ARGUMENT: no logits yet, max_draft out of range, an id of `answer` that the
 * vocabulary lacks. */
ith_status ith_generate(ith_session *session, const ith_generate_params *params, ith_generation *out, ith_error *err);
void ith_generation_free(ith_generation *out);

/* ---- Kept on disk: the prompt cache, the checkpoint ---------------------------------------------------------------
 *
 *     ith_session_keep(session, &params, &err);             // after ith_session_open
 *     ith_session_prefill(...); ith_generate(...);          // reads what is there, writes what is not
 *     if (done) ith_session_remove_checkpoint(session, &err);            // the answer is delivered: the checkpoint goes
 *     else      ith_session_save(session, &err);            // stopped: all is on disk, the same calls go on from there
 *
 * A folder of KV data by content: keys and values depend on the model's bits and the tokens up to them, so any run, on any number
 * of ranks, with any chunk size and instruction set, reads what another wrote, and goes on with the same bits. A prefill reads the
 * longest prefix that is there; what it computes is written, in the background, in segments of 1,024 tokens and the rest. Any number of runs may
 * use a prompt cache at once. Memory: a copy of at most 1,024 tokens' keys and values on each rank, while they are written. On several machines a folder must be on a file system that all of them share.
 *
 * What is damaged, missing or cannot be written never fails a run: it is computed, and a warning says so. */

/* On rank 0. One sentence, no line end. */
typedef void (*ith_warning_fn)(void *user, const char *text);

typedef struct ith_keep_params {
    const char *cache;      /* the prompt cache's folder, made if need be; NULL: none */
    int64_t cache_bytes;    /* what it may take when the session is closed: the least recently used goes first; 0: anything */
    const char *checkpoint; /* a folder for this run alone; NULL: none. Where there is a cache too, KV data is in that */
    const int32_t *ids;     /* with a checkpoint: the prompt, read on rank 0 */
    size_t n_ids;
    const ith_generate_params *generate; /* with a checkpoint: what ith_generate will be called with */
    ith_warning_fn warn;                 /* NULL: nobody listens */
    void *user;                          /* handed to `warn` */
} ith_keep_params;

/* Collective; every rank passes equal paths and bytes. Once per session, while it is empty. Hashes the weights where they are not a pack's. With a
 * checkpoint that is there: the prefill goes on behind its last chunk, and ith_generate shows the answer so far and goes on. ITH_E_ARGUMENT:
 * the checkpoint is of another model, prompt or way to generate, which the text names; it is in use; ITH_E_IO: the folder cannot be made, or not
 * all ranks see it; ITH_E_UNSUPPORTED: an exact engine, whose bits are not always the same. */
ith_status ith_session_keep(ith_session *session, const ith_keep_params *params, ith_error *err);

/* Tokens that prefills of this session have read instead of computed. */
int64_t ith_session_restored(const ith_session *session);

/* Collective. Returns when a checkpoint's data is on disk. The error is the first that writing it met: not all of it is there. */
ith_status ith_session_save(ith_session *session, ith_error *err);

/* Collective. Removes the checkpoint's files; the folder stays. */
ith_status ith_session_remove_checkpoint(ith_session *session, ith_error *err);

/* Local. The seed of the run that a checkpoint is of; false if there is none: for programs that draw a seed. */
bool ith_checkpoint_seed(const char *folder, uint64_t *seed);

#ifdef __cplusplus
}
#endif
#endif
