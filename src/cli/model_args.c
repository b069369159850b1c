/* The options of every subcommand that loads a model, and what they mean to the engine. */
#include "cli/arguments.h"

#include <string.h>

ith_model_args ith_model_args_default(void)
{
    return (ith_model_args){.kv = -1, .quant = -1, .placement = ITH_DISTRIBUTION_AUTO, .offload = ITH_OFFLOAD_DISK};
}

void ith_model_args_append(ith_model_args *model, ith_arg args[ITH_ARGS_MAX], size_t *n)
{
    const ith_arg table[] = {
        {"model", 'm', ITH_ARG_TEXT, "MODEL", "a Hugging Face folder, a .gguf file or a pack", &model->model, 0, 0},
        {"threads", 't', ITH_ARG_INT, "T", "threads per rank (default: the node's cores, shared by its ranks)",
         &model->threads, 0, 4096},
        {"ctx", 'c', ITH_ARG_INT, "N", "largest context in tokens (default: the model's own)", &model->ctx, 0, 1e12},
        {"rope-scaling", 0, ITH_ARG_TEXT, "yarn:F[:N]|linear:F|none",
         "positions stretched by F over the N tokens trained for, as yarn:4:32768 (default: the model's own)",
         &model->rope_scaling, 0, 0},
        {"chunk", 0, ITH_ARG_INT, "C", "prompt tokens in flight over all ranks (default: 512 a rank)", &model->chunk, 0,
         1e9},
        {"kv", 0, ITH_ARG_CHOICE, "q8|bf16|f32", "element of the KV cache (default q8)", &model->kv, 0, 0},
        {"quant", 0, ITH_ARG_CHOICE, "w8|w4|bf16|f32|keep",
         "float weights in memory (default w8; a pack's: as they are)", &model->quant, 0, 0},
        {"stats", 0, ITH_ARG_TEXT, "FILE", "of ithaca calibrate: float weights are quantized to suit its text",
         &model->stats, 0, 0},
        {"placement", 0, ITH_ARG_CHOICE, "auto|replicated|sharded|streamed",
         "weights whole on each node, cut among nodes, or read in every pass (default auto: the first that fits)",
         &model->placement, 0, 0},
        {"mem", 0, ITH_ARG_BYTES, "SIZE",
         "memory that a rank may take for everything, as 3GiB (default: what there is)", &model->memory, 1, 1e18},
        {"offload", 0, ITH_ARG_CHOICE, "disk|ram|direct",
         "streamed weights come from the model's files, from memory, zstd-compressed, or from the files past the page "
         "cache (default disk: past it where memory has no room for them)",
         &model->offload, 0, 0},
        {"exact", 0, ITH_ARG_FLAG, NULL, "f32 weights, KV cache and arithmetic: slow, the accuracy reference",
         &model->exact, 0, 0},
        {"mesh", 0, ITH_ARG_TEXT, "UxR", "Ulysses degree x context degree (default: U divides the KV heads)",
         &model->mesh, 0, 0},
        {"weights-by", 0, ITH_ARG_TEXT, "threads|measured|A,B,...",
         "tokens and rows go to ranks by their threads, by a short measurement, or by these numbers, one a rank "
         "(default: all get the same)",
         &model->weights_by, 0, 0},
        {"exchange", 0, ITH_ARG_CHOICE, "auto|alltoallv|pairwise|node",
         "how ranks exchange in prefill (default auto: by size, and by which share a machine)", &model->exchange, 0, 0},
        {"exchange-parts", 0, ITH_ARG_INT, "N",
         "they exchange in N parts, one behind the compute of others (default: as many as pay)", &model->exchange_parts,
         0, 4},
        {"prefill", 0, ITH_ARG_CHOICE, "auto|ulysses|rows",
         "ranks share a chunk by its tokens, or by rows of the matrices (default auto: few tokens by rows)",
         &model->prefill, 0, 0},
        {"json", 0, ITH_ARG_FLAG, NULL, "one JSON object on stdout instead of text", &model->json, 0, 0},
        {"quiet", 'q', ITH_ARG_FLAG, NULL, "no progress and no timings on stderr", &model->quiet, 0, 0},
    };
    memcpy(args + *n, table, sizeof table);
    *n += sizeof table / sizeof table[0];
}

int ith_model_args_check(const ith_cli *cli, const char *command, const ith_model_args *model,
                         ith_engine_params *params)
{
    if (model->model == NULL)
        return ith_args_wrong(cli, command, "-m MODEL is missing");
    if (model->exact && model->kv >= 0 && model->kv != ITH_KV_F32)
        return ith_args_wrong(cli, command, "--exact keeps the KV cache in f32; leave --kv out");
    if (model->exact && model->quant >= 0 && model->quant != ITH_QUANT_F32)
        return ith_args_wrong(cli, command, "--exact keeps the weights in f32; leave --quant out");
    if (model->exact && model->stats != NULL)
        return ith_args_wrong(cli, command, "--exact quantizes nothing; leave --stats out");
    *params = ith_engine_params_default();
    params->stats = model->stats;
    params->model = model->model;
    params->exact = model->exact;
    params->threads = (int)model->threads;
    params->chunk = model->chunk;
    params->ctx = model->ctx;
    params->mesh = model->mesh;
    params->shares = model->weights_by;
    params->rope_scaling = model->rope_scaling;
    params->exchange = (ith_exchange)model->exchange;
    params->head_slices = (int)model->exchange_parts;
    params->prefill = (ith_prefill)model->prefill;
    params->distribution = (ith_distribution)model->placement;
    params->memory = model->memory;
    params->offload = (ith_offload)model->offload;
    if (model->kv >= 0)
        params->kv = (ith_kv_type)model->kv;
    if (model->quant >= 0)
        params->quant = (ith_quant)model->quant;
    return ITH_ARGS_OK;
}
