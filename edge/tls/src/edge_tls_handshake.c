#include "edge_tls_handshake.h"

#include <string.h>

#include <openssl/err.h>

#include "edge_tls_hello.h"
#include "edge_tls_record.h"

#define FED_BYTES (128 * 1024) /* of one client, before it is done */

struct edge_tls_handshake {
    edge_tls *tls;
    edge_tls_context *context;
    SSL *ssl;
    BIO *in, *out; /* owned by ssl */
    size_t fed;
    edge_tls_callbacks callbacks;
    size_t name_length;
    uint8_t name[EDGE_TLS_NAME];
};

edge_tls_handshake *edge_tls_begin(edge_tls *tls, edge_tls_context *context, const uint8_t *in, size_t length)
{
    edge_tls_hello hello;
    edge_tls_handshake *handshake;
    if (edge_tls_recognise(in, length, tls->hybrid, &hello) != EDGE_TLS_RECOGNISED)
        return NULL;
    handshake = OPENSSL_zalloc(sizeof *handshake);
    if (!handshake)
        return NULL;
    handshake->tls = tls;
    handshake->context = context;
    handshake->name_length = hello.name_length;
    memcpy(handshake->name, hello.name, hello.name_length);
    edge_tls_context_retain(context);
    handshake->callbacks.tickets = &tls->tickets;
    handshake->callbacks.sends = handshake->callbacks.received = EDGE_TLS_NO_ALERT;
    handshake->ssl = SSL_new(edge_tls_context_choose(context, hello.name, hello.name_length));
    handshake->in = BIO_new(BIO_s_mem());
    handshake->out = BIO_new(BIO_s_mem());
    if (!handshake->ssl || !handshake->in || !handshake->out) {
        BIO_free(handshake->in);
        BIO_free(handshake->out);
        edge_tls_end(handshake);
        return NULL;
    }
    SSL_set_bio(handshake->ssl, handshake->in, handshake->out);
    SSL_set_app_data(handshake->ssl, &handshake->callbacks);
    SSL_set_accept_state(handshake->ssl);
    return handshake;
}

void edge_tls_end(edge_tls_handshake *handshake)
{
    SSL_free(handshake->ssl);
    edge_tls_context_release(handshake->context);
    OPENSSL_clear_free(handshake, sizeof *handshake);
}

/* ---- detaching ---- */

/* Whether our keys are libssl's: the last of the session tickets, as sealed, opens with them.  Leaves the state as it
 * is for the first record of ours.  Without a ticket there is nothing to prove it with, nor has anything been sealed. */
static bool proved(const edge_tls *tls, edge_tls_cell *cell, const uint8_t *tickets, size_t length)
{
    const edge_tls_suite *suite = tls->suites + cell->suite;
    uint8_t out[EDGE_TLS_RECORD];
    size_t at = 0, last = 0, written;
    uint64_t count = 0;
    for (; length - at >= EDGE_TLS_HEADER; count++) {
        last = at;
        at += EDGE_TLS_HEADER + edge_tls_record_length(tickets + at);
        if (at > length || at - last > sizeof out || at - last < EDGE_TLS_HEADER + 1 + EDGE_TLS_TAG)
            return false;
    }
    cell->sequence[EDGE_TLS_WRITE] = count;
    if (!count)
        return at == length;
    cell->sequence[EDGE_TLS_WRITE]--;
    int type = edge_tls_open_record(suite, cell, EDGE_TLS_WRITE, true, tickets + last, at - last, out, &written);
    bool is_ticket = type == EDGE_TLS_TYPE_HANDSHAKE && written && out[0] == 4;
    OPENSSL_cleanse(out, sizeof out);
    return is_ticket && at == length;
}

/* The sealed state; 0: there is none.  `before`: bytes of output that are not tickets. */
static edge_tls_state detach(edge_tls_handshake *handshake, size_t before)
{
    edge_tls *tls = handshake->tls;
    const edge_tls_derived *of = &handshake->callbacks.derived;
    const SSL_CIPHER *cipher = SSL_get_current_cipher(handshake->ssl);
    unsigned suite = cipher ? SSL_CIPHER_get_protocol_id(cipher) & 0xffu : 0, length = 0;
    const unsigned char *protocol = NULL;
    char *output;
    if (!suite || suite >= EDGE_TLS_SUITES || of->secret_bytes[0] != tls->suites[suite].secret
        || of->secret_bytes[1] != tls->suites[suite].secret) {
        tls->unproved++;
        return 0;
    }
    edge_tls_state state = edge_tls_take(tls->slabs, suite);
    if (!state)
        return 0;
    edge_tls_cell *cell = edge_tls_at(tls->slabs, state);
    bool derived = true;
    for (unsigned direction = 0; direction < 2; direction++) {
        memcpy(edge_tls_secret(tls->suites + suite, cell, direction), of->secrets[direction],
               tls->suites[suite].secret);
        if (tls->spoil)
            edge_tls_secret(tls->suites + suite, cell, direction)[0] ^= 1;
        derived &= edge_tls_derive(tls->suites + suite, cell, direction);
    }
    SSL_get0_alpn_selected(handshake->ssl, &protocol, &length);
    if (length)
        cell->flags |= EDGE_TLS_FLAG_HTTP;
    size_t all = (size_t)BIO_get_mem_data(handshake->out, &output);
    if (derived && proved(tls, cell, (const uint8_t *)output + before, all - before))
        return state;
    tls->unproved += derived; /* else there was no memory */
    edge_tls_give(tls->slabs, state);
    return 0;
}

/* ---- stepping ---- */

/* The number of the key exchange's group; libssl has a NID for the older ones. */
static uint16_t group_of(SSL *ssl)
{
    long group = SSL_get_negotiated_group(ssl);
    return group == NID_X25519 ? EDGE_TLS_X25519 : group == NID_X9_62_prime256v1 ? EDGE_TLS_P256 : (uint16_t)group;
}

/* One whole record for libssl. */
static edge_tls_progress feed(edge_tls_handshake *handshake, const uint8_t *record, size_t length,
                              edge_tls_outcome *outcome)
{
    size_t before = BIO_pending(handshake->out);
    handshake->fed += length;
    if (handshake->fed > FED_BYTES || BIO_write(handshake->in, record, (int)length) != (int)length)
        return EDGE_TLS_FAILED;
    ERR_clear_error();
    const edge_tls_suite *suites = handshake->tls->suites;
    edge_tls_derive_with(&suites[1].hash, &suites[2].hash, &handshake->callbacks.derived);
    int done = SSL_do_handshake(handshake->ssl);
    if (done == 1) {
        outcome->state = detach(handshake, before);
        outcome->group = group_of(handshake->ssl);
        outcome->resumed = SSL_session_reused(handshake->ssl);
        return outcome->state ? EDGE_TLS_DONE : EDGE_TLS_FAILED;
    }
    if (SSL_get_error(handshake->ssl, done) == SSL_ERROR_WANT_READ && !BIO_pending(handshake->in)
        && handshake->callbacks.received == EDGE_TLS_NO_ALERT)
        return EDGE_TLS_RECEIVE;
    handshake->tls->unproved += handshake->callbacks.derived.refused;
    ERR_clear_error();
    return EDGE_TLS_FAILED;
}

edge_tls_progress edge_tls_step(edge_tls_handshake *handshake, const uint8_t *in, size_t length,
                                edge_tls_outcome *outcome)
{
    edge_tls_progress progress = EDGE_TLS_RECEIVE;
    char *output;
    *outcome = (edge_tls_outcome){.state = 0};
    (void)BIO_reset(handshake->out);
    while (progress == EDGE_TLS_RECEIVE && length - outcome->consumed >= EDGE_TLS_HEADER) {
        const uint8_t *record = in + outcome->consumed;
        size_t whole = EDGE_TLS_HEADER + edge_tls_record_length(record);
        /* Of one that is too long libssl gets the header, and refuses it. */
        if (whole > EDGE_TLS_RECORD)
            whole = EDGE_TLS_HEADER;
        if (length - outcome->consumed < whole)
            break;
        progress = feed(handshake, record, whole, outcome);
        if (whole == EDGE_TLS_HEADER && progress == EDGE_TLS_RECEIVE)
            progress = EDGE_TLS_FAILED;
        outcome->consumed += whole;
    }
    outcome->length = (size_t)BIO_get_mem_data(handshake->out, &output);
    outcome->output = (const uint8_t *)output;
    outcome->sends = handshake->callbacks.sends;
    outcome->received = handshake->callbacks.received;
    outcome->name = handshake->name;
    outcome->name_length = handshake->name_length;
    return progress;
}
