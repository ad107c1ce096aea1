#include "edge_tls_module.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/rand.h>

#include "edge_tls_hello.h"
#include "edge_tls_record.h"

#define GROUPS "X25519:P-256"
#define GROUPS_HYBRID "X25519MLKEM768:X25519:P-256"

edge_tls *edge_tls_new(uint32_t states)
{
    edge_tls *tls = OPENSSL_zalloc(sizeof *tls);
    if (!tls)
        return NULL;
    tls->hybrid = edge_tls_groups_known(GROUPS_HYBRID);
    tls->groups = tls->hybrid ? GROUPS_HYBRID : GROUPS;
    /* Until the caller has keys of its own: tickets that nobody else takes. */
    tls->tickets.count = 1;
    if (!edge_tls_suites_open(tls->suites) || !edge_tls_slabs_open(tls->slabs, tls->suites, states)
        || RAND_priv_bytes((unsigned char *)tls->tickets.keys, sizeof tls->tickets.keys[0]) <= 0) {
        edge_tls_free(tls);
        ERR_clear_error();
        return NULL;
    }
    return tls;
}

uint64_t edge_tls_states(edge_tls *tls)
{
    uint64_t count = 0;
    for (unsigned i = 1; i < EDGE_TLS_SUITES; i++)
        count += tls->slabs[i].count;
    return count;
}

/* Once its owner and all states have gone, in whichever order: Python's collector has one of its own. */
static void free_unowned(edge_tls *tls)
{
    if (!tls->unowned || edge_tls_states(tls))
        return;
    edge_tls_slabs_close(tls->slabs);
    edge_tls_suites_close(tls->suites);
    OPENSSL_clear_free(tls, sizeof *tls);
}

void edge_tls_free(edge_tls *tls)
{
    tls->unowned = true;
    free_unowned(tls);
}

edge_tls_context *edge_tls_context_for(const edge_tls *tls)
{
    return edge_tls_context_new(tls->groups);
}

void edge_tls_set_tickets(edge_tls *tls, const uint8_t *keys, unsigned count)
{
    OPENSSL_cleanse(&tls->tickets, sizeof tls->tickets);
    tls->tickets.count = count;
    memcpy(tls->tickets.keys, keys, count * sizeof tls->tickets.keys[0]);
}

size_t edge_tls_state_bytes(const edge_tls *tls, edge_tls_state state)
{
    return tls->slabs[edge_tls_at(tls->slabs, state)->suite].bytes;
}

edge_tls_state edge_tls_state_import(edge_tls *tls, const uint8_t *bytes, size_t length)
{
    return edge_tls_import(tls->slabs, bytes, length);
}

void edge_tls_state_export(edge_tls *tls, edge_tls_state state, uint8_t *bytes)
{
    memcpy(bytes, edge_tls_at(tls->slabs, state), edge_tls_state_bytes(tls, state));
    edge_tls_give(tls->slabs, state);
    free_unowned(tls);
}

unsigned edge_tls_state_flags(const edge_tls *tls, edge_tls_state state)
{
    return edge_tls_at(tls->slabs, state)->flags;
}

/* ---- what the loop calls ---- */

void edge_tls_state_open(edge_tls *tls, edge_tls_state state, const uint8_t *in, size_t length, uint8_t *out,
                         edge_tls_opened *opened)
{
    edge_tls_open(tls->suites, edge_tls_at(tls->slabs, state), in, length, out, opened);
}

static size_t seal(edge_tls *tls, edge_tls_state state, const struct iovec *pieces, size_t skip, size_t length,
                   uint8_t *out)
{
    return edge_tls_seal(tls->suites, edge_tls_at(tls->slabs, state), pieces, skip, length, out);
}

size_t edge_tls_state_seal(edge_tls *tls, edge_tls_state state, const uint8_t *bytes, size_t length, uint8_t *out)
{
    return seal(tls, state, &(struct iovec){(void *)(uintptr_t)bytes, length}, 0, length, out);
}

size_t edge_tls_state_alert(edge_tls *tls, edge_tls_state state, int description, uint8_t *out)
{
    return edge_tls_alert(tls->suites, edge_tls_at(tls->slabs, state), description, out);
}

void edge_tls_state_discard(edge_tls *tls, edge_tls_state state)
{
    edge_tls_give(tls->slabs, state);
    free_unowned(tls);
}

unsigned edge_tls_state_suite(edge_tls *tls, edge_tls_state state)
{
    return edge_tls_at(tls->slabs, state)->suite;
}

static uint64_t memory(edge_tls *tls)
{
    uint64_t bytes = 0;
    for (unsigned i = 1; i < EDGE_TLS_SUITES; i++)
        bytes += tls->slabs[i].used * tls->slabs[i].bytes;
    return bytes;
}

static edge_tls_recognition recognise(edge_tls *tls, const uint8_t *in, size_t length)
{
    edge_tls_hello hello;
    if (tls->unproved) /* a libssl that we do not understand: Twisted's TLS serves from now on */
        return EDGE_TLS_LET_GO;
    return edge_tls_recognise(in, length, tls->hybrid, &hello);
}

const edge_tls_functions edge_tls_native = {
    .size = sizeof(edge_tls_functions),
    .open = edge_tls_state_open,
    .seal = seal,
    .alert = edge_tls_state_alert,
    .discard = edge_tls_state_discard,
    .suite = edge_tls_state_suite,
    .states = edge_tls_states,
    .memory = memory,
    .recognise = recognise,
    .begin = edge_tls_begin,
    .step = edge_tls_step,
    .end = edge_tls_end,
    .retain = edge_tls_context_retain,
    .release = edge_tls_context_release,
};
