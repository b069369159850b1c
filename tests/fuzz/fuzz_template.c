/* fuzz_template.c - a chat template as Jinja or inside a tokenizer_config.json, and a conversation:
 * lines of a role's first letter and a text. */
#include "tests/fuzz/fuzz.h"
#include "text/chat.h"

enum { MESSAGES = 8 };

/* The conversation in `text`, whose line ends become NULs. */
static size_t read_messages(char *text, ith_message messages[MESSAGES])
{
    char *rest = text, *line;
    size_t n = 0;

    while (n < MESSAGES && (line = strsep(&rest, "\n")) != NULL) {
        messages[n].role = line[0] == 's'   ? "system"
                           : line[0] == 'u' ? "user"
                           : line[0] == 't' ? "tool"
                           : line[0] == 'x' ? "x"
                                            : "assistant";
        messages[n++].content = line[0] != '\0' ? line + 1 : line;
    }
    return n;
}

/* Every message's text is in the result of the plain kinds. */
static void format(ith_chat_kind kind, const ith_message *messages, size_t n)
{
    ith_error err = {0};
    char *text;
    bool plain = kind == ITH_CHAT_CHATML || kind == ITH_CHAT_SMOLLM2;

    for (int thinking = 0; thinking < 3; thinking++) {
        if (!fuzz_verdict(ith_chat_format(kind, messages, n, (ith_thinking)thinking, &text, &err),
                          &err)) {
            fuzz_must(text == NULL);
            continue;
        }
        for (size_t i = 0; i < n && plain; i++)
            fuzz_must(strstr(text, messages[i].content) != NULL);
        free(text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ith_bytes template = fuzz_part(&data, &size), conversation = fuzz_part(&data, &size);
    ith_message messages[MESSAGES];
    size_t n = read_messages((char *)(uintptr_t)conversation.data, messages), len;
    ith_error err = {0};
    char *source;

    for (int kind = ITH_CHAT_UNKNOWN; kind <= ITH_CHAT_LLAMA3; kind++)
        format((ith_chat_kind)kind, messages, n);
    format(ith_chat_detect(template.data, template.len), messages, n);
    if (fuzz_verdict(ith_chat_template_in("tokenizer_config.json", template.data, template.len,
                                          &source, &len, &err),
                     &err) &&
        source != NULL) {
        fuzz_must(source[len] == '\0');
        format(ith_chat_detect(source, len), messages, n);
        free(source);
    }
    fuzz_part_free(template);
    fuzz_part_free(conversation);
    return 0;
}
