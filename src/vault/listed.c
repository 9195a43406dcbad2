/* Disclosure about people who are named, some hundred at once. */
#include "vault/finding.h"

enum { AHEAD = 64, NEAR = 2 };

/* The next few people of a list: what is read of them is on its way into the processor's caches while those
 * before them are looked up. */
struct ahead {
    struct buf text;   /* identifiers, decoded */
    size_t end[AHEAD]; /* of each in text */
    struct subject_ref ref[AHEAD];
    size_t n, next;
};

static struct slice ahead_id(const struct ahead *a, size_t i)
{
    size_t from = i ? a->end[i - 1] : 0;
    return slice_of(a->text.p + from, a->end[i] - from);
}

static bool look_ahead(struct vault *v, struct ahead *a, struct json_value list, size_t *at)
{
    struct json_member m;
    buf_clear(&a->text);
    a->n = a->next = 0;
    while (a->n < AHEAD && json_next(list, at, &m)) {
        value_text(m.value, &a->text);
        a->end[a->n++] = a->text.n;
    }
    for (size_t i = 0; i < a->n; i++)
        subject_look(v, ahead_id(a, i), &a->ref[i]);
    for (size_t i = 0; i < a->n; i++)
        subject_guess(v, &a->ref[i]);
    for (size_t i = 0; i < a->n && i < NEAR; i++)
        subject_near(v, &a->ref[i]);
    return a->n > 0;
}

/* Discloses of the next of them, or says that nothing is: who is not disclosed is named so, whatever the
 * reason. */
static enum bourn_err add_listed(struct vault *v, struct finding *f, struct ahead *a)
{
    struct subject s;
    bool added = false;
    size_t i = a->next++;
    struct slice id = ahead_id(a, i);
    f->looked++; /* whoever it is: the page is held by that */
    if (i + NEAR < a->n)
        subject_near(v, &a->ref[i + NEAR]);
    enum bourn_err err = subject_find_ref(v, id, &a->ref[i], &s);
    if (err == BOURN_OK) {
        err = finding_add(v, f, &s, id, &added);
        subject_release(&s);
    } else if (err == BOURN_E_NOT_FOUND) {
        subject_decoy(v);
        finding_decide(v, f, NULL); /* the same work as for somebody without a basis */
        f->denied++;
        err = BOURN_OK;
    }
    if (err || added)
        return err;
    f->refused++;
    return release_add_none(f->rel, id);
}

enum bourn_err finding_listed(struct vault *v, struct finding *f, struct json_value list, uint64_t from)
{
    struct json_member m;
    struct ahead a = {.n = 0};
    size_t at = 0;
    uint64_t position = 0;
    enum bourn_err err = BOURN_OK;
    buf_init_secret(&a.text, AHEAD * 6 * SUBJECT_ID_BYTES_MAX);
    while (position < from && json_next(list, &at, &m))
        position++;
    for (; err == BOURN_OK && (a.next < a.n || look_ahead(v, &a, list, &at)); position++) {
        if (finding_full(f)) {
            f->rel->next = position;
            break;
        }
        err = add_listed(v, f, &a);
    }
    buf_release(&a.text);
    return err;
}
