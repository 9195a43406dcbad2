/* jansson behind plain types: its header and base/json.h both name JSON_OBJECT. */
#ifndef TESTS_BASE_PEER_H
#define TESTS_BASE_PEER_H

#include "base/buf.h"

enum jansson_verdict {
    JANSSON_TAKES,
    JANSSON_REFUSES,
    JANSSON_CANNOT, /* valid, but a number too large for its types, or a NUL in a name */
};
/* What jansson says of the text, and in *out what it makes of it, written again with sorted keys. */
enum jansson_verdict jansson_parse(struct slice text, struct buf *out);

#endif
