/* What Python calls of edge._tls (edge/tls/native.py), and the table of what the loop calls. */
#ifndef EDGE_TLS_MODULE_H
#define EDGE_TLS_MODULE_H

#include "edge_tls_handshake.h"

/* states: how many of each suite there can be at once.  NULL: no memory, or a libcrypto without TLS 1.3. */
edge_tls *edge_tls_new(uint32_t states);
/* It goes with the last of its states. */
void edge_tls_free(edge_tls *tls);
edge_tls_context *edge_tls_context_for(const edge_tls *tls);
/* count keys of 80 bytes (edge_tls_ticket_key), the newest first; 1 to EDGE_TLS_TICKET_KEYS. */
void edge_tls_set_tickets(edge_tls *tls, const uint8_t *keys, unsigned count);

/* 0: the bytes are no state, or there is no room for it. */
edge_tls_state edge_tls_state_import(edge_tls *tls, const uint8_t *bytes, size_t length);
size_t edge_tls_state_bytes(const edge_tls *tls, edge_tls_state state);
/* The state moves to the bytes, and is no more. */
void edge_tls_state_export(edge_tls *tls, edge_tls_state state, uint8_t *bytes);
unsigned edge_tls_state_flags(const edge_tls *tls, edge_tls_state state);
/* As in edge_tls_functions; Python calls them without its pointers. */
unsigned edge_tls_state_suite(edge_tls *tls, edge_tls_state state);
void edge_tls_state_open(edge_tls *tls, edge_tls_state state, const uint8_t *in, size_t length, uint8_t *out,
                         edge_tls_opened *opened);
size_t edge_tls_state_seal(edge_tls *tls, edge_tls_state state, const uint8_t *bytes, size_t length, uint8_t *out);
size_t edge_tls_state_alert(edge_tls *tls, edge_tls_state state, int description, uint8_t *out);
void edge_tls_state_discard(edge_tls *tls, edge_tls_state state);
uint64_t edge_tls_states(edge_tls *tls);

extern const edge_tls_functions edge_tls_native;

#endif
