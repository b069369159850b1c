/* chat.c - formats conversations as ChatML, SmolLM2, Qwen3 and Llama 3 do. */
#include "text/chat.h"
#include "text/utf8.h"

#include <string.h>

/* A growing text. The first failure is remembered, so only the end needs a check. */
typedef struct writer {
    ith_buffer out;
    ith_status status;
    ith_error *err;
} writer;

static void put_bytes(writer *w, const char *text, size_t len)
{
    if (w->status == ITH_OK)
        w->status = ith_buffer_append(&w->out, text, len, w->err);
}

static void put(writer *w, const char *text)
{
    put_bytes(w, text, strlen(text));
}

typedef struct slice {
    const char *data;
    size_t len;
} slice;

static slice whole(const char *text)
{
    return (slice){text, strlen(text)};
}

static void put_slice(writer *w, slice s)
{
    put_bytes(w, s.data, s.len);
}

static slice skip_newlines(slice s)
{
    while (s.len > 0 && s.data[0] == '\n')
        s = (slice){s.data + 1, s.len - 1};
    return s;
}

static slice drop_newlines(slice s)
{
    while (s.len > 0 && s.data[s.len - 1] == '\n')
        s.len--;
    return s;
}

/* What follows the last `mark` in s; all of s if there is none. */
static slice after_last(slice s, const char *mark)
{
    size_t n = strlen(mark);

    for (size_t at = s.len; at >= n; at--)
        if (memcmp(s.data + at - n, mark, n) == 0)
            return (slice){s.data + at, s.len - at};
    return s;
}

static bool is(const char *role, const char *name)
{
    return strcmp(role, name) == 0;
}

static void put_turn(writer *w, const char *role, slice content)
{
    put(w, "<|im_start|>");
    put(w, role);
    put(w, "\n");
    put_slice(w, content);
    put(w, "<|im_end|>\n");
}

static void write_chatml(writer *w, const ith_message *messages, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put_turn(w, messages[i].role, whole(messages[i].content));
    put(w, "<|im_start|>assistant\n");
}

static void write_smollm2(writer *w, const ith_message *messages, size_t n)
{
    if (!is(messages[0].role, "system"))
        put_turn(w, "system",
                 whole("You are a helpful AI assistant named SmolLM, trained by Hugging Face"));
    write_chatml(w, messages, n);
}

/* ---- Qwen3 ---- */

/* The last user message that is not a wrapped tool response. Thoughts before it are dropped. */
static size_t last_query(const ith_message *messages, size_t n)
{
    const char open[] = "<tool_response>", close[] = "</tool_response>";

    for (size_t i = n; i-- > 0;) {
        slice content = whole(messages[i].content);
        bool response = strncmp(content.data, open, sizeof open - 1) == 0 &&
                        content.len >= sizeof close - 1 &&
                        strcmp(content.data + content.len - (sizeof close - 1), close) == 0;
        if (is(messages[i].role, "user") && !response)
            return i;
    }
    return n - 1;
}

/* Answers before the last query lose their thoughts, later ones do not. */
static void put_qwen3_answer(writer *w, slice content, bool after_query, bool last)
{
    const char *end = strstr(content.data, "</think>");
    slice thought = {content.data, 0};

    if (end != NULL) {
        thought = drop_newlines((slice){content.data, (size_t)(end - content.data)});
        thought = skip_newlines(after_last(thought, "<think>"));
        content = skip_newlines(after_last(content, "</think>"));
    }
    put(w, "<|im_start|>assistant\n");
    if (after_query && (last || thought.len > 0)) {
        put(w, "<think>\n");
        put_slice(w, drop_newlines(thought));
        put(w, "\n</think>\n\n");
        content = skip_newlines(content);
    }
    put_slice(w, content);
    put(w, "<|im_end|>\n");
}

/* Consecutive tool responses share one user turn. */
static void put_qwen3_tool(writer *w, const ith_message *messages, size_t n, size_t i)
{
    if (i == 0 || !is(messages[i - 1].role, "tool"))
        put(w, "<|im_start|>user");
    put(w, "\n<tool_response>\n");
    put(w, messages[i].content);
    put(w, "\n</tool_response>");
    if (i == n - 1 || !is(messages[i + 1].role, "tool"))
        put(w, "<|im_end|>\n");
}

static void write_qwen3(writer *w, const ith_message *messages, size_t n, ith_thinking thinking)
{
    size_t query = last_query(messages, n);

    for (size_t i = 0; i < n; i++) {
        slice content = whole(messages[i].content);
        if (is(messages[i].role, "assistant"))
            put_qwen3_answer(w, content, i > query, i == n - 1);
        else if (is(messages[i].role, "tool"))
            put_qwen3_tool(w, messages, n, i);
        else
            put_turn(w, messages[i].role, content);
    }
    put(w, "<|im_start|>assistant\n");
    if (thinking == ITH_THINKING_OFF)
        put(w, "<think>\n\n</think>\n\n");
}

/* ---- Llama 3 ---- */

/* Python's str.strip() strips White_Space and the four separators U+001C to U+001F. */
static bool is_stripped(uint32_t code)
{
    return ith_is_white_space(code) || (code >= 0x1c && code <= 0x1f);
}

/* Bytes of the white space character at `text`, 0 if there is none. The text need not be UTF-8. */
static size_t white_space_width(const char *text, size_t len)
{
    size_t bad, width;
    bool open;

    width = len > 0 ? ith_utf8_width(text, len, &bad, &open) : 0;
    return width > 0 && is_stripped(ith_utf8_decode(text, NULL)) ? width : 0;
}

static slice strip(slice s)
{
    size_t width, back;

    while ((width = white_space_width(s.data, s.len)) > 0)
        s = (slice){s.data + width, s.len - width};
    do {
        for (back = 1; back < s.len && ((unsigned char)s.data[s.len - back] & 0xc0) == 0x80; back++)
            ;
        width = s.len > 0 ? white_space_width(s.data + s.len - back, back) : 0;
        s.len -= width;
    } while (width > 0);
    return s;
}

static void write_llama3(writer *w, const ith_message *messages, size_t n)
{
    put(w, "<|begin_of_text|>");
    for (size_t i = 0; i < n; i++) {
        put(w, "<|start_header_id|>");
        put(w, messages[i].role);
        put(w, "<|end_header_id|>\n\n");
        put_slice(w, strip(whole(messages[i].content)));
        put(w, "<|eot_id|>");
    }
    put(w, "<|start_header_id|>assistant<|end_header_id|>\n\n");
}

/* ---- All kinds ---- */

const char *const *ith_chat_markers(ith_chat_kind kind)
{
    static const char *const none[] = {NULL},
                             *const chatml[] = {"<|im_start|>", "<|im_end|>", NULL},
                             *const llama3[] = {"<|begin_of_text|>", "<|start_header_id|>",
                                                "<|end_header_id|>", "<|eot_id|>", NULL};

    return kind == ITH_CHAT_UNKNOWN ? none : kind == ITH_CHAT_LLAMA3 ? llama3 : chatml;
}

static ith_status check_messages(ith_chat_kind kind, const ith_message *messages, size_t n,
                                 ith_error *err)
{
    if (n == 0)
        return ith_fail(err, ITH_E_ARGUMENT, "a conversation needs at least one message");
    for (size_t i = 0; i < n; i++) {
        const char *role = messages[i].role, *content = messages[i].content;
        if (role == NULL || content == NULL)
            return ith_fail(err, ITH_E_ARGUMENT, "message %zu has no %s", i,
                            role == NULL ? "role" : "content");
        if (!is(role, "system") && !is(role, "user") && !is(role, "assistant") &&
            !(kind == ITH_CHAT_QWEN3 && is(role, "tool")))
            return ith_fail(
                err, ITH_E_ARGUMENT,
                "message %zu has the role \"%.40s\"; expected system, user or assistant", i, role);
    }
    return ITH_OK;
}

ith_status ith_chat_format(ith_chat_kind kind, const ith_message *messages, size_t n,
                           ith_thinking thinking, char **text, ith_error *err)
{
    writer w = {.err = err};

    *text = NULL;
    ITH_TRY(check_messages(kind, messages, n, err));
    switch (kind) {
    case ITH_CHAT_CHATML:
        write_chatml(&w, messages, n);
        break;
    case ITH_CHAT_SMOLLM2:
        write_smollm2(&w, messages, n);
        break;
    case ITH_CHAT_QWEN3:
        write_qwen3(&w, messages, n, thinking);
        break;
    case ITH_CHAT_LLAMA3:
        write_llama3(&w, messages, n);
        break;
    default:
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "Ithaca does not support this model's chat template (only those of Qwen3, "
                        "SmolLM2, Llama 3 and ChatML); give the prompt without a template");
    }
    put_bytes(&w, "", 1);
    if (w.status != ITH_OK) {
        ith_buffer_free(&w.out);
        return w.status;
    }
    *text = w.out.data;
    return ITH_OK;
}
