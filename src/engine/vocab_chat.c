/* vocab_chat.c - conversations as text and as tokens. */
#include "base/fpenv.h"
#include "engine/vocab.h"
#include "text/chat.h"

#include <stdlib.h>
#include <string.h>

/* ---- Markers ----
 *
 * A model's template and vocabulary belong together, but people exchange the one or the other. Some
 * templates write all markers as plain text, <|user|> for example, with only the end of a turn a
 * token; then that is how the model was trained. If some of the markers are tokens and others are
 * not, the files do not fit.
 */

enum { MAX_MARKER = 64, MAX_MARKERS = 32 };

typedef struct markers {
    const ith_vocab *vocab;
    ith_bytes seen[MAX_MARKERS]; /* in the rendered text */
    size_t n;
    ith_bytes token, text; /* one of each kind; data NULL: none */
} markers;

static bool seen_before(markers *m, ith_bytes marker)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->seen[i].len == marker.len && memcmp(m->seen[i].data, marker.data, marker.len) == 0)
            return true;
    if (m->n < MAX_MARKERS)
        m->seen[m->n++] = marker;
    return false;
}

/* Do the files call it bos_token, eos_token or the like? */
static bool is_named(const ith_vocab *vocab, ith_bytes marker)
{
    const char *name;
    json_t *text;

    json_object_foreach (vocab->chat.tokens, name, text)
        if (json_string_length(text) == marker.len &&
            memcmp(json_string_value(text), marker.data, marker.len) == 0)
            return true;
    return false;
}

static ith_status sort_marker(markers *m, ith_bytes marker, ith_error *err)
{
    int32_t *ids;
    size_t n;

    if (seen_before(m, marker))
        return ITH_OK;
    ITH_TRY(ith_tokenizer_encode(m->vocab->tok, marker.data, marker.len, ITH_TOKENIZE_SPECIAL, &ids,
                                 &n, err));
    free(ids);
    if (n != 1)
        m->text = marker;
    else if (!is_named(m->vocab, marker))
        m->token = marker;
    return ITH_OK;
}

/* The end of <|word|> at `at`; `at`: there is none. */
static size_t marker_end(const char *text, size_t at, size_t end)
{
    size_t i = at + 2;

    if (end - at < 5 || memcmp(text + at, "<|", 2) != 0)
        return at;
    while (i < end && i - at < MAX_MARKER && (text[i] == '_' || (text[i] >= 'a' && text[i] <= 'z')))
        i++;
    return i > at + 2 && end - i >= 2 && memcmp(text + i, "|>", 2) == 0 ? i + 2 : at;
}

static ith_status check_passage(markers *m, const char *text, const ith_passage *passage,
                                ith_error *err)
{
    for (size_t at = passage->begin; at < passage->end; at++) {
        size_t end = marker_end(text, at, passage->end);
        if (end > at)
            ITH_TRY(sort_marker(m, (ith_bytes){text + at, end - at}, err));
    }
    return ITH_OK;
}

static ith_status check_markers(const ith_vocab *vocab, const ith_jinja_text *rendered,
                                ith_error *err)
{
    markers m = {.vocab = vocab};

    for (size_t i = 0; i < rendered->n_passages; i++)
        if (rendered->passages[i].from_template)
            ITH_TRY(check_passage(&m, rendered->text, &rendered->passages[i], err));
    if (m.token.data == NULL || m.text.data == NULL)
        return ITH_OK;
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "the marker %.*s of the model's chat template is not one token of its "
                    "vocabulary, but %.*s is; give the prompt without a template",
                    (int)m.text.len, m.text.data, (int)m.token.len, m.token.data);
}

/* ---- */

ith_chat_params ith_chat_params_default(void)
{
    return (ith_chat_params){.thinking = ITH_THINKING_DEFAULT};
}

ith_status ith_chat_render(const ith_vocab *vocab, const ith_chat_params *params, char **text,
                           ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    ith_chat_text chat;

    *text = NULL;
    ITH_TRY(ith_vocab_need(vocab, err));
    ITH_TRY(ith_chat_write(&vocab->chat, params, &chat, err));
    *text = chat.rendered.text;
    chat.rendered.text = NULL;
    ith_jinja_text_free(&chat.rendered);
    return ITH_OK;
}

static ith_status encode(const ith_vocab *vocab, const ith_chat_text *chat, bool everywhere,
                         int32_t **ids, size_t *n, bool *held, ith_error *err)
{
    const ith_jinja_text *r = &chat->rendered;
    ith_written written = {.text = r->text,
                           .len = r->len,
                           .passages = r->passages,
                           .n_passages = r->n_passages,
                           .source = chat->source,
                           .source_len = chat->source_len};

    *held = false;
    ITH_TRY(check_markers(vocab, r, err));
    return everywhere ? ith_tokenizer_encode(vocab->tok, r->text, r->len, ITH_TOKENIZE_SPECIAL, ids,
                                             n, err)
                      : ith_tokenizer_encode_written(vocab->tok, &written, ids, n, held, err);
}

ith_status ith_chat_tokenize(const ith_vocab *vocab, const ith_chat_params *params, int32_t **ids,
                             size_t *n_ids, bool *plain_markers, ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    ith_chat_text chat;
    ith_status status;
    bool held;

    *ids = NULL;
    *n_ids = 0;
    if (plain_markers == NULL)
        plain_markers = &held;
    *plain_markers = false;
    ITH_TRY(ith_vocab_need(vocab, err));
    ITH_TRY(ith_chat_write(&vocab->chat, params, &chat, err));
    status = encode(vocab, &chat, params->markers_everywhere, ids, n_ids, plain_markers, err);
    ith_jinja_text_free(&chat.rendered);
    return status;
}

/* The first token that is not white space is the end, if it is special. */
static int32_t first_special(const ith_vocab *vocab, const char *text, size_t len)
{
    int32_t *ids = NULL, end = -1;
    ith_error err;
    size_t n = 0;

    while (len > 0 && (*text == ' ' || *text == '\n')) {
        text++;
        len--;
    }
    if (ith_tokenizer_encode(vocab->tok, text, len, ITH_TOKENIZE_SPECIAL, &ids, &n, &err) == ITH_OK)
        end = n > 0 && ith_tokenizer_is_special(vocab->tok, ids[0]) ? ids[0] : -1;
    free(ids);
    return end;
}

int32_t ith_vocab_answer_end(const ith_vocab *vocab)
{
    ith_chat_text chat;
    int32_t id = -1;
    ith_error err;
    size_t at;

    if (ith_chat_write_answer(&vocab->chat, &chat, &at, &err) == ITH_OK)
        id = first_special(vocab, chat.rendered.text + at, chat.rendered.len - at);
    ith_jinja_text_free(&chat.rendered);
    return id;
}
