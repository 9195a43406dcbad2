/* Witness policies (C2SP tlog-policy): which logs, which witnesses, and how many of them make a checkpoint
 * valid. One reader for the cell and for bourn-verify. docs/formats/policy.md */
#ifndef BOURN_MERKLE_POLICY_H
#define BOURN_MERKLE_POLICY_H

#include "base/limits.h"
#include "merkle/merkle.h"

#define MERKLE_POLICY_NAME_BYTES_MAX 255

struct merkle_policy_log {
    struct merkle_vkey key;
    char url[WITNESS_URL_BYTES_MAX + 1]; /* "" if none */
};
struct merkle_policy_witness {
    char name[MERKLE_POLICY_NAME_BYTES_MAX + 1]; /* in the policy alone */
    struct merkle_vkey key;
    char url[WITNESS_URL_BYTES_MAX + 1]; /* submission prefix; "" if none */
};
/* What can be a member: a witness (its position), or POLICY_GROUP + the position of a group. */
enum { MERKLE_POLICY_GROUP = 1000, MERKLE_POLICY_NONE = -1 };
struct merkle_policy_group {
    char name[MERKLE_POLICY_NAME_BYTES_MAX + 1];
    unsigned k;
    int member[COSIGNATURES_MAX + POLICY_GROUPS_MAX];
    size_t n;
};
struct merkle_policy {
    struct merkle_policy_log log[POLICY_LOGS_MAX];
    struct merkle_policy_witness witness[COSIGNATURES_MAX];
    struct merkle_policy_group group[POLICY_GROUPS_MAX];
    size_t logs_n, witnesses_n, groups_n;
    int quorum; /* a member, or MERKLE_POLICY_NONE */
};

/* Reads one. BOURN_E_FORMAT or BOURN_E_LIMIT with the line and the reason; *out is then empty and its quorum
 * cannot be met. It is large: not for the stack. */
enum bourn_err merkle_policy_get(struct slice text, struct merkle_policy *out) BOURN_MUST_USE;
/* Writes witnesses, groups and quorum in the one form that a `config` entry keeps: no logs, no comments, one
 * space between words. Reads back as the same policy. */
void merkle_policy_put(struct buf *out, const struct merkle_policy *p);
/* Whether these witnesses (bit i: witness i has cosigned) are a quorum. A quorum of none is met by nobody. */
bool merkle_policy_met(const struct merkle_policy *p, uint64_t cosigned);

/* Whether a witness can be posted to there: https, or http on loopback; no user, query or fragment. */
bool merkle_policy_url_ok(const char *url);

#endif
