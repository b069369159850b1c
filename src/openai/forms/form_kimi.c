/* form_kimi.c - a call's id, which has the function's name, and its arguments between markers:
 * Kimi-K2. Templates write the ids of earlier calls, so they must be those of the model. */
#include "openai/forms/form_headed.h"

#define CALLS     "<|tool_calls_section_begin|>"
#define CALLS_END "<|tool_calls_section_end|>"
#define CALL      "<|tool_call_begin|>"
#define CALL_END  "<|tool_call_end|>"
#define ARGUMENTS "<|tool_call_argument_begin|>"

static const ith_headed spelling = {.before = {CALL},
                                    .prefix = "functions.",
                                    .behind = {ARGUMENTS},
                                    .after = {CALL_END, CALLS_END}};

const ith_form ith_form_kimi = {.models = "Kimi-K2",
                                .is = ith_headed_is,
                                .markers = {CALLS},
                                .at_marker = ITH_AT_HEAD,
                                .after_arguments = ITH_AT_HEADED_END,
                                .step = ith_headed_step,
                                .spelling = &spelling,
                                .opening = CALLS CALL "functions.{name}:{index}" ARGUMENTS,
                                .begin = "",
                                .before = "",
                                .after = "",
                                .end = ""};
