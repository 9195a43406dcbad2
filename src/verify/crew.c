/* The threads of a replay. Each takes what is next: the piece whose turn it is, if it has been read and
 * nobody else is at it, by the one who read it or by whoever has nothing left to read ahead; a signature; or
 * a piece to read ahead. So the parts that depend on order run one after another, whoever runs them, and what
 * they find does not depend on the number of threads. */
#include "consent/consent.h"
#include "verify/piece.h"

#include <stdio.h>
#include <stdlib.h>

/* Read ahead: two pieces a thread, and more as long as all of them are small. */
enum { SIGNATURES = 512, PIECES_PER_THREAD = 8, SURE_PIECES_PER_THREAD = 2, AHEAD_BYTES_MAX = 32 << 20 };
/* Taken at once, by one thread: a key's own entry and the first consent under it mostly follow each other. */
enum { SIGNATURES_AT_ONCE = 8 };

struct signature {
    struct buf bytes; /* statement, signature, public key */
    size_t statement_n, signature_n;
    enum verify_clause clause;
    const char *what;
    uint64_t at, seq;
    enum { FREE, QUEUED, TAKEN } state;
};
struct slot {
    struct piece piece;
    bool read;
    size_t bytes;          /* that it takes until its turn is over */
    const struct hand *by; /* who read it: its memory is still in that one's cache */
};
struct hand { /* one thread */
    struct replay *v;
    struct source source;
    pthread_t thread;
    struct crypto_sound_keys known;
};
struct crew {
    pthread_mutex_t lock; /* for all that follows */
    pthread_cond_t changed;
    struct slot *ring;
    size_t slots, bytes; /* of pieces that were read and had no turn yet */
    struct signature signature[SIGNATURES];
    size_t sign_first, sign_end; /* positions that grow for ever: queued ones, modulo SIGNATURES */
    uint64_t next_read, next_turn, end, size; /* numbers of pieces; entries at the end */
    unsigned skip;                            /* of the first one */
    struct hand *turn;                        /* who takes the turn; NULL: nobody */
    enum bourn_err err;                       /* what ended the replay */
    char why[512];
};

static struct piece *piece_of(struct crew *c, uint64_t n)
{
    return &c->ring[n % c->slots].piece;
}

static void fail(struct crew *c, enum bourn_err err)
{
    if (c->err != BOURN_OK)
        return;
    c->err = err;
    snprintf(c->why, sizeof c->why, "%s", err_text());
}

static void take_turn(struct hand *h)
{
    struct replay *v = h->v;
    struct crew *c = v->crew;
    struct slot *s = &c->ring[c->next_turn % c->slots];
    c->turn = h;
    pthread_mutex_unlock(&c->lock);
    enum bourn_err err = replay_piece(v, &s->piece);
    piece_clear(&s->piece);
    pthread_mutex_lock(&c->lock);
    c->turn = NULL;
    if (err != BOURN_OK)
        fail(c, err);
    s->read = false;
    c->bytes -= s->bytes;
    c->next_turn++;
    pthread_cond_broadcast(&c->changed);
}

static void read_ahead(struct hand *h)
{
    struct crew *c = h->v->crew;
    uint64_t n = c->next_read++, left = c->size - n * MERKLE_TILE_WIDTH;
    struct slot *s = &c->ring[n % c->slots];
    s->piece.n = n;
    s->piece.width = left < MERKLE_TILE_WIDTH ? (unsigned)left : MERKLE_TILE_WIDTH;
    s->piece.skip = c->skip;
    s->read = false; /* one that a round before this left behind, if it ended early */
    c->skip = 0;
    pthread_mutex_unlock(&c->lock);
    piece_read(&s->piece, h->v, &h->source, false);
    pthread_mutex_lock(&c->lock);
    s->read = true;
    s->bytes = piece_bytes(&s->piece);
    c->bytes += s->bytes;
    s->by = h;
    pthread_cond_broadcast(&c->changed);
}

static void verify(struct hand *h, enum verify_clause c, uint64_t at, uint64_t seq, const char *what,
                   struct slice statement, struct slice signature, struct slice public_key)
{
    if (consent_verify_again(&h->known, statement, signature, public_key) != BOURN_OK)
        finding_late(h->v, c, at, seq, "%s: %s", what, err_text());
}

static void check(struct hand *h, const struct signature *s)
{
    const uint8_t *p = s->bytes.p;
    verify(h, s->clause, s->at, s->seq, s->what, slice_of(p, s->statement_n),
           slice_of(p + s->statement_n, s->signature_n),
           slice_of(p + s->statement_n + s->signature_n, s->bytes.n - s->statement_n - s->signature_n));
}

static void check_queued(struct hand *h)
{
    struct crew *c = h->v->crew;
    struct signature *taken[SIGNATURES_AT_ONCE];
    size_t n = 0;
    while (n < SIGNATURES_AT_ONCE && c->sign_first != c->sign_end) {
        taken[n] = &c->signature[c->sign_first++ % SIGNATURES];
        taken[n++]->state = TAKEN;
    }
    pthread_mutex_unlock(&c->lock);
    for (size_t i = 0; i < n; i++)
        check(h, taken[i]);
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < n; i++)
        taken[i]->state = FREE;
}

void crew_check_signature(struct replay *v, enum verify_clause clause, const char *what,
                          const struct evidence *e)
{
    struct crew *c = v->crew;
    pthread_mutex_lock(&c->lock);
    struct signature *s = &c->signature[c->sign_end % SIGNATURES];
    bool queue = c->slots > PIECES_PER_THREAD && s->state == FREE;
    if (queue) {
        s->bytes.cap = e->statement.n + e->signature.n + e->public_key.n;
        buf_clear(&s->bytes);
        buf_put_slice(&s->bytes, e->statement);
        buf_put_slice(&s->bytes, e->signature);
        buf_put_slice(&s->bytes, e->public_key);
        queue = !s->bytes.failed;
    }
    if (queue) {
        s->statement_n = e->statement.n;
        s->signature_n = e->signature.n;
        s->clause = clause;
        s->what = what;
        s->at = v->index;
        s->seq = v->seq++;
        s->state = QUEUED;
        c->sign_end++;
        pthread_cond_signal(&c->changed);
    }
    pthread_mutex_unlock(&c->lock);
    if (!queue) /* alone, or nobody comes after with checking */
        verify(c->turn, clause, v->index, v->seq++, what, e->statement, e->signature, e->public_key);
}

static bool room_ahead(const struct crew *c)
{
    uint64_t n = c->next_read - c->next_turn;
    return n < c->slots / PIECES_PER_THREAD * SURE_PIECES_PER_THREAD ||
           (n < c->slots && c->bytes < AHEAD_BYTES_MAX);
}

static void *work(void *arg)
{
    struct hand *h = arg;
    struct crew *c = h->v->crew;
    pthread_mutex_lock(&c->lock);
    for (;;) {
        bool over = c->err != BOURN_OK || c->next_turn == c->end, queued = c->sign_first != c->sign_end;
        bool ahead = !over && c->next_read < c->end && room_ahead(c);
        struct slot *s = &c->ring[c->next_turn % c->slots];
        if (!over && !c->turn && c->next_turn < c->next_read && s->read && (!ahead || s->by == h))
            take_turn(h);
        else if (queued && (!ahead || c->sign_end - c->sign_first > SIGNATURES / 2))
            check_queued(h);
        else if (ahead)
            read_ahead(h);
        else if (queued)
            check_queued(h);
        else if (over && !c->turn)
            break;
        else
            pthread_cond_wait(&c->changed, &c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static enum bourn_err crew_init(struct replay *v)
{
    struct crew *c = v->crew = calloc(1, sizeof *c);
    if (!c)
        return err_set(BOURN_E_MEMORY, "out of memory");
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    c->ring = calloc(v->jobs * PIECES_PER_THREAD, sizeof *c->ring);
    if (!c->ring)
        return err_set(BOURN_E_MEMORY, "out of memory");
    c->slots = v->jobs * PIECES_PER_THREAD;
    for (size_t i = 0; i < c->slots; i++)
        piece_init(&c->ring[i].piece);
    return BOURN_OK;
}

void crew_release(struct replay *v)
{
    struct crew *c = v->crew;
    if (!c)
        return;
    for (size_t i = 0; i < c->slots; i++)
        piece_release(&c->ring[i].piece);
    for (size_t i = 0; i < SIGNATURES; i++)
        buf_release(&c->signature[i].bytes);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c->ring);
    free(c);
    v->crew = NULL;
}

enum bourn_err crew_run(struct replay *v, uint64_t size)
{
    enum bourn_err err = v->crew ? BOURN_OK : crew_init(v);
    struct crew *c = v->crew;
    struct hand *hand = calloc(v->jobs, sizeof *hand);
    unsigned hands = 0, started = 1;
    if (err == BOURN_OK && !hand)
        err = err_set(BOURN_E_MEMORY, "out of memory");
    if (err != BOURN_OK) {
        free(hand);
        return err;
    }
    c->next_read = c->next_turn = v->tree.size / MERKLE_TILE_WIDTH;
    c->end = (size + MERKLE_TILE_WIDTH - 1) / MERKLE_TILE_WIDTH;
    c->size = size;
    c->skip = v->tree.size % MERKLE_TILE_WIDTH;
    c->bytes = 0;
    c->err = BOURN_OK;
    memset(piece_of(c, c->next_turn)->leaf, 0, sizeof piece_of(c, c->next_turn)->leaf);
    memcpy(piece_of(c, c->next_turn)->leaf, v->tree.level[0], c->skip * sizeof(struct merkle_hash));
    while (hands < v->jobs && (hands == 0 || hands < c->end - c->next_turn) && err == BOURN_OK) {
        hand[hands].v = v;
        err = source_clone(&hand[hands].source, &v->source);
        hands += err == BOURN_OK;
    }
    while (started < hands && pthread_create(&hand[started].thread, NULL, work, &hand[started]) == 0)
        started++;
    if (hands)
        work(&hand[0]); /* this thread is one of them */
    for (unsigned i = 1; i < started && hands; i++)
        pthread_join(hand[i].thread, NULL);
    for (unsigned i = 0; i < hands; i++)
        source_close(&hand[i].source);
    free(hand);
    return hands == 0 ? err : c->err != BOURN_OK ? err_set(c->err, "%s", c->why) : BOURN_OK;
}
