/* listing.h - what the hub says of a repository: its commit and its files. */
#ifndef ITH_HUB_LISTING_H
#define ITH_HUB_LISTING_H

#include "formats/hub_name.h"
#include "hub/transfer.h"

typedef struct ith_hub_file {
    char *name;      /* ith_hub_path_is_safe */
    int64_t bytes;   /* -1: not known yet */
    char digest[65]; /* lower-case hexadecimal digits: 64 of a SHA-256, or 40 of Git's SHA-1 of a
                        blob; "": not known yet */
} ith_hub_file;

typedef struct ith_hub_listing {
    char commit[65];
    ith_hub_file *files; /* [n] in the hub's order */
    size_t n;
} ith_hub_listing;

void ith_hub_listing_free(ith_hub_listing *listing);

/* Reads the JSON of /api/models/ORG/NAME/revision/REVISION?blobs=true. Files whose names cannot be
 * used (ith_hub_path_is_safe) are left out, except for names that lead out of a folder, which no
 * repository can have: those are refused. `what` is for messages. ITH_E_FORMAT, ITH_E_MEMORY. */
ith_status ith_hub_listing_parse(const char *text, size_t len, const char *what,
                                 ith_hub_listing *listing, ith_error *err);

/* Asks the hub for the listing. Errors: those of ith_transfers_run and ith_hub_listing_parse. */
ith_status ith_hub_listing_get(ith_http *http, const ith_hub_settings *settings,
                               const ith_hub_name *name, ith_transfer_tick tick, void *user,
                               ith_hub_listing *listing, ith_error *err);

/* The text of a file, at most 64 MiB, unchecked. *text is malloc'd. Errors: those of
 * ith_transfers_run; ITH_E_FORMAT: it is longer. */
ith_status ith_hub_file_get(ith_http *http, const ith_hub_settings *settings,
                            const ith_hub_name *name, const char *commit, const char *file,
                            ith_transfer_tick tick, void *user, char **text, size_t *len,
                            ith_error *err);

/* Asks for the size and digest of those of the chosen files, [n], where they are not known.
 * ITH_E_FORMAT: the hub does not say them. */
ith_status ith_hub_listing_complete(ith_http *http, const ith_hub_settings *settings,
                                    const ith_hub_name *name, const bool *chosen,
                                    ith_transfer_tick tick, void *user, ith_hub_listing *listing,
                                    ith_error *err);

/* ENDPOINT/ORG/NAME/resolve/COMMIT/FILE, malloc'd; NULL: no memory. */
char *ith_hub_file_url(const ith_hub_settings *settings, const ith_hub_name *name,
                       const char *commit, const char *file);

/* "ORG/NAME: FILE", malloc'd, for messages; NULL: no memory. */
char *ith_hub_file_what(const ith_hub_name *name, const char *file);

/* "ORG/NAME", with "@REVISION" unless that is main. For messages. */
enum { ITH_HUB_WHAT = ITH_HUB_REPO + ITH_HUB_REVISION };
void ith_hub_what(const ith_hub_name *name, char out[ITH_HUB_WHAT]);

#endif
