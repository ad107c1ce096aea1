#include "wire_requests.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS 1024 /* to begin with; a power of two */
#define GRAIN 256  /* memory of a request is a multiple of it */

static inline uint32_t chain_of(const wire_requests *requests, int64_t token)
{
    return (uint32_t)(((uint64_t)token * 0x9e3779b97f4a7c15u) >> 32) & (requests->size - 1);
}

int wire_requests_open(wire_requests *requests)
{
    memset(requests, 0, sizeof *requests);
    requests->size = requests->heap_size = SLOTS;
    requests->used = 1;
    requests->pool = calloc(SLOTS, sizeof *requests->pool);
    requests->chains = calloc(SLOTS, sizeof *requests->chains);
    requests->heap = malloc(SLOTS * sizeof *requests->heap);
    return requests->pool && requests->chains && requests->heap ? 0 : -1;
}

void wire_requests_close(wire_requests *requests)
{
    for (uint32_t i = 1; requests->pool && i < requests->used; i++)
        free(requests->pool[i].bytes);
    free(requests->pool);
    free(requests->chains);
    free(requests->heap);
}

/* Twice the slots, and chains for them. */
static int grow(wire_requests *requests)
{
    uint32_t size = requests->size * 2;
    wire_pending *pool = size > requests->size ? realloc(requests->pool, size * sizeof *pool) : NULL;
    if (!pool)
        return -1;
    memset(pool + requests->size, 0, requests->size * sizeof *pool);
    requests->pool = pool;
    uint32_t *chains = realloc(requests->chains, size * sizeof *chains);
    if (!chains)
        return -1;
    memset(chains, 0, size * sizeof *chains);
    requests->chains = chains;
    requests->size = size;
    for (uint32_t i = 1; i < requests->used; i++) {
        wire_pending *one = pool + i;
        if (one->state == WIRE_FREE || one->state == WIRE_ENDED)
            continue;
        uint32_t *chain = chains + chain_of(requests, one->token);
        one->chain = *chain;
        *chain = i;
    }
    return 0;
}

static inline int before(const wire_due *one, const wire_due *other)
{
    return one->due != other->due ? one->due < other->due : (int32_t)(one->sequence - other->sequence) < 0;
}

static int heap_push(wire_requests *requests, int64_t due, uint32_t request)
{
    if (requests->heap_count == requests->heap_size) {
        wire_due *heap = realloc(requests->heap, 2 * (size_t)requests->heap_size * sizeof *heap);
        if (!heap)
            return -1;
        requests->heap = heap;
        requests->heap_size *= 2;
    }
    wire_due one = {due, requests->sequence++, request};
    uint32_t at = requests->heap_count++;
    while (at && before(&one, requests->heap + (at - 1) / 4)) {
        requests->heap[at] = requests->heap[(at - 1) / 4];
        at = (at - 1) / 4;
    }
    requests->heap[at] = one;
    return 0;
}

static uint32_t heap_pop(wire_requests *requests)
{
    wire_due *heap = requests->heap;
    uint32_t request = heap->request, count = --requests->heap_count, at = 0;
    wire_due last = heap[count];
    for (;;) {
        uint32_t least = 4 * at + 1;
        if (least >= count)
            break;
        for (uint32_t i = least + 1; i < count && i <= 4 * at + 4; i++)
            if (before(heap + i, heap + least))
                least = i;
        if (!before(heap + least, &last))
            break;
        heap[at] = heap[least];
        at = least;
    }
    heap[at] = last;
    return request;
}

static void slot_free(wire_requests *requests, uint32_t request)
{
    requests->pool[request].state = WIRE_FREE;
    requests->pool[request].chain = requests->free;
    requests->free = request;
}

uint32_t wire_requests_add(wire_requests *requests, int64_t token, int64_t due, const uint8_t *bytes, size_t length)
{
    if (!requests->free && requests->used == requests->size && grow(requests))
        return 0;
    uint32_t request = requests->free ? requests->free : requests->used;
    wire_pending *one = requests->pool + request;
    if (one->capacity < length) {
        uint32_t capacity = (uint32_t)(length + GRAIN - 1) / GRAIN * GRAIN;
        uint8_t *larger = malloc(capacity);
        if (!larger)
            return 0;
        free(one->bytes);
        one->bytes = larger;
        one->capacity = capacity;
    }
    if (heap_push(requests, due, request))
        return 0;
    if (requests->free)
        requests->free = one->chain;
    else
        requests->used++;
    uint32_t capacity = one->capacity;
    uint8_t *kept = one->bytes;
    *one = (wire_pending){.token = token, .due = due, .bytes = kept, .capacity = capacity, .state = WIRE_DUE, .fd = -1};
    one->length = (uint32_t)length;
    memcpy(one->bytes, bytes, length);
    uint32_t *chain = requests->chains + chain_of(requests, token);
    one->chain = *chain;
    *chain = request;
    requests->count++;
    return request;
}

uint32_t wire_requests_find(const wire_requests *requests, int64_t token)
{
    uint32_t request = requests->chains[chain_of(requests, token)];
    while (request && requests->pool[request].token != token)
        request = requests->pool[request].chain;
    return request;
}

void wire_requests_end(wire_requests *requests, uint32_t request)
{
    wire_pending *pool = requests->pool, *one = pool + request;
    uint32_t *chain = requests->chains + chain_of(requests, one->token);
    while (*chain != request)
        chain = &pool[*chain].chain;
    *chain = one->chain;
    requests->count--;
    if (one->state == WIRE_DUE) {
        one->state = WIRE_ENDED;
        return;
    }
    *(one->earlier ? &pool[one->earlier].later : &requests->first) = one->later;
    *(one->later ? &pool[one->later].earlier : &requests->last) = one->earlier;
    slot_free(requests, request);
}

int64_t wire_requests_due(const wire_requests *requests)
{
    return requests->heap_count ? requests->heap->due : INT64_MAX;
}

uint32_t wire_requests_take(wire_requests *requests, int64_t now)
{
    while (requests->heap_count && requests->heap->due <= now) {
        uint32_t request = heap_pop(requests);
        wire_pending *pool = requests->pool, *one = pool + request;
        if (one->state == WIRE_ENDED) {
            slot_free(requests, request);
            continue;
        }
        one->begun = now;
        /* Nearly always the last; before others only if it was sent late. */
        one->earlier = requests->last;
        while (one->earlier && pool[one->earlier].due > one->due)
            one->earlier = pool[one->earlier].earlier;
        uint32_t *after = one->earlier ? &pool[one->earlier].later : &requests->first;
        one->later = *after;
        *after = request;
        *(one->later ? &pool[one->later].earlier : &requests->last) = request;
        return request;
    }
    return 0;
}
