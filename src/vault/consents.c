/* Consents: the statement to sign, the list, withdrawal. */
#include "vault/internal.h"

#include "base/json.h"
#include "base/text.h"
#include "consent/consent.h"

enum bourn_err find_or_404(struct vault *v, const struct request *r, struct subject *s, struct answer *a,
                           bool *found)
{
    enum bourn_err err = subject_find(v, r->subject, s);
    *found = err == BOURN_OK;
    if (err == BOURN_E_NOT_FOUND) {
        answer_problem(a, 404, "subject_unknown", "the cell holds nobody by this identifier");
        return BOURN_OK;
    }
    return err;
}

/* Reads a member that is an array of 1..CONSENT_LIST_MAX strings, each once. */
static bool string_list(struct vault *v, struct json_value object, const char *name, struct slice *out,
                        size_t *n, struct answer *a)
{
    struct json_value list;
    struct json_member m;
    size_t at = 0;
    *n = 0;
    if (json_find(object, name, &list) && list.type == JSON_ARRAY)
        while (json_next(list, &at, &m)) {
            if (m.value.type != JSON_STRING || *n == CONSENT_LIST_MAX) {
                *n = 0;
                break;
            }
            struct slice s = text_decoded(v, m.value);
            bool twice = false;
            for (size_t i = 0; i < *n; i++)
                twice = twice || slice_eq(out[i], s);
            if (!twice)
                out[(*n)++] = s;
        }
    if (*n == 0)
        answer_problem(a, 422, "consent_malformed", "/%s: a list of 1 to %d strings is needed", name,
                       CONSENT_LIST_MAX);
    return *n > 0;
}

void sort_slices(struct slice *v, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k > 0 && slice_cmp(v[k - 1], v[k]) > 0; k--) {
            struct slice t = v[k];
            v[k] = v[k - 1];
            v[k - 1] = t;
        }
}

static bool fill_recipients(struct vault *v, const struct slice *names, size_t n,
                            struct consent_statement *st, struct answer *a)
{
    for (size_t i = 0; i < n; i++) {
        const struct gate_party *p = world_party_named(v->world, names[i]);
        if (!p) {
            answer_problem(a, 422, "recipient_unknown", "/recipients/%zu: no such party", i);
            return false;
        }
        struct consent_recipient *to = &st->recipients[st->recipients_n++];
        *to = (struct consent_recipient){p->name, p->legal_name, p->jurisdiction, p->contact, {0}};
        memcpy(to->party_hash, p->hash, 32);
        bool twice = false;
        for (size_t k = 0; k < st->destinations_n; k++)
            twice = twice || slice_eq(st->destinations[k], p->jurisdiction);
        if (!twice)
            st->destinations[st->destinations_n++] = p->jurisdiction;
    }
    sort_slices(st->destinations, st->destinations_n);
    return true;
}

static bool fill_purposes(struct vault *v, const struct slice *terms, size_t n, struct consent_statement *st,
                          struct answer *a)
{
    for (size_t i = 0; i < n; i++) {
        struct buf words;
        if (!term_valid(terms[i])) {
            answer_problem(a, 422, "purpose_malformed", "/purposes/%zu: not a purpose term", i);
            return false;
        }
        buf_init(&words, 512);
        consent_purpose_words(&words, terms[i]);
        st->purposes[st->purposes_n++] =
            (struct consent_purpose){terms[i], arena_copy(&v->arena, buf_slice(&words))};
        buf_release(&words);
    }
    return true;
}

/* Fills the statement from what the app asks for; false with the answer made. */
static bool fill_statement(struct vault *v, struct json_value body, const struct subject *s,
                           struct consent_statement *st, struct answer *a)
{
    struct slice terms[CONSENT_LIST_MAX], names[CONSENT_LIST_MAX];
    struct json_value value;
    size_t terms_n, names_n;
    *st = (struct consent_statement){.origin = world_origin(v->world), .domicile = world_domicile(v->world)};
    st->controller = world_controller(v->world, &st->controller_contact);
    memcpy(st->label, s->person.label, 16);
    crypto_random(st->nonce, sizeof st->nonce);
    st->issued = v->now;
    if (!string_list(v, body, "purposes", terms, &terms_n, a) || !fill_purposes(v, terms, terms_n, st, a) ||
        !string_list(v, body, "recipients", names, &names_n, a) ||
        !fill_recipients(v, names, names_n, st, a) ||
        !string_list(v, body, "collections", st->collections, &st->collections_n, a))
        return false;
    sort_slices(st->collections, st->collections_n);
    for (size_t i = 0; i < st->collections_n; i++)
        if (!world_collection(v->world, st->collections[i], v->now)) {
            answer_problem(a, 422, "collection_unknown",
                           "/collections: a collection that the cell does not have");
            return false;
        }
    if (!json_find(body, "expires", &value) || !time_or_date_get(text_decoded(v, value), &st->expires) ||
        st->expires <= v->now || st->expires > v->now + CONSENT_YEARS_MAX * 366ull * 86400) {
        answer_problem(a, 422, "expires_malformed",
                       "/expires: a date (2031-01-01) or UTC time in the future, at most %d years ahead",
                       CONSENT_YEARS_MAX);
        return false;
    }
    struct slice language = slice_str("en"), name = slice_of(NULL, 0);
    if (json_find(body, "language", &value))
        language = text_decoded(v, value);
    if (json_find(body, "notice", &value))
        name = text_decoded(v, value);
    const struct world_notice *notice = world_notice_named(v->world, name, language);
    if (!notice) {
        answer_problem(a, 422, "notice_unknown", "/notice: no notice by this name and language");
        return false;
    }
    st->notice_name = notice->name;
    st->notice_language = notice->language;
    st->notice_version = notice->version;
    memcpy(st->notice_hash, notice->hash, 32);
    return true;
}

enum bourn_err handle_consent_request(struct vault *v, const struct request *r, const struct gate_party *p,
                                      struct answer *a)
{
    struct subject s;
    struct json_value body;
    struct consent_statement *st = arena_alloc(&v->arena, sizeof *st);
    bool found;
    (void)p;
    if (!st)
        return err_set(BOURN_E_MEMORY, "out of memory for a statement");
    enum bourn_err err = find_or_404(v, r, &s, a, &found);
    if (err || !found)
        return err;
    if (body_object(r, &body, a) && fill_statement(v, body, &s, st, a)) {
        answer_json(a, 200);
        buf_put_str(&a->body, "{\"statement\":");
        consent_statement_put(&a->body, st);
        buf_put_str(&a->body, "}");
    }
    subject_release(&s);
    return BOURN_OK;
}

static void put_texts(struct buf *b, const char *name, struct gate_list list)
{
    buf_printf(b, ",\"%s\":[", name);
    for (size_t i = 0; i < list.n; i++) {
        buf_put_str(b, i ? "," : "");
        json_put_string(b, list.v[i]);
    }
    buf_put_str(b, "]");
}

/* What a person consented to is shown at home alone. */
enum bourn_err handle_consents(struct vault *v, const struct request *r, const struct gate_party *p,
                               struct answer *a)
{
    struct subject s;
    bool found;
    if (!slice_eq(p->jurisdiction, world_domicile(v->world))) {
        answer_problem(a, 403, "crossing_refused",
                       "a person's consents are listed to parties of the domicile alone");
        return BOURN_OK;
    }
    enum bourn_err err = find_or_404(v, r, &s, a, &found);
    if (err || !found)
        return err;
    answer_json(a, 200);
    buf_put_str(&a->body, "{\"consents\":[");
    for (size_t i = 0; i < s.person.bases_n; i++) {
        const struct gate_basis *b = &s.person.bases[i];
        buf_printf(&a->body, "%s{\"id\":%llu,\"grade\":\"%s\",\"issued\":\"", i ? "," : "",
                   (unsigned long long)b->index,
                   b->grade == GRADE_SUBJECT_SIGNED ? "subject-signed" : "operator-attested");
        time_put(&a->body, b->from);
        buf_put_str(&a->body, "\",\"expires\":\"");
        time_put(&a->body, b->until);
        buf_printf(&a->body, "\",\"state\":\"%s\"",
                   b->withdrawn != UINT64_MAX ? "withdrawn"
                   : b->until <= v->now       ? "expired"
                                              : "live");
        put_texts(&a->body, "purposes", b->purposes);
        put_texts(&a->body, "destinations", b->destinations);
        put_texts(&a->body, "collections", b->collections);
        buf_put_str(&a->body, ",\"recipients\":[");
        for (size_t k = 0; k < b->recipients_n; k++) {
            const struct gate_party *to = world_party(v->world, b->recipients[k]);
            buf_put_str(&a->body, k ? "," : "");
            json_put_string(&a->body, to ? to->name : slice_of(NULL, 0));
        }
        buf_put_str(&a->body, "]}");
    }
    buf_put_str(&a->body, "]}");
    subject_release(&s);
    return BOURN_OK;
}

enum bourn_err handle_withdraw(struct vault *v, const struct request *r, const struct gate_party *p,
                               struct answer *a)
{
    enum bourn_err err = BOURN_E_INTERNAL;
    struct subject s;
    bool found;
    const char *clause = "";
    err = find_or_404(v, r, &s, a, &found);
    if (err || !found)
        return err;
    const struct gate_basis *b = person_consent(&s.person, r->number);
    if (!b) {
        answer_problem(a, 404, "consent_unknown", "the person has no such consent");
        goto out;
    }
    if (b->withdrawn != UINT64_MAX) {
        answer_problem(a, 409, "consent_withdrawn", "this consent was withdrawn before");
        goto out;
    }
    struct entry e = {.kind = ENTRY_WITHDRAWN, .time = v->now, .party = p->index};
    struct staged_row staged = {.number = s.number, .generation = ++s.generation};
    entry_set(&e, E_PARTY);
    row_begin(&staged.row, &s);
    staged.row.consent = r->number;
    row_set(&staged.row, R_CONSENT);
    TRY(person_apply(&s.person, v->next_index, &e, &staged.row, &clause));
    TRY(subject_save(v, &s));
    TRY(batch_entry(v, &e, &staged, 1, &a->receipt));
    answer_json(a, 200);
    buf_printf(&a->body, "{\"withdrawn\":%llu}", (unsigned long long)r->number);
    err = BOURN_OK;
out:
    subject_release(&s);
    return err;
}
