/* json_reader.h - what the readers of tokenizer.json and of the files beside it share. Used inside
 * src/text only. */
#ifndef ITH_TEXT_JSON_READER_H
#define ITH_TEXT_JSON_READER_H

#include "base/json.h"
#include "text/tokenizer_impl.h"

typedef struct ith_json_reader {
    ith_builder builder; /* builder.where is the file that is read now */
    const json_t *model;
    bool byte_level;      /* the pre_tokenizer has a ByteLevel */
    bool fused, stripped; /* the decoder has had a Fuse, a Strip */
    int64_t next_added;   /* the id of the next added token that the vocabulary lacks */
} ith_json_reader;

/* ITH_E_UNSUPPORTED: the field has this value. */
ith_status ith_json_unsupported(const ith_json_reader *r, const char *field, const char *value,
                                ith_error *err);

/* ITH_E_FORMAT: the field is not what it should be. */
ith_status ith_json_damaged(const ith_json_reader *r, const char *field, const char *expected,
                            ith_error *err);

/* The "type" of a component, which is an object, null or absent; *type NULL: null or absent. */
ith_status ith_json_component(const ith_json_reader *r, const json_t *component, const char *field,
                              const char **type, ith_error *err);

/* The members of a Sequence. Nesting is bounded, since files are not trusted. */
ith_status ith_json_sequence(const ith_json_reader *r, const json_t *component, const char *key,
                             int depth, const json_t **list, ith_error *err);

ith_bytes ith_json_text_of(const json_t *string);

/* Adds an added token. Hugging Face's tokenizers give it the id that its text has in the
 * vocabulary or, if it is not there, the next free one, whatever the file says; where the two
 * differ, that is noted of the first. The second reads it from an object. */
ith_status ith_json_put_added(ith_json_reader *r, ith_added *added, ith_error *err);
ith_status ith_json_read_added(ith_json_reader *r, const json_t *item, ith_error *err);

#endif
