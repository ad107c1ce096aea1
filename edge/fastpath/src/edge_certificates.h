/* For which hosts a connection may be asked, by the certificate that was shown on it: the twin of
 * edge/certificates.py.  Sans-IO; the caller owns the arrays. */
#ifndef EDGE_CERTIFICATES_H
#define EDGE_CERTIFICATES_H

#include "edge_sites.h"

/* Names in lower case, sorted; "*.example.org" is all that have one label before. */
typedef struct {
    const edge_span *names;
    uint32_t count;
} edge_names;

/* The certificates of a listener.  A shown number stands for what is shown to who asks for a name. */
typedef struct {
    edge_names all;         /* of all of them */
    const uint32_t *shown;  /* by place of the name in all */
    const edge_names *own;  /* by shown number: what it is for for sure; [0]: shown to who asks for another name */
    uint32_t shown_count;
} edge_certificates;

/* What is shown to who asks for a name. */
uint32_t edge_certificates_shown_to(const edge_certificates *certificates, edge_span name);

/* Whether a request is misdirected, RFC 9110 15.5.20: what was shown is not for the value of its field Host, and who
 * asks for that one's name is shown another certificate. */
bool edge_certificates_misdirect(const edge_certificates *certificates, uint32_t shown, edge_span host);

#endif
