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

#endif
