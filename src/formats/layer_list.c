/* layer_list.c - lists of config.json that say what each layer is. */
#include "formats/layer_list.h"

#include "formats/hf_config.h"

#include <string.h>

ith_status ith_layer_list_read(const json_t *config, const char *where, const char *key,
                               ith_layer_list *list, ith_error *err)
{
    const json_t *value = json_object_get(config, key);

    *list = (ith_layer_list){.key = key, .words = json_is_array(value) ? value : NULL};
    if (list->words == NULL)
        ITH_TRY(ith_json_string(config, where, key, &list->letters, err));
    list->n = (int64_t)(list->words != NULL     ? json_array_size(list->words)
                        : list->letters != NULL ? strlen(list->letters)
                                                : 0);
    return ITH_OK;
}

int ith_layer_list_kind(const ith_layer_list *list, int64_t i,
                        const char *const names[][ITH_LAYER_NAMES], int kinds)
{
    const char letter[2] = {list->letters != NULL ? list->letters[i] : '\0', '\0'},
               *word = list->words != NULL
                           ? json_string_value(json_array_get(list->words, (size_t)i))
                           : letter;

    for (int k = 0; k < kinds && word != NULL; k++)
        for (int n = 0; n < ITH_LAYER_NAMES; n++)
            if (names[k][n] != NULL && strcmp(word, names[k][n]) == 0)
                return k;
    return kinds;
}

ith_status ith_layer_list_two(const json_t *config, const char *where, const char *key,
                              const char *const words[2][ITH_LAYER_NAMES], int64_t n_layers,
                              int kinds[ITH_MAX_LISTED_LAYERS], bool *is_there, ith_error *err)
{
    ith_layer_list list;

    ITH_TRY(ith_layer_list_read(config, where, key, &list, err));
    *is_there = ith_layer_list_is_there(&list);
    if (*is_there && (list.words == NULL || list.n != n_layers))
        return ith_fail(err, ITH_E_FORMAT, "%s: \"%s\" should list %lld layers", where, key,
                        (long long)n_layers);
    if (list.n > ITH_MAX_LISTED_LAYERS)
        return ith_hf_refuse(where, key, "a list of so many layers", err);
    for (int64_t i = 0; i < list.n; i++) {
        const char *word = json_string_value(json_array_get(list.words, (size_t)i));
        kinds[i] = ith_layer_list_kind(&list, i, words, 2);
        if (kinds[i] == 2)
            return ith_hf_refuse(where, key, word != NULL ? word : "a value that is not a string",
                                 err);
    }
    return ITH_OK;
}
