/* Carriers that speak HTTP/1.1: one exchange at a time, and they rest in between.  While its client does not take what
 * has come, a carrier is not read.  edge/node/applications/http_origin.py does the same. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "edge_carrier.h"

#define READ_BYTES (64 * 1024) /* EDGE_UPSTREAM_HEAD is less; what is made of them has room in an output */

/* It rests. */
static void rest(edge_loop *loop, edge_carrier *carrier, uint32_t seconds)
{
    if (!seconds) {
        edge_carrier_lose(loop, carrier, false);
        return;
    }
    carrier->until = loop->now + seconds;
    edge_carrier_offer(loop, carrier);
}

/* Whether it can still be asked: something may have come that epoll has not told yet.  Taken for the answer to what is
 * asked next, it would be another visitor's (response queue poisoning). */
static bool is_silent(const edge_carrier *carrier)
{
    uint8_t byte;
    return recv(carrier->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static bool ask(edge_loop *loop, edge_carrier *carrier, edge_exchange *exchange, const edge_question *question)
{
    uint8_t head[EDGE_UPSTREAM_ASK];
    const size_t length = edge_upstream_ask(head, question, &loop->relay->rules);
    ssize_t n;
    if (!length)
        return false;
    if (!is_silent(carrier)) {
        edge_carrier_lose(loop, carrier, false);
        return false;
    }
    do
        n = send(carrier->fd, head, length, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        n = 0;
    if (n < 0 || ((size_t)n < length && !edge_carrier_say(loop, carrier, head + n, length - (size_t)n))) {
        edge_carrier_lose(loop, carrier, false); /* the server has closed it while it rested */
        return false;
    }
    edge_carrier_withdraw(loop, carrier);
    edge_upstream_begin(&carrier->http.reader, loop->relay->fields, exchange->head_only);
    carrier->http.exchange = exchange;
    carrier->open = 1;
    return true;
}

/* The exchange that was on it, which parts. */
static edge_exchange *part(edge_carrier *carrier)
{
    edge_exchange *exchange = carrier->http.exchange;
    carrier->http.exchange = NULL;
    carrier->open = 0;
    edge_exchange_part(exchange);
    return exchange;
}

static void cancel(edge_loop *loop, edge_carrier *carrier, edge_exchange *exchange)
{
    (void)exchange;
    carrier->http.exchange = NULL;
    carrier->open = 0;
    edge_carrier_lose(loop, carrier, false); /* its answer would still come */
}

static void taken(edge_loop *loop, edge_carrier *carrier, edge_exchange *exchange)
{
    (void)exchange;
    edge_carrier_pause(loop, carrier, false);
}

/* A server may close a connection that rests while a question is on its way to it: that is no failure.  Each has answered
 * before, the caller at first. */
static void lost(edge_loop *loop, edge_carrier *carrier, bool broken)
{
    (void)broken;
    const edge_upstream_reader *reader = &carrier->http.reader;
    if (!carrier->http.exchange)
        return;
    edge_exchange *exchange = part(carrier);
    if (reader->begun)
        edge_member_failed(loop, carrier->member, EDGE_MET_NO_ANSWER, "it closed in the middle of the answer");
    edge_exchange_fail(loop, exchange, EDGE_MET_NO_ANSWER);
}

static void ended(edge_loop *loop, edge_carrier *carrier, bool clean)
{
    edge_exchange *exchange = NULL;
    if (clean && carrier->http.exchange && edge_upstream_ends(&carrier->http.reader))
        exchange = part(carrier);
    edge_carrier_lose(loop, carrier, false);
    if (!exchange)
        return;
    edge_output_clear(&loop->output);
    edge_exchange_body(loop, exchange, (edge_span){NULL, 0});
    edge_exchange_give(loop, exchange);
}

/* What comes is no answer, or none that can be passed on. */
static void refuse(edge_loop *loop, edge_carrier *carrier, const char *why)
{
    edge_exchange *exchange = part(carrier);
    edge_carrier_lose(loop, carrier, false);
    edge_member_failed(loop, carrier->member, EDGE_MET_GARBAGE, why);
    edge_exchange_fail(loop, exchange, EDGE_MET_GARBAGE);
}

/* All of the answer has come: the connection is free, if nothing came behind it, and all of the question is sent. */
static void end(edge_loop *loop, edge_carrier *carrier, bool more)
{
    const edge_upstream_reader *reader = &carrier->http.reader;
    part(carrier);
    if (more || !reader->reusable || carrier->out_length)
        edge_carrier_lose(loop, carrier, false);
    else
        rest(loop, carrier, reader->rest);
}

/* Puts what the bytes say into the output: heads, some of the body.  Bytes of it; SIZE_MAX: it was refused, and nothing
 * of it is passed on. */
static size_t read_answer(edge_loop *loop, edge_carrier *carrier, uint8_t *in, size_t length, bool *begins, bool *over,
                          edge_span *body)
{
    edge_exchange *exchange = carrier->http.exchange;
    edge_upstream_reader *reader = &carrier->http.reader;
    edge_span part;
    for (size_t at = 0, consumed;; at += consumed) {
        switch (edge_upstream_read(reader, in + at, length - at, &consumed, &part)) {
        case EDGE_UPSTREAM_MORE:
            return at + consumed;
        case EDGE_UPSTREAM_EARLY:
            if (reader->head.status != 100) /* nobody waits for that one */
                edge_exchange_interim(loop, exchange, &reader->head);
            break;
        case EDGE_UPSTREAM_FINAL:
            *begins = true;
            if (edge_exchange_head(loop, exchange, &reader->head,
                                   exchange->head_only || reader->head.status == 204 || reader->head.status == 304))
                break;
            refuse(loop, carrier, "its answer cannot be passed on");
            return SIZE_MAX;
        case EDGE_UPSTREAM_BODY:
            *body = part;
            break;
        case EDGE_UPSTREAM_END:
            *over = true;
            return at + consumed;
        case EDGE_UPSTREAM_WRONG:
            refuse(loop, carrier, reader->why);
            return SIZE_MAX;
        }
    }
}

static size_t take(edge_loop *loop, edge_carrier *carrier, uint8_t *in, size_t length)
{
    edge_exchange *exchange = carrier->http.exchange;
    edge_span body = {in, 0};
    bool begins = false, over = false;
    if (!exchange) { /* nobody asked for anything */
        edge_carrier_lose(loop, carrier, false);
        return length;
    }
    edge_output_clear(&loop->output);
    const size_t at = read_answer(loop, carrier, in, length, &begins, &over, &body);
    if (at == SIZE_MAX)
        return length;
    const int fd = exchange->fd;
    if (begins) {
        edge_exchange_begun(loop, exchange);
        edge_member_answered(loop, carrier->member, exchange->status);
    }
    if (over)
        end(loop, carrier, at < length);
    edge_exchange_body(loop, exchange, body);
    if (!loop->output.total && !over)
        return at;
    edge_exchange_give(loop, exchange); /* it may be gone then, and the carrier be asked the next one */
    if (carrier->fd >= 0 && !over && loop->connections[fd].state == EDGE_CONN_GIVING)
        edge_carrier_pause(loop, carrier, true);
    return over ? length : at;
}

const edge_protocol edge_carrier_http = {
    .reads = READ_BYTES,
    .begin = rest,
    .ask = ask,
    .take = take,
    .ended = ended,
    .lost = lost,
    .cancel = cancel,
    .taken = taken,
};
