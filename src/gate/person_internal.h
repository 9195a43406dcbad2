/* Between the files of a person: not for other folders. */
#ifndef BOURN_GATE_PERSON_INTERNAL_H
#define BOURN_GATE_PERSON_INTERNAL_H

#include "gate/person.h"

/* Appends a copy of `from`, whose lists are borrowed; false out of memory. */
bool person_add_basis(struct person *p, const struct gate_basis *from);

#endif
