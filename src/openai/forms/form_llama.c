/* form_llama.c - {"name": "f", "parameters": {...}}, as the whole answer or behind a marker */
#include "openai/forms/form_objects.h"

static bool close_call(ith_calls *c)
{
    if (*ith_calls_rest(c) == ';') {
        c->at++;
        return true;
    }
    if (*ith_calls_rest(c) != '{')
        return ith_calls_go_on(c);
    ith_objects_next(c);
    return true;
}

static bool is_llama(const ith_form *form, const char *text, size_t at, const char *behind)
{
    (void)form;
    return ith_objects_at(text, at, behind, NULL);
}

static const ith_objects spelling = {.close = close_call};

const ith_form ith_form_llama = {.models = "Llama 3",
                                 .is = is_llama,
                                 .markers = {"<|python_tag|>"},
                                 .bare = true,
                                 .at_marker = ITH_AT_OBJECT,
                                 .after_arguments = ITH_AT_OBJECT_REST,
                                 .step = ith_objects_step,
                                 .spelling = &spelling,
                                 .opening = "",
                                 .begin = "",
                                 .before = "{\"name\": \"{name}\", \"parameters\": ",
                                 .after = "}",
                                 .end = ""};
