/* The certificates of a listener: libssl contexts, chosen by the name that the client asks for.
 *
 * For each name there is the first certificate of each type of key (ECDSA, RSA, ..) that has it; among those libssl
 * takes what the client can verify.  A reload makes a new context for new connections. */
#ifndef EDGE_TLS_CONTEXT_H
#define EDGE_TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "edge_tls.h"
#include "edge_tls_library.h"

#define EDGE_TLS_TICKET_NAME 16
#define EDGE_TLS_TICKET_KEYS 16

/* What session tickets are sealed with: AES-256-CBC and HMAC-SHA-256, RFC 5077 4. */
typedef struct {
    uint8_t name[EDGE_TLS_TICKET_NAME], cipher[32], mac[32];
} edge_tls_ticket_key;

typedef struct {
    unsigned count; /* the first is the newest, and seals */
    edge_tls_ticket_key keys[EDGE_TLS_TICKET_KEYS];
} edge_tls_tickets;

/* What the contexts' callbacks need of a handshake: its SSL object's app data. */
typedef struct {
    const edge_tls_tickets *tickets;
    edge_tls_derived derived;
    int sends, received; /* the last alert */
} edge_tls_callbacks;

/* "Groups" is a list as for SSL_CTX_set1_groups_list.  NULL: no memory. */
edge_tls_context *edge_tls_context_new(const char *groups);
/* PEM: the certificate and then its chain; its key.  NULL, or what is wrong with them. */
const char *edge_tls_context_add(edge_tls_context *context, const uint8_t *chain, size_t chain_bytes,
                                 const uint8_t *key, size_t key_bytes);
/* After all were added.  NULL, or what is wrong. */
const char *edge_tls_context_finish(edge_tls_context *context);
void edge_tls_context_retain(edge_tls_context *context);
void edge_tls_context_release(edge_tls_context *context);
/* The names, in order; NULL after the last. */
const char *edge_tls_context_name(const edge_tls_context *context, unsigned index);
/* For a name in lower case; for one that no certificate has, those of the first certificate. */
SSL_CTX *edge_tls_context_choose(const edge_tls_context *context, const uint8_t *name, size_t length);
/* Whether libssl takes the list of groups. */
bool edge_tls_groups_known(const char *groups);

#endif
