#include "infer.h"

#include "base/text.h"

#define BIT(type) (1u << (type))
#define ALL                                                                                                  \
    (BIT(FIELD_TEXT) | BIT(FIELD_INTEGER) | BIT(FIELD_DECIMAL) | BIT(FIELD_BOOLEAN) | BIT(FIELD_DATE) |      \
     BIT(FIELD_DATETIME) | BIT(FIELD_JSON))

/* At most 18 digits, so that no reader's 64-bit number is too small. */
static bool is_integer(struct slice v)
{
    return text_is_integer(v) && v.n <= 18 && !slice_is(v, "-0");
}

/* Without an exponent: "12e4" is rather a name. */
static bool is_decimal(struct slice v)
{
    return text_is_decimal(v) && v.n <= 40 && !slice_is(v, "-0") && !memchr(v.p, 'e', v.n) &&
           !memchr(v.p, 'E', v.n) && (is_integer(v) || memchr(v.p, '.', v.n));
}

void infer_init(struct infer *f)
{
    *f = (struct infer){.types = ALL};
}

static void narrow(struct infer *f, unsigned types)
{
    f->any = true;
    f->types &= types;
}

static unsigned text_types(struct slice v)
{
    return BIT(FIELD_TEXT) | BIT(FIELD_JSON) | (text_is_date(v) ? BIT(FIELD_DATE) : 0) |
           (text_is_datetime(v) ? BIT(FIELD_DATETIME) : 0);
}

void infer_text(struct infer *f, struct slice v)
{
    if (v.n == 0)
        return;
    narrow(f, text_types(v) | (is_integer(v) ? BIT(FIELD_INTEGER) : 0) |
                  (is_decimal(v) ? BIT(FIELD_DECIMAL) : 0) |
                  (slice_is(v, "true") || slice_is(v, "false") ? BIT(FIELD_BOOLEAN) : 0));
}

void infer_json(struct infer *f, struct json_value v)
{
    if (v.type == JSON_NULL || (v.type == JSON_STRING && v.raw.n == 2))
        return;
    unsigned types = BIT(FIELD_JSON);
    if (v.type == JSON_BOOL)
        types |= BIT(FIELD_BOOLEAN);
    else if (v.type == JSON_NUMBER)
        types |= (is_integer(v.raw) ? BIT(FIELD_INTEGER) : 0) | (is_decimal(v.raw) ? BIT(FIELD_DECIMAL) : 0);
    else if (v.type == JSON_STRING)
        types |= text_types(slice_of(v.raw.p + 1, v.raw.n - 2)); /* dates hold no escapes */
    narrow(f, types);
}

uint32_t infer_type(const struct infer *f)
{
    static const uint32_t narrowest[] = {FIELD_BOOLEAN, FIELD_INTEGER,  FIELD_DECIMAL,
                                         FIELD_DATE,    FIELD_DATETIME, FIELD_TEXT};
    for (size_t i = 0; f->any && i < sizeof narrowest / sizeof *narrowest; i++)
        if (f->types & BIT(narrowest[i]))
            return narrowest[i];
    return f->any ? FIELD_JSON : FIELD_TEXT;
}
