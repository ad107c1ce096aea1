#include "wire_tls_client.h"

#include "edge_tls_library.h"
#include "wire_tls_certificates.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define SESSIONS_EACH 2 /* of one user and node, the newest; loadgen.wire.interface.SESSIONS */

/* Numbers of loadgen.wire.interface. */
enum { NO_TLS = 7, OLD_TLS, UNTRUSTED, EXPIRED, OTHER_NAME };

/* A session that is kept for a user, until it is offered. */
typedef struct {
    SSL_SESSION *session;
    uint32_t next; /* older, of the same user; or the next free one */
    uint16_t node;
} kept;

struct wire_tls {
    SSL_CTX *context;
    edge_tls_hash sha256, sha384; /* of the key schedule */
    edge_tls_derived derived;     /* which libssl is told, too: it is not looked at */
    wire_tls_certificates certificates;
    BIO_METHOD *method;
    uint32_t users;
    uint32_t *first; /* by user: the newest that is kept */
    kept *pool;      /* [0] is not used */
    uint32_t used, size, free;
    uint64_t count;
    int insecure;
};

struct wire_tls_link {
    wire_tls *tls;
    SSL *ssl;
    uint64_t in, out; /* bytes that have not been counted */
    uint32_t user;
    int fd;
    uint16_t node;
    uint8_t failure, shaken, broken;
};

/* ---- sessions ---- */

static SSL_SESSION *session_take(wire_tls *tls, uint32_t *place)
{
    uint32_t number = *place;
    kept *one = tls->pool + number;
    SSL_SESSION *session = one->session;
    *place = one->next;
    *one = (kept){.next = tls->free};
    tls->free = number;
    tls->count--;
    return session;
}

/* The newest of the user for the node, which then is not kept any more; NULL: none. */
static SSL_SESSION *session_offer(wire_tls *tls, uint32_t user, uint16_t node)
{
    for (uint32_t *place = tls->first + user; *place; place = &tls->pool[*place].next)
        if (tls->pool[*place].node == node)
            return session_take(tls, place);
    return NULL;
}

/* 0: no memory. */
static uint32_t session_slot(wire_tls *tls)
{
    uint32_t number = tls->free;
    if (number) {
        tls->free = tls->pool[number].next;
        return number;
    }
    if (tls->used == tls->size) {
        uint32_t size = tls->size ? 2 * tls->size : 64;
        kept *pool = realloc(tls->pool, size * sizeof *pool);
        if (!pool)
            return 0;
        tls->pool = pool;
        tls->size = size;
    }
    return tls->used++;
}

/* A ticket has come. */
static int session_keep(SSL *ssl, SSL_SESSION *session)
{
    wire_tls_link *link = SSL_get_app_data(ssl);
    wire_tls *tls = link->tls;
    unsigned count = 0;
    uint32_t number = session_slot(tls);
    if (!number)
        return 0;
    tls->pool[number] = (kept){.session = session, .next = tls->first[link->user], .node = link->node};
    tls->first[link->user] = number;
    tls->count++;
    for (uint32_t *place = tls->first + link->user; *place;) {
        if (tls->pool[*place].node == link->node && ++count > SESSIONS_EACH)
            SSL_SESSION_free(session_take(tls, place));
        else
            place = &tls->pool[*place].next;
    }
    return 1;
}

/* ---- the descriptor below ---- */

static int below_write(BIO *bio, const char *bytes, int length)
{
    wire_tls_link *link = BIO_get_data(bio);
    ssize_t n;
    BIO_clear_retry_flags(bio);
    do
        n = send(link->fd, bytes, (size_t)length, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        link->out += (uint64_t)n;
    else if (errno == EAGAIN)
        BIO_set_retry_write(bio);
    return (int)n;
}

static int below_read(BIO *bio, char *bytes, int length)
{
    wire_tls_link *link = BIO_get_data(bio);
    ssize_t n;
    BIO_clear_retry_flags(bio);
    do
        n = recv(link->fd, bytes, (size_t)length, 0);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        link->in += (uint64_t)n;
    else if (n < 0 && errno == EAGAIN)
        BIO_set_retry_read(bio);
    return (int)n;
}

static long below_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

/* ---- settings ---- */

static int authorities_add(SSL_CTX *context, const char *pem, size_t length)
{
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    BIO *bio = BIO_new_mem_buf(pem, (int)length);
    X509 *certificate = NULL;
    int count = 0;
    while (bio && (certificate = X509_new_ex(edge_tls_library(), NULL))
           && PEM_read_bio_X509(bio, &certificate, NULL, NULL)) {
        count += X509_STORE_add_cert(store, certificate);
        X509_free(certificate);
        certificate = NULL;
    }
    X509_free(certificate);
    BIO_free(bio);
    ERR_clear_error();
    return count > 0;
}

static int context_set_up(wire_tls *tls, const char *authorities, size_t length)
{
    static const uint8_t http[] = "\x08http/1.1";
    OSSL_LIB_CTX *library = edge_tls_library();
    if (!library || !edge_tls_hash_open(&tls->sha256, library, "SHA256")
        || !edge_tls_hash_open(&tls->sha384, library, "SHA384"))
        return 0;
    SSL_CTX *context = tls->context = SSL_CTX_new_ex(library, EDGE_TLS_OURS, TLS_client_method());
    if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION))
        return 0;
    SSL_CTX_set_alpn_protos(context, http, sizeof http - 1);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                                  | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, session_keep);
    SSL_CTX_set_cert_verify_callback(context, wire_tls_certificates_verify, &tls->certificates);
    if (tls->insecure)
        return 1;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    return authorities ? authorities_add(context, authorities, length) : SSL_CTX_set_default_verify_paths(context);
}

wire_tls *wire_tls_new(uint32_t users, const char *authorities, size_t length, int insecure)
{
    wire_tls *tls = calloc(1, sizeof *tls);
    if (!tls)
        return NULL;
    tls->users = users;
    tls->insecure = insecure;
    tls->used = 1;
    tls->pool = calloc(64, sizeof *tls->pool);
    tls->size = 64;
    /* Reserved: a page of it becomes memory when something in its range is written. */
    tls->first = mmap(NULL, ((size_t)users + 1) * sizeof *tls->first, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    tls->method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");
    if (!tls->pool || tls->first == MAP_FAILED || !tls->method || !context_set_up(tls, authorities, length)) {
        wire_tls_free(tls);
        return NULL;
    }
    BIO_meth_set_write(tls->method, below_write);
    BIO_meth_set_read(tls->method, below_read);
    BIO_meth_set_ctrl(tls->method, below_control);
    return tls;
}

void wire_tls_free(wire_tls *tls)
{
    if (!tls)
        return;
    for (uint32_t i = 1; tls->pool && i < tls->used; i++)
        SSL_SESSION_free(tls->pool[i].session);
    free(tls->pool);
    if (tls->first && tls->first != MAP_FAILED)
        munmap(tls->first, ((size_t)tls->users + 1) * sizeof *tls->first);
    SSL_CTX_free(tls->context);
    wire_tls_certificates_close(&tls->certificates);
    BIO_meth_free(tls->method);
    edge_tls_hash_close(&tls->sha256);
    edge_tls_hash_close(&tls->sha384);
    OPENSSL_cleanse(&tls->derived, sizeof tls->derived);
    free(tls);
}

uint64_t wire_tls_sessions(const wire_tls *tls)
{
    return tls->count;
}

/* ---- connections ---- */

/* 0: no memory. */
static int name_set(SSL *ssl, const char *name, int insecure)
{
    X509_VERIFY_PARAM *parameters = SSL_get0_param(ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(parameters, name)) /* RFC 6066 3: an address is no name for SNI */
        return 1;
    if (!SSL_set_tlsext_host_name(ssl, name))
        return 0;
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return insecure || X509_VERIFY_PARAM_set1_host(parameters, name, 0);
}

wire_tls_link *wire_tls_begin(wire_tls *tls, int fd, uint32_t user, uint16_t node, const char *name)
{
    wire_tls_link *link = calloc(1, sizeof *link);
    BIO *bio = BIO_new(tls->method);
    SSL_SESSION *session = session_offer(tls, user, node);
    if (link)
        link->ssl = SSL_new(tls->context);
    if (!link || !bio || !link->ssl || !name_set(link->ssl, name, tls->insecure)) {
        SSL_SESSION_free(session);
        BIO_free(bio);
        if (link)
            SSL_free(link->ssl);
        free(link);
        return NULL;
    }
    link->tls = tls;
    link->user = user;
    link->node = node;
    link->fd = fd;
    BIO_set_data(bio, link);
    BIO_set_init(bio, 1);
    SSL_set_bio(link->ssl, bio, bio);
    SSL_set_app_data(link->ssl, link);
    SSL_set_connect_state(link->ssl);
    if (session) {
        SSL_set_session(link->ssl, session);
        SSL_SESSION_free(session);
    }
    return link;
}

static unsigned failure_of(const SSL *ssl)
{
    switch (SSL_get_verify_result(ssl)) {
    case X509_V_OK:
        break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return EXPIRED;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return OTHER_NAME;
    default:
        return UNTRUSTED;
    }
    switch (ERR_GET_REASON(ERR_peek_error())) {
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_WRONG_SSL_VERSION:
        return OLD_TLS;
    default:
        return NO_TLS;
    }
}

/* Before libssl is called: nothing it has said before counts, and keys are derived as fast as the node does. */
static void enter(wire_tls_link *link)
{
    ERR_clear_error();
    edge_tls_derive_with(&link->tls->sha256, &link->tls->sha384, &link->tls->derived);
}

/* libssl does not look at a certificate that it has verified for the session; browsers do. */
static int certificate_is_current(const SSL *ssl)
{
    const X509 *certificate = SSL_get0_peer_certificate(ssl);
    return certificate && X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0;
}

wire_tls_progress wire_tls_shake(wire_tls_link *link)
{
    enter(link);
    int result = SSL_connect(link->ssl);
    if (result == 1) {
        link->shaken = 1;
        if (link->tls->insecure || !SSL_session_reused(link->ssl) || certificate_is_current(link->ssl))
            return WIRE_TLS_DONE;
        link->failure = EXPIRED;
        return WIRE_TLS_FAILED;
    }
    switch (SSL_get_error(link->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return WIRE_TLS_RECEIVE;
    case SSL_ERROR_WANT_WRITE:
        return WIRE_TLS_SEND;
    default:
        link->failure = (uint8_t)failure_of(link->ssl);
        link->broken = 1;
        return WIRE_TLS_FAILED;
    }
}

unsigned wire_tls_failure(const wire_tls_link *link)
{
    return link->failure;
}

int wire_tls_resumed(const wire_tls_link *link)
{
    return SSL_session_reused(link->ssl);
}

/* errno of a call that has brought nothing; 0: the other side has said goodbye. */
static int trouble(wire_tls_link *link, int result)
{
    switch (SSL_get_error(link->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default: /* an alert, records that are none, or an end without a goodbye */
        link->broken = 1;
        return ECONNRESET;
    }
}

static ssize_t receive(wire_tls_link *link, uint8_t *bytes, size_t length, int *more)
{
    size_t used = 0, n = 0;
    *more = 0;
    do {
        enter(link);
        int result = SSL_read_ex(link->ssl, bytes + used, length - used, &n);
        if (result <= 0) {
            errno = trouble(link, result);
            if (used)
                *more = errno != EAGAIN; /* the end is told by the next call */
            return used ? (ssize_t)used : errno ? -1 : 0;
        }
        used += n;
    } while (used < length && SSL_has_pending(link->ssl));
    *more = used == length;
    return (ssize_t)used;
}

ssize_t wire_tls_receive(wire_tls_link *link, uint8_t *bytes, size_t length, int *more)
{
    ssize_t n = receive(link, bytes, length, more);
    int error = errno;
    /* A ticket has libssl make a buffer of 16 KiB for writing, which nothing else releases.  What still holds
     * something stays. */
    if (!*more && !link->broken)
        SSL_free_buffers(link->ssl);
    errno = error;
    return n;
}

ssize_t wire_tls_send(wire_tls_link *link, const uint8_t *bytes, size_t length)
{
    size_t n = 0;
    enter(link);
    int result = SSL_write_ex(link->ssl, bytes, length, &n);
    if (result > 0)
        return (ssize_t)n;
    errno = trouble(link, result);
    if (!errno)
        errno = ECONNRESET;
    return -1;
}

static void count(wire_tls_link *link, uint64_t *in, uint64_t *out)
{
    *in += link->in;
    *out += link->out;
    link->in = link->out = 0;
}

void wire_tls_end(wire_tls_link *link)
{
    if (link->shaken && !link->broken) {
        enter(link);
        SSL_shutdown(link->ssl);
    }
    /* Without this the tickets that it brought would not be taken as good. */
    SSL_set_shutdown(link->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(link->ssl);
    ERR_clear_error();
    free(link);
}

const wire_tls_functions *wire_tls_native(void)
{
    static const wire_tls_functions functions = {
        wire_tls_begin, wire_tls_shake, wire_tls_failure, wire_tls_resumed,
        wire_tls_receive, wire_tls_send, count, wire_tls_end,
    };
    return &functions;
}
