/* The report, for people and as JSON. */
#include "base/json.h"
#include "base/text.h"
#include "verify/verify.h"

static const char *const verdicts[] = {
    [VERDICT_NO_ENTRIES] = "no entries yet",         [VERDICT_HOLDS] = "holds",
    [VERDICT_ERASED] = "undecidable because erased", [VERDICT_NOT_PROVABLE] = "not provable",
    [VERDICT_NOT_EXAMINED] = "not examined",         [VERDICT_VIOLATED] = "violated",
};
static const char *const askers[] = {"unknown", "the person", "a party", "the operator"};
static const char *const grades[] = {
    NULL, "subject-signed", "authority-signed", "operator-attested", "ground", "self"};
static const char *const vouchers[] = {"nobody", "an earlier key", "a registrar", "an app", "the operator"};

const char *verify_verdict_name(enum verify_verdict v)
{
    return verdicts[v];
}

static unsigned long long ull(uint64_t v)
{
    return v;
}

/* What a reader has to know beside the word. */
static const char *why(const struct verify_report *r, unsigned c)
{
    if (c == CLAUSE_P0)
        return "no machine can decide it";
    if (r->verdict[c] == VERDICT_NOT_PROVABLE && r->count[c].unpinned)
        return "decided under a pack that is not pinned";
    if (r->verdict[c] == VERDICT_NOT_PROVABLE && r->policy_given)
        return "no quorum of the witnesses that you named has cosigned this checkpoint";
    if (r->verdict[c] == VERDICT_NOT_PROVABLE)
        return "the operator holds the log's key: give an earlier head, a receipt or a witness policy";
    if (c == CLAUSE_S1 && r->verdict[c] == VERDICT_HOLDS)
        return "of the ledger; the stored records are held against it by `bourn scrub`";
    if (r->verdict[c] == VERDICT_NOT_EXAMINED && r->error[0])
        return "the replay could not read everything";
    if (r->verdict[c] == VERDICT_NOT_EXAMINED)
        return r->evidence_refused ? "evidence was refused"
               : r->rows_given     ? "evidence was not given"
                                   : "rows were not given";
    return "";
}

static void put_erased(struct buf *out, const struct verify_clause_count *n)
{
    for (unsigned i = 0; i < 4; i++)
        if (n->erased[i])
            buf_printf(out, "; %llu erased at the wish of %s", ull(n->erased[i]), askers[i]);
}

static void put_position(struct buf *out, const struct verify_finding *f)
{
    buf_printf(out, "%s %llu", f->is_size ? "size" : "entry", ull(f->at));
}

static void put_coverage(struct buf *out, const struct verify_report *r)
{
    if (r->policy_given)
        buf_printf(out, "witnesses    a quorum has cosigned %llu of %llu entries\n", ull(r->cosigned_size),
                   ull(r->size));
    if (r->witnessed)
        buf_printf(out, "             %llu entries with cosignatures, which bound the clock\n",
                   ull(r->witnessed));
    buf_printf(out, "entries      %llu\npeople       %llu, %llu of them erased\n", ull(r->entries),
               ull(r->people), ull(r->erased_people));
    buf_printf(out, "disclosures  %llu, %llu of them to another country", ull(r->disclosures),
               ull(r->transfers));
    for (unsigned g = 1; g < 6; g++)
        if (r->by_grade[g])
            buf_printf(out, "; %s %llu", grades[g], ull(r->by_grade[g]));
    buf_put_str(out, "\n");
    for (unsigned g = 0; g < 5; g++)
        if (r->by_voucher[g])
            buf_printf(out, "             subject-signed, key vouched for by %s: %llu\n", vouchers[g],
                       ull(r->by_voucher[g]));
    if (r->copies)
        buf_printf(out, "own copies   %llu that people asked for themselves\n", ull(r->copies));
    for (unsigned g = 0; g < 5; g++)
        if (r->copies_by_voucher[g])
            buf_printf(out, "             by a key vouched for by %s: %llu\n", vouchers[g],
                       ull(r->copies_by_voucher[g]));
    if (r->readings)
        buf_printf(out, "histories    %llu that people asked for themselves\n", ull(r->readings));
    if (r->by_grade[3])
        buf_put_str(out, "             an operator's word cannot be told from a false one\n");
    if (r->evidence_given)
        buf_printf(out, "evidence     %llu opened, %llu erased, %llu refused, %llu withheld\n",
                   ull(r->evidence_opened), ull(r->evidence_erased), ull(r->evidence_refused),
                   ull(r->evidence_missing));
    else
        buf_printf(out, "evidence     not given%s\n", r->rows_given ? "" : ", nor rows");
    for (size_t i = 0; i < r->packs_n; i++) {
        const struct verify_pack *p = &r->pack[i];
        buf_printf(out, "pack         %s version %llu (entry %llu): %zu rules, %zu unreviewed, %s", p->name,
                   ull(p->version), ull(p->index), p->rules, p->unreviewed,
                   p->pinned ? "pinned" : "NOT PINNED, pin ");
        if (!p->pinned)
            hex_put(out, slice_of(p->pin, 32));
        buf_put_str(out, "\n");
    }
    if (r->entries && r->delay_s == 0)
        buf_put_str(out, "delay        none: changed packs and schemas count at once, which is for trials\n");
}

void verify_report_text(struct buf *out, const struct verify_report *r)
{
    if (r->have_checkpoint) {
        buf_printf(out, "log          %s\ncheckpoint   size %llu, root ", r->origin, ull(r->size));
        base64_put(out, slice_of(r->root.b, 32));
        buf_printf(out, ", extends %llu earlier heads\n", ull(r->heads));
        if (r->continues[0])
            buf_printf(out, "continues    %s, from entry %llu on; that log had %llu%s\n", r->continues,
                       ull(r->continues_at), ull(r->continues_known),
                       r->continues_known > r->continues_at ? ": those in between are missing here" : "");
        if (r->receipts)
            buf_printf(out, "receipts     %llu kept receipts and proofs, all in this log\n",
                       ull(r->receipts));
    }
    put_coverage(out, r);
    buf_put_str(out, "\n");
    for (unsigned c = 0; c < VERIFY_CLAUSES; c++) {
        const char *note = why(r, c);
        buf_printf(out, "%s  %s%s%s", verify_clause_id((enum verify_clause)c), verdicts[r->verdict[c]],
                   note[0] ? ": " : "", note);
        for (size_t i = 0; i < r->findings_n && r->verdict[c] == VERDICT_VIOLATED; i++)
            if (r->finding[i].clause == c) {
                buf_put_str(out, ": ");
                put_position(out, &r->finding[i]);
                break;
            }
        put_erased(out, &r->count[c]);
        buf_put_str(out, "\n");
    }
    if (r->violations)
        buf_printf(out, "\n%llu violations%s:\n", ull(r->violations),
                   r->violations > r->findings_n ? ", the first of them" : "");
    for (size_t i = 0; i < r->findings_n; i++) {
        buf_put_str(out, "  ");
        put_position(out, &r->finding[i]);
        buf_printf(out, "  %s  %s\n", verify_clause_id(r->finding[i].clause), r->finding[i].reason);
    }
    if (r->error[0])
        buf_printf(out, "\ncould not be read: %s\n", r->error);
    buf_put_str(out, "\nThis proves what was recorded, not where a disk stands, what a recipient does "
                     "afterwards, or that a"
                     " person\nunderstood what they signed.\n");
}

/* Text from the log is hostile: what is not UTF-8 is shown as hex. */
static void json_text(struct buf *out, const char *s)
{
    if (utf8_valid(slice_str(s))) {
        json_put_string(out, slice_str(s));
        return;
    }
    buf_put_str(out, "\"");
    hex_put(out, slice_str(s));
    buf_put_str(out, "\"");
}

static void json_clauses(struct buf *out, const struct verify_report *r)
{
    buf_put_str(out, "\"clauses\":[");
    for (unsigned c = 0; c < VERIFY_CLAUSES; c++) {
        const struct verify_clause_count *n = &r->count[c];
        buf_printf(out,
                   "%s{\"id\":\"%s\",\"verdict\":\"%s\",\"why\":\"%s\",\"examined\":%llu,\"violated\":%llu",
                   c ? "," : "", verify_clause_id((enum verify_clause)c), verdicts[r->verdict[c]], why(r, c),
                   ull(n->examined), ull(n->violated));
        buf_printf(out,
                   ",\"not_examined\":%llu,\"unpinned\":%llu,\"erased\":{\"person\":%llu,\"party\":%llu,"
                   "\"operator\":%llu}}",
                   ull(n->not_examined), ull(n->unpinned), ull(n->erased[1]), ull(n->erased[2]),
                   ull(n->erased[3]));
    }
    buf_put_str(out, "],");
}

static void json_coverage(struct buf *out, const struct verify_report *r)
{
    buf_printf(out,
               "\"coverage\":{\"entries\":%llu,\"people\":%llu,\"erased\":%llu,\"rows_given\":%s,\"evidence_"
               "given\":%s,",
               ull(r->entries), ull(r->people), ull(r->erased_people), r->rows_given ? "true" : "false",
               r->evidence_given ? "true" : "false");
    buf_printf(out, "\"delay_s\":%llu,\"disclosures\":%llu,\"transfers\":%llu,\"by_grade\":{",
               ull(r->delay_s), ull(r->disclosures), ull(r->transfers));
    for (unsigned g = 1; g < 6; g++)
        buf_printf(out, "%s\"%s\":%llu", g > 1 ? "," : "", grades[g], ull(r->by_grade[g]));
    buf_printf(out, "},\"witnesses\":{\"policy_given\":%s,\"cosigned_size\":%llu,\"entries\":%llu",
               r->policy_given ? "true" : "false", ull(r->cosigned_size), ull(r->witnessed));
    buf_put_str(out, "},\"subject_signed_by_voucher\":{");
    for (unsigned g = 1; g < 5; g++)
        buf_printf(out, "%s\"%s\":%llu", g > 1 ? "," : "", vouchers[g], ull(r->by_voucher[g]));
    buf_printf(out, "},\"own_copies\":{\"total\":%llu,\"by_voucher\":{", ull(r->copies));
    for (unsigned g = 1; g < 5; g++)
        buf_printf(out, "%s\"%s\":%llu", g > 1 ? "," : "", vouchers[g], ull(r->copies_by_voucher[g]));
    buf_printf(out,
               "}},\"own_histories\":%llu,\"evidence\":{\"opened\":%llu,\"erased\":%llu,\"refused\":%llu,"
               "\"withheld\":%llu},\"packs\":[",
               ull(r->readings), ull(r->evidence_opened), ull(r->evidence_erased), ull(r->evidence_refused),
               ull(r->evidence_missing));
    for (size_t i = 0; i < r->packs_n; i++) {
        const struct verify_pack *p = &r->pack[i];
        buf_printf(out, "%s{\"name\":", i ? "," : "");
        json_text(out, p->name);
        buf_printf(
            out, ",\"version\":%llu,\"entry\":%llu,\"rules\":%zu,\"unreviewed\":%zu,\"pinned\":%s,\"pin\":\"",
            ull(p->version), ull(p->index), p->rules, p->unreviewed, p->pinned ? "true" : "false");
        hex_put(out, slice_of(p->pin, 32));
        buf_put_str(out, "\"}");
    }
    buf_put_str(out, "]}");
}

void verify_report_json(struct buf *out, const struct verify_report *r)
{
    buf_printf(out, "{\"exit\":%d,\"checkpoint\":", verify_exit_code(r));
    if (r->have_checkpoint) {
        buf_put_str(out, "{\"origin\":");
        json_text(out, r->origin);
        buf_printf(out, ",\"size\":%llu,\"root\":\"", ull(r->size));
        base64_put(out, slice_of(r->root.b, 32));
        buf_printf(out, "\",\"earlier_heads\":%llu,\"receipts\":%llu,\"continues\":", ull(r->heads),
                   ull(r->receipts));
        if (r->continues[0]) {
            buf_put_str(out, "{\"origin\":");
            json_put_string(out, slice_str(r->continues));
            buf_printf(out, ",\"entry\":%llu,\"known\":%llu}},", ull(r->continues_at),
                       ull(r->continues_known));
        } else {
            buf_put_str(out, "null},");
        }
    } else {
        buf_put_str(out, "null,");
    }
    json_clauses(out, r);
    buf_printf(out, "\"violations_total\":%llu,\"violations\":[", ull(r->violations));
    for (size_t i = 0; i < r->findings_n; i++) {
        const struct verify_finding *f = &r->finding[i];
        buf_printf(out, "%s{\"clause\":\"%s\",\"%s\":%llu,\"reason\":", i ? "," : "",
                   verify_clause_id(f->clause), f->is_size ? "size" : "entry", ull(f->at));
        json_text(out, f->reason);
        buf_put_str(out, "}");
    }
    buf_put_str(out, "],");
    json_coverage(out, r);
    buf_put_str(out, ",\"error\":");
    if (r->error[0])
        json_text(out, r->error);
    else
        buf_put_str(out, "null");
    buf_put_str(out, "}\n");
}
