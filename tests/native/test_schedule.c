/* The key schedule that libssl is given, beside libcrypto's own: the same secrets for whatever is asked.
 *
 * EDGE_SCHEDULES is how many derivations (default 2,000). */
#include "check.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "edge_tls_suite.h"

static edge_tls_suite suites[EDGE_TLS_SUITES];
static edge_tls_derived derived;

/* What libssl would ask: a length of SIZE_MAX leaves a parameter out. */
typedef struct {
    int mode;
    char digest[16], label[251];
    uint8_t key[200], salt[64], data[255];
    size_t key_length, salt_length, data_length, out_length;
} question;

static bool ask(const char *properties, question *q, uint8_t *out)
{
    EVP_KDF *kdf = EVP_KDF_fetch(edge_tls_library(), OSSL_KDF_NAME_TLS1_3_KDF, properties);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    OSSL_PARAM parameters[8], *p = parameters;
    *p++ = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &q->mode);
    *p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, q->digest, 0);
    if (q->key_length != SIZE_MAX)
        *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, q->key, q->key_length);
    if (q->salt_length != SIZE_MAX)
        *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, q->salt, q->salt_length);
    *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, (char *)"tls13 ", 6);
    *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL, q->label, strlen(q->label));
    if (q->data_length != SIZE_MAX)
        *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_DATA, q->data, q->data_length);
    *p = OSSL_PARAM_construct_end();
    bool done = EVP_KDF_derive(context, out, q->out_length, parameters) > 0;
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return done;
}

static question any(unsigned number)
{
    static const char *const labels[] = {"derived", "c ap traffic", "s ap traffic", "key", "iv", "finished", "x"};
    const edge_tls_suite *suite = suites + 1 + (number & 1);
    question q = {.mode = number & 2 ? EVP_KDF_HKDF_MODE_EXTRACT_ONLY : EVP_KDF_HKDF_MODE_EXPAND_ONLY};
    bool extract = q.mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
    snprintf(q.digest, sizeof q.digest, "%s", EVP_MD_get0_name(suite->hash.digest));
    snprintf(q.label, sizeof q.label, "%s", extract ? "derived" : labels[rand() % 7]);
    for (size_t i = 0; i < sizeof q.key; i++)
        q.key[i] = (uint8_t)rand();
    for (size_t i = 0; i < sizeof q.salt; i++)
        q.salt[i] = (uint8_t)rand();
    for (size_t i = 0; i < sizeof q.data; i++)
        q.data[i] = (uint8_t)rand();
    /* The secrets of key exchanges are up to 66 bytes long, P-521's; the hybrid's are 64. */
    q.key_length = extract ? (number & 4 ? SIZE_MAX : 32 + (size_t)rand() % 35) : suite->hash.bytes;
    q.salt_length = extract && number & 8 ? suite->hash.bytes : SIZE_MAX;
    q.data_length = extract ? SIZE_MAX : number & 4 ? 0 : (size_t)rand() % 65;
    q.out_length = extract ? suite->hash.bytes : 1 + (size_t)rand() % suite->hash.bytes;
    return q;
}

static void it_derives_what_libcrypto_does(unsigned count)
{
    unsigned differ = 0, unnoted = 0;
    for (unsigned number = 0; number < count; number++) {
        question q = any(number);
        uint8_t ours[64] = {0}, theirs[64] = {0};
        derived = (edge_tls_derived){.refused = false};
        bool done = ask(EDGE_TLS_OURS, &q, ours);
        if (!ask("provider=default", &q, theirs) || !done || derived.refused || memcmp(ours, theirs, sizeof ours))
            differ++;
        int which = !strcmp(q.label, "c ap traffic") ? 0 : !strcmp(q.label, "s ap traffic") ? 1 : -1;
        for (int i = 0; i < 2; i++)
            unnoted += derived.secret_bytes[i] != (which == i ? q.out_length : 0)
                       || memcmp(derived.secrets[i], ours, derived.secret_bytes[i]);
    }
    check(!differ, "the key schedule derives what libcrypto's own does");
    check(!unnoted, "and notes the secrets of application traffic, and nothing else");
}

static void what_libssl_never_asks_is_refused(void)
{
    uint8_t out[512];
    question good = any(0), bad[6];
    for (unsigned i = 0; i < 6; i++)
        bad[i] = good;
    bad[0].mode = EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND;
    snprintf(bad[1].digest, sizeof bad[1].digest, "MD5");
    bad[2].out_length = suites[1].hash.bytes + 1u;
    bad[3].key_length = sizeof bad[3].key; /* more than a block of the hash */
    memset(bad[4].label, 'x', sizeof bad[4].label - 1);
    bad[5].mode = -1;
    unsigned taken = 0;
    for (unsigned i = 0; i < 6; i++) {
        derived.refused = false;
        taken += ask(EDGE_TLS_OURS, bad + i, out) || !derived.refused;
    }
    check(!taken, "what libssl never asks is refused, and that is noted");
    edge_tls_derive_with(NULL, NULL, NULL);
    check(!ask(EDGE_TLS_OURS, &good, out), "outside of a handshake nothing is derived");
}

int main(void)
{
    const char *count = getenv("EDGE_SCHEDULES");
    if (!edge_tls_suites_open(suites))
        abort();
    srand(1);
    edge_tls_derive_with(&suites[1].hash, &suites[2].hash, &derived);
    it_derives_what_libcrypto_does(count ? (unsigned)strtoul(count, NULL, 10) : 2000);
    what_libssl_never_asks_is_refused();
    edge_tls_suites_close(suites);
    return check_failures != 0;
}
