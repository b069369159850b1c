/* prompt.c - makes the token ids of a prompt. */
#include "cli/prompt.h"

#include "cli/signals.h"

#include <stdlib.h>
#include <string.h>

/* Stands for the user's text while the template around it is found. No marker looks like it. */
static const char placeholder[] = "\x01the user's text\x01";

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

ith_status ith_prompt_text(const ith_prompt_args *args, ith_text *text, ith_error *err)
{
    ith_status status = ITH_OK;

    *text = (ith_text){0};
    if (args->ids_file != NULL)
        return ITH_OK;
    if (args->file != NULL) {
        ITH_CHECK(read_file(args, text, err));
        if (args->text != NULL)
            ITH_CHECK(ith_text_append(text, "\n\n", 2, err));
    }
    if (args->text != NULL)
        ITH_CHECK(ith_check_text("-p", args->text, strlen(args->text), err));
    if (args->system != NULL)
        ITH_CHECK(ith_check_text("--system", args->system, strlen(args->system), err));
    if (args->text != NULL)
        ITH_CHECK(ith_text_append(text, args->text, strlen(args->text), err));
done:
    if (status != ITH_OK)
        ith_text_free(text);
    return status;
}

static ith_status render(const ith_prompt_args *args, const ith_vocab *vocab, const char *content,
                         char **out, ith_error *err)
{
    const ith_message messages[] = {{"system", args->system}, {"user", content}};
    size_t skip = args->system == NULL;

    return ith_chat_render(vocab, messages + skip, 2 - skip, (ith_thinking)args->thinking, out,
                           err);
}

static ith_status append_ids(const ith_vocab *vocab, const char *text, size_t len, unsigned flags,
                             ith_ids *ids, ith_error *err)
{
    int32_t *more = NULL, *all;
    size_t n = 0;

    ITH_TRY(ith_vocab_tokenize(vocab, text, len, flags, &more, &n, err));
    all = realloc(ids->data, (ids->n + n + 1) * sizeof all[0]);
    if (all == NULL) {
        free(more);
        return ith_fail(err, ITH_E_MEMORY, "no memory for %zu token ids", ids->n + n);
    }
    if (n > 0)
        memcpy(all + ids->n, more, n * sizeof all[0]);
    ids->data = all;
    ids->n += n;
    free(more);
    return ITH_OK;
}

/* Template, text, template: the text between is tokenized without markers. */
static ith_status splice_ids(const ith_prompt_args *args, const ith_vocab *vocab,
                             const ith_text *text, ith_ids *ids, ith_error *err)
{
    char *around = NULL, *hole, *after;
    ith_status status;

    ITH_CHECK(render(args, vocab, placeholder, &around, err));
    hole = strstr(around, placeholder);
    if (hole == NULL || strstr(hole + 1, placeholder) != NULL) {
        status = ith_fail(err, ITH_E_UNSUPPORTED,
                          "the text holds markers of the chat template, and this template does not "
                          "show the text once as it "
                          "is; take the markers out, or read them as tokens with --parse-special");
        goto done;
    }
    after = hole + strlen(placeholder);
    ITH_CHECK(append_ids(vocab, around, (size_t)(hole - around), ITH_TOKENIZE_SPECIAL, ids, err));
    ITH_CHECK(append_ids(vocab, text->data, text->len, ITH_TOKENIZE_CONTENT, ids, err));
    ITH_CHECK(append_ids(vocab, after, strlen(after), ITH_TOKENIZE_SPECIAL, ids, err));
done:
    free(around);
    return status;
}

static ith_status turn_ids(const ith_prompt_args *args, const ith_vocab *vocab,
                           const ith_text *text, ith_ids *ids, bool *plain_markers, ith_error *err)
{
    char *rendered = NULL;
    ith_status status;

    if (!args->parse_special)
        ITH_TRY(ith_vocab_holds_markers(vocab, text->data, text->len, plain_markers, err));
    if (*plain_markers)
        return splice_ids(args, vocab, text, ids, err);
    ITH_TRY(render(args, vocab, text->data, &rendered, err));
    status = append_ids(vocab, rendered, strlen(rendered), ITH_TOKENIZE_SPECIAL, ids, err);
    free(rendered);
    return status;
}

ith_status ith_prompt_ids(const ith_prompt_args *args, const ith_vocab *vocab, const ith_text *text,
                          ith_ids *ids, bool *plain_markers, ith_error *err)
{
    bool listened = ith_stop_listen(false);
    ith_status status;

    *ids = (ith_ids){0};
    *plain_markers = false;
    if (args->ids_file != NULL)
        status = ith_read_ids(args->ids_file, ids, err);
    else if (vocab == NULL)
        status = ith_fail(err, ITH_E_ARGUMENT,
                          "the model has no tokenizer (tokenizer.json): use --ids instead of -p "
                          "and -f");
    else if (args->raw)
        status =
            append_ids(vocab, text->data, text->len,
                       ITH_TOKENIZE_SPECIAL | (text->len > 0 ? ITH_TOKENIZE_BOS : 0), ids, err);
    else
        status = turn_ids(args, vocab, text, ids, plain_markers, err);
    if (status == ITH_OK && ids->n == 0)
        status = ith_fail(err, ITH_E_ARGUMENT, "the prompt is empty: not one token");
    ith_stop_listen(listened);
    if (status != ITH_OK) {
        free(ids->data);
        *ids = (ith_ids){0};
    }
    return status;
}
