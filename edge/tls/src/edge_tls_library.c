#include "edge_tls_library.h"

#include <string.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>

static _Thread_local struct {
    const edge_tls_hash *sha256, *sha384;
    edge_tls_derived *derived;
} scope;

void edge_tls_derive_with(const edge_tls_hash *sha256, const edge_tls_hash *sha384, edge_tls_derived *derived)
{
    scope.sha256 = sha256;
    scope.sha384 = sha384;
    scope.derived = derived;
}

/* ---- TLS13-KDF ---- */

static edge_tls_bytes octets(const OSSL_PARAM parameters[], const char *name)
{
    const OSSL_PARAM *found = OSSL_PARAM_locate_const(parameters, name);
    return found && found->data_type == OSSL_PARAM_OCTET_STRING ? (edge_tls_bytes){found->data, found->data_size}
                                                                : (edge_tls_bytes){NULL, 0};
}

/* -1: the parameters do not say it as libssl does. */
static int mode_of(const OSSL_PARAM parameters[])
{
    int mode;
    const OSSL_PARAM *found = OSSL_PARAM_locate_const(parameters, OSSL_KDF_PARAM_MODE);
    return found && OSSL_PARAM_get_int(found, &mode) ? mode : -1;
}

static const edge_tls_hash *hash_of(const OSSL_PARAM parameters[])
{
    const OSSL_PARAM *found = OSSL_PARAM_locate_const(parameters, OSSL_KDF_PARAM_DIGEST);
    if (!found || found->data_type != OSSL_PARAM_UTF8_STRING)
        return NULL;
    return !strcmp(EVP_MD_get0_name(scope.sha256->digest), found->data)   ? scope.sha256
           : !strcmp(EVP_MD_get0_name(scope.sha384->digest), found->data) ? scope.sha384
                                                                          : NULL;
}

static bool is(edge_tls_bytes label, const char *text)
{
    return label.length == strlen(text) && !memcmp(label.bytes, text, label.length);
}

static void note(edge_tls_bytes label, const uint8_t *secret, size_t length)
{
    int which = is(label, "c ap traffic") ? 0 : is(label, "s ap traffic") ? 1 : -1;
    if (which < 0 || length > EDGE_TLS_SECRET)
        return;
    memcpy(scope.derived->secrets[which], secret, length);
    scope.derived->secret_bytes[which] = length;
}

/* The next secret of the schedule: extracted with what is derived from the one before, the salt. */
static bool next_secret(const edge_tls_hash *hash, const OSSL_PARAM parameters[], uint8_t *out)
{
    static const uint8_t zeros[EDGE_TLS_SECRET];
    edge_tls_bytes salt = octets(parameters, OSSL_KDF_PARAM_SALT), key = octets(parameters, OSSL_KDF_PARAM_KEY);
    uint8_t nothing[EDGE_TLS_SECRET], derived[EDGE_TLS_SECRET];
    if (!key.bytes)
        key = (edge_tls_bytes){zeros, hash->bytes};
    if (!salt.bytes)
        return edge_tls_extract(hash, (edge_tls_bytes){zeros, hash->bytes}, key, out);
    bool done = edge_tls_hash_of_nothing(hash, nothing)
                && edge_tls_expand_label(hash, salt, octets(parameters, OSSL_KDF_PARAM_PREFIX),
                                         octets(parameters, OSSL_KDF_PARAM_LABEL),
                                         (edge_tls_bytes){nothing, hash->bytes}, derived, hash->bytes)
                && edge_tls_extract(hash, (edge_tls_bytes){derived, hash->bytes}, key, out);
    OPENSSL_cleanse(derived, sizeof derived);
    return done;
}

static bool derive(const OSSL_PARAM parameters[], uint8_t *out, size_t length)
{
    const edge_tls_hash *hash = hash_of(parameters);
    int mode = mode_of(parameters);
    if (hash && mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY)
        return length == hash->bytes && next_secret(hash, parameters, out);
    if (!hash || mode != EVP_KDF_HKDF_MODE_EXPAND_ONLY)
        return false;
    edge_tls_bytes label = octets(parameters, OSSL_KDF_PARAM_LABEL);
    if (!edge_tls_expand_label(hash, octets(parameters, OSSL_KDF_PARAM_KEY), octets(parameters, OSSL_KDF_PARAM_PREFIX),
                               label, octets(parameters, OSSL_KDF_PARAM_DATA), out, length))
        return false;
    note(label, out, length);
    return true;
}

static int kdf_derive(void *unused, unsigned char *out, size_t length, const OSSL_PARAM parameters[])
{
    (void)unused;
    if (!scope.derived || !parameters)
        return 0;
    bool done = derive(parameters, out, length);
    scope.derived->refused |= !done;
    return done;
}

/* All that a derivation needs comes with it: there is nothing to be kept between. */
static void *kdf_new(void *provider)
{
    return provider;
}

static void kdf_free(void *unused)
{
    (void)unused;
}

typedef void (*function)(void);
static const OSSL_DISPATCH kdf[] = {
    {OSSL_FUNC_KDF_NEWCTX, (function)kdf_new},
    {OSSL_FUNC_KDF_FREECTX, (function)kdf_free},
    {OSSL_FUNC_KDF_DERIVE, (function)kdf_derive},
    {0, NULL},
};

/* ---- the provider ---- */

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache)
{
    static const OSSL_ALGORITHM kdfs[] = {{OSSL_KDF_NAME_TLS1_3_KDF, "provider=edge", kdf, NULL}, {0}};
    (void)provider;
    *no_cache = 0;
    return operation == OSSL_OP_KDF ? kdfs : NULL;
}

static int provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                         void **provider)
{
    static const OSSL_DISPATCH functions[] = {{OSSL_FUNC_PROVIDER_QUERY_OPERATION, (function)query}, {0, NULL}};
    (void)in;
    *out = functions;
    *provider = (void *)(uintptr_t)handle;
    return 1;
}

static OSSL_LIB_CTX *library;

static void open_library(void)
{
    OSSL_LIB_CTX *opened = OSSL_LIB_CTX_new();
    if (opened && OSSL_PROVIDER_load(opened, "default")
        && OSSL_PROVIDER_add_builtin(opened, "edge", provider_init) && OSSL_PROVIDER_load(opened, "edge"))
        library = opened;
    else
        OSSL_LIB_CTX_free(opened);
}

OSSL_LIB_CTX *edge_tls_library(void)
{
    static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
    return CRYPTO_THREAD_run_once(&once, open_library) ? library : NULL;
}
