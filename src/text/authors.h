/* authors.h - who wrote which bytes of a text. */
#ifndef ITH_TEXT_AUTHORS_H
#define ITH_TEXT_AUTHORS_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes in a row that have one origin: a chat template, or the conversation that it was rendered
 * with. The passages of a text are in order, without gaps, and neighbours differ in origin. */
typedef struct ith_passage {
    size_t begin, end;
    bool from_template;
} ith_passage;

#endif
