/* refusal.h - in words: why a request to the hub has failed. */
#ifndef ITH_HUB_REFUSAL_H
#define ITH_HUB_REFUSAL_H

#include "hub/http.h"

/* Fails with one line about the reply, and what to do about it. `what`: "ORG/NAME" or
 * "ORG/NAME: FILE". Returns ITH_E_IO. */
ith_status ith_hub_refused(const ith_hub_settings *settings, const char *what,
                           const ith_http_reply *reply, ith_error *err);

#endif
