/* form_minimax.c - <minimax:tool_call><invoke name="f"><parameter name="a">1</parameter></invoke>
 * </minimax:tool_call>: MiniMax-M2, also several calls between the outer tags */
#include "openai/forms/form_tagged.h"

static const ith_tagged spelling = {.name_open = "<invoke name=\"",
                                    .name_close = "\">",
                                    .key_open = "<parameter name=\"",
                                    .key_close = "\">",
                                    .value_open = "",
                                    .value_close = "</parameter>",
                                    .call_close = "</invoke>",
                                    .close = "</minimax:tool_call>"};

const ith_form ith_form_minimax = {.models = "MiniMax-M2",
                                   .is = ith_tagged_is,
                                   .markers = {"<minimax:tool_call>"},
                                   .at_marker = ITH_AT_TAG,
                                   .step = ith_tagged_step,
                                   .spelling = &spelling,
                                   .opening = "<minimax:tool_call>\n",
                                   .begin = "",
                                   .before = "<invoke name=\"{name}\">\n",
                                   .after = "</invoke>",
                                   .between = "\n",
                                   .end = "\n</minimax:tool_call>",
                                   .field_before = "<parameter name=\"{key}\">",
                                   .field_after = "</parameter>\n"};
