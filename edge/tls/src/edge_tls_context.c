#include "edge_tls_context.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define SUITES "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"
#define TICKET_SECONDS 86400
#define KINDS 4 /* of keys: one certificate of each for a name */

typedef struct {
    X509 *leaf;
    STACK_OF(X509) *chain;
    EVP_PKEY *key;
    unsigned kind;
} credential;

/* The certificates that one libssl context has; 0: none, else the number + 1. */
typedef struct {
    unsigned of_kind[KINDS];
    SSL_CTX *ssl;
} credential_set;

typedef struct {
    char *text;
    unsigned owner, set; /* the certificate that it stands in */
} served_name;

struct edge_tls_context {
    unsigned references;
    char *groups;
    credential *credentials;
    unsigned credential_count;
    credential_set *sets; /* [0] is for names that no certificate has */
    unsigned set_count;
    served_name *names; /* sorted */
    unsigned name_count;
};

/* ---- what libssl calls back ---- */

static void on_information(const SSL *ssl, int where, int value)
{
    edge_tls_callbacks *of = SSL_get_app_data(ssl);
    if (!(where & SSL_CB_ALERT))
        return;
    if (where & SSL_CB_READ)
        of->received = value & 0xff;
    else
        of->sends = value & 0xff;
}

static int on_alpn(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_length, const unsigned char *names,
                   unsigned length, void *unused)
{
    static const unsigned char http[] = "\x08http/1.1";
    (void)ssl, (void)unused;
    for (unsigned at = 0; at < length; at += names[at] + 1u)
        if (length - at >= sizeof http - 1 && !memcmp(names + at, http, sizeof http - 1)) {
            *chosen = names + at + 1;
            *chosen_length = names[at];
            return SSL_TLSEXT_ERR_OK;
        }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* The context was chosen by the name already; this lets libssl say that it was looked at, RFC 6066 3. */
static int on_name(SSL *ssl, int *alert, void *unused)
{
    (void)ssl, (void)alert, (void)unused;
    return SSL_TLSEXT_ERR_OK;
}

static int on_ticket(SSL *ssl, unsigned char name[EDGE_TLS_TICKET_NAME], unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int sealing)
{
    static EVP_CIPHER *aes;
    const edge_tls_tickets *tickets = ((edge_tls_callbacks *)SSL_get_app_data(ssl))->tickets;
    unsigned which = 0;
    if (!aes && !(aes = EVP_CIPHER_fetch(edge_tls_library(), "AES-256-CBC", NULL)))
        return -1;
    if (!sealing)
        while (which < tickets->count && memcmp(tickets->keys[which].name, name, EDGE_TLS_TICKET_NAME))
            which++;
    if (which == tickets->count)
        return 0; /* a full handshake */
    const edge_tls_ticket_key *key = tickets->keys + which;
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->mac, sizeof key->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    if (sealing) {
        memcpy(name, key->name, EDGE_TLS_TICKET_NAME);
        if (RAND_bytes(iv, 16) <= 0)
            return -1;
    }
    if (!EVP_CipherInit_ex2(cipher, aes, key->cipher, iv, sealing, NULL) || !EVP_MAC_CTX_set_params(mac, parameters))
        return -1;
    /* 2, to be replaced: clients use a ticket once (RFC 8446 C.4), and would shake hands in full each second time. */
    return sealing ? 1 : 2;
}

/* ---- making one ---- */

static const char *why(const char *otherwise)
{
    unsigned long error = ERR_peek_last_error();
    const char *reason = error ? ERR_reason_error_string(error) : NULL;
    ERR_clear_error();
    return reason ? reason : otherwise;
}

static SSL_CTX *ssl_new(const char *groups)
{
    SSL_CTX *ssl = SSL_CTX_new_ex(edge_tls_library(), EDGE_TLS_OURS, TLS_server_method());
    if (!ssl)
        return NULL;
    SSL_CTX_set_info_callback(ssl, on_information);
    SSL_CTX_set_alpn_select_cb(ssl, on_alpn, NULL);
    SSL_CTX_set_tlsext_servername_callback(ssl, on_name);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, on_ticket);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(ssl, TICKET_SECONDS);
    SSL_CTX_set_num_tickets(ssl, 1);      /* one costs 12 to 20 us */
    SSL_CTX_set_max_early_data(ssl, 0);   /* stateless tickets cannot prevent replay, RFC 8446 8 */
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    /* AES-128 is the fastest, and the smallest at rest; who has no AES in hardware says so by putting ChaCha20 first. */
    SSL_CTX_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    if (!SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION) || !SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION)
        || !SSL_CTX_set_ciphersuites(ssl, SUITES) || !SSL_CTX_set1_groups_list(ssl, groups)
        || !SSL_CTX_set_session_id_context(ssl, (const unsigned char *)"edge", 4)) {
        SSL_CTX_free(ssl);
        return NULL;
    }
    return ssl;
}

bool edge_tls_groups_known(const char *groups)
{
    SSL_CTX *ssl = ssl_new(groups);
    SSL_CTX_free(ssl);
    ERR_clear_error();
    return ssl;
}

edge_tls_context *edge_tls_context_new(const char *groups)
{
    edge_tls_context *context = OPENSSL_zalloc(sizeof *context);
    if (!context)
        return NULL;
    context->references = 1;
    context->groups = OPENSSL_strdup(groups);
    return context;
}

static void credential_free(credential *one)
{
    X509_free(one->leaf);
    sk_X509_pop_free(one->chain, X509_free);
    EVP_PKEY_free(one->key);
}

static unsigned kind_of(const EVP_PKEY *key)
{
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_EC:
        return 0;
    case EVP_PKEY_RSA:
        return 1;
    case EVP_PKEY_RSA_PSS:
        return 2;
    default:
        return 3;
    }
}

static int no_passphrase(char *to, int size, int writing, void *unused)
{
    (void)to, (void)size, (void)writing, (void)unused;
    return -1;
}

static X509 *read_certificate(BIO *pem)
{
    X509 *certificate = X509_new_ex(edge_tls_library(), NULL);
    if (certificate && !PEM_read_bio_X509(pem, &certificate, no_passphrase, NULL)) {
        X509_free(certificate);
        certificate = NULL;
    }
    return certificate;
}

static bool read_chain(credential *one, BIO *pem)
{
    X509 *next;
    one->leaf = read_certificate(pem);
    one->chain = sk_X509_new_null();
    if (!one->leaf || !one->chain)
        return false;
    while ((next = read_certificate(pem)))
        if (!sk_X509_push(one->chain, next)) {
            X509_free(next);
            return false;
        }
    bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    if (at_end)
        ERR_clear_error();
    return at_end;
}

const char *edge_tls_context_add(edge_tls_context *context, const uint8_t *chain, size_t chain_bytes,
                                 const uint8_t *key, size_t key_bytes)
{
    credential one = {0};
    BIO *certificate_pem = BIO_new_mem_buf(chain, (int)chain_bytes), *key_pem = BIO_new_mem_buf(key, (int)key_bytes);
    const char *problem = NULL;
    ERR_clear_error();
    if (!certificate_pem || !read_chain(&one, certificate_pem))
        problem = why("no certificate in PEM form");
    else if (!key_pem || !(one.key = PEM_read_bio_PrivateKey_ex(key_pem, NULL, no_passphrase, NULL, edge_tls_library(), NULL)))
        problem = why("no private key in PEM form");
    else if (!X509_check_private_key(one.leaf, one.key))
        problem = why("the private key does not belong to the certificate");
    BIO_free(certificate_pem);
    BIO_free(key_pem);
    if (!problem) {
        credential *grown = OPENSSL_realloc(context->credentials, (context->credential_count + 1) * sizeof one);
        if (grown) {
            one.kind = kind_of(one.key);
            context->credentials = grown;
            context->credentials[context->credential_count++] = one;
            return NULL;
        }
        problem = "no memory";
    }
    credential_free(&one);
    return problem;
}

/* ---- which names it serves, and with what ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(((const served_name *)a)->text, ((const served_name *)b)->text);
}

static bool name_add(edge_tls_context *context, unsigned owner, const char *text, size_t length)
{
    served_name *grown = OPENSSL_realloc(context->names, (context->name_count + 1) * sizeof *grown);
    if (!grown)
        return false;
    context->names = grown;
    char *copy = OPENSSL_strndup(text, length);
    if (!copy)
        return false;
    for (char *c = copy; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c |= 0x20;
    grown[context->name_count++] = (served_name){copy, owner, 0};
    return true;
}

/* The DNS names of a certificate, RFC 6125: its alternative names, or else its common name. */
static bool names_add(edge_tls_context *context, unsigned owner)
{
    X509 *leaf = context->credentials[owner].leaf;
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    bool done = true;
    for (int i = 0; done && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS)
            done = name_add(context, owner, (const char *)ASN1_STRING_get0_data(name->d.dNSName),
                            (size_t)ASN1_STRING_length(name->d.dNSName));
    }
    if (!names) {
        char text[256];
        int length = X509_NAME_get_text_by_NID(X509_get_subject_name(leaf), NID_commonName, text, sizeof text);
        done = length <= 0 || name_add(context, owner, text, (size_t)length);
    }
    GENERAL_NAMES_free(names);
    return done;
}

/* Whether the certificate has exactly this name, or a wildcard that covers it. */
static bool covers(X509 *leaf, const char *name)
{
    if (*name == '*') { /* a wildcard's own name: as the host "x" of it */
        char host[1024];
        size_t length = strlen(name);
        if (length >= sizeof host)
            return false;
        memcpy(host, name, length + 1);
        *host = 'x';
        name = host;
        return X509_check_host(leaf, name, length, 0, NULL) == 1;
    }
    return X509_check_host(leaf, name, strlen(name), 0, NULL) == 1;
}

/* The number of the set with these certificates; -1: no memory, or libssl refuses one of them. */
static int set_for(edge_tls_context *context, const unsigned of_kind[KINDS])
{
    for (unsigned i = 0; i < context->set_count; i++)
        if (!memcmp(context->sets[i].of_kind, of_kind, sizeof context->sets[i].of_kind))
            return (int)i;
    credential_set *grown = OPENSSL_realloc(context->sets, (context->set_count + 1) * sizeof *grown);
    if (!grown)
        return -1;
    context->sets = grown;
    credential_set *set = grown + context->set_count;
    memcpy(set->of_kind, of_kind, sizeof set->of_kind);
    set->ssl = ssl_new(context->groups);
    bool done = set->ssl;
    for (unsigned kind = 0; done && kind < KINDS; kind++)
        if (of_kind[kind]) {
            const credential *one = context->credentials + of_kind[kind] - 1;
            done = SSL_CTX_use_cert_and_key(set->ssl, one->leaf, one->key, one->chain, 1) == 1;
        }
    if (!done) {
        SSL_CTX_free(set->ssl);
        return -1;
    }
    return (int)context->set_count++;
}

/* The certificates for a name (NULL: for none), of which one has it for sure: the first of each kind. */
static int set_of(edge_tls_context *context, unsigned owner, const char *name)
{
    unsigned of_kind[KINDS] = {0};
    for (unsigned i = 0; name && i < context->credential_count; i++) {
        const credential *one = context->credentials + i;
        if (!of_kind[one->kind] && covers(one->leaf, name))
            of_kind[one->kind] = i + 1;
    }
    if (!of_kind[context->credentials[owner].kind])
        of_kind[context->credentials[owner].kind] = owner + 1;
    return set_for(context, of_kind);
}

const char *edge_tls_context_finish(edge_tls_context *context)
{
    ERR_clear_error();
    if (!context->credential_count)
        return "no certificate";
    for (unsigned i = 0; i < context->credential_count; i++) {
        if (!names_add(context, i))
            return "no memory";
        if (!i && set_of(context, 0, context->name_count ? context->names[0].text : NULL) < 0)
            return why("libssl refuses the certificate");
    }
    for (unsigned i = 0; i < context->name_count; i++) {
        int set = set_of(context, context->names[i].owner, context->names[i].text);
        if (set < 0)
            return why("libssl refuses a certificate");
        context->names[i].set = (unsigned)set;
    }
    if (context->name_count)
        qsort(context->names, context->name_count, sizeof *context->names, by_text);
    unsigned kept = 0;
    for (unsigned i = 0; i < context->name_count; i++)
        if (kept && !strcmp(context->names[kept - 1].text, context->names[i].text))
            OPENSSL_free(context->names[i].text);
        else
            context->names[kept++] = context->names[i];
    context->name_count = kept;
    return NULL;
}

void edge_tls_context_retain(edge_tls_context *context)
{
    context->references++;
}

void edge_tls_context_release(edge_tls_context *context)
{
    if (!context || --context->references)
        return;
    for (unsigned i = 0; i < context->set_count; i++)
        SSL_CTX_free(context->sets[i].ssl);
    for (unsigned i = 0; i < context->name_count; i++)
        OPENSSL_free(context->names[i].text);
    for (unsigned i = 0; i < context->credential_count; i++)
        credential_free(context->credentials + i);
    OPENSSL_free(context->sets);
    OPENSSL_free(context->names);
    OPENSSL_free(context->credentials);
    OPENSSL_free(context->groups);
    OPENSSL_free(context);
}

const char *edge_tls_context_name(const edge_tls_context *context, unsigned index)
{
    return index < context->name_count ? context->names[index].text : NULL;
}

static const served_name *find(const edge_tls_context *context, const char *text)
{
    served_name wanted = {.text = (char *)(uintptr_t)text};
    return context->name_count
               ? bsearch(&wanted, context->names, context->name_count, sizeof wanted, by_text)
               : NULL;
}

SSL_CTX *edge_tls_context_choose(const edge_tls_context *context, const uint8_t *name, size_t length)
{
    char text[256 + 1];
    const served_name *found = NULL;
    if (length && length < sizeof text - 1) {
        memcpy(text, name, length);
        text[length] = 0;
        found = find(context, text);
        char *dot = strchr(text, '.');
        if (!found && dot && dot != text) { /* a wildcard stands for one label, RFC 6125 6.4.3 */
            dot[-1] = '*';
            found = find(context, dot - 1);
        }
    }
    return context->sets[found ? found->set : 0].ssl;
}
