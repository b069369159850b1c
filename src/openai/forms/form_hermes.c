/* form_hermes.c - <tool_call>{"name": "f", "arguments": {...}}</tool_call> */
#include "openai/forms/form_objects.h"

static bool close_call(ith_calls *c)
{
    return ith_calls_take(c, "</tool_call>") != ITH_MORE && ith_calls_go_on(c);
}

static bool is_hermes(const ith_form *form, const char *text, size_t at, const char *behind)
{
    return ith_objects_at(text, at, behind, form->markers[0]);
}

static const ith_objects spelling = {.close = close_call};

const ith_form ith_form_hermes = {.models = "Hermes and Qwen",
                                  .is = is_hermes,
                                  .markers = {"<tool_call>"},
                                  .at_marker = ITH_AT_OBJECT,
                                  .after_arguments = ITH_AT_OBJECT_REST,
                                  .step = ith_objects_step,
                                  .spelling = &spelling,
                                  .opening = "<tool_call>\n",
                                  .begin = "",
                                  .before = "{\"name\": \"{name}\", \"arguments\": ",
                                  .after = "}\n</tool_call>",
                                  .between = "\n<tool_call>\n",
                                  .end = ""};
