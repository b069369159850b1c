/* hub_cache.h - models in Hugging Face's cache, which `hf download`, Transformers and `ithaca pull`
 * share.
 *
 *     CACHE/models--ORG--NAME/refs/main                        a commit
 *     CACHE/models--ORG--NAME/snapshots/COMMIT/config.json     -> ../../blobs/ETAG
 *     CACHE/models--ORG--NAME/blobs/ETAG                       a file; ETAG is its SHA-256, or its
 *                                                              SHA-1 as Git computes it
 *     CACHE/.locks/models--ORG--NAME/ETAG.lock                 held with flock() while ETAG is made
 *
 * CACHE is the folder in HF_HUB_CACHE (or HUGGINGFACE_HUB_CACHE); else HF_HOME/hub; HF_HOME is
 * $XDG_CACHE_HOME/huggingface or ~/.cache/huggingface if it is not set. Layout and names are those
 * of the huggingface_hub library (file_download.py, constants.py of version 2.4).
 */
#ifndef ITH_FORMATS_HUB_CACHE_H
#define ITH_FORMATS_HUB_CACHE_H

#include "base/error.h"
#include "base/newfile.h"
#include "formats/hub_name.h"

/* An environment variable; NULL if it is not set or empty. */
const char *ith_hub_variable(const char *name);

/* Is the variable 1, true, yes or on? */
bool ith_hub_flag(const char *name);

/* The folder of the cache. ITH_E_ARGUMENT: too long, or there is no home. */
ith_status ith_hub_cache(char path[ITH_PATH_MAX], ith_error *err);

/* The file in which `hf auth login` leaves a token: HF_TOKEN_PATH, else HF_HOME/token. Errors as
 * above. */
ith_status ith_hub_token_path(char path[ITH_PATH_MAX], ith_error *err);

/* "models--ORG--NAME" */
void ith_hub_folder_name(const ith_hub_name *name, char out[ITH_HUB_REPO + 16]);

/* The commit that a revision meant when it was last asked for. False: the cache does not know. */
bool ith_hub_cached_commit(const char *cache, const ith_hub_name *name, char commit[64]);

/* The path of a model: a folder, or a file in one. *path is malloc'd.
 * ITH_E_ARGUMENT: `text` is no name on the hub. ITH_E_IO: it is not in the cache. ITH_E_FORMAT: as
 * in hub_choose.h. ITH_E_UNSUPPORTED: so too, or there are more than 100,000 files, or folders
 * inside folders more than 32 deep. */
ith_status ith_hub_find(const char *text, char **path, ith_error *err);

/* If a folder is a snapshot in a cache, the NAME of its model; else NULL. `full`: its real path;
 * *len: bytes of the result. */
const char *ith_hub_snapshot_name(const char *full, size_t *len);

#endif
