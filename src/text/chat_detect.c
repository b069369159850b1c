/* chat_detect.c - recognises chat templates by their Jinja source, and reads them from folders. */
#include "base/json.h"
#include "base/regular.h"
#include "text/chat.h"
#include "text/utf8.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *ith_chat_kind_name(ith_chat_kind kind)
{
    static const char *const names[] = {"unknown", "chatml", "smollm2", "qwen3", "llama3"};
    return kind >= ITH_CHAT_UNKNOWN && kind <= ITH_CHAT_LLAMA3 ? names[kind] : names[0];
}

/* ---- What a template writes ----
 *
 * A template is reduced to what it does: its literal texts in order, with the names and tests
 * around them. Two templates with the same reduction write the same conversation, whatever their
 * layout: quotes, spaces, message.role or message['role'].
 */

typedef struct scanner {
    const char *at, *end;
    char out[1024]; /* the reduction */
    size_t n;
    bool ok;
} scanner;

static void emit(scanner *s, char c)
{
    s->ok = s->ok && s->n + 1 < sizeof s->out;
    if (s->ok)
        s->out[s->n++] = c;
}

static bool ahead(const scanner *s, size_t skip, const char *text)
{
    size_t n = strlen(text);
    return (size_t)(s->end - s->at) >= skip + n && memcmp(s->at + skip, text, n) == 0;
}

/* A string literal, with its escapes decoded. */
static void scan_string(scanner *s)
{
    char quote = *s->at++;

    while (s->at < s->end && *s->at != quote) {
        if (*s->at == '\\' && s->at + 1 < s->end) {
            s->at++;
            emit(s, *s->at == 'n' ? '\n' : *s->at);
        } else {
            emit(s, *s->at);
        }
        s->at++;
    }
    s->ok = s->ok && s->at < s->end;
    s->at += s->ok;
}

/* ['role'] becomes .role; other subscripts stay as they are. */
static void scan_subscript(scanner *s)
{
    if (s->at + 1 < s->end && (s->at[1] == '\'' || s->at[1] == '"')) {
        s->at++;
        emit(s, '.');
        scan_string(s);
        while (s->at < s->end && isspace((unsigned char)*s->at))
            s->at++;
        s->ok = s->ok && s->at < s->end && *s->at == ']';
        s->at += s->ok;
    } else {
        emit(s, *s->at++);
    }
}

/* The inside of {{ }} or {% %}, up to `close`. Literals are written between two \1 bytes. */
static void scan_code(scanner *s, const char *close)
{
    bool word = false; /* the last token was a word, so white space before the next one counts */

    for (bool gap = false; s->ok && s->at < s->end && !ahead(s, 0, close);) {
        char c = *s->at;
        bool letter = isalnum((unsigned char)c) || c == '_';
        if (isspace((unsigned char)c) || (c == '-' && ahead(s, 1, close))) {
            gap = true;
            s->at++;
            continue;
        }
        if (letter && word && gap)
            emit(s, ' ');
        gap = false;
        word = letter;
        if (c == '\'' || c == '"') {
            emit(s, '\1');
            scan_string(s);
            emit(s, '\1');
        } else if (c == '[') {
            scan_subscript(s);
            word = true;
        } else {
            emit(s, c);
            s->at++;
        }
    }
    s->ok = s->ok && s->at < s->end;
}

/* Plain text between tags, without the white space that dashes and Transformers' settings
 * (trim_blocks, lstrip_blocks) remove. */
static void scan_text(scanner *s, bool dash_before, bool block_before)
{
    const char *begin = s->at, *end = s->at;

    while (end < s->end && !(end[0] == '{' && end + 1 < s->end &&
                             (end[1] == '{' || end[1] == '%' || end[1] == '#')))
        end++;
    s->at = end;
    if (block_before && begin < end && *begin == '\n')
        begin++;
    while (dash_before && begin < end && isspace((unsigned char)*begin))
        begin++;
    if (s->end - end > 2 && end[2] == '-') {
        while (end > begin && isspace((unsigned char)end[-1]))
            end--;
    } else if (s->end - end > 2 && end[1] == '%') {
        const char *line = end;
        while (line > begin && (line[-1] == ' ' || line[-1] == '\t'))
            line--;
        end = line > begin && line[-1] != '\n' ? end : line;
    } else if (s->at == s->end && end > begin && end[-1] == '\n') {
        end--; /* Jinja drops one newline at the end of a template */
    }
    if (begin == end)
        return;
    emit(s, '\1');
    while (begin < end)
        emit(s, *begin++);
    emit(s, '\1');
}

/* Writes the reduction of a whole template to s->out. False: it is not a simple template. */
static bool reduce(scanner *s)
{
    bool dash = false, block = false;

    while (s->ok && s->at < s->end) {
        scan_text(s, dash, block);
        if (s->at == s->end || !s->ok)
            break;
        block = s->at[1] == '%';
        s->ok = s->ok && s->at[1] != '#';
        emit(s, block ? '%' : '$');
        s->at += 2;
        if (s->at < s->end && *s->at == '-')
            s->at++;
        scan_code(s, block ? "%}" : "}}");
        if (!s->ok)
            break;
        dash = s->at[-1] == '-';
        s->at += 2;
        emit(s, block ? '~' : ';');
    }
    return s->ok;
}

/* Joins literals that are written one after the other: 'a' + 'b', {{ 'a' }}{{ 'b' }}, and plain
 * text next to either. */
static void join_texts(scanner *s)
{
    static const char *const seams[] = {"\1+\1", "\1;$\1", "\1;\1", "\1$\1", "\1\1"};
    char *found;

    s->out[s->n] = '\0';
    for (size_t i = 0; i < sizeof seams / sizeof *seams;) {
        size_t n = strlen(seams[i]);
        if ((found = strstr(s->out, seams[i])) == NULL) {
            i++;
            continue;
        }
        memmove(found, found + n, strlen(found + n) + 1);
    }
}

/* The reductions of the known simple templates. */
typedef struct known_form {
    ith_chat_kind kind;
    const char *reduction;
} known_form;

#define CHATML_TURN                                                                                \
    "$\1<|im_start|>\1+message.role+\1\n\1+message.content+\1<|im_end|>\n\1;%endfor~"
#define CHATML_TAIL "%if add_generation_prompt~$\1<|im_start|>assistant\n\1;%endif~"

static const known_form forms[] = {
    {ITH_CHAT_CHATML, "%for message in messages~" CHATML_TURN CHATML_TAIL},
    {ITH_CHAT_CHATML,
     "%if not add_generation_prompt is defined~%set add_generation_prompt=false~%endif~"
     "%for message in messages~" CHATML_TURN CHATML_TAIL},
    {ITH_CHAT_CHATML,
     "%for message in messages~"
     "\1<|im_start|>\1$message.role;\1\n\1$message.content;\1<|im_end|>\n\1%endfor~"
     "%if add_generation_prompt~\1<|im_start|>assistant\n\1%endif~"},
    {ITH_CHAT_SMOLLM2, "%for message in messages~%if loop.first and messages[0].role!=\1system\1~"
                       "$\1<|im_start|>system\n"
                       "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
                       "<|im_end|>\n\1;%endif~" CHATML_TURN CHATML_TAIL},
    {ITH_CHAT_LLAMA3, "%set loop_messages=messages~%for message in loop_messages~"
                      "%set content=\1<|start_header_id|>\1+message.role+\1<|end_header_id|>\n\n\1"
                      "+message.content|trim+\1<|eot_id|>\1~"
                      "%if loop.index0==0~%set content=bos_token+content~%endif~$content;%endfor~"
                      "%if add_generation_prompt~"
                      "$\1<|start_header_id|>assistant<|end_header_id|>\n\n\1;%endif~"},
};

static ith_chat_kind simple_kind(const char *source, size_t len)
{
    scanner s = {.at = source, .end = source + len, .ok = true};

    if (!reduce(&s))
        return ITH_CHAT_UNKNOWN;
    join_texts(&s);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(s.out, forms[i].reduction) == 0)
            return forms[i].kind;
    return ITH_CHAT_UNKNOWN;
}

/* ---- Recognition ---- */

static bool has_all(const char *source, size_t len, const char *const *texts)
{
    for (; *texts != NULL; texts++)
        if (memmem(source, len, *texts, strlen(*texts)) == NULL)
            return false;
    return true;
}

/* Does a literal begin a system turn with a text of its own, or open a thought? Qwen3's template
 * does neither; templates made from it do. */
static bool writes_more(const char *source, size_t len)
{
    static const char system[] = "<|im_start|>system\\n";
    const char *at = source, *end = source + len;

    while ((at = memmem(at, (size_t)(end - at), system, sizeof system - 1)) != NULL) {
        at += sizeof system - 1;
        if (at < end && *at != '\'' && *at != '"')
            return true;
    }
    return memmem(source, len, "'<think>\\n'", 11) != NULL ||
           memmem(source, len, "\"<think>\\n\"", 11) != NULL;
}

/* Qwen3's template is long, and its edited copies in circulation differ in what does not matter
 * here. So it is recognised by its essential statements. */
ith_chat_kind ith_chat_detect(const char *source, size_t len)
{
    static const char *const qwen3[] = {"<|im_start|>",
                                        "<|im_end|>",
                                        "last_query_index",
                                        "</think>",
                                        "loop.index0 > ns.last_query_index",
                                        "enable_thinking is defined and enable_thinking is false",
                                        "<think>\\n\\n</think>\\n\\n",
                                        NULL};

    if (source == NULL)
        return ITH_CHAT_UNKNOWN;
    if (has_all(source, len, qwen3))
        return writes_more(source, len) ? ITH_CHAT_UNKNOWN : ITH_CHAT_QWEN3;
    return simple_kind(source, len);
}

/* ---- Reading a template from a folder ---- */

enum { MAX_TEMPLATE = 4 << 20, MAX_CONFIG = 64 << 20 };

static ith_status read_file(const char *path, char **text, size_t *len, ith_error *err)
{
    ith_status status = ITH_OK;
    FILE *file;
    int fd;

    ITH_TRY(ith_regular_open(AT_FDCWD, path, O_RDONLY, &fd, err));
    file = fdopen(fd, "rb");
    if (file == NULL) {
        close(fd);
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory to read it", path);
    }
    *text = malloc(MAX_TEMPLATE + 1);
    if (*text == NULL)
        status = ith_fail(err, ITH_E_MEMORY, "%s: no memory for a chat template", path);
    else if ((*len = fread(*text, 1, MAX_TEMPLATE + 1, file)) > MAX_TEMPLATE || ferror(file))
        status = ith_fail(err, ITH_E_FORMAT, "%s: cannot read a chat template of at most %d bytes",
                          path, MAX_TEMPLATE);
    else
        (*text)[*len] = '\0';
    fclose(file);
    if (status != ITH_OK) {
        free(*text);
        *text = NULL;
    }
    return status;
}

/* A string, or a list of {"name", "template"}, of which the one named "default" is used. */
static const json_t *pick_template(const json_t *value)
{
    const json_t *item;
    size_t i;

    json_array_foreach (value, i, item) {
        const char *name = json_string_value(json_object_get(item, "name"));
        if (name != NULL && strcmp(name, "default") == 0)
            return json_object_get(item, "template");
    }
    return value;
}

static ith_status copy_template(const json_t *config, const char *path, char **source, size_t *len,
                                ith_error *err)
{
    const json_t *text = pick_template(json_object_get(config, "chat_template"));

    if (text == NULL || json_is_null(text))
        return ITH_OK;
    if (!json_is_string(text))
        return ith_fail(
            err, ITH_E_FORMAT,
            "%s: \"chat_template\" should be a string, or a list with an entry named \"default\"",
            path);
    *len = json_string_length(text);
    *source = malloc(*len + 1);
    if (*source == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for the chat template", path);
    memcpy(*source, json_string_value(text), *len + 1);
    return ITH_OK;
}

static ith_status read_config(const char *path, char **source, size_t *len, ith_error *err)
{
    ith_status status;
    json_t *config;

    ITH_TRY(ith_json_read(path, MAX_CONFIG, &config, err));
    status = copy_template(config, path, source, len, err);
    json_decref(config);
    return status;
}

ith_status ith_chat_template_in(const char *where, const char *config, size_t config_len,
                                char **source, size_t *len, ith_error *err)
{
    ith_status status;
    json_t *root;

    *source = NULL;
    *len = 0;
    ITH_TRY(ith_json_parse(config, config_len, where, &root, err));
    status = copy_template(root, where, source, len, err);
    json_decref(root);
    return status;
}

ith_status ith_chat_template_read(const char *folder, char **source, size_t *len, ith_error *err)
{
    char path[4096];
    static const char *const names[] = {"chat_template.jinja", "tokenizer_config.json"};

    *source = NULL;
    *len = 0;
    for (int i = 0; i < 2; i++) {
        if (snprintf(path, sizeof path, "%s/%s", folder, names[i]) >= (int)sizeof path)
            return ith_fail(err, ITH_E_ARGUMENT, "the path of %s is too long", names[i]);
        if (access(path, F_OK) == 0)
            return i == 0 ? read_file(path, source, len, err) : read_config(path, source, len, err);
    }
    return ITH_OK;
}
