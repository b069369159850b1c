/* fuzz_template.c - a chat template as Jinja and inside a tokenizer_config.json, a conversation
 * (lines of a role's first letter and a text, or JSON), arguments and tools in JSON. */
#include "tests/fuzz/fuzz.h"
#include "text/chat.h"
#include "text/utf8.h"

enum { MESSAGES = 8, STEPS = 200000, BYTES = 32 << 20 };

/* No template that fuzz_must looks at can write it: U+E123. */
#define SEAL "\xee\x84\xa3"

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

/* Pieces cover the text, neighbours differ, and no byte of the conversation passes as the
 * template's. */
static void check(const ith_jinja_text *out, bool sealed)
{
    size_t at = 0;

    fuzz_must(out->text[out->len] == '\0' &&
              ith_utf8_valid_prefix(out->text, out->len) == out->len);
    for (size_t i = 0; i < out->n_passages; i++) {
        const ith_passage *passage = &out->passages[i];
        fuzz_must(passage->begin == at && passage->end > at);
        fuzz_must(i == 0 || passage->from_template != passage[-1].from_template);
        fuzz_must(!sealed || !passage->from_template ||
                  memmem(out->text + at, passage->end - at, SEAL, 3) == NULL);
        at = passage->end;
    }
    fuzz_must(at == out->len);
}

/* Can the template make any character of its own? */
static bool makes_characters(ith_bytes source)
{
    static const char *const ways[] = {"\\", "%", "format", "\xee"};

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (memmem(source.data, source.len, ways[i], strlen(ways[i])) != NULL)
            return true;
    return false;
}

/* With few steps, so that a template that does not end costs little. */
static void render(ith_bytes source)
{
    json_t *vars =
        json_pack("{s:[{s:s, s:s}, {s:s, s:[{s:s, s:s}]}], s:[{s:s}], s:s}", "messages", "role",
                  "user", "content", "a" SEAL "b", "role", "assistant", "content", "type", "text",
                  "text", SEAL, "tools", "name", SEAL, "x", SEAL);
    ith_jinja_limits limits = {.steps = STEPS, .memory_bytes = BYTES, .now = 1};
    ith_jinja *template;
    ith_jinja_text out;
    ith_error err = {0};

    if (fuzz_verdict(ith_jinja_parse(source.data, source.len, "t", &template, &err), &err)) {
        if (fuzz_verdict(ith_jinja_render(template, &(ith_jinja_input){.conversation = vars},
                                          &limits, &out, &err),
                         &err))
            check(&out, !makes_characters(source));
        ith_jinja_text_free(&out);
        ith_jinja_free(template);
    }
    json_decref(vars);
}

static void write_chat(const ith_chat_files *files, const ith_chat_params *params)
{
    ith_error err = {0};
    ith_chat_text out;

    if (fuzz_verdict(ith_chat_write(files, params, &out, &err), &err))
        check(&out.rendered, false);
    ith_jinja_text_free(&out.rendered);
}

static void write_chats(const ith_chat_files *files, ith_bytes conversation, ith_bytes arguments,
                        ith_bytes tools)
{
    ith_chat_params params = {.messages_json = conversation.data,
                              .arguments = arguments.len > 0 ? arguments.data : NULL,
                              .tools = tools.len > 0 ? tools.data : NULL};
    ith_message messages[MESSAGES];
    char *lines = strdup(conversation.data);

    fuzz_must(lines != NULL);
    write_chat(files, &params);
    params.messages_json = NULL;
    params.messages = messages;
    params.n_messages = read_messages(lines, messages);
    for (int thinking = 0; thinking < 3; thinking++) {
        params.thinking = (ith_thinking)thinking;
        write_chat(files, &params);
    }
    free(lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ith_bytes template = fuzz_part(&data, &size), conversation = fuzz_part(&data, &size),
              arguments = fuzz_part(&data, &size), tools = fuzz_part(&data, &size);
    ith_chat_files files = {0};
    ith_error err = {0};

    render(template);
    if (fuzz_verdict(ith_chat_files_take(&files, "tokenizer_config.json", template, &err), &err) &&
        files.n > 0)
        write_chats(&files, conversation, arguments, tools);
    ith_chat_files_free(&files);
    fuzz_part_free(template);
    fuzz_part_free(conversation);
    fuzz_part_free(arguments);
    fuzz_part_free(tools);
    return 0;
}
