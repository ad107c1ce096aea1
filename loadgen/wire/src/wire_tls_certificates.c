#include "wire_tls_certificates.h"

#include <openssl/crypto.h>
#include <openssl/x509_vfy.h>
#include <string.h>

static void drop(wire_tls_certificate *one)
{
    X509_free(one->certificate);
    OPENSSL_free(one->der);
}

/* The certificate of the same bytes that is kept, which from now on it may be itself; not the caller's.  NULL: no
 * memory. */
static X509 *common_to_all(wire_tls_certificates *certificates, X509 *shown)
{
    wire_tls_certificate found = {.certificate = shown};
    if ((found.length = i2d_X509(shown, &found.der)) < 0)
        return NULL;
    for (unsigned i = 0; i < certificates->count; i++) {
        const wire_tls_certificate *one = certificates->all + i;
        if (one->length == found.length && memcmp(one->der, found.der, (size_t)found.length) == 0) {
            OPENSSL_free(found.der);
            return one->certificate;
        }
    }
    wire_tls_certificate *place = certificates->all + certificates->next;
    if (certificates->count == WIRE_TLS_CERTIFICATES)
        drop(place);
    else
        certificates->count++;
    certificates->next = (certificates->next + 1) % WIRE_TLS_CERTIFICATES;
    X509_up_ref(shown);
    *place = found;
    return shown;
}

int wire_tls_certificates_verify(X509_STORE_CTX *verification, void *certificates)
{
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_untrusted(verification);
    for (int i = 0; i < sk_X509_num(chain); i++) {
        X509 *shown = sk_X509_value(chain, i), *common = common_to_all(certificates, shown);
        if (!common || common == shown)
            continue;
        X509_up_ref(common);
        sk_X509_set(chain, i, common);
        if (X509_STORE_CTX_get0_cert(verification) == shown)
            X509_STORE_CTX_set_cert(verification, common);
        X509_free(shown);
    }
    return X509_verify_cert(verification);
}

void wire_tls_certificates_close(wire_tls_certificates *certificates)
{
    for (unsigned i = 0; i < certificates->count; i++)
        drop(certificates->all + i);
    certificates->count = 0;
}
