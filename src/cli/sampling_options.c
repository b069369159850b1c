/* sampling_options.c - how tokens are chosen: the table of options, and what they mean to a model.
 */
#include "cli/sampling_options.h"

#include <math.h>
#include <stddef.h>
#include <sys/random.h>

#define MODEL_ELSE_OFF "the model's own, else off"

static const ith_option options[] = {
    {.name = "temp",
     .kind = ITH_OPTION_REAL,
     .metavar = "X",
     .at = offsetof(ith_sampling_args, temp),
     .max = 100,
     .otherwise = "the model's own, else 0",
     .help = "temperature; 0 always takes the likeliest token"},
    {.name = "top-k",
     .kind = ITH_OPTION_INT,
     .metavar = "K",
     .at = offsetof(ith_sampling_args, top_k),
     .max = 1e9,
     .otherwise = MODEL_ELSE_OFF,
     .help = "choose among the K likeliest tokens; 0: off"},
    {.name = "top-p",
     .kind = ITH_OPTION_REAL,
     .metavar = "X",
     .at = offsetof(ith_sampling_args, top_p),
     .max = 1,
     .otherwise = MODEL_ELSE_OFF,
     .help = "choose among the likeliest of total probability X",
     .more = "1 is off."},
    {.name = "min-p",
     .kind = ITH_OPTION_REAL,
     .metavar = "X",
     .at = offsetof(ith_sampling_args, min_p),
     .max = 1,
     .otherwise = MODEL_ELSE_OFF,
     .help = "drop tokens below X times the best; 0: off"},
    {.name = "repeat-penalty",
     .kind = ITH_OPTION_REAL,
     .metavar = "X",
     .at = offsetof(ith_sampling_args, repeat_penalty),
     .min = 0.01,
     .max = 100,
     .otherwise = MODEL_ELSE_OFF,
     .help = "make recent tokens less likely; 1: off"},
    {.name = "repeat-window",
     .kind = ITH_OPTION_INT,
     .metavar = "N",
     .at = offsetof(ith_sampling_args, repeat_window),
     .max = 1e9,
     .otherwise = "64; with a penalty of the model's own, what the model says or all",
     .help = "how many tokens count as recent"},
    {.name = "seed",
     .letter = 's',
     .kind = ITH_OPTION_INT,
     .metavar = "N",
     .at = offsetof(ith_sampling_args, seed),
     .max = 9e15,
     .otherwise = "a random one, shown with the timings",
     .help = "seed of the random choices",
     .more = "The same seed gives the same answer on any number of ranks."},
    {.name = NULL},
};

const ith_option_group ith_group_sampling = {"Sampling", options};

ith_sampling_args ith_sampling_args_default(void)
{
    return (ith_sampling_args){.top_k = -1,
                               .repeat_window = -1,
                               .seed = -1,
                               .temp = NAN,
                               .top_p = NAN,
                               .min_p = NAN,
                               .repeat_penalty = NAN};
}

ith_sampling ith_sampling_args_apply(const ith_sampling_args *args, const ith_engine *engine,
                                     const char *checkpoint)
{
    ith_sampling s = ith_sampling_default(engine);

    if (!isnan(args->temp))
        s.temperature = (float)args->temp;
    if (args->top_k >= 0)
        s.top_k = (int)args->top_k;
    if (!isnan(args->top_p))
        s.top_p = (float)args->top_p;
    if (!isnan(args->min_p))
        s.min_p = (float)args->min_p;
    if (!isnan(args->repeat_penalty))
        s.repeat_penalty = (float)args->repeat_penalty;
    if (args->repeat_window >= 0)
        s.repeat_window = (int)args->repeat_window;
    if (args->seed >= 0)
        s.seed = (uint64_t)args->seed;
    else if (checkpoint != NULL && ith_checkpoint_seed(checkpoint, &s.seed))
        return s;
    else if (s.temperature <= 0 || getrandom(&s.seed, sizeof s.seed, 0) != sizeof s.seed)
        s.seed = 0;
    s.seed &= (UINT64_C(1) << 52) - 1; /* --seed takes it back */
    return s;
}
