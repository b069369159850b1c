/* libcurl.h - libcurl, loaded when it is first used.
 *
 * It brings some thirty libraries along and takes 5 ms to load, which commands that use no network,
 * and machines of a cluster that have no libcurl, are spared.
 */
#ifndef ITH_HUB_LIBCURL_H
#define ITH_HUB_LIBCURL_H

#include "base/error.h"

#include <curl/curl.h>

/* Functions of libcurl by their names without "curl_". */
typedef struct ith_libcurl {
    __typeof__(&curl_global_init) global_init;
    __typeof__(&curl_easy_init) easy_init;
    __typeof__(&curl_easy_cleanup) easy_cleanup;
    __typeof__(&curl_easy_setopt) easy_setopt;
    __typeof__(&curl_easy_getinfo) easy_getinfo;
    __typeof__(&curl_easy_strerror) easy_strerror;
    __typeof__(&curl_multi_init) multi_init;
    __typeof__(&curl_multi_cleanup) multi_cleanup;
    __typeof__(&curl_multi_setopt) multi_setopt;
    __typeof__(&curl_multi_add_handle) multi_add_handle;
    __typeof__(&curl_multi_remove_handle) multi_remove_handle;
    __typeof__(&curl_multi_perform) multi_perform;
    __typeof__(&curl_multi_poll) multi_poll;
    __typeof__(&curl_multi_info_read) multi_info_read;
    __typeof__(&curl_slist_append) slist_append;
    __typeof__(&curl_slist_free_all) slist_free_all;
} ith_libcurl;

/* The process has one, which stays loaded. NULL: ITH_E_UNSUPPORTED, and the text says why. */
const ith_libcurl *ith_libcurl_load(ith_error *err);

#endif
