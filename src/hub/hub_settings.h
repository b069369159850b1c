/* hub_settings.h - where the hub is and who asks it: what the environment says.
 *
 *   HF_ENDPOINT                     the hub's address; https://huggingface.co
 *   HF_TOKEN                        who asks (or HUGGING_FACE_HUB_TOKEN); else what `hf auth login`
 *                                   has left in HF_TOKEN_PATH, or HF_HOME/token
 *   HF_HUB_DISABLE_IMPLICIT_TOKEN   that file is not read
 *   HF_HUB_OFFLINE                  nobody is asked (or TRANSFORMERS_OFFLINE)
 *   HF_HUB_DOWNLOAD_TIMEOUT         seconds without one byte after which a connection counts as cut
 *   SSL_CERT_FILE, CURL_CA_BUNDLE   certificates to trust instead of the system's
 *
 * HF_HOME and HF_HUB_CACHE are in formats/hub_cache.h. libcurl itself reads https_proxy, all_proxy
 * and no_proxy.
 */
#ifndef ITH_HUB_HUB_SETTINGS_H
#define ITH_HUB_HUB_SETTINGS_H

#include "base/error.h"

typedef struct ith_hub_settings {
    char endpoint[512];       /* "https://huggingface.co", without a slash at its end */
    char shown[512];          /* the same for messages: no name and password */
    size_t origin;            /* bytes of it before a path: scheme, host and port */
    char token[512];          /* "": none */
    const char *certificates; /* NULL: the system's */
    long timeout_s;
    bool plain; /* http, since the endpoint is */
    bool offline;
} ith_hub_settings;

/* Errors: ITH_E_ARGUMENT: a variable's value cannot be used. */
ith_status ith_hub_settings_read(ith_hub_settings *settings, ith_error *err);

/* Copies an address for a message: without a name and password before its host, and without what
 * follows a question mark, where servers put keys. */
void ith_hub_show_address(const char *url, char *out, size_t size);

/* Does the address belong to the endpoint's scheme, host and port? The token goes nowhere else. */
bool ith_hub_is_endpoint(const ith_hub_settings *settings, const char *url);

#endif
