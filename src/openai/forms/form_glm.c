/* form_glm.c - <tool_call>f<arg_key>a</arg_key><arg_value>1</arg_value></tool_call>: GLM-4.5 and
 * later */
#include "openai/forms/form_tagged.h"

static const ith_tagged spelling = {.name_open = "",
                                    .name_close = "",
                                    .key_open = "<arg_key>",
                                    .key_close = "</arg_key>",
                                    .value_open = "<arg_value>",
                                    .value_close = "</arg_value>",
                                    .call_close = "</tool_call>",
                                    .close = ""};

const ith_form ith_form_glm = {.models = "GLM-4.5 and later",
                               .is = ith_tagged_is,
                               .markers = {"<tool_call>"},
                               .at_marker = ITH_AT_TAG,
                               .step = ith_tagged_step,
                               .spelling = &spelling,
                               .opening = "<tool_call>",
                               .begin = "",
                               .before = "{name}\n",
                               .after = "</tool_call>",
                               .between = "\n<tool_call>",
                               .end = "",
                               .field_before = "<arg_key>{key}</arg_key>\n<arg_value>",
                               .field_after = "</arg_value>\n"};
