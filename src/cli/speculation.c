/* speculation.c - guessing ahead, by lookup or by a draft model. */
#include "cli/speculation.h"

#include "cli/arguments.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Every guess of a model costs a pass of that model, so drafts are shorter. */
enum { MODEL_DRAFT = 5 };

static const ith_option options[] = {
    {.name = "speculate",
     .kind = ITH_OPTION_TEXT,
     .metavar = "HOW",
     .at = offsetof(ith_speculation_args, how),
     .otherwise = "lookup:15; draft:5 with --draft; off with --exact",
     .help = "guess tokens ahead: lookup[:K], draft[:K] or off",
     .more = "Up to K tokens are guessed and then verified in one pass. The text is the same, only "
             "sooner. "
             "lookup guesses what followed when the prompt or the answer said the same before; "
             "draft guesses what the model of --draft would say."},
    {.name = "draft",
     .kind = ITH_OPTION_FILE,
     .metavar = "MODEL",
     .at = offsetof(ith_speculation_args, model),
     .help = "smaller model of the same vocabulary that guesses",
     .more = "A model that is never right is soon ignored."},
    {.name = NULL},
};

const ith_option_group ith_group_speculation = {"Speculation", options};

static const ith_option lookup_options[] = {
    {.name = "speculate",
     .kind = ITH_OPTION_TEXT,
     .metavar = "HOW",
     .at = offsetof(ith_speculation_args, how),
     .otherwise = "lookup:15; off with --exact",
     .help = "guess tokens ahead: lookup[:K] or off",
     .more = "Guesses what followed when the prompt or the answer said the same before, where a "
             "pass has room for more than the tokens in flight: up to K for a prompt. Answers are "
             "the same, only sooner."},
    {.name = NULL},
};

const ith_option_group ith_group_lookup = {"Speculation", lookup_options};

static const char *kind_of(const ith_speculation_args *args)
{
    return args->max == 0 ? "off" : args->model != NULL ? "draft" : "lookup";
}

/* "word" or "word:K", K from 1 to ITH_DRAFT_MAX: into *max. */
static bool is_word(const char *text, const char *word, int *max)
{
    size_t len = strlen(word);
    char *end;
    long k;

    if (strncmp(text, word, len) != 0)
        return false;
    if (text[len] == 0)
        return true;
    if (text[len] != ':' || text[len + 1] < '1' || text[len + 1] > '9')
        return false;
    k = strtol(text + len + 1, &end, 10);
    *max = (int)k;
    return *end == 0 && k <= ITH_DRAFT_MAX;
}

int ith_speculation_args_check(const ith_cli *cli, const char *command, ith_speculation_args *args,
                               bool exact)
{
    const char *how = args->how != NULL     ? args->how
                      : args->model != NULL ? "draft"
                      : exact               ? "off"
                                            : "lookup";

    args->max = args->model != NULL ? MODEL_DRAFT : ITH_DRAFT_MAX;
    if (strcmp(how, "off") == 0) {
        if (args->model != NULL)
            return ith_args_wrong(cli, command, "--speculate off needs no model; omit --draft");
        args->max = 0;
    } else if (is_word(how, "lookup", &args->max)) {
        if (args->model != NULL)
            return ith_args_wrong(cli, command, "--speculate lookup needs no model; omit --draft");
    } else if (is_word(how, "draft", &args->max)) {
        if (args->model == NULL)
            return ith_args_wrong(cli, command, "--speculate draft needs a model: --draft MODEL");
    } else {
        return ith_args_wrong(
            cli, command,
            "--speculate takes off, lookup[:K] or draft[:K] with K from 1 to %d, not \"%s\"",
            ITH_DRAFT_MAX, how);
    }
    return ITH_ARGS_OK;
}

int ith_lookup_args_check(const ith_cli *cli, const char *command, ith_speculation_args *args,
                          bool exact)
{
    const char *how = args->how != NULL ? args->how : exact ? "off" : "lookup";

    args->max = ITH_DRAFT_MAX;
    if (strcmp(how, "off") == 0)
        args->max = 0;
    else if (!is_word(how, "lookup", &args->max))
        return ith_args_wrong(cli, command,
                              "--speculate takes off or lookup[:K] with K from 1 to %d, not \"%s\"",
                              ITH_DRAFT_MAX, how);
    return ITH_ARGS_OK;
}

ith_status ith_drafting_open(const ith_cli *cli, const ith_speculation_args *args,
                             const ith_engine_params *params, ith_drafting *drafting,
                             ith_error *err)
{
    ith_engine_params own = *params;

    if (args->max == 0 || args->model == NULL)
        return ITH_OK;
    own.model = args->model;
    own.quant = ITH_QUANT_AUTO;
    own.stats = NULL;
    own.mesh = NULL;
    own.rope_scaling = NULL;
    own.sizes = NULL;
    own.ranks = NULL;
    own.measure_network = false;
    own.exact = false;
    ITH_TRY(ith_engine_open(cli->world, &own, &drafting->engine, err));
    return ith_session_open(drafting->engine, &drafting->session, err);
}

ith_status ith_drafting_check(const ith_drafting *drafting, const ith_engine *engine,
                              ith_error *err)
{
    const ith_engine_info *own, *other = ith_engine_get_info(engine);

    if (drafting->engine == NULL)
        return ITH_OK;
    own = ith_engine_get_info(drafting->engine);
    if (own->n_vocab == other->n_vocab)
        return ITH_OK;
    return ith_fail(err, ITH_E_ARGUMENT,
                    "--draft: %s has a vocabulary of %d tokens, %s one of %d: a draft model needs "
                    "the same vocabulary",
                    own->name, own->n_vocab, other->name, other->n_vocab);
}

void ith_drafting_close(ith_drafting *drafting)
{
    ith_session_close(drafting->session);
    ith_engine_close(drafting->engine);
    *drafting = (ith_drafting){0};
}

json_t *ith_speculation_json(const ith_speculation_args *args, const ith_generation *answer)
{
    return json_pack("{s:s, s:I, s:I, s:I}", "kind", kind_of(args), "passes",
                     (json_int_t)answer->n_passes, "drafted", (json_int_t)answer->n_drafted,
                     "accepted", (json_int_t)answer->n_accepted);
}
