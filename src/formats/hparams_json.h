/* hparams_json.h - hyperparameters as JSON, for the index of a pack.
 *
 * Every field of ith_hparams is stored, and read back to the same bits. Tables of fields drive both
 * directions: one for what all families have, and that of the family (arch.h).
 */
#ifndef ITH_FORMATS_HPARAMS_JSON_H
#define ITH_FORMATS_HPARAMS_JSON_H

#include "base/json.h"
#include "formats/hparams.h"

#include <stddef.h>

typedef enum ith_field_kind {
    ITH_FIELD_INT64, /* int64_t, 0 or more */
    ITH_FIELD_INT,   /* int */
    ITH_FIELD_INT32, /* int32_t, -1 or more */
    ITH_FIELD_REAL,  /* double */
    ITH_FIELD_BOOL,  /* bool */
    ITH_FIELD_LIST,  /* int32_t[max], each 0 or more, and an int that counts them */
    ITH_FIELD_REALS  /* double[max], and an int that counts them */
} ith_field_kind;

typedef struct ith_hparams_field {
    const char *key; /* "KEY", or "GROUP.KEY": a member of the object GROUP */
    ith_field_kind kind;
    size_t at;       /* in ith_hparams */
    size_t count_at; /* lists: of the int */
    int max;         /* lists */
    bool optional;   /* older packs lack it; it then has its default */
    bool sparse;     /* absent means the family's own value, which is not written */
} ith_hparams_field;

/* Rows of a table of fields, which ends with {0}. */
#define ITH_FIELD(key, kind, member)                                                               \
    {                                                                                              \
        key, ITH_FIELD_##kind, offsetof(ith_hparams, member), 0, 0, false, false                   \
    }
#define ITH_OPTIONAL_FIELD(key, kind, member)                                                      \
    {                                                                                              \
        key, ITH_FIELD_##kind, offsetof(ith_hparams, member), 0, 0, true, false                    \
    }
#define ITH_SPARSE_FIELD(key, kind, member)                                                        \
    {                                                                                              \
        key, ITH_FIELD_##kind, offsetof(ith_hparams, member), 0, 0, true, true                     \
    }
#define ITH_SPARSE_LIST(key, items, count, max)                                                    \
    {                                                                                              \
        key, ITH_FIELD_LIST, offsetof(ith_hparams, items), offsetof(ith_hparams, count), max,      \
            true, true                                                                             \
    }
#define ITH_SPARSE_REALS(key, items, count, max)                                                   \
    {                                                                                              \
        key, ITH_FIELD_REALS, offsetof(ith_hparams, items), offsetof(ith_hparams, count), max,     \
            true, true                                                                             \
    }
#define ITH_FIELD_OF_LIST(key, items, count, max)                                                  \
    {                                                                                              \
        key, ITH_FIELD_LIST, offsetof(ith_hparams, items), offsetof(ith_hparams, count), max,      \
            false, false                                                                           \
    }

/* Write reals with 17 digits (JSON_REAL_PRECISION), so that they keep their bits. NULL: no
 * memory. */
json_t *ith_hparams_to_json(const ith_hparams *hp);

/* Adds to `object` what only the model's family has. False: no memory. */
bool ith_hparams_add_own(const ith_hparams *hp, json_t *object);

/* Adds what only some families have, where it is not the family's own value: the sparse fields that
 * all families share. False: no memory. */
bool ith_hparams_add_sparse(const ith_hparams *hp, json_t *object);

/* Every field must be there and in range; ITH_E_FORMAT names `where` and the field. A family that
 * is not known has no fields of its own. ITH_E_UNSUPPORTED: a member that is not known, or one that
 * asks for what Ithaca does not compute. */
ith_status ith_hparams_from_json(const json_t *object, const char *where, ith_hparams *hp,
                                 ith_error *err);

#endif
