/* rope_scaling.c - reads the scaling of rotary positions that a user wants instead of the
 * model's. */
#include "base/number.h"
#include "model/rope.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double FACTOR_MAX = 1e6;

static ith_status wrong(const char *text, ith_error *err)
{
    return ith_fail(err, ITH_E_ARGUMENT,
                    "RoPE scaling is \"%s\"; expected none, linear:FACTOR, yarn:FACTOR or "
                    "yarn:FACTOR:TRAINED_CONTEXT, "
                    "such as yarn:4:32768, with a factor of 1 to %g",
                    text, FACTOR_MAX);
}

/* Reads ":FACTOR" at *at, and moves *at past it. */
static bool take_factor(const char **at, double *factor)
{
    char *end;

    if (**at != ':' || (*at)[1] < '0' || (*at)[1] > '9')
        return false;
    *factor = ith_strtod(*at + 1, &end);
    *at = end;
    return *factor >= 1 && *factor <= FACTOR_MAX;
}

/* Reads ":TOKENS" at *at, if the text does not end there. */
static bool take_original(const char **at, int64_t *original)
{
    char *end;

    if (**at == 0)
        return true;
    if (**at != ':' || (*at)[1] < '1' || (*at)[1] > '9')
        return false;
    errno = 0;
    *original = strtoll(*at + 1, &end, 10);
    *at = end;
    return errno == 0 && *original <= ITH_MAX_CONTEXT;
}

ith_status ith_rope_scale(const char *text, ith_rope_params *rope, int64_t *ctx_train,
                          ith_error *err)
{
    bool stretched = rope->kind == ITH_ROPE_YARN || rope->kind == ITH_ROPE_LLAMA3;
    int64_t original =
        stretched && rope->original_context > 0 ? rope->original_context : *ctx_train;
    ith_rope_params p = {.theta = rope->theta,
                         .factor = 1,
                         .beta_fast = 32,
                         .beta_slow = 1,
                         .truncate = true,
                         .rotated = rope->rotated};
    const char *at = text + strcspn(text, ":");
    size_t len = (size_t)(at - text);
    bool good;

    if (rope->kind == ITH_ROPE_PROPORTIONAL)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "RoPE scaling of a model whose rotary positions are proportional is not "
                        "supported");
    if (strcmp(text, "none") == 0) {
        p.kind = ITH_ROPE_PLAIN;
        good = true;
    } else if (len == 6 && memcmp(text, "linear", len) == 0) {
        p.kind = ITH_ROPE_LINEAR;
        good = take_factor(&at, &p.factor);
    } else {
        p.kind = ITH_ROPE_YARN;
        good = len == 4 && memcmp(text, "yarn", len) == 0 && take_factor(&at, &p.factor) &&
               take_original(&at, &original);
        p.original_context = original;
    }
    if (!good || (p.kind != ITH_ROPE_PLAIN && *at != 0))
        return wrong(text, err);
    if (p.factor * (double)original > (double)ITH_MAX_CONTEXT)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "RoPE scaling \"%s\" makes %g times %lld tokens of context, more than %lld",
                        text, p.factor, (long long)original, (long long)ITH_MAX_CONTEXT);
    *rope = p;
    *ctx_train = (int64_t)llround(p.factor * (double)original);
    return ITH_OK;
}
