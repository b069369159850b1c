/* form_harmony.c - messages with a header, as gpt-oss writes them */
#include "openai/calls_impl.h"

enum { HEADER_MOST = 512 /* bytes */ };

/* Places. */
enum { HEADER = ITH_IN_FORM, OPENING, BODY, REASONS, BEHIND };

/* The word behind `key` in a header of n bytes, up to white space or a marker. Returns its length;
 * 0: there is none. */
static size_t header_word(const char *header, size_t n, const char *key, const char **word)
{
    const char *found = memmem(header, n, key, strlen(key));
    size_t len = 0;

    if (found == NULL)
        return 0;
    *word = found + strlen(key);
    while (*word + len < header + n && !ith_is_space((*word)[len]) && (*word)[len] != '<')
        len++;
    return len;
}

/* Who a message of such a header is for decides what its body is. */
static int place_of(ith_calls *c, const char *header, size_t n)
{
    static const char functions[] = "functions.", analysis[] = "analysis";
    const char *word = NULL;
    size_t len = header_word(header, n, "to=", &word), skip = sizeof functions - 1;

    if (len > skip && len - skip <= ITH_FUNCTION_NAME && memcmp(word, functions, skip) == 0) {
        memcpy(c->name, word + skip, len - skip);
        c->name[len - skip] = 0;
        if (ith_calls_knows(c, c->name))
            return OPENING;
    }
    len = header_word(header, n, "<|channel|>", &word);
    return len == sizeof analysis - 1 && memcmp(word, analysis, len) == 0 ? REASONS : BODY;
}

static bool step_header(ith_calls *c)
{
    static const char message[] = "<|message|>";
    size_t left = ith_calls_left(c), most = left < HEADER_MOST ? left : HEADER_MOST;
    const char *rest = ith_calls_rest(c), *found = memmem(rest, most, message, sizeof message - 1);

    if (found != NULL) {
        c->place = place_of(c, rest, (size_t)(found - rest));
        c->at += (size_t)(found - rest) + sizeof message - 1;
        return true;
    }
    if (left == 0 || (left < HEADER_MOST && !c->last))
        return false;
    if (left < HEADER_MOST && ith_begins_with(rest, left, "<|") == ITH_YES) {
        c->at = c->len; /* a header without its end */
        return false;
    }
    ith_calls_pass(c, ITH_SAID_TEXT, most); /* it is none */
    c->place = BODY;
    return true;
}

/* A call's body is an object. */
static bool step_opening(ith_calls *c)
{
    if (!ith_calls_skip_space(c))
        return false;
    c->place = BODY;
    if (*ith_calls_rest(c) == '{')
        ith_calls_begin_object(c, c->name, NULL);
    return true;
}

static bool step_body(ith_calls *c)
{
    static const char *const words[] = {"<|end|>",   "<|call|>",    "<|return|>",
                                        "<|start|>", "<|channel|>", NULL};
    const char *which;
    size_t n = ith_calls_find(c, words, &which);

    ith_calls_pass(c, c->place == REASONS ? ITH_SAID_THOUGHT : ITH_SAID_TEXT, n);
    if (which == NULL)
        return false;
    if (which != words[3] && which != words[4]) /* these are of the next header */
        c->at += strlen(which);
    c->place = HEADER;
    return true;
}

static bool step(ith_calls *c)
{
    if (c->place == HEADER)
        return step_header(c);
    if (c->place == OPENING)
        return step_opening(c);
    if (c->place != BEHIND)
        return step_body(c);
    if (!ith_calls_skip_space(c))
        return false;
    c->place = BODY;
    return true;
}

static bool is_harmony(const ith_form *form, const char *text, size_t at, const char *behind)
{
    (void)form;
    (void)behind;
    return ith_strip(text, &at, "to=functions.");
}

const ith_form ith_form_harmony = {
    .models = "gpt-oss",
    .is = is_harmony,
    .first = HEADER,
    .after_arguments = BEHIND,
    .thinks_at = REASONS,
    .step = step,
    .opening = "<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>",
    .begin = "",
    .before = "",
    .after = "",
    .end = ""};
