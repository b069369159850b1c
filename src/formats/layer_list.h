/* layer_list.h - lists of config.json that say what each layer is. */
#ifndef ITH_FORMATS_LAYER_LIST_H
#define ITH_FORMATS_LAYER_LIST_H

#include "base/json.h"
#include "formats/hparams.h"

/* A key of config.json that says what each layer is: a list of words, or a string of letters. */
typedef struct ith_layer_list {
    const char *key;
    const json_t *words; /* NULL: letters */
    const char *letters; /* NULL, too: the file does not have the key */
    int64_t n;
} ith_layer_list;

static inline bool ith_layer_list_is_there(const ith_layer_list *list)
{
    return list->words != NULL || list->letters != NULL;
}

/* ITH_E_FORMAT: the key is neither. */
ith_status ith_layer_list_read(const json_t *config, const char *where, const char *key,
                               ith_layer_list *list, ith_error *err);

enum { ITH_LAYER_NAMES = 3 };

/* The kind of layer i: the number of the first of `kinds` rows that has its word or letter. `kinds`
 * if none has. */
int ith_layer_list_kind(const ith_layer_list *list, int64_t i,
                        const char *const names[][ITH_LAYER_NAMES], int kinds);

/* A list of words of two kinds, one for each layer, if the file has the key: to kinds[n_layers]
 * their numbers. ITH_E_FORMAT: its length is another; ITH_E_UNSUPPORTED: a word is of neither. */
ith_status ith_layer_list_two(const json_t *config, const char *where, const char *key,
                              const char *const words[2][ITH_LAYER_NAMES], int64_t n_layers,
                              int kinds[ITH_MAX_LISTED_LAYERS], bool *is_there, ith_error *err);

#endif
