/* sandbox-victim front|vault|signer|parent|none FOLDER: enters the sandbox, says "ready", and counts wake-ups
 * of standard input until it ends. */
#include "sandbox/sandbox.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static const char *const names[] = {"parent", "front", "vault", "signer", "none"};
    int role = 0;
    while (argc == 3 && role < 4 && strcmp(argv[1], names[role]) != 0)
        role++;
    if (argc != 3)
        return 64;
    if (role < 4 && (role == SANDBOX_VAULT ? sandbox_enter_vault(argv[2])
                                           : sandbox_enter((enum sandbox_role)role)) != BOURN_OK) {
        fprintf(stderr, "%s\n", err_text());
        return 69;
    }
    char c;
    if (write(STDOUT_FILENO, "r", 1) != 1)
        return 1;
    while (read(STDIN_FILENO, &c, 1) == 1)
        if (write(STDOUT_FILENO, &c, 1) != 1)
            return 1;
    return 0;
}
