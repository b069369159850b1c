/* form_deepseek.c - a function's kind and name between markers, its arguments as a block of code:
 * DeepSeek-V3 and R1 */
#include "openai/forms/form_headed.h"

#define CALLS     "<｜tool▁calls▁begin｜>"
#define CALLS_END "<｜tool▁calls▁end｜>"
#define CALL      "<｜tool▁call▁begin｜>"
#define CALL_END  "<｜tool▁call▁end｜>"
#define SEP       "<｜tool▁sep｜>"

static const ith_headed spelling = {.before = {CALL, "function", SEP},
                                    .behind = {"```json"},
                                    .after = {"```", CALL_END, CALLS_END}};

const ith_form ith_form_deepseek = {.models = "DeepSeek-V3 and R1",
                                    .is = ith_headed_is,
                                    .markers = {CALLS},
                                    .at_marker = ITH_AT_HEAD,
                                    .after_arguments = ITH_AT_HEADED_END,
                                    .step = ith_headed_step,
                                    .spelling = &spelling,
                                    .opening = CALLS CALL "function" SEP "{name}\n```json\n",
                                    .begin = "",
                                    .before = "",
                                    .after = "",
                                    .end = ""};
