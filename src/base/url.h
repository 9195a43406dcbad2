/* URLs that bourn posts to: of witnesses and webhooks. */
#ifndef BOURN_BASE_URL_H
#define BOURN_BASE_URL_H

#include "base/slice.h"

/* https, or http on loopback, with a host and, where one is named, a port that can be one; printable ASCII
 * without user info, fragment, quote or backslash. */
bool url_ok(const char *url);
/* Of one that is: the bytes up to the end of host and port, and the port. */
struct slice url_origin(const char *url);
uint16_t url_port(const char *url);

#endif
