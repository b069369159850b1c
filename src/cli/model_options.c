/* model_options.c - the tables of shared options, and what they mean to the engine. */
#include "cli/model_options.h"

#include "cli/arguments.h"

/* ---- One path ---- */

static const ith_option model_options[] = {
    {.name = "model",
     .letter = 'm',
     .kind = ITH_OPTION_FILE,
     .metavar = "MODEL",
     .help = "Hugging Face folder, GGUF file, pack, or ORG/NAME",
     .more =
         "May also be given as an argument of its own, without -m. ORG/NAME or ORG/NAME:FILE is "
         "a model that ithaca pull, or hf download, has put into Hugging Face's cache. "
         "\"synthetic:SHAPE:TYPE\" is a model of random weights without a tokenizer, such as "
         "synthetic:qwen3-8b:q4_0 or synthetic:DIR/config.json:q8_0."},
    {.name = NULL},
};

const ith_option_group ith_group_model = {"Model", model_options};

/* ---- Context ---- */

static const ith_option context_options[] = {
    {.name = "ctx",
     .letter = 'c',
     .kind = ITH_OPTION_TOKENS,
     .metavar = "N",
     .at = offsetof(ith_model_args, ctx),
     .max = 1e12,
     .otherwise = "the model's own",
     .help = "largest context in tokens, such as 128k",
     .more = "k stands for 1,024 tokens: 128k is 131,072. The KV cache grows with the context, up "
             "to this limit."},
    {.name = "rope-scaling",
     .kind = ITH_OPTION_TEXT,
     .metavar = "SCALING",
     .at = offsetof(ith_model_args, rope_scaling),
     .otherwise = "what the model's files say",
     .help = "scale positions for a longer context",
     .more = "SCALING is yarn:F[:N], linear:F or none. Positions are scaled by F for a model that "
             "was trained for N tokens: yarn:4:32768 extends Qwen3's 32,768 tokens to 131,072."},
    {.name = NULL},
};

const ith_option_group ith_group_context = {"Context", context_options};

/* ---- Weights and KV cache ---- */

const ith_word ith_quant_words[] = {
    {"w8", ITH_QUANT_W8, "8-bit integers, one scale per 32 weights"},
    {"w4", ITH_QUANT_W4,
     "4 bits, scale and minimum per 32 weights; embedding and output matrix w8"},
    {"bf16", ITH_QUANT_BF16, "bfloat16"},
    {"f32", ITH_QUANT_F32, "32-bit float"},
    {"lossless", ITH_QUANT_LOSSLESS, "bfloat16 stays as it is, F16 and F32 become f32"},
    {"keep", ITH_QUANT_LOSSLESS, NULL},
    {.name = NULL},
};

static const ith_option quant_options[] = {
    {.name = "quant",
     .kind = ITH_OPTION_WORD,
     .words = ith_quant_words,
     .metavar = "TYPE",
     .at = offsetof(ith_quant_args, quant),
     .otherwise = "w8; the weights of a pack stay as they are",
     .help = "type of float weights: w8, w4, bf16, f32, lossless",
     .more = "Weights that are quantized in the file keep their bits."},
    {.name = "stats",
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .at = offsetof(ith_quant_args, stats),
     .help = "statistics from ithaca calibrate",
     .more = "Float weights are then quantized so that they lose least where the model reads most. "
             "This matters most for w4."},
    {.name = NULL},
};

const ith_option_group ith_group_quant = {"Weights and KV cache", quant_options};

const ith_word ith_kv_words[] = {
    {"q8", ITH_KV_Q8, "8-bit integers, one scale per token and head"},
    {"bf16", ITH_KV_BF16, "bfloat16"},
    {"f32", ITH_KV_F32, "32-bit float"},
    {.name = NULL},
};

static const ith_option kv_options[] = {
    {.name = "kv",
     .kind = ITH_OPTION_WORD,
     .words = ith_kv_words,
     .at = offsetof(ith_model_args, kv),
     .otherwise = "q8",
     .help = "type of keys and values in the KV cache"},
    {.name = "exact",
     .kind = ITH_OPTION_FLAG,
     .at = offsetof(ith_model_args, exact),
     .help = "compute in f32: slow, the accuracy reference",
     .more =
         "Weights, KV cache and arithmetic are f32; products are OpenBLAS's. Results then agree "
         "only to rounding across ranks, threads and chunks."},
    {.name = NULL},
};

const ith_option_group ith_group_kv = {"Weights and KV cache", kv_options};

/* ---- Memory ---- */

static const ith_word distribution_words[] = {
    {"auto", ITH_DISTRIBUTION_AUTO, "the first of these that fits in memory"},
    {"replicated", ITH_DISTRIBUTION_REPLICATED, "every node holds all weights"},
    {"sharded", ITH_DISTRIBUTION_SHARDED,
     "every node holds the rows of its own ranks; prefill gathers each layer ahead of use"},
    {"streamed", ITH_DISTRIBUTION_STREAMED,
     "weights that do not fit in memory are read ahead of use in every pass"},
    {.name = NULL},
};

static const ith_word offload_words[] = {
    {"disk", ITH_OFFLOAD_DISK,
     "in the model's files, read through the page cache if that has room for them"},
    {"ram", ITH_OFFLOAD_RAM, "in memory, compressed with zstd"},
    {"direct", ITH_OFFLOAD_DIRECT, "in the model's files, read past the page cache (O_DIRECT)"},
    {.name = NULL},
};

static const ith_option memory_options[] = {
    {.name = "distribution",
     .aliases = {"placement"},
     .kind = ITH_OPTION_WORD,
     .words = distribution_words,
     .metavar = "HOW",
     .at = offsetof(ith_model_args, distribution),
     .preset = "auto",
     .help = "weights replicated, sharded or streamed",
     .more = "Sharding over several nodes needs an MPI library with MPI_THREAD_MULTIPLE."},
    {.name = "mem",
     .kind = ITH_OPTION_BYTES,
     .metavar = "SIZE",
     .at = offsetof(ith_model_args, memory),
     .min = 1,
     .max = 1e18,
     .otherwise = "the memory that is available",
     .help = "memory limit of a rank, such as 60GiB",
     .more = "It covers weights, KV cache and buffers."},
    {.name = "offload",
     .kind = ITH_OPTION_WORD,
     .words = offload_words,
     .at = offsetof(ith_model_args, offload),
     .preset = "disk",
     .help = "where streamed weights are kept"},
    {.name = NULL},
};

const ith_option_group ith_group_memory = {"Memory", memory_options};

/* ---- Threads and ranks ---- */

static const ith_option threads_options[] = {
    {.name = "threads",
     .letter = 't',
     .kind = ITH_OPTION_INT,
     .metavar = "T",
     .max = 4096,
     .otherwise = "the node's cores, divided among its ranks",
     .help = "threads per rank"},
    {.name = NULL},
};

const ith_option_group ith_group_threads = {"Threads and ranks", threads_options};

const ith_word ith_exchange_words[] = {
    {"auto", ITH_EXCHANGE_AUTO, "by message size and by which ranks share a machine"},
    {"alltoallv", ITH_EXCHANGE_ALLTOALLV, "MPI_Alltoallv"},
    {"pairwise", ITH_EXCHANGE_PAIRWISE, "one message between every two ranks"},
    {"node", ITH_EXCHANGE_NODE,
     "shared memory inside a machine, one message between every two machines"},
    {.name = NULL},
};

static const ith_word prefill_words[] = {
    {"auto", ITH_PREFILL_AUTO, "by tokens; a few tokens by rows"},
    {"ulysses", ITH_PREFILL_ULYSSES, "by tokens, and by heads in attention: all-to-all"},
    {"rows", ITH_PREFILL_ROWS, "by rows of every matrix, as in decode: all-gather"},
    {.name = NULL},
};

static const ith_option ranks_options[] = {
    {.name = "chunk",
     .kind = ITH_OPTION_TOKENS,
     .metavar = "C",
     .at = offsetof(ith_model_args, chunk),
     .max = 1e9,
     .otherwise = "512 per rank",
     .help = "prompt tokens per pass, over all ranks"},
    {.name = "mesh",
     .kind = ITH_OPTION_TEXT,
     .metavar = "UxR",
     .at = offsetof(ith_model_args, mesh),
     .otherwise = "U divides the KV heads",
     .help = "Ulysses degree x context-parallel degree"},
    {.name = "shares",
     .aliases = {"weights-by"},
     .kind = ITH_OPTION_TEXT,
     .metavar = "HOW",
     .at = offsetof(ith_model_args, shares),
     .otherwise = "equal shares",
     .help = "shares of work: threads, measured, or A,B,C",
     .more =
         "The tokens of prefill and the rows of decode are divided in proportion to the threads of "
         "each rank, to the speed of a short measurement at the start, or to these whole "
         "numbers, one per rank. A rank with 0 keeps only its heads: their KV cache and their "
         "attention, which always stay evenly divided. Buffers are as large on every rank as "
         "on the one with the largest share."},
    {.name = "prefill",
     .kind = ITH_OPTION_WORD,
     .words = prefill_words,
     .at = offsetof(ith_model_args, prefill),
     .preset = "auto",
     .help = "how ranks divide a chunk of the prompt"},
    {.name = "exchange",
     .kind = ITH_OPTION_WORD,
     .words = ith_exchange_words,
     .metavar = "HOW",
     .at = offsetof(ith_model_args, exchange),
     .preset = "auto",
     .help = "all-to-all of prefill: alltoallv, pairwise, node"},
    {.name = "head-slices",
     .aliases = {"exchange-parts"},
     .kind = ITH_OPTION_INT,
     .metavar = "N",
     .at = offsetof(ith_model_args, head_slices),
     .max = 4,
     .otherwise = "as many as pay off",
     .help = "exchange the heads in N slices",
     .more = "While one slice is exchanged, another is computed."},
    {.name = NULL},
};

const ith_option_group ith_group_ranks = {"Threads and ranks", ranks_options};

static const ith_option report_ranks_options[] = {
    {.name = "report-ranks",
     .kind = ITH_OPTION_FLAG,
     .at = offsetof(ith_model_args, report_ranks),
     .help = "show cores, memory and network of each rank",
     .more =
         "One table before weights are read: host, cores, hardware threads, memory nodes (NUMA), "
         "memory and what limits it, huge pages, and the network interface that MPI uses, with "
         "the rate of a message of 16 MiB. What is wrong there is noted with or without it."},
    {.name = NULL},
};

const ith_option_group ith_group_report_ranks = {"Threads and ranks", report_ranks_options};

/* ---- Output ---- */

static const ith_option json_options[] = {
    {.name = "json",
     .kind = ITH_OPTION_FLAG,
     .at = offsetof(ith_output_args, json),
     .help = "print one JSON object instead of text"},
    {.name = NULL},
};

static const ith_option quiet_options[] = {
    {.name = "quiet",
     .letter = 'q',
     .kind = ITH_OPTION_FLAG,
     .at = offsetof(ith_output_args, quiet),
     .help = "no progress, notes or timings on stderr"},
    {.name = NULL},
};

const ith_option_group ith_group_json = {"Output", json_options};
const ith_option_group ith_group_quiet = {"Output", quiet_options};

/* ---- */

ith_model_args ith_model_args_default(void)
{
    return (ith_model_args){.kv = -1, .quant.quant = -1};
}

static int check(const ith_cli *cli, const char *command, const ith_model_args *model)
{
    int quant = model->quant.quant;

    if (model->model == NULL)
        return ith_args_wrong(cli, command, "MODEL is missing");
    if (model->exact && model->kv >= 0 && model->kv != ITH_KV_F32)
        return ith_args_wrong(cli, command, "--exact keeps the KV cache in f32; omit --kv");
    if (model->exact && quant >= 0 && quant != ITH_QUANT_F32)
        return ith_args_wrong(cli, command, "--exact keeps the weights in f32; omit --quant");
    if (model->exact && model->quant.stats != NULL)
        return ith_args_wrong(cli, command, "--exact quantizes nothing; omit --stats");
    return ITH_ARGS_OK;
}

int ith_model_args_check(const ith_cli *cli, const char *command, const ith_model_args *model,
                         ith_engine_params *params)
{
    int code = check(cli, command, model);

    if (code != ITH_ARGS_OK)
        return code;
    *params = ith_engine_params_default();
    params->model = model->model;
    params->stats = model->quant.stats;
    params->exact = model->exact;
    params->threads = (int)model->threads;
    params->chunk = model->chunk;
    params->ctx = model->ctx;
    params->mesh = model->mesh;
    params->shares = model->shares;
    params->rope_scaling = model->rope_scaling;
    params->exchange = (ith_exchange)model->exchange;
    params->head_slices = (int)model->head_slices;
    params->prefill = (ith_prefill)model->prefill;
    params->distribution = (ith_distribution)model->distribution;
    params->memory = model->memory;
    params->offload = (ith_offload)model->offload;
    params->measure_network = model->report_ranks;
    if (model->kv >= 0)
        params->kv = (ith_kv_type)model->kv;
    if (model->quant.quant >= 0)
        params->quant = (ith_quant)model->quant.quant;
    return ITH_ARGS_OK;
}
