/* hub_choose.h - which files of a repository are the model.
 *
 * The names are those that the hub lists, or those in the cache: the same rule finds a model that
 * has chosen what was downloaded.
 *
 * FILE of ORG/NAME:FILE is one of
 *   the name of a file, with or without its folders; with it come the other files of a split GGUF
 *   model (NAME-00001-of-00003.gguf)
 *   a tag: the GGUF file whose name has that word, whatever its case: "q4_k_m" finds
 *   Model-Q4_K_M.gguf, but not Model-Q4_K_M_L.gguf
 *
 * Without FILE it is the Hugging Face folder, if there is one with safetensors. Else it is the GGUF
 * file of the first of the tags Q4_K_M and Q8_0 that one has, as llama.cpp chooses, or the only one
 * that there is.
 */
#ifndef ITH_FORMATS_HUB_CHOOSE_H
#define ITH_FORMATS_HUB_CHOOSE_H

#include "base/error.h"

typedef struct ith_hub_choice {
    bool *chosen; /* [n], malloc'd */
    bool folder;  /* the chosen files make a Hugging Face folder */
    size_t first; /* not a folder: the file to open, the first file of a split model */

    /* The folder's index, whose shards are not chosen yet: only it names them. SIZE_MAX: none. */
    size_t index;
} ith_hub_choice;

/* `repo` is for messages, `file` is FILE or "". Errors: ITH_E_UNSUPPORTED: there is no model that
 * Ithaca could read; ITH_E_FORMAT: no such file, more than one that it could be, or files are
 * missing; ITH_E_MEMORY. */
ith_status ith_hub_choose(const char *repo, const char *file, const char *const *names, size_t n,
                          ith_hub_choice *choice, ith_error *err);

/* Chooses the shards that the text of model.safetensors.index.json names. ITH_E_FORMAT: the text is
 * no such index, or names what is not there. */
ith_status ith_hub_choose_shards(const char *repo, const char *text, size_t len,
                                 const char *const *names, size_t n, ith_hub_choice *choice,
                                 ith_error *err);

#endif
