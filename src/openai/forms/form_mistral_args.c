/* form_mistral_args.c - [TOOL_CALLS]f[ARGS]{...}, once for each call */
#include "openai/forms/form_headed.h"

static const ith_headed spelling = {.behind = {"[ARGS]"}};

const ith_form ith_form_mistral_args = {.models = "Mistral since 2025",
                                        .is = ith_headed_is,
                                        .markers = {"[TOOL_CALLS]"},
                                        .at_marker = ITH_AT_HEAD,
                                        .after_arguments = ITH_AT_HEADED_END,
                                        .step = ith_headed_step,
                                        .spelling = &spelling,
                                        .opening = "[TOOL_CALLS]{name}[ARGS]",
                                        .begin = "",
                                        .before = "",
                                        .after = "",
                                        .end = ""};
