/* prompt.c - makes the token ids of a prompt. */
#include "cli/prompt.h"

#include "cli/signals.h"

#include <stdlib.h>
#include <string.h>

static void drop_line_ends(ith_text *text)
{
    while (text->len > 0 &&
           (text->data[text->len - 1] == '\n' || text->data[text->len - 1] == '\r'))
        text->data[--text->len] = 0;
}

static bool is_blank(const ith_text *text)
{
    return strspn(text->data, " \t\r\n\v\f") == text->len;
}

/* The file's part of the prompt. */
static ith_status read_file(const ith_prompt_args *args, ith_text *text, ith_error *err)
{
    ITH_TRY(ith_read_text(args->file, text, err));
    ITH_TRY(ith_check_text(ith_input_name(args->file), text->data, text->len, err));
    if (!args->raw || args->text != NULL)
        drop_line_ends(text);
    if (args->raw ? text->len > 0 : !is_blank(text))
        return ITH_OK;
    return ith_fail(err, ITH_E_ARGUMENT, "%s: there is no text in it", ith_input_name(args->file));
}

static ith_status read_turn(const ith_prompt_args *args, ith_text *text, ith_error *err)
{
    if (args->file != NULL) {
        ITH_TRY(read_file(args, text, err));
        if (args->text != NULL)
            ITH_TRY(ith_text_append(text, "\n\n", 2, err));
    }
    if (args->text == NULL)
        return ITH_OK;
    ITH_TRY(ith_check_text("-p", args->text, strlen(args->text), err));
    return ith_text_append(text, args->text, strlen(args->text), err);
}

ith_status ith_prompt_read(const ith_prompt_args *args, ith_prompt *prompt, ith_error *err)
{
    if (args->ids_file != NULL)
        return ITH_OK;
    ITH_TRY(read_turn(args, &prompt->text, err));
    return args->raw ? ITH_OK
                     : ith_chat_inputs_read(&args->chat, prompt->text.data, &prompt->chat, err);
}

void ith_prompt_free(ith_prompt *prompt)
{
    ith_text_free(&prompt->text);
    ith_chat_inputs_free(&prompt->chat);
}

static ith_status make_ids(const ith_prompt_args *args, const ith_vocab *vocab,
                           const ith_prompt *prompt, ith_ids *ids, bool *plain_markers,
                           ith_error *err)
{
    const ith_text *text = &prompt->text;

    if (args->ids_file != NULL)
        return ith_read_ids(args->ids_file, ids, err);
    if (vocab == NULL)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "the model has no tokenizer (tokenizer.json): use --ids instead of -p "
                        "and -f");
    if (args->raw)
        return ith_vocab_tokenize(vocab, text->data, text->len,
                                  ITH_TOKENIZE_SPECIAL | (text->len > 0 ? ITH_TOKENIZE_BOS : 0),
                                  &ids->data, &ids->n, err);
    return ith_chat_tokenize(vocab, &prompt->chat.params, &ids->data, &ids->n, plain_markers, err);
}

ith_status ith_prompt_ids(const ith_prompt_args *args, const ith_vocab *vocab,
                          const ith_prompt *prompt, ith_ids *ids, bool *plain_markers,
                          ith_error *err)
{
    bool listened = ith_stop_listen(false);
    ith_status status;

    *ids = (ith_ids){0};
    *plain_markers = false;
    status = make_ids(args, vocab, prompt, ids, plain_markers, err);
    if (status == ITH_OK && ids->n == 0)
        status = ith_fail(err, ITH_E_ARGUMENT, "the prompt is empty: not one token");
    ith_stop_listen(listened);
    if (status != ITH_OK) {
        free(ids->data);
        *ids = (ith_ids){0};
    }
    return status;
}
