/* pre_names.c - the pre-tokenizers that GGUF files name.
 *
 * Patterns and settings are those of the models' own tokenizer.json; the names, and "default", are
 * llama.cpp's (src/llama-vocab.cpp).
 */
#include "text/pre_names.h"
#include "text/pretokenize.h"

#include <string.h>

/* ---- What many patterns share ---- */

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define WHITE_SPACE  "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define LETTERS      "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define SYMBOLS      " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
#define UP_TO_3      "\\p{N}{1,3}"

#define LLAMA3 CONTRACTIONS "|" LETTERS "|" UP_TO_3 "|" SYMBOLS "|" WHITE_SPACE
#define QWEN2  CONTRACTIONS "|" LETTERS "|\\p{N}|" SYMBOLS "|" WHITE_SPACE

/* Words of o200k: upper case before lower case. */
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASED(end)                                                                                 \
    "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" end "|"                                           \
    "[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER "*" end
#define PATHS  " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*"
#define O200K  CASED(CONTRACTIONS "?") "|" UP_TO_3 "|" PATHS "|" WHITE_SPACE
#define TEKKEN CASED("") "|\\p{N}|" PATHS "|" WHITE_SPACE

#define NOT_HAN "&&[^\\p{Han}]]"
#define KIMI_WORD(many_upper, many_lower)                                                          \
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}" NOT_HAN many_upper                 \
    "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}" NOT_HAN many_lower CONTRACTIONS "?"
#define KIMI                                                                                       \
    "[\\p{Han}]+|" KIMI_WORD("*", "+") "|" KIMI_WORD("+", "*") "|" UP_TO_3 "|" SYMBOLS             \
                                                               "|" WHITE_SPACE

#define QWEN35                                                                                     \
    CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| "                                 \
                 "?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" WHITE_SPACE
#define DEEPSEEK3_WORDS                                                                            \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|"                                       \
    "[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
#define DEEPSEEK3 DEEPSEEK3_WORDS "| ?[\\p{P}\\p{S}]+[\\r\\n]*|" WHITE_SPACE
#define KANA_HAN  "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
#define BLOOM     " ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"
#define SPACES_OF_2                                                                                \
    "\\s{512}(?!\\S)|\\s{256}(?!\\S)|\\s{128}(?!\\S)|\\s{64}(?!\\S)|\\s{32}(?!\\S)|"               \
    "\\s{16}(?!\\S)|\\s{8}(?!\\S)|\\s{4}(?!\\S)|\\s{1,2}(?!\\S)|\\s{1}"
#define DEEPSEEK_WORD                                                                              \
    "\\s?[A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293"           \
    "\u0295-\u02af\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c"           \
    "\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5"               \
    "\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77"               \
    "\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59"         \
    "\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc"          \
    "\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107"                \
    "\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139"           \
    "\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee"          \
    "\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e"                \
    "\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f"       \
    "\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80-\U00010cb2\U00010cc0-\U00010cf2"         \
    "\U000118a0-\U000118df\U0001e900-\U0001e943]+"

/* ---- The pre-tokenizers ---- */

static const ith_known_pre gpt2 = {.patterns = {ITH_PATTERN_GPT2}};
static const ith_known_pre digits_gpt2 = {.patterns = {"\\p{N}", ITH_PATTERN_GPT2}};
static const ith_known_pre qwen2 = {.patterns = {QWEN2}, .nfc = true};
static const ith_known_pre like_qwen2 = {.patterns = {QWEN2}};
static const ith_known_pre qwen35 = {.patterns = {QWEN35}, .nfc = true};
static const ith_known_pre llama3 = {.patterns = {LLAMA3}, .ignore_merges = true};
static const ith_known_pre cl100k = {.patterns = {LLAMA3}};
static const ith_known_pre o200k = {.patterns = {O200K}};
static const ith_known_pre o200k_whole = {.patterns = {O200K}, .ignore_merges = true};
static const ith_known_pre tekken = {.patterns = {TEKKEN}, .ignore_merges = true};
static const ith_known_pre kimi = {.patterns = {KIMI}};
static const ith_known_pre deepseek3 = {.patterns = {UP_TO_3, KANA_HAN, DEEPSEEK3}};
static const ith_known_pre deepseek = {
    .patterns = {"[\\r\\n]", DEEPSEEK_WORD,
                 "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+", "\\s+$",
                 "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", "\\p{N}+"}};
static const ith_known_pre deepseek_coder = {
    .patterns = {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+",
                 "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", "\\p{N}"}};
static const ith_known_pre spark = {
    .patterns = {UP_TO_3, KANA_HAN, DEEPSEEK3_WORDS "| ?[\\p{P}\\p{S}]+|[\\r\\n]|\\s+(?!\\S)|\\s+",
                 "\\p{N}"}};
static const ith_known_pre youtu = {
    .patterns = {"[\uac00-\ud7a3\u3131-\u318e]+|["
                 "\uff01\u2026\u201c\u201d\u2018\u2019\u2014\uff1a\uff1b\uff0c\u3001-"
                 "\u303f\ufe30-\ufe4f]+|[\u3105-\u312f]+|" KANA_HAN,
                 CASED(CONTRACTIONS "?") "|\\p{N}|" PATHS "|" WHITE_SPACE},
    .ignore_merges = true};
static const ith_known_pre falcon = {
    .patterns = {"[\\p{P}\\$\\+<=>\\^~\\|`]+", ITH_PATTERN_GPT2, "[0-9][0-9][0-9]"}};
static const ith_known_pre bloom = {.patterns = {BLOOM}};
static const ith_known_pre viking = {.patterns = {BLOOM, "\\p{N}"}};
static const ith_known_pre jais2 = {
    .patterns = {CONTRACTIONS "|" LETTERS "|" UP_TO_3 "|" SYMBOLS "|\\s*[\\r\\n]+|" SPACES_OF_2}};
static const ith_known_pre chameleon = {
    .patterns = {"<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", "([\\t\\n]|    |  )",
                 "\\p{N}", "[\\p{P}!-/:-@\\[-`{-~]", ITH_PATTERN_GPT2}};
static const ith_known_pre aya = {.patterns = {"\\d{1,3}(?=(?:\\d{3})*\\b)", O200K}};
static const ith_known_pre superbpe = {.patterns = {"\\p{N}+", "(?=(\\d{3})+(?!\\d))"}};
static const ith_known_pre bailing = {.patterns = {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+"
                                                   "\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|"
                                                   "\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"}};
static const ith_known_pre seed = {
    .patterns = {CONTRACTIONS "|" LETTERS "|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" WHITE_SPACE}};
static const ith_known_pre ufakzeka = {.patterns = {LETTERS "|\\p{N}|" SYMBOLS "|" WHITE_SPACE}};
static const ith_known_pre laguna = {.patterns = {"[^\\n]+|[\\n]+", QWEN2}};
static const ith_known_pre exaone_moe = {
    .patterns = {CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}|"
                              " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"}};
static const ith_known_pre minicpm5 = {
    .patterns = {UP_TO_3, CONTRACTIONS "|" LETTERS "|\\p{N}+|" SYMBOLS "|" WHITE_SPACE},
    .ignore_merges = true};
static const ith_known_pre gemma4 = {.chars = true};
static const ith_known_pre by_default = {
    .patterns = {"[\\p{P}\\$\\+<=>\\^~\\|]+", ITH_PATTERN_GPT2, "\\p{N}+", "[0-9][0-9][0-9]"}};

static const struct {
    const char *name;
    const ith_known_pre *pre;
} names[] = {
    {"default", &by_default},
    {"gpt-2", &gpt2},
    {"phi-2", &gpt2},
    {"jina-es", &gpt2},
    {"jina-de", &gpt2},
    {"jina-v2-es", &gpt2},
    {"jina-v2-de", &gpt2},
    {"gigachat", &gpt2},
    {"a.x-4.0", &gpt2},
    {"mellum", &gpt2},
    {"modern-bert", &gpt2},
    {"jina-v1-en", &gpt2},
    {"jina-v2-code", &gpt2},
    {"roberta-bpe", &gpt2},
    {"mpt", &gpt2},
    {"olmo", &gpt2},
    {"jais", &gpt2},
    {"trillion", &gpt2},
    {"granite-docling", &gpt2},
    {"exaone4", &gpt2},
    {"smollm", &digits_gpt2},
    {"starcoder", &digits_gpt2},
    {"refact", &digits_gpt2},
    {"command-r", &digits_gpt2},
    {"codeshell", &digits_gpt2},
    {"exaone", &digits_gpt2},
    {"minerva-7b", &digits_gpt2},
    {"mellum2", &digits_gpt2},
    {"qwen2", &qwen2},
    {"deepseek-r1-qwen", &qwen2},
    {"kormo", &qwen2},
    {"f2llmv2", &qwen2},
    {"megrez", &qwen2},
    {"stablelm2", &like_qwen2},
    {"hunyuan", &like_qwen2},
    {"solar-open", &like_qwen2},
    {"grok-2", &like_qwen2},
    {"qwen35", &qwen35},
    {"llama-bpe", &llama3},
    {"llama3", &llama3},
    {"llama-v3", &llama3},
    {"falcon3", &llama3},
    {"falcon-h1", &llama3},
    {"pixtral", &llama3},
    {"midm-2.0", &llama3},
    {"lfm2", &llama3},
    {"jina-v5-nano", &llama3},
    {"glm4", &llama3},
    {"glm5", &llama3},
    {"smaug-bpe", &cl100k},
    {"dbrx", &cl100k},
    {"chatglm-bpe", &cl100k},
    {"gpt-4o", &o200k},
    {"llama4", &o200k},
    {"kanana2", &o200k},
    {"talkie", &o200k},
    {"minimax-m2", &o200k},
    {"granite-embed-multi-97m", &o200k_whole},
    {"tekken", &tekken},
    {"kimi-k2", &kimi},
    {"deepseek-v3", &deepseek3},
    {"hunyuan-dense", &deepseek3},
    {"joyai-llm", &deepseek3},
    {"hy_v4", &deepseek3},
    {"deepseek-llm", &deepseek},
    {"deepseek-coder", &deepseek_coder},
    {"spark2_5", &spark},
    {"youtu", &youtu},
    {"falcon", &falcon},
    {"bloom", &bloom},
    {"poro-chat", &bloom},
    {"gpt3-finnish", &bloom},
    {"viking", &viking},
    {"jais-2", &jais2},
    {"chameleon", &chameleon},
    {"tiny_aya", &aya},
    {"cohere2moe", &aya},
    {"superbpe", &superbpe},
    {"bailingmoe", &bailing},
    {"bailingmoe2", &bailing},
    {"llada-moe", &bailing},
    {"seed-coder", &seed},
    {"ufakzeka", &ufakzeka},
    {"laguna", &laguna},
    {"exaone-moe", &exaone_moe},
    {"minicpm5", &minicpm5},
    {"gemma4", &gemma4},
    {"granite-embed-multi-311m", &gemma4},
    {"sarvam-moe", &gemma4},
};

const ith_known_pre *ith_pre_named(ith_bytes name)
{
    if (name.len == 0)
        return &by_default;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (name.len == strlen(names[i].name) && memcmp(name.data, names[i].name, name.len) == 0)
            return names[i].pre;
    return NULL;
}
