/* speech.c - renders small conversations, and looks at what stands around the words in them. */
#include "openai/speech.h"

#include "base/error.h"
#include "openai/calls_impl.h"

#include <stdio.h>
#include <stdlib.h>

#define NAME    "ithaca_probe"
#define ID      "ithacaid1"
#define THOUGHT "ithaca_thought"
#define ANSWER  "ithaca_answer"

static const ith_marks marks[] = {{"<think>", "</think>"},
                                  {"[THINK]", "[/THINK]"},
                                  {"<seed:think>", "</seed:think>"},
                                  {"<|START_THINKING|>", "<|END_THINKING|>"}};

enum { N_MARKS = sizeof marks / sizeof *marks };

/* ---- Calls ---- */

/* A conversation with one call, as the template writes it. */
static ith_status show_call(const ith_vocab *vocab, const char *arguments, bool tools,
                            const char *given, char **text, ith_error *err)
{
    static const char functions[] =
        "[{\"type\": \"function\", \"function\": {\"name\": \"" NAME "\", \"description\": "
        "\"Adds one.\", \"parameters\": {\"type\": \"object\", \"properties\": {\"x\": {\"type\": "
        "\"integer\", \"description\": \"A number.\"}}, \"required\": [\"x\"]}}}]";
    char messages[500];
    ith_chat_params chat = ith_chat_params_default();

    snprintf(messages, sizeof messages,
             "[{\"role\": \"user\", \"content\": \"Call it.\"}, {\"role\": \"assistant\", "
             "\"content\": \"\", \"tool_calls\": [{\"id\": \"" ID "\", \"type\": \"function\", "
             "\"function\": {\"name\": \"" NAME "\", \"arguments\": %s}}]}, "
             "{\"role\": \"tool\", \"tool_call_id\": \"" ID "\", \"name\": \"" NAME
             "\", \"content\": \"2\"}]",
             given);
    chat.messages_json = messages;
    chat.tools = tools ? functions : NULL;
    chat.arguments = arguments;
    chat.no_generation_prompt = true;
    return ith_chat_render(vocab, &chat, text, err);
}

/* The form of a call whose arguments are given so. */
static ith_status look_at_call(ith_speech *s, const ith_vocab *vocab, const char *arguments,
                               bool tools, const char *given, ith_error *err)
{
    char *text = NULL;
    ith_status status = show_call(vocab, arguments, tools, given, &text, err);

    if (status == ITH_OK)
        s->form = ith_calls_form_of(text, NAME, ID);
    free(text);
    return status;
}

/* Some templates take arguments as an object, others as a text, and some both. */
static ith_status find_form(ith_speech *s, const ith_vocab *vocab, const char *arguments,
                            bool tools, ith_error *err)
{
    ith_error why = {0};
    ith_status status = look_at_call(s, vocab, arguments, tools, "{\"x\": 1}", err), other;

    if (status == ITH_E_MEMORY || (status == ITH_OK && s->form != NULL))
        return status;
    other = look_at_call(s, vocab, arguments, tools, "\"{\\\"x\\\": 1}\"", &why);
    if (other == ITH_E_MEMORY)
        return ith_fail(err, other, "%s", why.text);
    s->text_arguments = other == ITH_OK && (status != ITH_OK || s->form != NULL);
    return s->text_arguments ? ITH_OK : status;
}

/* The models of all forms, for people. */
static void list_models(char *list, size_t room)
{
    size_t n = 0;

    for (size_t i = 0; ith_form_at(i) != NULL && n < room; i++)
        n += (size_t)snprintf(list + n, room - n, "%s%s",
                              i == 0                       ? ""
                              : ith_form_at(i + 1) != NULL ? ", "
                                                           : " and ",
                              ith_form_at(i)->models);
}

static ith_status find_calls(ith_speech *s, const ith_vocab *vocab, const char *arguments,
                             unsigned wanted, ith_error *err)
{
    bool tools = (wanted & ITH_SPEECH_TOOLS) != 0;
    ith_error why = {0};
    ith_status status = find_form(s, vocab, arguments, tools, &why);
    char list[400];

    if (!tools && status != ITH_E_MEMORY)
        return ITH_OK; /* what is wrong shows when the messages are written */
    if (status != ITH_OK)
        return ith_fail(err, status, "tools: %s", why.text);
    if (s->form != NULL)
        return ITH_OK;
    list_models(list, sizeof list);
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "tools: the form in which the model's chat template writes calls is not "
                    "supported; those of %s are",
                    list);
}

/* ---- Thoughts ---- */

/* A conversation with an answer, which another question may follow. *text NULL: the template
 * refuses it. ITH_E_MEMORY. */
static ith_status show_answer(const ith_vocab *vocab, const char *arguments, const char *answer,
                              bool more, char **text, ith_error *err)
{
    char messages[400];
    ith_chat_params chat = ith_chat_params_default();
    ith_error why = {0};

    snprintf(messages, sizeof messages,
             "[{\"role\": \"user\", \"content\": \"Think.\"}, {\"role\": \"assistant\", %s}%s]",
             answer, more ? ", {\"role\": \"user\", \"content\": \"Again.\"}" : "");
    chat.messages_json = messages;
    chat.arguments = arguments;
    chat.no_generation_prompt = true;
    *text = NULL;
    return ith_chat_render(vocab, &chat, text, &why) == ITH_E_MEMORY
               ? ith_fail(err, ITH_E_MEMORY, "%s", why.text)
               : ITH_OK;
}

/* The marks whose first stands before the first n bytes' end; NULL: none. */
static const ith_marks *marks_before(const char *text, size_t n)
{
    for (size_t i = 0; i < N_MARKS; i++) {
        size_t at = n;
        if (ith_strip(text, &at, marks[i].open))
            return &marks[i];
    }
    return NULL;
}

/* The template writes thoughts that are given apart from the answer. */
static const ith_marks *marks_written(const char *text)
{
    const char *thought = strstr(text, THOUGHT);

    return thought != NULL ? marks_before(text, (size_t)(thought - text)) : NULL;
}

/* Harmony's answers have a header; others cut the thoughts of earlier answers off. */
static void look_at_answer(ith_speech *s, const char *text)
{
    const char *answer = strstr(text, ANSWER);

    if (answer == NULL)
        return;
    if (strstr(text, "<|channel|>final<|message|>") != NULL)
        s->form = &ith_form_harmony;
    else if (strstr(text, THOUGHT) == NULL)
        s->marks = &marks[0];
}

static ith_status find_marks(ith_speech *s, const ith_vocab *vocab, const char *arguments,
                             ith_error *err)
{
    static const char inside[] =
        "\"content\": \"<think>\\n" THOUGHT "\\n</think>\\n\\n" ANSWER "\"",
                      apart[] =
                          "\"content\": \"" ANSWER "\", \"reasoning_content\": \"" THOUGHT "\"";
    char *text;

    ITH_TRY(show_answer(vocab, arguments, inside, true, &text, err));
    if (text != NULL)
        look_at_answer(s, text);
    free(text);
    if (s->form == &ith_form_harmony || s->marks != NULL)
        return ITH_OK;
    ITH_TRY(show_answer(vocab, arguments, apart, false, &text, err));
    if (text != NULL)
        s->marks = marks_written(text);
    free(text);
    return ITH_OK;
}

ith_status ith_speech_find(ith_speech *s, const ith_vocab *vocab, const char *arguments,
                           unsigned wanted, ith_error *err)
{
    *s = (ith_speech){0};
    if (vocab == NULL)
        return (wanted & ITH_SPEECH_TOOLS) == 0
                   ? ITH_OK
                   : ith_fail(err, ITH_E_ARGUMENT, "tools: the model has no tokenizer");
    if (wanted != 0)
        ITH_TRY(find_calls(s, vocab, arguments, wanted, err));
    return s->form != &ith_form_harmony ? find_marks(s, vocab, arguments, err) : ITH_OK;
}

ith_status ith_speech_end(ith_speech *s, const ith_vocab *vocab, const int32_t *ids, size_t n,
                          ith_error *err)
{
    enum { TAIL = 16 };
    const ith_marks *open = NULL;
    size_t len = 0, first = n > TAIL ? n - TAIL : 0;
    char *text = NULL;

    s->thinks = false;
    if (s->form == &ith_form_harmony)
        return ITH_OK;
    ITH_TRY(ith_vocab_detokenize(vocab, ids + first, n - first, &text, &len, err));
    open = marks_before(text, len);
    free(text);
    if (open != NULL) {
        s->marks = open;
        s->thinks = true;
    }
    return ITH_OK;
}
