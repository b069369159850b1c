/* haystack.c - makes a haystack and hides the needles. */
#include "cli/haystack.h"

#include "base/grow.h"
#include "cli/haystack_words.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NEEDLES_MIN = 4,
    NEEDLES_MAX = 16,
    NAME = 24,
    SENTENCE = 240,
    PARAGRAPH = 8, /* one sentence in so many begins a paragraph */
    HARD = 12,     /* of 1,000 sentences: those of the needle's form about another thing */
    SHORTER = 16   /* times that a text that is too long is made again */
};

static const char intro[] = "Read the notes and remember the passkeys.";
static const char hard[] = "The {kind} number of {Name} is ##.";

typedef struct random {
    uint64_t x;
} random_state;

typedef struct maker {
    const ith_haystack *hay;
    random_state random;
    int n_needles;
    char names[NEEDLES_MAX][NAME], keys[NEEDLES_MAX][12];
    char planted[NEEDLES_MAX][SENTENCE];
    char question[SENTENCE];

    /* Sentences, each with the gap before it, one after another; sentence i ends at ends[i]. */
    ith_text sentences;
    size_t *ends;
    size_t n, cap;
} maker;

/* ---- Random choices: splitmix64 (Steele, Lea and Flood, OOPSLA 2014) ---- */

static uint64_t next(random_state *r)
{
    uint64_t z = r->x += 0x9E3779B97F4A7C15;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

/* Seeds that are neighbours begin far apart. */
static random_state begin(uint64_t seed)
{
    random_state r = {seed};

    for (int i = 0; i < 3; i++)
        r.x = next(&r) ^ 0x5851F42D4C957F2D;
    return r;
}

/* From 0 to n - 1, n < 2^31: 53 random bits times n, over 2^53. */
static int below(random_state *r, int n)
{
    uint64_t bits = next(r) >> 11, high = bits >> 21, low = bits & ((1 << 21) - 1);

    return (int)((high * (uint64_t)n + (low * (uint64_t)n >> 21)) >> 32);
}

/* ---- Words and numbers ---- */

static int count_words(const char *words)
{
    int n = 1;

    for (; *words != '\0'; words++)
        n += *words == ' ';
    return n;
}

/* One of the words. Returns its length. */
static int choose(random_state *r, const char *words, const char **word)
{
    int i = below(r, count_words(words));

    while (i-- > 0)
        words = strchr(words, ' ') + 1;
    *word = words;
    return (int)strcspn(words, " ");
}

static int power_of_ten(int n)
{
    int power = 1;

    while (n-- > 0)
        power *= 10;
    return power;
}

/* Mostly of 1 to 3 digits, at times as long as a passkey; 2 or more. */
static int some_number(random_state *r)
{
    int digits = below(r, 8) != 0 ? 1 + below(r, 3) : 4 + below(r, 3);
    int low = power_of_ten(digits - 1), number = low + below(r, 9 * low);

    return number > 2 ? number : 2;
}

/* Of five or six digits. */
static int some_passkey(random_state *r)
{
    int low = power_of_ten(4 + below(r, 2));

    return low + below(r, 9 * low);
}

static const char *list_of(const char *name, size_t len)
{
    for (const ith_haystack_list *l = ith_haystack_lists; l->name != NULL; l++)
        if (strlen(l->name) == len && strncmp(l->name, name, len) == 0)
            return l->words;
    return ith_haystack_names; /* {Name} */
}

/* The form with its places filled. */
static void fill(random_state *r, const char *form, char out[SENTENCE])
{
    size_t n = 0;

    while (*form != '\0' && n < SENTENCE - 40) {
        if (*form == '{') {
            size_t len = strcspn(form + 1, "}");
            const char *word;
            int width = choose(r, list_of(form + 1, len), &word);
            n += (size_t)snprintf(out + n, SENTENCE - n, "%.*s", width, word);
            form += len + 2;
        } else if (*form == '#') {
            bool key = form[1] == '#';
            n += (size_t)snprintf(out + n, SENTENCE - n, "%d",
                                  key ? some_passkey(r) : some_number(r));
            form += key ? 2 : 1;
        } else {
            out[n++] = *form++;
        }
    }
    out[n] = '\0';
}

static const char *gap(random_state *r)
{
    return below(r, PARAGRAPH) == 0 ? "\n\n" : " ";
}

static void make_sentence(random_state *r, char out[SENTENCE])
{
    int n = 0;

    if (below(r, 1000) < HARD) {
        fill(r, hard, out);
        return;
    }
    while (ith_haystack_sentences[n] != NULL)
        n++;
    fill(r, ith_haystack_sentences[below(r, n)], out);
}

/* ---- The needles ---- */

static bool has_name(const maker *m, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(m->names[i], name) == 0)
            return true;
    return false;
}

static void make_needles(maker *m)
{
    random_state *r = &m->random;
    int n = 0;

    m->n_needles = NEEDLES_MIN + below(r, NEEDLES_MAX - NEEDLES_MIN + 1);
    while (n < m->n_needles) {
        const char *word;
        int len = choose(r, ith_haystack_names, &word);
        char name[NAME];
        snprintf(name, sizeof name, "%.*s", len, word);
        if (!has_name(m, n, name))
            strcpy(m->names[n++], name);
    }
    for (int i = 0; i < m->n_needles; i++)
        snprintf(m->keys[i], sizeof m->keys[i], "%d", some_passkey(r));
    for (int i = 0; i < m->n_needles; i++) {
        char sentence[SENTENCE];
        snprintf(sentence, sizeof sentence, "%sThe passkey of %s is %s.", gap(r), m->names[i],
                 m->keys[i]);
        memcpy(m->planted[i], sentence, sizeof sentence);
    }
    snprintf(m->question, SENTENCE, "\n\nWhat is the passkey of %s?", m->names[0]);
}

/* ---- The text ---- */

static ith_status put(ith_text *text, const char *what, ith_error *err)
{
    return ith_text_append(text, what, strlen(what), err);
}

/* Tokens of some of the text; of a whole prompt if `prompt`. */
static ith_status count(const maker *m, const char *text, size_t len, bool prompt, int64_t *n,
                        ith_error *err)
{
    *n = m->hay->count(m->hay->user, text, len, prompt, err);
    return *n < 0 ? err->status : ITH_OK;
}

/* Tokens that are left for sentences. */
static ith_status find_room(const maker *m, const ith_needle *needle, int64_t *room, ith_error *err)
{
    ith_text text = {0};
    int64_t prompt = 0, answer = 0;
    ith_status status = put(&text, intro, err);

    for (int i = 0; status == ITH_OK && i < m->n_needles; i++)
        status = put(&text, m->planted[i], err);
    if (status == ITH_OK)
        status = put(&text, m->question, err);
    if (status == ITH_OK)
        status = count(m, text.data, text.len, true, &prompt, err);
    if (status == ITH_OK)
        status = count(m, needle->answer, strlen(needle->answer), false, &answer, err);
    ith_text_free(&text);
    *room = m->hay->tokens - prompt - answer - 1; /* the answer has an end */
    return status == ITH_OK && *room < 0
               ? ith_fail(err, ITH_E_ARGUMENT, "%lld tokens are too few for a question",
                          (long long)m->hay->tokens)
               : status;
}

static ith_status add_end(maker *m, ith_error *err)
{
    if (!ith_grow((void **)&m->ends, &m->cap, m->n + 1, sizeof *m->ends))
        return ith_fail(err, ITH_E_MEMORY, "no memory for a haystack");
    m->ends[m->n++] = m->sentences.len;
    return ITH_OK;
}

static ith_status make_sentences(maker *m, int64_t room, ith_error *err)
{
    for (;;) {
        const char *before = gap(&m->random);
        char one[SENTENCE], both[SENTENCE + 2];
        int64_t n;
        make_sentence(&m->random, one);
        snprintf(both, sizeof both, "%s%s", before, one);
        ITH_TRY(count(m, both, strlen(both), false, &n, err));
        room -= n;
        if (room < 0)
            return ITH_OK;
        ITH_TRY(put(&m->sentences, both, err));
        ITH_TRY(add_end(m, err));
    }
}

/* The needles by where they stand, the earlier drawn first. */
static void sort_needles(const maker *m, const size_t at[NEEDLES_MAX], int order[NEEDLES_MAX])
{
    for (int i = 0; i < m->n_needles; i++) {
        int k = i;
        for (; k > 0 && at[order[k - 1]] > at[i]; k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
}

/* Sentences from the one to the other. */
static ith_status put_sentences(const maker *m, size_t from, size_t to, ith_text *text,
                                ith_error *err)
{
    size_t begin_byte = from > 0 ? m->ends[from - 1] : 0;

    return to > from ? ith_text_append(text, m->sentences.data + begin_byte,
                                       m->ends[to - 1] - begin_byte, err)
                     : ITH_OK;
}

/* The first `n` sentences with the needles among them. */
static ith_status assemble(const maker *m, size_t n, ith_text *text, ith_error *err)
{
    random_state r = m->random;
    size_t at[NEEDLES_MAX], done = 0;
    int order[NEEDLES_MAX];

    at[0] = (size_t)floor(m->hay->position * (double)n + 0.5);
    at[0] = at[0] < n ? at[0] : n;
    for (int i = 1; i < m->n_needles; i++)
        at[i] = (size_t)below(&r, (int)n + 1);
    sort_needles(m, at, order);
    ITH_TRY(put(text, intro, err));
    for (int i = 0; i < m->n_needles; i++) {
        ITH_TRY(put_sentences(m, done, at[order[i]], text, err));
        ITH_TRY(put(text, m->planted[order[i]], err));
        done = at[order[i]];
    }
    ITH_TRY(put_sentences(m, done, n, text, err));
    return put(text, m->question, err);
}

/* As many sentences as fit. A tokenizer may make more tokens of the whole than of its sentences. */
static ith_status make_text(const maker *m, ith_needle *needle, ith_error *err)
{
    int64_t answer, tokens, over = 0;
    size_t n = m->n;

    ITH_TRY(count(m, needle->answer, strlen(needle->answer), false, &answer, err));
    for (int i = 0; i < SHORTER; i++) {
        ith_text_free(&needle->text);
        needle->text = (ith_text){0};
        ITH_TRY(assemble(m, n, &needle->text, err));
        ITH_TRY(count(m, needle->text.data, needle->text.len, true, &tokens, err));
        over = tokens + answer + 1 - m->hay->tokens;
        if (over <= 0 || n == 0)
            break;
        n -= n > (size_t)over / 8 + 1 ? (size_t)over / 8 + 1 : n;
    }
    return over <= 0 ? ITH_OK
                     : ith_fail(err, ITH_E_ARGUMENT, "%lld tokens are too few for a question",
                                (long long)m->hay->tokens);
}

ith_status ith_haystack_make(const ith_haystack *hay, ith_needle *needle, ith_error *err)
{
    maker m = {.hay = hay, .random = begin(hay->seed)};
    int64_t room;
    ith_status status;

    *needle = (ith_needle){0};
    make_needles(&m);
    snprintf(needle->passkey, sizeof needle->passkey, "%s", m.keys[0]);
    snprintf(needle->answer, sizeof needle->answer, "The passkey of %s is %s.", m.names[0],
             m.keys[0]);
    status = find_room(&m, needle, &room, err);
    if (status == ITH_OK)
        status = make_sentences(&m, room, err);
    if (status == ITH_OK)
        status = make_text(&m, needle, err);
    ith_text_free(&m.sentences);
    free(m.ends);
    return status;
}

bool ith_needle_found(const ith_needle *needle, const char *answer)
{
    size_t len = strlen(needle->passkey);
    const char *at = answer;

    while ((at = strstr(at, needle->passkey)) != NULL) {
        if ((at == answer || !isdigit((unsigned char)at[-1])) && !isdigit((unsigned char)at[len]))
            return true;
        at += len;
    }
    return false;
}
