/* form_deepseek_plain.c - a function's name and its arguments between markers: DeepSeek-V3.1 */
#include "openai/forms/form_headed.h"

#define CALLS     "<｜tool▁calls▁begin｜>"
#define CALLS_END "<｜tool▁calls▁end｜>"
#define CALL      "<｜tool▁call▁begin｜>"
#define CALL_END  "<｜tool▁call▁end｜>"
#define SEP       "<｜tool▁sep｜>"

static const ith_headed spelling = {
    .before = {CALL}, .behind = {SEP}, .after = {CALL_END, CALLS_END}};

const ith_form ith_form_deepseek_plain = {.models = "DeepSeek-V3.1",
                                          .is = ith_headed_is,
                                          .markers = {CALLS},
                                          .at_marker = ITH_AT_HEAD,
                                          .after_arguments = ITH_AT_HEADED_END,
                                          .step = ith_headed_step,
                                          .spelling = &spelling,
                                          .opening = CALLS CALL "{name}" SEP,
                                          .begin = "",
                                          .before = "",
                                          .after = "",
                                          .end = ""};
