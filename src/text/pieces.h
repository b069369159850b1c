/* pieces.h - what tokens stand for: from the spelling of a vocabulary to the bytes of a text. Used
 * inside src/text only.
 *
 * Byte-level vocabularies spell every byte as a character (token_table.h). Those of SentencePiece
 * spell a space as U+2581 and bytes as <0x0A>, and the first space of a text may be one that
 * encoding put there.
 */
#ifndef ITH_TEXT_PIECES_H
#define ITH_TEXT_PIECES_H

#include "base/bytes.h"
#include "base/error.h"

enum { ITH_MAX_REPLACED = 4 };

/* The decoder of a vocabulary that is not byte-level. */
typedef struct ith_spelling {
    struct {
        ith_bytes from, to; /* malloc'd; `from` is not empty */
    } replaced[ITH_MAX_REPLACED];
    int n_replaced;
    bool bytes;     /* <0x0A> is a byte */
    int strip;      /* so many spaces at the beginning of a text are left out */
    bool drop_mark; /* so is each replaced[0].from in the first token */
} ith_spelling;

/* ITH_E_UNSUPPORTED: there are too many. Errors name the file, `where`. */
ith_status ith_spelling_add(ith_spelling *spelling, ith_bytes from, ith_bytes to, const char *where,
                            ith_error *err);
void ith_spelling_free(ith_spelling *spelling); /* frees the contents, not the struct */

/* What a token stands for inside a text; *piece is malloc'd. */
ith_status ith_spelling_piece(const ith_spelling *spelling, ith_bytes token, ith_bytes *piece,
                              ith_error *err);

#endif
