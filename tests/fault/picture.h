/* How the records of `people` and `visits` read, for the clients that write them and for the check. */
#ifndef BOURN_FAULT_PICTURE_H
#define BOURN_FAULT_PICTURE_H

#include "story.h"

#include <stddef.h>

/* The record as JSON. `schema`: the version of `people` that is in force. Its field n1 is called n2 from the
 * second version on, n3 from the third; each version declares an extra field of its own (e1, e2 …) and
 * retires the one before. */
void picture_record(char *out, size_t n, size_t who, const struct story_record *r, unsigned schema);
/* What an answer says of a person, "id/version/data;" for each record: those of the collection that have not
 * run out, of one ward, or of any (-1). */
void picture_person(char *out, size_t n, size_t who, const struct story_person *p, unsigned collection,
                    int ward, uint64_t now, unsigned schema);
/* The schema of `people` at a version, as an operator hands it in. */
void picture_schema(char *out, size_t n, unsigned version);

#endif
