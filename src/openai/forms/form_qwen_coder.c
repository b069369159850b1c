/* form_qwen_coder.c - <tool_call><function=f><parameter=a>1</parameter></function></tool_call>:
 * Qwen3-Coder and Qwen3.5. The first tag is often forgotten. */
#include "openai/forms/form_tagged.h"

static const ith_tagged spelling = {.name_open = "<function=",
                                    .name_close = ">",
                                    .key_open = "<parameter=",
                                    .key_close = ">",
                                    .value_open = "",
                                    .value_close = "</parameter>",
                                    .call_close = "</function>",
                                    .close = "</tool_call>",
                                    .lines = true};

const ith_form ith_form_qwen_coder = {.models = "Qwen3-Coder and Qwen3.5",
                                      .is = ith_tagged_is,
                                      .markers = {"<tool_call>", "<function="},
                                      .kept = "<function=",
                                      .at_marker = ITH_AT_TAG,
                                      .step = ith_tagged_step,
                                      .spelling = &spelling,
                                      .opening = "<tool_call>\n",
                                      .begin = "",
                                      .before = "<function={name}>\n",
                                      .after = "</function>\n</tool_call>",
                                      .between = "\n<tool_call>\n",
                                      .end = "",
                                      .field_before = "<parameter={key}>\n",
                                      .field_after = "\n</parameter>\n"};
