/* What the readers of notes share. */
#ifndef BOURN_MERKLE_NOTE_INTERNAL_H
#define BOURN_MERKLE_NOTE_INTERNAL_H

#include "merkle/merkle.h"

enum { NOTE_SIGNATURE_BYTES_MAX = 4096 }; /* room for post-quantum ones, which are skipped so far */

/* The line at the front of *rest, without its newline; false where none ends. */
bool note_line(struct slice *rest, struct slice *line);
/* Body (with its last newline) and signature lines of a note. */
bool note_split(struct slice note, struct slice *body, struct slice *lines);
/* Reads all signature lines; `signature` becomes what follows the key id on the one line of k.
 * BOURN_E_NOT_FOUND if k has none. */
enum bourn_err note_signature(struct slice lines, const struct merkle_vkey *k,
                              struct buf *signature) BOURN_MUST_USE;

#endif
