/* sentencepiece.h - reads tokenizer.model, SentencePiece's own file. Used inside src/text only;
 * sentencepiece.c is the only file that includes protobuf-c. */
#ifndef ITH_TEXT_SENTENCEPIECE_H
#define ITH_TEXT_SENTENCEPIECE_H

#include "text/tokenizer_impl.h"

/* Between ith_builder_begin and ith_builder_finish. ITH_E_UNSUPPORTED, by name: Unigram, words and
 * characters; a normalizer with rules; white space that is removed or stands behind words.
 * ITH_E_FORMAT: the file is damaged, or is one of tiktoken. */
ith_status ith_sentencepiece_read(ith_builder *builder, const char *path, ith_bytes model,
                                  ith_error *err);

#endif
