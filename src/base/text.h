/* Text encodings: hex, base64 (RFC 4648 section 4), base64url without padding (section 5), UTF-8 (RFC 3629),
 * decimal numbers and RFC 3339 times. Decoders accept the one canonical form and nothing else. */
#ifndef BOURN_BASE_TEXT_H
#define BOURN_BASE_TEXT_H

#include "base/buf.h"

void hex_put(struct buf *b, struct slice in);                /* lower case */
bool hex_get(struct slice in, uint8_t *out, size_t out_len); /* exactly out_len bytes; lower case only */
void base64_put(struct buf *b, struct slice in);             /* with padding */
void base64url_put(struct buf *b, struct slice in);          /* without padding */
bool base64_get(struct slice in, struct buf *out);           /* appends; non-canonical input is refused */
bool base64url_get(struct slice in, struct buf *out);
bool utf8_valid(struct slice in); /* no surrogates, no overlong forms */
/* Decimal without sign or leading zeros; false on anything else or overflow. */
bool decimal_get(struct slice in, uint64_t *out);
/* "2026-11-21T10:00:00Z" to and from POSIX seconds (RFC 3339, whole seconds, Z only). Years 1970..9999. */
void time_put(struct buf *b, uint64_t seconds);
bool time_get(struct slice in, uint64_t *seconds);
/* The same, and also a bare date "2031-01-01", which is its first second. */
bool time_or_date_get(struct slice in, uint64_t *seconds);
/* Lexical forms of typed values, as a collection's schema means them. integer: "0", "-12", no leading zeros
 * or plus; decimal: an integer with an optional fraction and exponent (RFC 8259 number); boolean: true or
 * false; date: YYYY-MM-DD of the Gregorian calendar, any year 0001..9999; datetime: RFC 3339 with Z or an
 * offset. */
bool text_is_integer(struct slice in);
bool text_is_decimal(struct slice in);
bool text_is_boolean(struct slice in);
bool text_is_date(struct slice in);
bool text_is_datetime(struct slice in);
/* "CN": two upper-case letters, the form of ISO 3166-1 alpha-2. */
bool country_valid(struct slice in);
/* A name of a party, collection, notice, pack or field: 1..64 of a-z 0-9 _ - ., first a letter or digit.
 * Upper case is allowed for fields too. */
bool name_valid(struct slice in);
/* A purpose or ground: 1..128 printable ASCII characters without space, quote, backslash or comma. */
bool term_valid(struct slice in);

#endif
