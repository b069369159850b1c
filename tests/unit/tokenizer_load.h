/* tokenizer_load.h - a tokenizer from files that must be sound. */
#ifndef ITH_TESTS_TOKENIZER_LOAD_H
#define ITH_TESTS_TOKENIZER_LOAD_H

#include "unit/text_data.h"

#include "text/tokenizer.h"

static inline ith_tokenizer *load(const char *path, const char *config)
{
    ith_error err = {0};
    ith_tokenizer *tok;

    if (ith_tokenizer_from_json(path, config, NULL, &tok, &err) != ITH_OK)
        fail_msg("%s", err.text);
    return tok;
}

#endif
