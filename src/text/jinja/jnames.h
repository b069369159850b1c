/* jnames.h - the names in a tree: variables that it reads, and filters and tests that exist. */
#ifndef ITH_TEXT_JINJA_JNAMES_H
#define ITH_TEXT_JINJA_JNAMES_H

#include "text/jinja/jast.h"

/* Does the tree read a variable of this name? True also for one that it sets itself. */
bool ith_jbody_reads(const ith_jbody *body, const char *name);

/* Fails for filters and tests that do not exist, where Jinja2 refuses them before it renders:
 * outside of "if". Inside, it refuses them when they are reached. */
void ith_jbody_check_names(ith_jrun *run, const ith_jbody *body);

#endif
