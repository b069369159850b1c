/* dialogue.c - reads messages, and has them answered. */
#include "cli/dialogue.h"

#include <string.h>

static const char block[] = "\"\"\"";

/* Answers the last message, or takes it back. *answered: it stays. */
static ith_status answer_last(ith_dialogue *d, bool *answered, ith_error *err)
{
    size_t n = ith_conversation_length(&d->conversation);
    ith_status status = ith_dialogue_answer(d, err);

    *answered = ith_conversation_length(&d->conversation) > n;
    if (*answered)
        return status;
    ith_conversation_cut(&d->conversation, n - 1);
    ith_dialogue_say_stopped(d, status,
                             d->loaded.len > 0
                                 ? "the message was taken back, and what was loaded waits for the "
                                   "next"
                                 : "the message was taken back");
    return status;
}

/* ---- Reading ---- */

static bool ends_with(const ith_text *text, const char *end)
{
    size_t n = strlen(end);
    return text->len >= n && memcmp(text->data + text->len - n, end, n) == 0;
}

static void drop_end(ith_text *text, size_t n)
{
    text->len -= n;
    text->data[text->len] = '\0';
}

/* Reads on as long as a message that was begun is open: after a backslash at the end of a line, or
 * between two lines of three quotation marks. */
static ith_status read_rest(ith_dialogue *d, ith_text *text, ith_typed_end *end, ith_error *err)
{
    bool quoted = strncmp(text->data, block, 3) == 0;

    while (*end == ITH_TYPED_LINE &&
           (quoted ? text->len < 6 || !ends_with(text, block) : ends_with(text, "\\"))) {
        if (!quoted)
            drop_end(text, 1);
        ITH_TRY(ith_text_append(text, "\n", 1, err));
        ITH_TRY(ith_typed_read(d->typed, ". ", text, end, err));
    }
    if (!quoted || *end != ITH_TYPED_LINE)
        return ITH_OK;
    drop_end(text, 3);
    text->len -= 3;
    memmove(text->data, text->data + 3, text->len + 1);
    if (text->data[0] == '\n')
        memmove(text->data, text->data + 1, text->len--);
    if (ends_with(text, "\n"))
        drop_end(text, 1);
    return ITH_OK;
}

static ith_status read_message(ith_dialogue *d, ith_text *text, ith_typed_end *end, ith_error *err)
{
    ITH_TRY(ith_text_append(text, "", 0, err));
    ITH_TRY(ith_typed_read(d->typed, "> ", text, end, err));
    if (*end != ITH_TYPED_LINE)
        return ITH_OK;
    ITH_TRY(read_rest(d, text, end, err));
    if (*end == ITH_TYPED_LINE && text->data[strspn(text->data, " \t\r\n")] != '\0')
        ith_typed_remember(d->typed, text->data);
    return ITH_OK;
}

/* What was loaded, a blank line, and the text. */
static ith_status ask(ith_dialogue *d, const char *text, size_t len, ith_error *err)
{
    ith_text message = {0};
    int64_t retries = d->retries;
    bool answered = false;
    ith_status status;

    ITH_CHECK(ith_check_text("the message", text, len, err));
    if (d->loaded.len > 0) {
        ITH_CHECK(ith_text_append(&message, d->loaded.data, d->loaded.len, err));
        ITH_CHECK(ith_text_append(&message, "\n\n", 2, err));
    }
    ITH_CHECK(ith_text_append(&message, text, len, err));
    ITH_CHECK(ith_conversation_add(&d->conversation, "user", message.data, message.len, err));
    d->retries = 0;
    status = answer_last(d, &answered, err);
    if (answered)
        ith_text_free(&d->loaded);
    else
        d->retries = retries;
done:
    ith_text_free(&message);
    return status;
}

/* Of two slashes the first one says that the message is none. */
static ith_status respond(ith_dialogue *d, const ith_text *text, ith_error *err)
{
    bool escaped = text->data[0] == '/' && text->data[1] == '/';

    if (text->data[strspn(text->data, " \t\r\n")] == '\0')
        return ITH_OK;
    if (text->data[0] == '/' && !escaped)
        return ith_dialogue_command(d, text->data, err);
    return ask(d, text->data + escaped, text->len - escaped, err);
}

static ith_status begin(ith_dialogue *d, ith_error *err)
{
    bool answered;

    if (strcmp(ith_conversation_last_role(&d->conversation), "user") == 0)
        return ith_dialogue_settle(d, answer_last(d, &answered, err), err);
    return ith_dialogue_settle(d, ith_dialogue_compute(d, err), err);
}

/* A message of several lines whose end has not come is not answered. */
static void end_input(ith_dialogue *d, const ith_text *text)
{
    d->over = true;
    if (text->len == 0)
        return;
    ith_cli_error(d->cli, "the input ended within a message, which was not answered");
    d->failed = true;
}

ith_status ith_dialogue_run(ith_dialogue *d, ith_error *err)
{
    ith_status status = begin(d, err);

    while (status == ITH_OK && !d->over) {
        ith_typed_end end = ITH_TYPED_END;
        ith_text text = {0};
        status = read_message(d, &text, &end, err);
        if (status == ITH_OK && end == ITH_TYPED_LINE)
            status = ith_dialogue_settle(d, respond(d, &text, err), err);
        else if (status == ITH_OK && end == ITH_TYPED_END)
            end_input(d, &text);
        else if (status == ITH_OK && ith_dialogue_must_end(d))
            status = ith_fail(err, ITH_E_CANCELLED, "stopped");
        ith_text_free(&text);
    }
    return status;
}
