/* jstring.h - strings that know who wrote each of their bytes, and their builder. Strings are
 * well-formed UTF-8, never change, and lie in the arena or in what the caller keeps alive. */
#ifndef ITH_TEXT_JINJA_JSTRING_H
#define ITH_TEXT_JINJA_JSTRING_H

#include "text/jinja/jrun.h"

#include <stdbool.h>

typedef enum ith_jorigin { ITH_JTEMPLATE, ITH_JINPUT } ith_jorigin;

typedef struct ith_jstr {
    const char *data;
    size_t len;
    const unsigned char *from; /* [len], an ith_jorigin each; NULL: all of `origin` */
    unsigned char origin;
    bool safe;                /* marked by the filter "safe" or "escape" */
    size_t chars;             /* code points + 1; 0: not counted yet */
    struct ith_jbuild *build; /* the builder that holds it, so that more can be appended in place */
} ith_jstr;

/* A growing string. Start with {.run = run}. */
typedef struct ith_jbuild {
    ith_jrun *run;
    char *data;
    unsigned char *from; /* NULL while all bytes are of `origin` */
    size_t len, cap;
    unsigned char origin;
} ith_jbuild;

void ith_jbuild_bytes(ith_jbuild *build, const char *data, size_t len, ith_jorigin origin);
void ith_jbuild_text(ith_jbuild *build, const char *text, ith_jorigin origin); /* NUL-terminated */
void ith_jbuild_str(ith_jbuild *build, const ith_jstr *s);
void ith_jbuild_slice(ith_jbuild *build, const ith_jstr *s, size_t begin, size_t end);
void ith_jbuild_code(ith_jbuild *build, uint32_t code, ith_jorigin origin);
ith_jstr *ith_jbuild_end(const ith_jbuild *build);

ith_jstr *ith_jstr_new(ith_jrun *run, const char *data, size_t len, ith_jorigin origin);
ith_jstr *ith_jstr_text(ith_jrun *run, const char *text); /* of the template; not copied */
ith_jstr *ith_jstr_slice(ith_jrun *run, const ith_jstr *s, size_t begin, size_t end);
ith_jstr *ith_jstr_concat(ith_jrun *run, ith_jstr *a, const ith_jstr *b);

/* Input if any of the bytes is. */
ith_jorigin ith_jstr_origin(const ith_jstr *s, size_t begin, size_t end);
size_t ith_jstr_chars(ith_jrun *run, ith_jstr *s);
/* The byte where character `index` begins; index may be the number of characters. */
size_t ith_jstr_offset(ith_jrun *run, ith_jstr *s, size_t index);
bool ith_jstr_equal(const ith_jstr *a, const ith_jstr *b);
bool ith_jstr_is(const ith_jstr *s, const char *text);
/* Where `what` begins at or after `begin`; SIZE_MAX: nowhere. */
size_t ith_jstr_find(const ith_jstr *s, const ith_jstr *what, size_t begin);
/* The last place where it begins and ends at or before `end`. `what` is not empty. */
size_t ith_jstr_find_last(ith_jrun *run, const ith_jstr *s, const ith_jstr *what, size_t end);
uint32_t ith_jstr_code(const ith_jstr *s, size_t at, size_t *width);
bool ith_jcode_is_space(uint32_t code);                      /* Python's str.isspace */
ith_jstr *ith_jstr_escape(ith_jrun *run, const ith_jstr *s); /* for HTML; marked safe */

#endif
