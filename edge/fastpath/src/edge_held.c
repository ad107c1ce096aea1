#include "edge_held.h"

#include "edge_carrier.h"

/* The descriptor of who waits; -1: nobody does. */
static int held_of(const edge_loop *loop, uint64_t ticket)
{
    const uint32_t fd = (uint32_t)ticket;
    if (fd >= loop->capacity || loop->connections[fd].state != EDGE_CONN_HELD
        || loop->connections[fd].buffer->ticket != ticket)
        return -1;
    return (int)fd;
}

static bool has_room(const edge_loop *loop)
{
    return loop->handoff_count < EDGE_HANDOFFS;
}

static void give_up(edge_loop *loop, int fd)
{
    edge_connection_give_up(loop, fd, EDGE_MET_NOTHING, loop->connections[fd].buffer->began);
}

bool edge_held_begin(edge_loop *loop, int fd, const edge_received *received)
{
    edge_relay *relay = loop->relay;
    edge_connection *c = loop->connections + fd;
    if (relay->held_count == EDGE_HELD_AT_ONCE)
        return false;
    edge_buffer *buffer = edge_connection_buffer(loop, c, 0, received);
    if (!buffer)
        return false;
    edge_connection_keep(loop, c, buffer, 0, received);
    buffer->ticket = (uint64_t)++relay->held << 32 | (uint32_t)fd;
    buffer->began = loop->answerer.began;
    const edge_request *request = &loop->answerer.passed;
    relay->held_news[relay->held_count++] = (edge_held){
        .ticket = buffer->ticket, .site = request->site, .path_length = (uint32_t)request->path.length,
        .length = request->target.length, .told_apart = c->peer};
    edge_peers_address(&loop->peers, c->peer, relay->held_news[relay->held_count - 1].network);
    edge_connection_set_state(loop, c, EDGE_CONN_HELD);
    c->deadline = loop->now + EDGE_HELD_SECONDS;
    edge_connection_await_input(loop, fd);
    return true;
}

void edge_held_overdue(edge_loop *loop, int fd)
{
    if (has_room(loop))
        give_up(loop, fd);
    else
        loop->connections[fd].deadline = loop->now + 1;
}

/* ---- the interface ---- */

void edge_loop_hold(edge_loop *loop, bool holds)
{
    loop->answerer.holds = holds && loop->relay;
}

const edge_held *edge_loop_held(edge_loop *loop, uint32_t *count)
{
    edge_relay *relay = loop->relay;
    *count = 0;
    for (unsigned i = 0; relay && i < relay->held_count; i++) {
        edge_held one = relay->held_news[i];
        const int fd = held_of(loop, one.ticket);
        if (fd < 0)
            continue; /* it has gone already */
        one.target = edge_connection_kept(loop, fd).bytes + sizeof "GET " - 1;
        relay->held_news[(*count)++] = one;
    }
    if (relay)
        relay->held_count = 0;
    return relay ? relay->held_news : NULL;
}

bool edge_loop_is_held(const edge_loop *loop, uint64_t ticket)
{
    return held_of(loop, ticket) >= 0;
}

const uint8_t *edge_loop_held_head(const edge_loop *loop, uint64_t ticket, uint64_t *length)
{
    const int fd = held_of(loop, ticket);
    edge_request request;
    if (fd < 0)
        return NULL;
    const edge_received kept = edge_connection_kept(loop, fd);
    edge_recognise(kept.bytes, kept.length, &request);
    *length = request.consumed;
    return kept.bytes;
}

/* What became of who is on the descriptor, before the handoff of that number. */
static edge_held_end end_of(edge_loop *loop, int fd, int before, uint64_t ticket)
{
    if (loop->handoff_count == before || loop->handoffs[before].fd != fd)
        return EDGE_HELD_GONE;
    loop->handoffs[before].ticket = ticket;
    return EDGE_HELD_HANDED;
}

edge_held_end edge_loop_look(edge_loop *loop, uint64_t ticket, edge_waited waited)
{
    edge_answerer *answerer = &loop->answerer;
    const int fd = held_of(loop, ticket), before = loop->handoff_count;
    if (fd < 0 || !has_room(loop))
        return fd < 0 ? EDGE_HELD_GONE : EDGE_HELD_LATER;
    edge_loop_clocks(loop);
    const uint64_t began = answerer->began = loop->connections[fd].buffer->began;
    answerer->waited = waited;
    edge_table_enter(&answerer->table);
    edge_connection_go_on(loop, fd);
    edge_carrier_flush(loop); /* what is pipelined behind it may be passed on */
    edge_table_leave(&answerer->table);
    const bool unanswered = answerer->waited != EDGE_WAITED_NOT;
    answerer->waited = EDGE_WAITED_NOT;
    if (!unanswered)
        return EDGE_HELD_ANSWERED;
    const edge_held_end end = end_of(loop, fd, before, ticket);
    if (end == EDGE_HELD_HANDED)
        edge_connection_handed_since(loop, loop->handoffs + before, began);
    return end;
}

edge_held_end edge_loop_let_go(edge_loop *loop, uint64_t ticket)
{
    const int fd = held_of(loop, ticket), before = loop->handoff_count;
    if (fd < 0 || !has_room(loop))
        return fd < 0 ? EDGE_HELD_GONE : EDGE_HELD_LATER;
    give_up(loop, fd);
    return end_of(loop, fd, before, ticket);
}
