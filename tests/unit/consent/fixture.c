#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

const uint8_t fixture_seed[32] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16,
                                  17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32};

struct consent_statement fixture_consent(void)
{
    struct consent_statement s = {
        .origin = slice_str("cn.example/ledger"),
        .domicile = slice_str("CN"),
        .controller = slice_str("Clinic Ltd"),
        .controller_contact = slice_str("mail@clinic.example"),
        .label = {0x10, [15] = 0x1f},
        .nonce = {0xa0, [15] = 0xaf},
        .issued = 1795255200,
        .expires = 1924992000,
        .purposes_n = 2,
        .recipients_n = 2,
        .destinations = {slice_str("DE"), slice_str("US")},
        .destinations_n = 2,
        .collections = {slice_str("people"), slice_str("visits")},
        .collections_n = 2,
        .notice_name = slice_str("research"),
        .notice_language = slice_str("en"),
        .notice_version = 1,
        .notice_hash = {0xcc, [31] = 0x22},
    };
    s.purposes[0] = (struct consent_purpose){slice_str("dpv:ResearchAndDevelopment"),
                                             slice_str("research and development")};
    s.purposes[1] =
        (struct consent_purpose){slice_str("dpv:LegalCompliance"), slice_str("complying with the law")};
    s.recipients[0] = (struct consent_recipient){.name = slice_str("lab"),
                                                 .legal_name = slice_str("Lab \"North\" Inc."),
                                                 .country = slice_str("US"),
                                                 .contact = slice_str("https://lab.example"),
                                                 .party_hash = {0xee, [31] = 0x11}};
    s.recipients[1] = (struct consent_recipient){.name = slice_str("institut"),
                                                 .legal_name = slice_str("Institut f\xc3\xbcr Statistik"),
                                                 .country = slice_str("DE"),
                                                 .party_hash = {0xef, [31] = 0x12}};
    return s;
}

struct key_statement fixture_key(const uint8_t public_key[32])
{
    struct key_statement s = {
        .origin = slice_str("cn.example/ledger"),
        .label = {0x10, [15] = 0x1f},
        .code_hash = {0xdd, [31] = 0x33},
        .time = 1795255200,
    };
    memcpy(s.public_key, public_key, 32);
    return s;
}

struct own_statement fixture_export(void)
{
    return (struct own_statement){
        .origin = slice_str("cn.example/ledger"),
        .label = {0x10, [15] = 0x1f},
        .nonce = {0xb0, [15] = 0xbf},
        .issued = 1795255200,
    };
}

struct own_statement fixture_history(void)
{
    return (struct own_statement){
        .origin = slice_str("cn.example/ledger"),
        .label = {0x10, [15] = 0x1f},
        .nonce = {0xc0, [15] = 0xcf},
        .issued = 1795255200,
    };
}

char *fixture_vector(const char *name)
{
    char path[4096], *line = NULL, *found = NULL;
    size_t size = 0, n = strlen(name);
    assert_non_null(getenv("BOURN_SOURCE"));
    snprintf(path, sizeof path, "%s/tests/vectors/statements.txt", getenv("BOURN_SOURCE"));
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (!found && getline(&line, &size, f) > 0)
        if (strncmp(line, name, n) == 0 && line[n] == ' ') {
            line[strcspn(line, "\n")] = '\0';
            found = strdup(line + n + 1);
        }
    free(line);
    fclose(f);
    assert_non_null(found);
    return found;
}
