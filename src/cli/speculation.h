/* speculation.h - --speculate and --draft, and the draft model that they may ask for. */
#ifndef ITH_CLI_SPECULATION_H
#define ITH_CLI_SPECULATION_H

#include "cli/option.h"

typedef struct ith_speculation_args {
    const char *how, *model; /* as given; NULL: not */
    int max;                 /* ith_generate_params.max_draft; by ith_speculation_args_check */
} ith_speculation_args;

extern const ith_option_group ith_group_speculation; /* ith_speculation_args */
extern const ith_option_group ith_group_lookup; /* the same, without --draft: for many prompts */

/* ITH_ARGS_OK and args->max, or 2 when they are wrong or contradict. If none is given and the run
 * is `exact`, nothing is guessed: the bits of an exact pass depend on its length. */
int ith_speculation_args_check(const ith_cli *cli, const char *command, ith_speculation_args *args,
                               bool exact);

/* The same for arguments of ith_group_lookup. */
int ith_lookup_args_check(const ith_cli *cli, const char *command, ith_speculation_args *args,
                          bool exact);

/* All NULL: no model drafts. */
typedef struct ith_drafting {
    ith_engine *engine;
    ith_session *session;
} ith_drafting;

/* Collective. Opens the draft model, if one is given and used, with the main model's parameters
 * except those that only suit that model. */
ith_status ith_drafting_open(const ith_cli *cli, const ith_speculation_args *args,
                             const ith_engine_params *params, ith_drafting *drafting,
                             ith_error *err);
/* Local. Can it draft for this engine? Compares the sizes of the vocabularies; ith_generate
 * compares the vocabularies themselves. */
ith_status ith_drafting_check(const ith_drafting *drafting, const ith_engine *engine,
                              ith_error *err);
void ith_drafting_close(ith_drafting *drafting); /* Collective. Accepts one not opened. */

/* {kind: "off", "lookup" or "draft", passes, drafted, accepted} */
json_t *ith_speculation_json(const ith_speculation_args *args, const ith_generation *answer);

#endif
