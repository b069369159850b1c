/* form_mistral_list.c - [TOOL_CALLS][{"name": "f", "arguments": {...}}, ...] */
#include "openai/forms/form_objects.h"

/* ", {" goes on with the list. */
static bool close_call(ith_calls *c)
{
    char b = *ith_calls_rest(c);

    if (b == ',' || b == ']')
        c->at++;
    if (b != ',')
        return ith_calls_go_on(c);
    ith_objects_next(c);
    return true;
}

static bool is_mistral(const ith_form *form, const char *text, size_t at, const char *behind)
{
    static const char *const before[] = {"[TOOL_CALLS]", "[", "{", "\"name\"", ":", "\"", NULL};

    (void)form;
    (void)behind;
    return ith_strip_all(text, &at, before);
}

static const ith_objects spelling = {.list = true, .close = close_call};

const ith_form ith_form_mistral_list = {.models = "Mistral",
                                        .is = is_mistral,
                                        .markers = {"[TOOL_CALLS]"},
                                        .at_marker = ITH_AT_OBJECT,
                                        .after_arguments = ITH_AT_OBJECT_REST,
                                        .step = ith_objects_step,
                                        .spelling = &spelling,
                                        .opening = "[TOOL_CALLS]",
                                        .begin = "[",
                                        .before = "{\"name\": \"{name}\", \"arguments\": ",
                                        .after = "}",
                                        .between = ", ",
                                        .end = "]"};
