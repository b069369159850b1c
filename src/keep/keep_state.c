/* keep_state.c - warnings from a session's keeper. */
#include "keep/keep_state.h"

#include <stdio.h>

void ith_keep_warn(const ith_keep *keep, const char *text, const char *consequence)
{
    char line[sizeof((ith_error *)NULL)->text + 100];

    if (keep->warn == NULL || keep->session->engine->world->comm->rank != 0)
        return;
    snprintf(line, sizeof line, "%s: %s: %s", keep->own_archive ? "checkpoint" : "prompt cache",
             text, consequence);
    keep->warn(keep->user, line);
}
