/* Things that a confined process tries, each by a bare system call. */
#ifndef BOURN_TESTS_ATTEMPTS_H
#define BOURN_TESTS_ATTEMPTS_H

/* What was made before the sandbox was entered. */
struct ground {
    int file;     /* a file in `folder`, open for reading and writing */
    int listener; /* a listening TCP socket on loopback, with one connection waiting */
    int admin;    /* a listening Unix socket, with one connection waiting */
    int pair[2];  /* a connected Unix socket pair */
    int event, epoll;
    int child; /* a process that sleeps */
    const char *folder;
};

/* 0 or more: it worked; below 0: -errno. The process is killed where the filter says so. */
typedef long (*attempt_fn)(const struct ground *g);
struct attempt {
    const char *name;
    attempt_fn run;
    /* What each role is to get: 'k' killed, 'e' an error, '+' it works. Order: parent, front, vault, signer,
     * relay, witness. */
    char want[7];
};
extern const struct attempt attempts[];

#endif
