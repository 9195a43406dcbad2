#include "log_line.h"

#include "base/text.h"
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>

static const char *party_name(const struct log_parties *l, uint64_t index)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->p[i].index == index)
            return l->p[i].name;
    return "?";
}

enum bourn_err log_parties_keep(struct log_parties *l, uint64_t index, const struct entry *e)
{
    if (e->kind != ENTRY_PARTY || !entry_has(e, E_NAME))
        return BOURN_OK;
    struct log_party *grown = realloc(l->p, (l->n + 1) * sizeof *grown);
    if (!grown)
        return err_set(BOURN_E_MEMORY, "out of memory");
    l->p = grown;
    struct log_party *p = &grown[l->n++];
    p->index = index;
    snprintf(p->name, sizeof p->name, "%.*s", e->name.n < 65 ? (int)e->name.n : 64, (const char *)e->name.p);
    return BOURN_OK;
}

static const char *operation(uint32_t op)
{
    static const char *const names[] = {"?", "read", "search", "write", "delete", "evidence", "self"};
    return names[op <= OP_SELF ? op : 0];
}

static void rights(struct buf *b, uint32_t bits, const char *quote)
{
    static const char *const names[] = {"read",  "write",  "consent", "enrol",
                                        "erase", "search", "link",    "audit"};
    int n = 0;
    for (unsigned i = 0; i < 8; i++)
        if (bits >> i & 1)
            buf_printf(b, "%s%s%s%s", n++ ? "," : "", quote, names[i], quote);
}

static void word(struct buf *b, const char *before, struct slice s, const char *after)
{
    buf_put_str(b, before);
    cli_printable(b, s);
    buf_put_str(b, after);
}

/* What is particular to a kind, where the plain words of log_line_text do not say it. */
static void detail(struct buf *b, const struct log_parties *l, const struct entry *e)
{
    static const char *const asked[] = {"?", "the person", "a party", "the operator"};
    switch (e->kind) {
    case ENTRY_GENESIS:
        word(b, " ", e->origin, "");
        word(b, ", people of ", e->domicile, "");
        word(b, ", controller ", e->legal_name, "");
        buf_printf(b, ", delay %llu s%s", (unsigned long long)e->delay, e->delay ? "" : " (a trial)");
        break;
    case ENTRY_COLLECTION:
        buf_printf(b, ", %zu fields%s", e->fields_declared_n, e->sensitive ? ", sensitive" : "");
        break;
    case ENTRY_CONFIG:
        buf_printf(b, " %zu settings", e->settings_n);
        break;
    case ENTRY_PARTY:
        if (entry_has(e, E_ENDS)) {
            buf_printf(b, " %s has ended", party_name(l, e->ends));
            break;
        }
        word(b, ", ", e->party_kind, "");
        word(b, " in ", e->jurisdiction, ", rights ");
        rights(b, e->rights, "");
        for (size_t i = 0; i < e->purposes_n; i++) {
            word(b, ", ", e->purposes[i].purpose, "");
            if (e->purposes[i].ground.n)
                word(b, " (", e->purposes[i].ground, ")");
        }
        break;
    case ENTRY_NOTICE:
        word(b, " in ", e->language, "");
        break;
    case ENTRY_CONTINUED:
        word(b, " as ", e->origin, "");
        word(b, ", before it ", e->continues, "");
        buf_printf(b, " of %llu entries", (unsigned long long)e->known);
        break;
    case ENTRY_CARRIED:
        buf_printf(b, " %s in entry %llu of the log before",
                   entry_has(e, E_ASKED_BY) ? "erased" : "withdrawn", (unsigned long long)e->from);
        break;
    case ENTRY_WITNESSED:
        buf_printf(b, " the first %llu entries", (unsigned long long)e->tree_size);
        break;
    case ENTRY_EXPORTED:
        buf_put_str(b, entry_has(e, E_OPERATION) ? ": a person read their history" : ": a person's own copy");
        break;
    case ENTRY_ERASED:
        buf_printf(b, ", asked for by %s", asked[e->asked_by <= 3 ? e->asked_by : 0]);
        break;
    default:
        break;
    }
}

void log_line_text(struct buf *b, const struct log_parties *l, uint64_t index, const struct entry *e)
{
    const char *kind = entry_kind_name(e->kind);
    buf_printf(b, "%6llu  ", (unsigned long long)index);
    time_put(b, e->time);
    buf_printf(b, "  %-10s", kind ? kind : "unknown");
    if (entry_has(e, E_NAME) && !(e->kind == ENTRY_PARTY && entry_has(e, E_ENDS)))
        word(b, " ", e->name, "");
    if (entry_has(e, E_VERSION))
        buf_printf(b, " version %llu", (unsigned long long)e->version);
    if (entry_has(e, E_PARTY))
        word(b, " ", slice_str(party_name(l, e->party)), "");
    if (entry_has(e, E_DESTINATION))
        word(b, " to ", e->destination, "");
    if (entry_has(e, E_OPERATION) && e->kind != ENTRY_EXPORTED)
        buf_printf(b, ", %s", operation(e->operation));
    if (entry_has(e, E_COLLECTION))
        word(b, " ", e->collection, "");
    if (entry_has(e, E_PURPOSE))
        word(b, " for ", e->purpose, "");
    detail(b, l, e);
    if (entry_has(e, E_CODE))
        word(b, ": ", e->code, "");
    if (entry_has(e, E_COUNT) && e->kind == ENTRY_REFUSED)
        buf_printf(b, e->count == 1 ? ", once" : ", %llu times", (unsigned long long)e->count);
    else if (entry_has(e, E_COUNT))
        buf_printf(b, e->count == 1 ? ", 1 person" : ", %llu people", (unsigned long long)e->count);
    buf_put_u8(b, '\n');
}

static void member(struct buf *b, const char *name, struct slice s)
{
    buf_printf(b, ",\"%s\":", name);
    json_put_string(b, utf8_valid(s) ? s : slice_str("?"));
}

void log_line_json(struct buf *b, const struct log_parties *l, uint64_t index, const struct entry *e)
{
    const char *kind = entry_kind_name(e->kind);
    const struct {
        enum entry_key key;
        const char *name;
        struct slice value;
    } texts[] = {
        {E_NAME, "name", e->name},
        {E_LEGAL_NAME, "legal_name", e->legal_name},
        {E_PARTY_KIND, "party_kind", e->party_kind},
        {E_JURISDICTION, "jurisdiction", e->jurisdiction},
        {E_ORIGIN, "origin", e->origin},
        {E_DOMICILE, "domicile", e->domicile},
        {E_LANGUAGE, "language", e->language},
        {E_PURPOSE, "purpose", e->purpose},
        {E_COLLECTION, "collection", e->collection},
        {E_DESTINATION, "destination", e->destination},
        {E_CODE, "code", e->code},
        {E_CAUSE, "cause", e->cause},
        {E_CONTINUES, "continues", e->continues},
        {E_COSIGNATURES, "cosignatures", e->cosignatures},
    };
    const struct {
        enum entry_key key;
        const char *name;
        uint64_t value;
    } numbers[] = {
        {E_COUNT, "count", e->count},   {E_VERSION, "version", e->version},    {E_ENDS, "ends", e->ends},
        {E_DELAY, "delay_s", e->delay}, {E_ASKED_BY, "asked_by", e->asked_by}, {E_KNOWN, "known", e->known},
        {E_FROM, "from", e->from},      {E_TREE_SIZE, "size", e->tree_size},
    };
    buf_printf(b, "{\"index\":%llu,\"time\":\"", (unsigned long long)index);
    time_put(b, e->time);
    buf_put_str(b, "\"");
    member(b, "kind", slice_str(kind ? kind : "unknown"));
    if (entry_has(e, E_PARTY)) {
        member(b, "party", slice_str(party_name(l, e->party)));
        buf_printf(b, ",\"party_entry\":%llu", (unsigned long long)e->party);
    }
    if (entry_has(e, E_OPERATION))
        member(b, "operation", slice_str(operation(e->operation)));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (entry_has(e, texts[i].key))
            member(b, texts[i].name, texts[i].value);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (entry_has(e, numbers[i].key))
            buf_printf(b, ",\"%s\":%llu", numbers[i].name, (unsigned long long)numbers[i].value);
    if (entry_has(e, E_RIGHTS)) {
        buf_put_str(b, ",\"rights\":[");
        rights(b, e->rights, "\"");
        buf_put_str(b, "]");
    }
    buf_put_str(b, "}\n");
}
