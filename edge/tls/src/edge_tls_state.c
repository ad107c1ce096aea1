#include "edge_tls_state.h"

#include <string.h>
#include <sys/mman.h>

#include <openssl/crypto.h>

#define NUMBER_BITS 30
#define GIVE_BACK 1024 /* states at once, after which their memory goes back to the system when all have ended */
#define NUMBER(state) ((state) & ((1u << NUMBER_BITS) - 1))

bool edge_tls_derive(const edge_tls_suite *suite, edge_tls_cell *cell, unsigned direction)
{
    const uint8_t *secret = edge_tls_secret(suite, cell, direction);
    cell->sequence[direction] = 0;
    return edge_tls_expand(suite, secret, "key", edge_tls_key(suite, cell, direction), suite->key)
           && edge_tls_expand(suite, secret, "iv", cell->iv[direction], EDGE_TLS_IV);
}

bool edge_tls_advance(const edge_tls_suite *suite, edge_tls_cell *cell, unsigned direction)
{
    uint8_t *secret = edge_tls_secret(suite, cell, direction);
    return edge_tls_expand(suite, secret, "traffic upd", secret, suite->secret)
           && edge_tls_derive(suite, cell, direction);
}

bool edge_tls_slabs_open(edge_tls_slab slabs[EDGE_TLS_SUITES], const edge_tls_suite suites[EDGE_TLS_SUITES],
                         uint32_t capacity)
{
    for (unsigned suite = 1; suite < EDGE_TLS_SUITES; suite++) {
        edge_tls_slab *slab = slabs + suite;
        slab->bytes = edge_tls_cell_bytes(suites + suite);
        slab->capacity = NUMBER(capacity);
        /* Reserved, not used: a page of it becomes memory when a state in it is taken. */
        slab->cells = mmap(NULL, slab->capacity * slab->bytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (slab->cells == MAP_FAILED) {
            slab->cells = NULL;
            return false;
        }
        madvise(slab->cells, slab->capacity * slab->bytes, MADV_DONTDUMP);
    }
    return true;
}

void edge_tls_slabs_close(edge_tls_slab slabs[EDGE_TLS_SUITES])
{
    for (unsigned suite = 1; suite < EDGE_TLS_SUITES; suite++) {
        edge_tls_slab *slab = slabs + suite;
        if (!slab->cells)
            continue;
        OPENSSL_cleanse(slab->cells, slab->used * slab->bytes);
        munmap(slab->cells, slab->capacity * slab->bytes);
    }
}

edge_tls_cell *edge_tls_at(const edge_tls_slab slabs[EDGE_TLS_SUITES], edge_tls_state state)
{
    const edge_tls_slab *slab = slabs + (state >> NUMBER_BITS);
    return (edge_tls_cell *)(void *)(slab->cells + (NUMBER(state) - 1) * slab->bytes);
}

edge_tls_state edge_tls_take(edge_tls_slab slabs[EDGE_TLS_SUITES], unsigned suite)
{
    edge_tls_slab *slab = slabs + suite;
    uint32_t number = slab->free;
    if (!number) {
        if (slab->used == slab->capacity)
            return 0;
        number = ++slab->used;
    }
    edge_tls_state state = suite << NUMBER_BITS | number;
    edge_tls_cell *cell = edge_tls_at(slabs, state);
    slab->free = cell->next; /* of a cell that was never taken: 0 */
    cell->next = 0;
    cell->suite = (uint8_t)suite;
    slab->count++;
    return state;
}

void edge_tls_give(edge_tls_slab slabs[EDGE_TLS_SUITES], edge_tls_state state)
{
    edge_tls_slab *slab = slabs + (state >> NUMBER_BITS);
    edge_tls_cell *cell = edge_tls_at(slabs, state);
    OPENSSL_cleanse(cell, slab->bytes);
    cell->next = slab->free;
    slab->free = NUMBER(state);
    if (--slab->count || slab->used < GIVE_BACK)
        return;
    madvise(slab->cells, slab->used * slab->bytes, MADV_DONTNEED); /* zeros when it is taken again */
    slab->used = slab->free = 0;
}

edge_tls_state edge_tls_import(edge_tls_slab slabs[EDGE_TLS_SUITES], const uint8_t *bytes, size_t length)
{
    edge_tls_state state;
    edge_tls_cell cell;
    if (length < sizeof cell)
        return 0;
    memcpy(&cell, bytes, sizeof cell);
    if (!cell.suite || cell.suite >= EDGE_TLS_SUITES || length != slabs[cell.suite].bytes
        || cell.flags & ~EDGE_TLS_FLAGS || cell.partial > 4 || cell.useless > EDGE_TLS_USELESS || cell.next)
        return 0;
    state = edge_tls_take(slabs, cell.suite);
    if (state)
        memcpy(edge_tls_at(slabs, state), bytes, length);
    return state;
}
