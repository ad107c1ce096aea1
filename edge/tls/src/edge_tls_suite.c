#include "edge_tls_suite.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/params.h>

static const struct {
    const char *cipher, *digest;
    uint8_t key, secret;
} known[EDGE_TLS_SUITES] = {
    [1] = {"AES-128-GCM", "SHA256", 16, 32},
    [2] = {"AES-256-GCM", "SHA384", 32, 48},
    [3] = {"ChaCha20-Poly1305", "SHA256", 32, 32},
};

static bool suite_open(edge_tls_suite *suite, EVP_MAC *hmac, unsigned number)
{
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)known[number].digest, 0),
        OSSL_PARAM_construct_end(),
    };
    suite->key = known[number].key;
    suite->secret = known[number].secret;
    suite->cipher = EVP_CIPHER_fetch(NULL, known[number].cipher, NULL);
    suite->context = EVP_CIPHER_CTX_new();
    suite->mac = EVP_MAC_CTX_new(hmac);
    return suite->cipher && suite->context && suite->mac
           && EVP_CipherInit_ex2(suite->context, suite->cipher, NULL, NULL, 1, NULL)
           && EVP_MAC_CTX_set_params(suite->mac, parameters);
}

bool edge_tls_suites_open(edge_tls_suite suites[EDGE_TLS_SUITES])
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    bool all = hmac;
    for (unsigned number = 1; all && number < EDGE_TLS_SUITES; number++)
        all = suite_open(suites + number, hmac, number);
    EVP_MAC_free(hmac);
    return all;
}

void edge_tls_suites_close(edge_tls_suite suites[EDGE_TLS_SUITES])
{
    for (unsigned number = 1; number < EDGE_TLS_SUITES; number++) {
        EVP_CIPHER_CTX_free(suites[number].context);
        EVP_CIPHER_free(suites[number].cipher);
        EVP_MAC_CTX_free(suites[number].mac);
    }
}

bool edge_tls_expand(const edge_tls_suite *suite, const uint8_t *secret, const char *label, uint8_t *out,
                     size_t length)
{
    /* struct { uint16 length; opaque label<7..255> = "tls13 " + label; opaque context<0..255>; } and the block 1 */
    uint8_t info[2 + 1 + 6 + 16 + 1 + 1], block[EDGE_TLS_SECRET];
    size_t size = strlen(label), written = 0, at = 0;
    info[at++] = 0;
    info[at++] = (uint8_t)length;
    info[at++] = (uint8_t)(6 + size);
    memcpy(info + at, "tls13 ", 6);
    memcpy(info + at + 6, label, size);
    at += 6 + size;
    info[at++] = 0;
    info[at++] = 1;
    bool done = EVP_MAC_init(suite->mac, secret, suite->secret, NULL) && EVP_MAC_update(suite->mac, info, at)
                && EVP_MAC_final(suite->mac, block, &written, sizeof block) && written >= length;
    if (done)
        memcpy(out, block, length);
    OPENSSL_cleanse(block, sizeof block);
    return done;
}

bool edge_tls_aead_begin(const edge_tls_suite *suite, bool sealing, const uint8_t *key,
                         const uint8_t iv[EDGE_TLS_IV], uint64_t sequence, const uint8_t header[EDGE_TLS_HEADER])
{
    uint8_t nonce[EDGE_TLS_IV];
    int n;
    memcpy(nonce, iv, sizeof nonce);
    for (int i = 0; i < 8; i++)
        nonce[EDGE_TLS_IV - 1 - i] ^= (uint8_t)(sequence >> 8 * i);
    return EVP_CipherInit_ex2(suite->context, NULL, key, nonce, sealing, NULL)
           && EVP_CipherUpdate(suite->context, NULL, &n, header, EDGE_TLS_HEADER);
}

bool edge_tls_aead_update(const edge_tls_suite *suite, const uint8_t *in, size_t length, uint8_t *out)
{
    int n;
    return !length || EVP_CipherUpdate(suite->context, out, &n, in, (int)length);
}

bool edge_tls_aead_seal(const edge_tls_suite *suite, uint8_t tag[EDGE_TLS_TAG])
{
    uint8_t none[EDGE_TLS_TAG];
    int n;
    return EVP_CipherFinal_ex(suite->context, none, &n)
           && EVP_CIPHER_CTX_ctrl(suite->context, EVP_CTRL_AEAD_GET_TAG, EDGE_TLS_TAG, tag);
}

bool edge_tls_aead_verify(const edge_tls_suite *suite, const uint8_t tag[EDGE_TLS_TAG])
{
    uint8_t none[EDGE_TLS_TAG];
    int n;
    return EVP_CIPHER_CTX_ctrl(suite->context, EVP_CTRL_AEAD_SET_TAG, EDGE_TLS_TAG, (void *)(uintptr_t)tag)
           && EVP_CipherFinal_ex(suite->context, none, &n);
}
