/* Which part of the log speaks for which clause of the pledge: the one place in the code
 * (docs/formats/verify.md holds the same table in words), and how findings and counts become verdicts. */
#include "verify/internal.h"

#include <stdarg.h>
#include <stdio.h>

#define B(c) BIT(CLAUSE_##c)
static const struct speaks {
    uint32_t layer[3]; /* clauses that entry, rows and evidence speak for */
    bool gated;        /* the gate decides: an unpinned pack leaves the clauses of the rows unprovable */
} speaks[ENTRY_KIND_MAX + 1] = {
    [ENTRY_GENESIS] = {.layer = {B(V1) | B(V2)}},
    [ENTRY_POLICY] = {.layer = {B(V2)}},
    [ENTRY_COLLECTION] = {.layer = {B(K1) | B(V2)}},
    [ENTRY_CONFIG] = {.layer = {B(V2)}},
    [ENTRY_PARTY] = {.layer = {B(C2) | B(K4)}},
    [ENTRY_NOTICE] = {.layer = {B(K5)}},
    [ENTRY_ENROLLED] = {.layer = {B(C2), B(K3) | B(K4)}},
    [ENTRY_KEY] = {.layer = {0, B(C2), B(C2) | B(S3)}},
    [ENTRY_CONSENT] = {.layer = {B(C2), B(K5) | B(C1) | B(C3) | B(H1) | B(S3),
                                 B(K2) | B(K5) | B(C1) | B(C2) | B(C3) | B(C4) | B(H1) | B(S3)}},
    [ENTRY_WITHDRAWN] = {.layer = {0, B(H1)}},
    [ENTRY_STORED] = {.layer = {B(K1) | B(K2), B(K3) | B(C1) | B(C3) | B(S1) | B(S3)}, .gated = true},
    [ENTRY_DELETED] = {.layer = {B(K2), B(K3) | B(C3) | B(S1)}, .gated = true},
    [ENTRY_DISCLOSED] = {.layer = {B(K1) | B(K2) | B(K4) | B(S2),
                                   B(K3) | B(C2) | B(C3) | B(C4) | B(H1) | B(S2) | B(S3)},
                         .gated = true},
    [ENTRY_REFUSED] = {.layer = {B(C4)}},
    [ENTRY_ERASED] = {.layer = {0, B(H1)}},
    [ENTRY_CONTINUED] = {.layer = {B(V1)}},
    [ENTRY_CARRIED] = {.layer = {B(H1), B(H1)}},
    [ENTRY_WITNESSED] = {.layer = {B(V1)}},
    [ENTRY_EXPIRED] = {.layer = {B(K1), B(K1) | B(S1)}},
    [ENTRY_EXPORTED] = {.layer = {0, B(K1) | B(K3) | B(C2) | B(C3) | B(H3) | B(S1), B(C2) | B(C3) | B(H3)}},
};
#undef B
static const char *const ids[VERIFY_CLAUSES] = {"P0", "K1", "K2", "K3", "K4", "K5", "C1", "C2",
                                                "C3", "C4", "H1", "H2", "H3", "T1", "T2", "T3",
                                                "T4", "S1", "S2", "S3", "V1", "V2", "V3"};

const char *verify_clause_id(enum verify_clause c)
{
    return ids[c];
}

enum verify_clause clause_named(const char *id, size_t n, enum verify_clause otherwise)
{
    for (unsigned c = 0; c < VERIFY_CLAUSES; c++)
        if (n == 2 && memcmp(ids[c], id, 2) == 0)
            return (enum verify_clause)c;
    return otherwise;
}

uint32_t clauses_of(uint32_t kind, enum layer layer)
{
    return kind <= ENTRY_KIND_MAX ? speaks[kind].layer[layer] | BIT(CLAUSE_V3) : 0;
}

bool clauses_gated(uint32_t kind)
{
    return kind <= ENTRY_KIND_MAX && speaks[kind].gated;
}

void clauses_count(struct replay *v, uint32_t clauses, enum clause_count what)
{
    for (; clauses; clauses &= clauses - 1) {
        struct verify_clause_count *n = &v->rep->count[__builtin_ctz(clauses)];
        ++*(what == COUNT_EXAMINED ? &n->examined : what == COUNT_UNPINNED ? &n->unpinned : &n->not_examined);
    }
}

/* Keeps those with the lowest positions and, within one, those that come first in the order of checks. */
__attribute__((format(printf, 3, 0))) static void add(struct replay *v, struct verify_finding f,
                                                      const char *fmt, va_list ap)
{
    struct verify_report *r = v->rep;
    pthread_mutex_lock(&v->findings);
    r->count[f.clause].violated++;
    r->violations++;
    size_t i = r->findings_n;
    while (i > 0 &&
           (r->finding[i - 1].at > f.at || (r->finding[i - 1].at == f.at && r->finding[i - 1].seq > f.seq)))
        i--;
    if (i < VERIFY_FINDINGS_MAX) {
        if (r->findings_n < VERIFY_FINDINGS_MAX)
            r->findings_n++;
        memmove(&r->finding[i + 1], &r->finding[i], (r->findings_n - 1 - i) * sizeof r->finding[0]);
        vsnprintf(f.reason, sizeof f.reason, fmt, ap);
        r->finding[i] = f;
    }
    pthread_mutex_unlock(&v->findings);
}

void finding(struct replay *v, enum verify_clause c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(v, (struct verify_finding){.clause = c, .at = v->index, .seq = v->seq++}, fmt, ap);
    va_end(ap);
}

void finding_at(struct replay *v, enum verify_clause c, bool is_size, uint64_t at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(v, (struct verify_finding){.clause = c, .is_size = is_size, .at = at, .seq = v->seq++}, fmt, ap);
    va_end(ap);
}

void finding_late(struct replay *v, enum verify_clause c, uint64_t at, uint64_t seq, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(v, (struct verify_finding){.clause = c, .at = at, .seq = seq}, fmt, ap);
    va_end(ap);
}

static void add_tally(struct replay *v, uint32_t kind, enum layer layer)
{
    const uint64_t *n = v->tally[kind][layer];
    for (uint32_t clauses = clauses_of(kind, layer); clauses; clauses &= clauses - 1) {
        v->rep->count[__builtin_ctz(clauses)].not_examined += n[false];
        v->rep->count[__builtin_ctz(clauses)].examined += n[true];
    }
}

void clauses_settle(struct replay *v)
{
    struct verify_report *r = v->rep;
    for (uint32_t kind = 0; kind <= ENTRY_KIND_MAX; kind++)
        for (enum layer l = LAYER_ENTRY; l <= LAYER_EVIDENCE; l++)
            add_tally(v, kind, l);
    for (unsigned c = 0; c < VERIFY_CLAUSES; c++) {
        const struct verify_clause_count *n = &r->count[c];
        bool erased = n->erased[0] || n->erased[1] || n->erased[2] || n->erased[3];
        /* The operator holds the log's key: without an earlier head or receipt, or a quorum
         * of the witnesses that the user names, it may have written another log. */
        bool proven = r->policy_given ? r->cosigned_size == r->size : r->heads + r->receipts > 0;
        bool needs_head = (c == CLAUSE_V1 || c == CLAUSE_S1) && !proven;
        /* What came behind an unreadable place may have spoken for any clause. */
        bool cut = r->error[0] && c != CLAUSE_P0;
        r->verdict[c] = n->violated              ? VERDICT_VIOLATED
                        : c == CLAUSE_P0         ? VERDICT_NOT_PROVABLE
                        : n->not_examined || cut ? VERDICT_NOT_EXAMINED
                        : n->unpinned            ? VERDICT_NOT_PROVABLE
                        : needs_head             ? VERDICT_NOT_PROVABLE
                        : erased                 ? VERDICT_ERASED
                        : n->examined            ? VERDICT_HOLDS
                                                 : VERDICT_NO_ENTRIES;
    }
}

int verify_exit_code(const struct verify_report *r)
{
    int code = r->violations ? 1 : r->error[0] || !r->have_checkpoint ? 2 : 0;
    for (unsigned c = 0; c < VERIFY_CLAUSES && code == 0; c++)
        if (r->verdict[c] == VERDICT_NOT_EXAMINED || r->count[c].unpinned)
            code = 2;
    return code;
}
