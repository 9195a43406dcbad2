/* One generic codec for maps with small unsigned keys, driven by a table: key -> where the value lies in a C
 * struct, what it is and its limits. entry.c holds the tables; the same check guards what is written and what
 * is read, so that nothing can be written that could not be read again. Internal to cbor. */
#ifndef BOURN_CBOR_CODEC_H
#define BOURN_CBOR_CODEC_H

#include "base/arena.h"
#include "cbor/cbor.h"

#define CODEC_NUMBER_MAX (((uint64_t)1 << 53) - 1) /* so that a reader in JavaScript loses nothing */
#define CODEC_KEYS_MAX 63

enum codec_type {                  /* the C type of the member, and the CBOR that it becomes */
                  CODEC_ABSENT,    /* no such key */
                  CODEC_U32,       /* uint32_t: uint */
                  CODEC_U64,       /* uint64_t: uint */
                  CODEC_PREV,      /* uint64_t: uint, or null for UINT64_MAX */
                  CODEC_BOOL,      /* bool */
                  CODEC_B16,       /* uint8_t[16]: bstr */
                  CODEC_B32,       /* uint8_t[32]: bstr */
                  CODEC_BYTES,     /* struct slice: bstr */
                  CODEC_KEY,       /* struct slice of 32: bstr */
                  CODEC_TEXT,      /* struct slice: tstr */
                  CODEC_NAME,      /* struct slice: tstr, name_valid */
                  CODEC_TERM,      /* struct slice: tstr, term_valid */
                  CODEC_TERM_NULL, /* struct slice: tstr, term_valid, or null for empty */
                  CODEC_COUNTRY,   /* struct slice: tstr, country_valid */
                  CODEC_TUPLE,     /* a struct: array of its parts */
};
enum codec_list {
    CODEC_SINGLE,
    CODEC_ANY_ORDER,
    CODEC_UNIQUE,
    CODEC_ASCENDING
}; /* ascending: each once too */

struct codec_field {
    const char *name;
    uint8_t type, list;
    uint16_t at, n_at;               /* offsets: of the value or array pointer, and of the array's count */
    uint64_t lo, hi;                 /* numbers: value; strings: bytes; lists: elements */
    const struct codec_tuple *tuple; /* CODEC_TUPLE */
};
struct codec_tuple {
    size_t size; /* of the struct */
    unsigned n;
    bool whole_order; /* two are compared by all their parts, else by the first alone */
    struct codec_field parts[3];
};
struct codec {
    const char *what; /* for errors: "entry" */
    const struct codec_field *fields;
    unsigned key_max;
    size_t bytes_max;
};

/* NULL if every value named by `has` is within its limits, otherwise what is wrong; *key is then the key. */
const char *codec_check(const struct codec *c, uint64_t has, const void *s, unsigned *key);
/* Appends the map. The caller has checked. */
void codec_put(struct buf *out, const struct codec *c, uint64_t has, const void *s);

struct codec_reader {
    struct cbor in;
    struct arena *arena; /* may be NULL where no field is a list */
    unsigned key;        /* the one being read, for errors; 0: none */
    bool no_memory;
};
/* Reads the map's head: its number of pairs. */
uint64_t codec_get_head(const struct codec *c, struct codec_reader *r);
/* Reads the next pair into s if its key is in `may`; adds it to *has. */
void codec_get_pair(const struct codec *c, struct codec_reader *r, uint64_t may, void *s, uint64_t *has);
/* The verdict, once all was read: error text with place and reason. */
enum bourn_err codec_done(const struct codec *c, const struct codec_reader *r) BOURN_MUST_USE;

#endif
