/* hub_name.h - names of models on Hugging Face's hub: ORG/NAME, ORG/NAME@REVISION, ORG/NAME:FILE.
 *
 * FILE is the name of a file, or a tag that names of GGUF files have, such as Q4_K_M
 * (hub_choose.h). The rules for ORG/NAME are those of the huggingface_hub library: letters, digits,
 * '.', '_' and '-'; neither "--" nor ".."; no component begins or ends with '.' or '-'; 96
 * characters.
 */
#ifndef ITH_FORMATS_HUB_NAME_H
#define ITH_FORMATS_HUB_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* With the NUL. */
enum { ITH_HUB_REPO = 97, ITH_HUB_REVISION = 256, ITH_HUB_FILE = 1024 };

typedef struct ith_hub_name {
    char repo[ITH_HUB_REPO];         /* "ORG/NAME" */
    char revision[ITH_HUB_REVISION]; /* a branch, tag or commit; "main" if none is given */
    char file[ITH_HUB_FILE];         /* "": none is given */
} ith_hub_name;

/* False: it is no such name, and *why says what is wrong. */
bool ith_hub_name_read(const char *text, ith_hub_name *name, const char **why);

/* Sets the revision. False: Git would not accept it. */
bool ith_hub_name_set_revision(ith_hub_name *name, const char *revision);

/* Does it name a place below a folder, whatever it is joined to? Relative, with components that are
 * neither empty nor "." nor ".." nor longer than 255 bytes; UTF-8 without control characters and
 * backslashes; shorter than ITH_HUB_FILE. */
bool ith_hub_path_is_safe(const char *path);

/* A commit: 40 hexadecimal digits. */
bool ith_hub_is_commit(const char *text);

#endif
