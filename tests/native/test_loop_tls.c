/* The loop over TLS, under clients that do anything: libssl's, which then send what no client should.
 *
 * Each answer must be what its own connection asked for.  EDGE_TURNS is how many steps are taken (default 4,000). */
#include "serving.h"

#include <errno.h>
#include <signal.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "edge_tls_module.h"

#define CLIENTS 24
#define BIG_BYTES 200000

static edge_tls *tls;

/* ---- a server with a certificate made for it ---- */

static size_t pem_of(BIO *bio, uint8_t *to, size_t size)
{
    char *bytes;
    size_t length = (size_t)BIO_get_mem_data(bio, &bytes);
    if (length > size)
        abort();
    memcpy(to, bytes, length);
    BIO_free(bio);
    return length;
}

static edge_tls_context *context_new(void)
{
    uint8_t chain[4096], key[4096];
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    BIO *chain_pem = BIO_new(BIO_s_mem()), *key_pem = BIO_new(BIO_s_mem());
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const uint8_t *)"example.org", -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    X509_set_pubkey(certificate, pair);
    X509_sign(certificate, pair, EVP_sha256());
    PEM_write_bio_X509(chain_pem, certificate);
    PEM_write_bio_PrivateKey(key_pem, pair, NULL, NULL, 0, NULL, NULL);
    size_t chain_bytes = pem_of(chain_pem, chain, sizeof chain), key_bytes = pem_of(key_pem, key, sizeof key);
    edge_tls_context *context = edge_tls_context_for(tls);
    if (edge_tls_context_add(context, chain, chain_bytes, key, key_bytes) || edge_tls_context_finish(context))
        abort();
    X509_free(certificate);
    EVP_PKEY_free(pair);
    return context;
}

static server secure_new(void)
{
    static char big[BIG_BYTES + 1];
    server v = server_new((edge_limits){1000, 0, 10, 75, 30, 1024, 100, 8 << 20, 0}, EDGE_LISTENER_RECOGNISES);
    memset(big, 'b', BIG_BYTES);
    segment_put(&v.s, &v.table, "/big", 0, 1, "big------etag-16", big, "X: y\r\n", "", EDGE_SLOT_LIVE);
    tls = edge_tls_new(1 << 12);
    edge_tls_context *context = context_new();
    uint32_t first;
    if (edge_loop_use_tls(v.loop, &edge_tls_native, tls) || edge_loop_secure(v.loop, 7, context, NULL, &first))
        abort();
    edge_tls_context_release(context); /* the loop has its own */
    return v;
}

static void secure_free(server *v)
{
    edge_loop_free(v->loop);
    check(!edge_tls_native.states(tls), "no sealed state is left when all connections have ended");
    edge_tls_free(tls);
    v->loop = NULL;
    server_free(v);
}

/* ---- clients ---- */

typedef struct {
    int fd;
    SSL *ssl; /* NULL: there is no client here */
    char answers[4 * BIG_BYTES];
    size_t length;
    unsigned asked[64], asked_count, answered; /* 0: /a.html, 1: /big */
    bool hostile; /* it has broken its own stream: nothing is expected any more */
} client;

static client clients[CLIENTS];
static SSL_CTX *client_context;
static unsigned long answers, wrong, lost;

static void open_client(server *v, client *c)
{
    int small = below(2) ? 4096 : 1 << 20, on = 1;
    *c = (client){.fd = socket(AF_INET, SOCK_STREAM, 0)};
    setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(c->fd, (struct sockaddr *)&v->address, sizeof v->address))
        abort();
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    c->ssl = SSL_new(client_context);
    SSL_set_fd(c->ssl, c->fd);
    SSL_set_connect_state(c->ssl);
    if (below(8) == 0)
        SSL_set_max_proto_version(c->ssl, TLS1_2_VERSION); /* let go, and closed */
}

static void close_client(client *c)
{
    struct linger reset = {1, 0};
    if (below(2))
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    else
        SSL_shutdown(c->ssl);
    SSL_free(c->ssl);
    close(c->fd);
    c->ssl = NULL;
}

/* The first answer that has come, if it has come whole, must be what was asked for first. */
static void take_answers(client *c)
{
    if (c->hostile && c->length >= 12 && !memcmp(c->answers, "HTTP/1.1 408", 12)) {
        c->length = 0; /* its garbage looked like the beginning of a long record */
        return;
    }
    while (c->answered < c->asked_count) {
        bool is_big = c->asked[c->answered];
        char *body = memmem(c->answers, c->length, "\r\n\r\n", 4);
        size_t size = is_big ? BIG_BYTES : strlen("<p>identity</p>");
        if (!body || c->length < (size_t)(body + 4 - c->answers) + size)
            return;
        body += 4;
        bool good = !memcmp(c->answers, "HTTP/1.1 200", 12) && (is_big ? body[0] == 'b' : !memcmp(body, "<p>identity</p>", size));
        for (size_t i = 0; is_big && i < size; i++)
            good &= body[i] == 'b';
        wrong += !good;
        answers++;
        c->answered++;
        c->length -= (size_t)(body - c->answers) + size;
        memmove(c->answers, body + size, c->length);
    }
    wrong += c->length != 0; /* more than was asked for */
}

static void read_client(client *c)
{
    int n;
    while (c->length < sizeof c->answers
           && (n = SSL_read(c->ssl, c->answers + c->length, (int)(sizeof c->answers - c->length))) > 0)
        c->length += (size_t)n;
    take_answers(c);
    ERR_clear_error();
}

static void ask(client *c)
{
    static const char *const requests[] = {"GET /a.html HTTP/1.1\r\nHost: example.org\r\n\r\n",
                                           "GET /big HTTP/1.1\r\nHost: example.org\r\n\r\n"};
    unsigned which = below(4) == 0;
    if (c->asked_count - c->answered > 3 || c->asked_count == 64 || !SSL_is_init_finished(c->ssl))
        return;
    if (SSL_write(c->ssl, requests[which], (int)strlen(requests[which])) > 0)
        c->asked[c->asked_count++] = which;
}

static void act(server *v, client *c)
{
    uint8_t garbage[64];
    if (!c->ssl) {
        open_client(v, c);
        return;
    }
    switch (below(24)) {
    case 0: /* bytes of no record of its own */
        for (size_t i = 0; i < sizeof garbage; i++)
            garbage[i] = (uint8_t)below(256);
        garbage[0] = below(2) ? 23 : garbage[0];
        garbage[3] = below(2) ? 0 : garbage[3];
        if (send(c->fd, garbage, 1 + below(sizeof garbage), MSG_NOSIGNAL) > 0)
            c->hostile = true;
        break;
    case 1:
        lost += !c->hostile && c->asked_count - c->answered > 64;
        close_client(c);
        break;
    case 2:
    case 3:
        if (SSL_is_init_finished(c->ssl) && SSL_version(c->ssl) == TLS1_3_VERSION)
            SSL_key_update(c->ssl, below(2) ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
        break;
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
    case 9:
        ask(c);
        break;
    default:
        read_client(c);
    }
}

static void turn(server *v)
{
    int count = edge_loop_run(v->loop);
    const edge_handoff *handoffs = edge_loop_handoffs(v->loop);
    for (int i = 0; i < count; i++) { /* TLS 1.2, and what garbage became: nobody is there to serve it */
        int fd = handoffs[i].fd;
        if (handoffs[i].tls && below(2)
            && !edge_loop_adopt(v->loop, fd, handoffs[i].tls, handoffs[i].data + handoffs[i].length,
                                handoffs[i].sealed_length, NULL))
            continue;
        if (handoffs[i].tls)
            edge_tls_native.discard(tls, handoffs[i].tls);
        edge_loop_release(v->loop, fd);
        close(fd);
    }
    edge_loop_taken(v->loop);
}

static void clients_that_do_anything(unsigned long turns)
{
    server v = secure_new();
    for (unsigned long i = 0; i < turns; i++) {
        act(&v, clients + below(CLIENTS));
        ERR_clear_error();
        turn(&v);
        if (below(500) == 0)
            edge_loop_advance(v.loop, (uint32_t)below(12));
        if (below(50) == 0)
            edge_loop_tick(v.loop);
    }
    check(answers > turns / 100, "of %lu steps there are answers", turns);
    check(!wrong, "and each is what its own connection asked for, whatever the others did");
    check(!lost, "and is sent to who goes on reading");
    check(v.table.counters[EDGE_C_TLS_KEY_UPDATES] > 0 || turns < 4000, "keys are updated meanwhile");
    check(!tls->unproved, "and all keys were proved");
    for (client *c = clients; c < clients + CLIENTS; c++)
        if (c->ssl)
            close_client(c);
    secure_free(&v);
}

static void a_foreign_table_of_functions_is_refused(void)
{
    server v = secure_new();
    edge_tls_functions foreign = edge_tls_native;
    edge_loop *loop = edge_loop_new(&v.table, &(edge_limits){10, 0, 10, 75, 30, 0, 10, 1 << 20, 0});
    foreign.size++;
    check(edge_loop_use_tls(loop, &foreign, tls) == -EINVAL, "functions of another build are not called");
    uint32_t first = 1;
    check(edge_loop_secure(loop, 7, NULL, NULL, &first) == -EINVAL && !first, "nor has a listener certificates without them");
    check(edge_loop_use_tls(loop, &edge_tls_native, tls) == 0, "those of this build are");
    edge_loop_free(loop);
    secure_free(&v);
}

int main(void)
{
    const char *turns = getenv("EDGE_TURNS");
    signal(SIGPIPE, SIG_IGN); /* libssl writes with write(2) */
    client_context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(client_context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    clients_that_do_anything(turns ? strtoul(turns, NULL, 10) : 4000);
    a_foreign_table_of_functions_is_refused();
    SSL_CTX_free(client_context);
    return check_failures != 0;
}
