/* Every limit of bourn. Units stand last in the name. Going over one is a clear error, tested at its edge. */
#ifndef BOURN_BASE_LIMITS_H
#define BOURN_BASE_LIMITS_H

#define JSON_DEPTH_MAX 32             /* levels of nesting */
#define JSON_MEMBERS_MAX 512          /* members of one object */
#define ENTRY_BYTES_MAX 65535         /* C2SP tlog-tiles: a uint16 length */
#define ROWS_BYTES_MAX (16u << 20)    /* rows of one entry, bytes */
#define ROWS_PER_ENTRY_MAX 4096       /* people in one entry */
#define RECORD_BYTES_MAX (256u << 10) /* one record as JSON text */
#define RECORDS_PER_REPLY_MAX 1000    /* records in one answer */
#define REPLY_BYTES_MAX (24u << 20)   /* one answer from vault */
#define REQUEST_BODY_BYTES_MAX (1u << 20)
#define REQUEST_HEADERS_BYTES_MAX (16u << 10)
#define TOKEN_BYTES_MAX 256                   /* a bearer token as text */
#define TERM_BYTES_MAX 128                    /* a purpose or ground */
#define NAME_BYTES_MAX 64                     /* a name of a party, collection, notice, pack or field */
#define LEDGER_PATH_BYTES_MAX 128             /* a path below the ledger's prefix */
#define PROBLEM_DETAIL_BYTES_MAX 1024         /* sentence of a refusal */
#define PROBLEM_MISSING_BYTES_MAX (64u << 10) /* JSON array of what would satisfy the gate */
#define SUBJECT_ID_BYTES_MAX 256              /* an identifier of a person as the app spells it */
#define FIELDS_PER_COLLECTION_MAX 256
#define RENAMES_PER_COLLECTION_MAX 64 /* over the life of a collection */
#define COLLECTIONS_MAX 1024
#define PARTIES_MAX 4096
#define PURPOSES_PER_PARTY_MAX 16
#define PACKS_MAX 32 /* packs in force at once */
#define RULES_PER_PACK_MAX 64
#define EXPR_DEPTH_MAX 8
#define PACK_YAML_BYTES_MAX (48u << 10)
#define CONSENTS_PER_SUBJECT_MAX 256 /* live ones */
#define KEYS_PER_SUBJECT_MAX 32
#define CONSENT_LIST_MAX 16  /* purposes, recipients, destinations or collections of one consent */
#define CONSENT_YEARS_MAX 50 /* longest time a consent may run */
#define STATEMENT_BYTES_MAX (16u << 10)
#define STATEMENT_AGE_S_MAX 604800       /* a consent statement is accepted for this long after its issue */
#define KEY_STATEMENT_SKEW_S_MAX 900     /* proof of possession: distance of its time from the cell's */
#define EXPORT_STATEMENT_AGE_S_MAX 86400 /* a person's own copy begins and ends this long after its issue */
#define FIELD_LIST_BYTES_MAX 16384       /* names of fields joined by commas */
#define IDEMPOTENCY_KEY_BYTES_MAX 255
#define ENROLMENT_CODE_TTL_S 86400
#define TOKEN_TTL_DAYS_DEFAULT 365
#define TOKEN_TTL_DAYS_MAX 3660
#define NOTICE_TEXT_BYTES_MAX (32u << 10)
#define IMPORT_BATCH_ROWS_MAX 500             /* so that tile/rows of 256 such entries fits one answer */
#define EVIDENCE_ROWS_PER_ENTRY_MAX 500       /* the same for evidence; a bigger request makes more entries */
#define LEDGER_BACKLOG_BYTES_MAX (256u << 20) /* durable entries that wait for their files: then 503 */
#define IMPORT_BATCH_BYTES_MAX (4u << 20)
#define BATCH_REQUESTS_MAX 512 /* requests decided and made durable together */
#define VAULT_EXPECTED_MAX 8   /* requests that are looked at before the first of them is decided */
#define BATCH_US_MIN 500       /* of deciding, or twice what the last sync took: then a batch is closed */
#define BATCH_US_MAX 20000     /* and that at most, whatever a disk that stalled took */
#define BATCH_BYTES_MAX (16u << 20) /* one journal frame */
#define JOURNAL_SEGMENT_BYTES (32u << 20)
#define JOURNAL_SEGMENTS_MIN 3      /* preallocated when a cell is made */
#define JOURNAL_SEGMENTS_MAX 64     /* then writes wait for the derived files to catch up */
#define JOURNAL_SEGMENTS_RESERVED 1 /* usable only for withdrawals and erasures */
#define PREV_SAVE_BYTES_MIN                                                                                  \
    (32u << 20) /* journal after which prev is saved, if that is many times what it takes */
#define PREV_SAVE_BYTES                                                                                      \
    (256u << 20)                     /* journal after which prev is saved, so that segments are used again   \
                                      */
#define STORE_COMMIT_ROWS 20000      /* LMDB commits after so many changed rows … */
#define STORE_COMMIT_MS 1000         /* … or this time, or this time without a request, … */
#define STORE_COMMIT_IDLE_MS 200     /* … whichever is first */
#define STORE_MAP_BYTES (1ull << 40) /* address space LMDB may grow into */
#define KNOWN_PEOPLE_MAX (1u << 20)  /* identifiers whose people are found without the store: 16 MB */
#define SWEEP_ROWS_PER_TICK 2000     /* records of erased people deleted per tick */
#define SWEEP_CODES_PER_TICK 100     /* enrolment codes looked at per tick */
#define SCRUB_SLICE_ROWS 1000        /* rows of ledger and store after which a slice of scrub ends … */
#define SCRUB_SLICE_US 2000          /* … or this time, whichever is first */
#define SCRUB_REST 2                 /* times as long as the slice took, no other one is made */
#define SCRUB_IDLE_MS 10000          /* nobody asked for a slice: what is half done is forgotten */
#define SCRUB_MATCH_MAX 1000         /* misplaced records of which the other end is looked for */
#define SCRUB_RECORDS_PER_PERSON_MAX (1u << 24)
#define DUE_AGAIN_MS 600000          /* a damaged record past its retention is tried again */
#define CHECKPOINT_INTERVAL_MS 1000  /* at most, while there are new entries */
#define CHECKPOINT_LATE_MS_MAX 10000 /* entries unsigned for longer: no disclosure, no write */
#define CLOCK_BACK_S_MAX 5           /* clock behind the last entry by more: no disclosure */
#define POLICY_DELAY_S_DEFAULT 86400
#define SIGNED_WAIT_MS_MAX 10000 /* a transfer waits this long for its checkpoint, then 503 */
#define HOLD_US 4000          /* what could tell by its time who exists leaves a multiple of this late, … */
#define HOLD_AWAKE_US 400     /* before such an answer leaves, the vault does not sleep */
#define HOLD_NAMES 8          /* … and one more for each so many people that it names: SECURITY.md */
#define HELD_ANSWERS_MAX 4096 /* answers held so; as many, and no request is taken until one has left */
#define HELD_BYTES_MAX (64u << 20) /* the same for the bytes that they hold */
#define CONNECTIONS_MAX 4096
#define CONNECTIONS_PER_IP_MAX 1024
#define CONNECTION_IDLE_S 60
#define ROWS_PIECE_BYTES_MAX (4u << 20)    /* of a file of rows, in one answer */
#define STREAM_TAIL_BYTES_MAX (128u << 10) /* lines that front adds to a page of a streamed answer */
#define IMPORT_CUT_BYTES_MAX (1u << 20)    /* front cuts an uploaded import into batches of this size */
#define IMPORT_REJECTS_LISTED_MAX 1000     /* rejected lines that the answer to an upload names */
#define TLS_PEM_BYTES_MAX (64u << 10)      /* a certificate chain, or its key */
#define HTTP_BODIES_BYTES_MAX (256u << 20) /* bodies that are being read, of all connections */
#define HEALTH_WAIT_MS_MAX 2000            /* /healthz: vault must answer in this time */
#define ANSWER_WAIT_MS_MAX 30000           /* any other request: then 503 */
#define DRAIN_MS_MAX 15000                 /* a stop: answers in flight, then the connections are cut */
#define STOP_MS_MAX 120000                 /* a role that drains for longer is killed */
#define LISTEN_BACKLOG 4096
#define FILES_KEPT_BYTES_MAX (64u << 20) /* full tiles and bundles that front keeps, compressed ones too */
#define FILES_KEPT_MAX 4096              /* and so many of them; a power of two */
#define FILE_KEPT_BYTES_MAX (4u << 20)   /* a larger one is not kept */
#define GZIP_FILE_BYTES_MAX (256u << 10) /* a larger bundle goes out as it is */
#define GZIP_TURN_BYTES_MAX                                                                                  \
    (256u << 10) /* compressed in one turn of the loop of front, some 4 ms; then as they are */
#define ADMIN_CONNECTIONS_MAX 64
#define EVIDENCE_ENTRIES_PER_REQUEST_MAX 1024
#define RING_BYTES (4u << 20)          /* a power of two */
#define RING_KEEP_BYTES_MAX (1u << 20) /* larger private copies of messages are given back */
#define RING_FRAME_BYTES_MAX (256u << 10)
#define IPC_KICK_EVERY 8   /* messages after which the other side is woken within a turn */
#define ANSWERS_PER_TURN 8 /* that front takes before it looks for requests again */
#define IPC_MESSAGE_BYTES_MAX (32u << 20)
#define SETTINGS_BYTES_MAX (16u << 10)         /* bourn.yaml */
#define HISTORY_STATEMENT_AGE_S_MAX 900        /* a person's request for their history is good for so long */
#define HISTORY_READINGS_MAX 8                 /* such requests of one person that are good at a time */
#define HISTORY_PAGE_ROWS_MAX 64               /* rows in one page of it */
#define HISTORY_PAGE_BYTES_MAX (256u << 10)    /* a page ends behind the row that reaches this … */
#define HISTORY_PAGE_READ_BYTES_MAX (1u << 20) /* … or for which so many bytes of others' rows were read */
#define RECEIPT_BYTES_MAX 4096                 /* a receipt as text, with its signature */
#define RECEIPTS_WAITING_MAX 1024              /* receipts that wait to be signed; more: 503 */
#define SOUND_KEYS_KEPT 1024                   /* public keys that a thread of a replay remembers as sound */
#define WEBHOOKS_MAX 32                        /* parties at home that are told of disclosures */
#define WEBHOOK_URL_BYTES_MAX 512              /* where one is told */
#define EVENT_LINES_BYTES_MAX (160u << 10)     /* what an event says: a line for each of ROWS_PER_ENTRY_MAX */
#define WEBHOOK_TURN_ENTRIES 256               /* entries looked at before requests are served again … */
#define WEBHOOK_TURN_US 500                    /* … or this time, whichever is first */
#define WEBHOOK_REST 9                         /* times as long as that took, no other entry is looked at */
#define WEBHOOK_RETRY_MS_MIN 250               /* after a failure; doubled with each … */
#define WEBHOOK_RETRY_MS_MAX 30000             /* … up to this */
#define COSIGNATURES_MAX 32                    /* on one checkpoint, and witnesses in one policy */
#define POLICY_LOGS_MAX 32                     /* logs in one witness policy (C2SP tlog-policy) */
#define POLICY_GROUPS_MAX 32                   /* groups in one */
#define POLICY_BYTES_MAX (64u << 10)           /* the file of one */
#define POLICY_ENTRY_BYTES_MAX 4096            /* as a `config` entry keeps it: without logs and comments */
#define WITNESS_PROOF_LINES_MAX 63             /* C2SP tlog-witness */
#define WITNESS_CHECKPOINT_BYTES_MAX (64u << 10)
#define WITNESS_LOGS_MAX 1024     /* keys of logs that one witness trusts */
#define WITNESS_URL_BYTES_MAX 512 /* submission prefix */

#define WITNESS_SKEW_S_MAX 60    /* a cosignature's time against the cell's */
#define WITNESS_LAG_S_DEFAULT 60 /* the quorum behind for longer: no disclosure */
#define WITNESS_LAG_S_MIN 5      /* what the operator may set */
#define WITNESS_LAG_S_MAX 86400
#define WITNESS_ASK_MS_MAX 3000    /* a start waits so long for a quorum before the cell listens without it */
#define WITNESS_POST_MS_MAX 10000  /* a witness answers in this time, or counts as silent */
#define WITNESS_RETRY_MS_MIN 250   /* after a failure; doubled with each … */
#define WITNESS_RETRY_MS_MAX 10000 /* … up to this */
#define WITNESS_ANSWER_BYTES_MAX (64u << 10)
#define WITNESSED_INTERVAL_S 3600       /* cosignatures become an entry once in this time */
#define WITNESSED_BYTES_MAX (16u << 10) /* signature lines of one such entry */

#endif
