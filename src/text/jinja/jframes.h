/* jframes.h - names that are undefined until they are set.
 *
 * Jinja2 decides before it renders what a name stands for in a frame: the template, the body of a
 * loop, macro, "with", call, filter or "set" block. If the first that it sees of a name in a frame
 * is an assignment outside of "if", and no frame around it mentions the name, the name is undefined
 * until then, also for the frames inside (a loop further up), and whatever variable of that name
 * the template gets (jinja2/idtracking.py, version 3.1).
 */
#ifndef ITH_TEXT_JINJA_JFRAMES_H
#define ITH_TEXT_JINJA_JFRAMES_H

#include "text/jinja/jast.h"

/* Lists such names in `hidden` of all bodies that are frames: the template's and those in it. */
void ith_jframes_find(ith_jrun *run, ith_jbody *template);

#endif
