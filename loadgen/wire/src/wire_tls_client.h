/* TLS 1.3 as a client over the system's OpenSSL; see wire_tls.h for what the wire calls. */
#ifndef WIRE_TLS_CLIENT_H
#define WIRE_TLS_CLIENT_H

#include "wire_tls.h"

/* What the wire calls. */
const wire_tls_functions *wire_tls_native(void);

/* authorities: PEM, NULL: the system's; insecure: any certificate does.  NULL: no memory, or no certificates. */
wire_tls *wire_tls_new(uint32_t users, const char *authorities, size_t length, int insecure);
void wire_tls_free(wire_tls *tls);
/* Sessions that are kept now (for measurements). */
uint64_t wire_tls_sessions(const wire_tls *tls);

/* For who holds connections without the wire: what stands behind the pointers of wire_tls_functions. */
wire_tls_link *wire_tls_begin(wire_tls *tls, int fd, uint32_t user, uint16_t node, const char *name);
wire_tls_progress wire_tls_shake(wire_tls_link *link);
unsigned wire_tls_failure(const wire_tls_link *link);
int wire_tls_resumed(const wire_tls_link *link);
ssize_t wire_tls_receive(wire_tls_link *link, uint8_t *bytes, size_t length, int *more);
ssize_t wire_tls_send(wire_tls_link *link, const uint8_t *bytes, size_t length);
void wire_tls_end(wire_tls_link *link);

#endif
