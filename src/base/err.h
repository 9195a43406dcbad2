/* Errors: what can fail returns one of these codes, and leaves a sentence for a human in err_text().
 *
 * Three classes (docs: STYLE.md): untrusted input -> BOURN_E_FORMAT and its kin, naming place and reason;
 * operation (disk, memory, peer) -> its code; a broken invariant -> bourn_assert(), which aborts in release
 * builds too. A result variable starts as BOURN_E_INTERNAL, so that a forgotten path fails closed. */
#ifndef BOURN_BASE_ERR_H
#define BOURN_BASE_ERR_H

enum bourn_err {
    BOURN_OK = 0,
    BOURN_E_INTERNAL,    /* a path that set no result: a bug */
    BOURN_E_MEMORY,      /* an allocation failed */
    BOURN_E_LIMIT,       /* a limit of base/limits.h was reached */
    BOURN_E_FORMAT,      /* untrusted bytes are malformed */
    BOURN_E_NOT_FOUND,   /* the thing asked for is not there */
    BOURN_E_EXISTS,      /* it is there already */
    BOURN_E_DENIED,      /* refused: rights, gate or peer credentials */
    BOURN_E_IO,          /* a system call failed; err_text() names call, file and errno */
    BOURN_E_FULL,        /* no space left on the device, or the reserve was reached */
    BOURN_E_CORRUPT,     /* durable bytes contradict themselves: refuse to go on */
    BOURN_E_CRYPTO,      /* authentication or signature failed */
    BOURN_E_CLOCK,       /* the clock went backwards */
    BOURN_E_UNAVAILABLE, /* cannot serve now; may work later */
    BOURN_E_CONFLICT,    /* contradicts the present state (version, reuse) */
    BOURN_E_USAGE,       /* the caller's command line or configuration is wrong */
};

#define BOURN_MUST_USE __attribute__((warn_unused_result))

/* Returns `code` after it has set this thread's err_text() to the formatted sentence (cut at 511 bytes).
 * Never put personal data, keys or tokens into it. */
enum bourn_err err_set(enum bourn_err code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Like err_set, and appends ": " and the text of the present errno; ENOSPC and EDQUOT become BOURN_E_FULL. */
enum bourn_err err_sys(enum bourn_err code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The last sentence set in this thread; "" if none. Valid until the next err_set in this thread. */
const char *err_text(void);

/* A stable lower-case word for the code, e.g. "not_found". */
const char *err_name(enum bourn_err code);

/* Invariants. Kept in release: prints file, line and the expression to standard error, then abort(). */
_Noreturn void err_abort(const char *file, int line, const char *what);
#define bourn_assert(cond) ((cond) ? (void)0 : err_abort(__FILE__, __LINE__, #cond))

/* Evaluates an expression of type enum bourn_err; on failure stores it in `err` and jumps to `out`. */
#define TRY(expr)                                                                                            \
    do {                                                                                                     \
        if ((err = (expr)) != BOURN_OK)                                                                      \
            goto out;                                                                                        \
    } while (0)

#endif
