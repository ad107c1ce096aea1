#include "edge_exchange.h"

#include <stdlib.h>
#include <string.h>

#define STILL_SECONDS 60 /* that an answer may stand still: edge/node/applications/pool.py */

static edge_exchange *exchange_of(const edge_loop *loop, int fd)
{
    return loop->connections[fd].buffer->exchange;
}

/* ---- heads and bodies ---- */

bool edge_exchange_interim(edge_loop *loop, const edge_exchange *exchange, const edge_passed *answer)
{
    const edge_head_context context = edge_answer_context(&loop->answerer, exchange->closing);
    bool chunked;
    return edge_passed_head(&loop->output, answer, &context, true, &chunked);
}

bool edge_exchange_head(edge_loop *loop, edge_exchange *exchange, const edge_passed *answer, bool bodiless)
{
    exchange->closing = exchange->closing || loop->draining;
    loop->answerer.secure = loop->connections[exchange->fd].tls;
    const edge_head_context context = edge_answer_context(&loop->answerer, exchange->closing);
    exchange->status = answer->status;
    exchange->of_events = edge_passed_is_of_events(answer);
    return edge_passed_head(&loop->output, answer, &context, bodiless, &exchange->chunked);
}

void edge_exchange_begun(edge_loop *loop, edge_exchange *exchange)
{
    exchange->answered = true;
    edge_member_settled(loop, exchange->member, exchange->asker);
    count(loop, EDGE_C_ANSWERS_PASSED, 1);
}

void edge_exchange_body(edge_loop *loop, edge_exchange *exchange, edge_span body)
{
    static const char digits[] = "0123456789abcdef";
    edge_output *out = &loop->output;
    uint8_t size[18];
    size_t at = sizeof size;
    exchange->sent += body.length;
    if (exchange->chunked && body.length) {
        size[--at] = '\n';
        size[--at] = '\r';
        for (size_t left = body.length; left; left /= 16)
            size[--at] = (uint8_t)digits[left % 16];
        const size_t begin = out->used;
        edge_put(out, size + at, sizeof size - at);
        edge_piece_since(out, begin);
    }
    edge_piece(out, body.bytes, body.length);
    if (exchange->chunked && (body.length || !exchange->carrier)) {
        const size_t begin = out->used;
        if (body.length)
            edge_put(out, EDGE_LITERAL("\r\n"));
        if (!exchange->carrier)
            edge_put(out, EDGE_LITERAL("0\r\n\r\n"));
        edge_piece_since(out, begin);
    }
}

/* ---- what is behind the bytes that the client has not taken ---- */

static void forget_pending(edge_loop *loop, edge_exchange *exchange)
{
    edge_connection_let(loop, exchange->fd, exchange->pending_room);
    free(exchange->pending);
    exchange->pending = NULL;
    exchange->pending_length = exchange->pending_room = 0;
}

/* false: over the share of the client's address, or no memory. */
static bool make_room(edge_loop *loop, edge_exchange *exchange, size_t more)
{
    const size_t needed = exchange->pending_length + more, twice = 2 * exchange->pending_room;
    const size_t room = needed > twice ? needed : twice;
    if (needed <= exchange->pending_room)
        return true;
    if (!edge_connection_hold(loop, exchange->fd, room - exchange->pending_room))
        return false;
    uint8_t *pending = realloc(exchange->pending, room);
    if (!pending) {
        edge_connection_let(loop, exchange->fd, room - exchange->pending_room);
        return false;
    }
    exchange->pending = pending;
    exchange->pending_room = room;
    return true;
}

/* Keeps what is in the output. */
static bool keep_pending(edge_loop *loop, edge_exchange *exchange)
{
    const edge_output *out = &loop->output;
    if (!make_room(loop, exchange, out->total))
        return false;
    for (int i = 0; i < out->count; i++) {
        memcpy(exchange->pending + exchange->pending_length, out->pieces[i].iov_base, out->pieces[i].iov_len);
        exchange->pending_length += out->pieces[i].iov_len;
    }
    return true;
}

/* ---- the end ---- */

/* The answer counts and is logged, whole or as far as it went. */
static void note(edge_loop *loop, const edge_exchange *exchange)
{
    edge_answerer *answerer = &loop->answerer;
    const edge_buffer *buffer = loop->connections[exchange->fd].buffer;
    edge_request request = {.method = EDGE_GET};
    const uint64_t began = answerer->began;
    answerer->began = exchange->began;
    if (answerer->log_every) {
        edge_connection_prepare(loop, exchange->fd);
        edge_recognise(buffer->bytes + buffer->output, exchange->consumed, &request);
    }
    request.site = exchange->site;
    edge_answer_passed(answerer, &request, exchange->status, exchange->sent);
    answerer->began = began;
}

void edge_exchange_part(edge_exchange *exchange)
{
    exchange->carrier = NULL;
    edge_member_parted(exchange->member);
}

static void release(edge_loop *loop, edge_exchange *exchange)
{
    if (!exchange->answered)
        edge_member_settled(loop, exchange->member, exchange->asker);
    forget_pending(loop, exchange);
    loop->connections[exchange->fd].buffer->exchange = NULL;
    free(exchange);
}

/* All of the answer has come, and its end is in the output. */
static void finish(edge_loop *loop, edge_exchange *exchange)
{
    const edge_exchange was = *exchange;
    note(loop, exchange);
    release(loop, exchange);
    edge_connection_answered(loop, was.fd, was.consumed, was.closing || loop->draining, was.muted);
}

void edge_exchange_fail(edge_loop *loop, edge_exchange *exchange, edge_met met)
{
    const int fd = exchange->fd;
    const uint64_t began = exchange->began;
    if (exchange->answered && exchange->sent == exchange->expected) { /* its visitor has all of it */
        edge_output_clear(&loop->output);
        edge_exchange_give(loop, exchange);
        return;
    }
    if (exchange->answered || loop->connections[fd].state != EDGE_CONN_ASKED) {
        edge_connection_drop(loop, fd); /* which ends the exchange */
        return;
    }
    release(loop, exchange);
    edge_connection_give_up(loop, fd, met, began);
}

/* It parts from the carrier, which hears of it. */
static void cancel(edge_loop *loop, edge_exchange *exchange)
{
    edge_carrier *carrier = exchange->carrier;
    edge_exchange_part(exchange);
    exchange->member->protocol->cancel(loop, carrier, exchange);
}

/* ---- the client ---- */

/* The time of one that waits for an answer, or for more of it. */
static void await(edge_loop *loop, const edge_exchange *exchange)
{
    loop->connections[exchange->fd].deadline = exchange->answered ? loop->now + STILL_SECONDS : exchange->deadline;
}

void edge_exchange_give(edge_loop *loop, edge_exchange *exchange)
{
    const int fd = exchange->fd;
    if (loop->connections[fd].state == EDGE_CONN_GIVING) {
        if (!keep_pending(loop, exchange))
            edge_connection_drop(loop, fd);
        return;
    }
    if (!exchange->carrier) {
        finish(loop, exchange);
        return;
    }
    await(loop, exchange);
    if (edge_connection_give(loop, fd) == EDGE_SENT)
        exchange->member->protocol->taken(loop, exchange->carrier, exchange);
}

void edge_exchange_drained(edge_loop *loop, int fd)
{
    edge_exchange *exchange = exchange_of(loop, fd);
    const size_t room = exchange->pending_room;
    uint8_t *pending = exchange->pending;
    edge_connection_set_state(loop, loop->connections + fd, EDGE_CONN_ASKED);
    await(loop, exchange);
    exchange->muted = false;
    if (edge_connection_watch(loop, fd, READABLE) || !edge_connection_forget_output(loop, fd)) {
        edge_connection_drop(loop, fd);
        return;
    }
    edge_connection_let(loop, fd, room);
    edge_output_clear(&loop->output);
    edge_piece(&loop->output, pending, exchange->pending_length);
    exchange->pending = NULL;
    exchange->pending_length = exchange->pending_room = 0;
    if (loop->output.total || !exchange->carrier)
        edge_exchange_give(loop, exchange);
    else
        exchange->member->protocol->taken(loop, exchange->carrier, exchange);
    free(pending);
}

void edge_exchange_left(edge_loop *loop, int fd)
{
    edge_exchange *exchange = exchange_of(loop, fd);
    if (!exchange)
        return; /* it has ended, and the connection ends with it */
    if (exchange->carrier)
        cancel(loop, exchange);
    if (exchange->answered)
        note(loop, exchange);
    release(loop, exchange);
}

void edge_exchange_ready(edge_loop *loop, int fd, uint32_t events)
{
    edge_exchange *exchange = exchange_of(loop, fd);
    if (edge_connection_mute(loop, fd, events, exchange->answered))
        exchange->muted = true; /* what it sends on top is read when it has its answer */
}

void edge_exchange_overdue(edge_loop *loop, int fd)
{
    edge_exchange *exchange = exchange_of(loop, fd);
    if (exchange->of_events || !edge_members_can_go_on(loop)) {
        loop->connections[fd].deadline = loop->now + (exchange->of_events ? STILL_SECONDS : 1);
        return;
    }
    cancel(loop, exchange);
    edge_member_failed(loop, exchange->member, EDGE_MET_SILENCE, exchange->answered ? "its answer stood still" : "it did not answer in time");
    edge_exchange_fail(loop, exchange, EDGE_MET_SILENCE);
}
