/* jlexer.h - cuts a template into tokens, with the whitespace rules of trim_blocks and
 * lstrip_blocks. */
#ifndef ITH_TEXT_JINJA_JLEXER_H
#define ITH_TEXT_JINJA_JLEXER_H

#include "text/jinja/jvalue.h"

typedef enum ith_jtoken_kind {
    ITH_JT_DATA,        /* text between tags */
    ITH_JT_PRINT_BEGIN, /* {{ */
    ITH_JT_PRINT_END,
    ITH_JT_BLOCK_BEGIN, /* {% */
    ITH_JT_BLOCK_END,
    ITH_JT_NAME,
    ITH_JT_STRING,
    ITH_JT_NUMBER,
    ITH_JT_OPERATOR,
    ITH_JT_EOF
} ith_jtoken_kind;

typedef struct ith_jtoken {
    ith_jtoken_kind kind;
    int line;
    ith_jstr *text;  /* data, name, decoded string, operator */
    ith_jval number; /* int or float */
} ith_jtoken;

typedef struct ith_jtokens {
    ith_jtoken *data;
    size_t n, cap; /* the last one is ITH_JT_EOF */
} ith_jtokens;

/* The tokens lie in the run's arena. `source` is well-formed UTF-8. */
ith_jtokens ith_jlex(ith_jrun *run, const char *source, size_t len);

#endif
