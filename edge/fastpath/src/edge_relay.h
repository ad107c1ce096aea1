/* Requests passed on to applications that speak edge-app/1, and their answers passed back, without leaving C.
 *
 * The caller says which addresses (edge_loop_pass), makes the connections to the processes of an application (edge_loop_carry),
 * and does everything else: whatever is not a GET or HEAD of such an address, and what goes wrong before an answer has
 * begun, is handed off, with what is known of it (edge_met).  A connection to a process is a *carrier*; on it are up to
 * EDGE_EXCHANGES exchanges at once.  What one turn asks is sent with one system call for each carrier.
 *
 * Backpressure: what a client has not taken of an answer is kept with its exchange, EDGE_APP_WINDOW at most, and the
 * application gets credit when it is taken.  A client that goes cancels. */
#ifndef EDGE_RELAY_H
#define EDGE_RELAY_H

#include "edge_app.h"
#include "edge_connection.h"

#define EDGE_APPLICATIONS 64
#define EDGE_CARRIERS 256
#define EDGE_EXCHANGES 64 /* of a carrier; what it is asked at once */
#define EDGE_RELAY_READ (256 * 1024)

typedef struct {
    bool used, answered, bodiless, chunked, closing, over, muted, of_events;
    uint8_t interim;
    int fd;            /* of the client */
    uint64_t number, began, expected, counted, sent;
    uint32_t consumed; /* bytes of the request, at the front of the connection's input */
    uint32_t may_come, untold;
    unsigned status, site;
    uint8_t *pending;  /* what is behind the bytes that the client has not taken yet */
    size_t pending_length;
} edge_exchange;

typedef struct {
    int fd;      /* -1: it is gone, and clients still take what it has answered */
    uint32_t id; /* with its place in it; no two are the same */
    uint16_t application;
    bool ready, draining, retired, unusable, awaits_output;
    bool held;  /* in the rest are whole frames, which wait for the caller's turn */
    bool stuck; /* it does not take what is said */
    bool has_answered; /* since its last failure */
    uint32_t at_once, running;
    uint64_t asked; /* exchanges so far */
    edge_exchange exchanges[EDGE_EXCHANGES];
    uint8_t *rest, *out; /* of what has come, what is not taken yet; what is to be sent */
    size_t rest_length, out_length, out_sent, out_room;
} edge_carrier;

typedef struct {
    uint8_t host[256], at[256];
    uint16_t host_length, at_length; /* host 0: the visitor's */
    uint32_t timeout_ms, queue;
    uint32_t others, waiting; /* the caller's: unanswered questions of its own, those that nobody was asked */
    uint32_t unanswered;
} edge_application;

typedef struct edge_relay {
    edge_mark marks[EDGE_MARKS];
    edge_app_rules rules;
    char *rule_texts;
    edge_application applications[EDGE_APPLICATIONS];
    unsigned application_count, carrier_count;
    uint32_t carried; /* so far */
    edge_carrier *carriers[EDGE_CARRIERS];
    edge_news news[EDGE_NEWS];
    int news_count;
    bool has_work; /* at the end of this turn */
    uint8_t input[EDGE_APP_FRAME + 4 + EDGE_RELAY_READ];
} edge_relay;

/* Asks what the answerer says is to be passed on; what was received begins with it.  false: it is to be handed off. */
bool edge_relay_ask(edge_loop *loop, int fd, const edge_received *received);
/* A client's connection that waits for an answer: it is gone, which cancels; */
void edge_relay_left(edge_loop *loop, int fd);
/* it sends something, or nothing more; */
void edge_relay_ready(edge_loop *loop, int fd, uint32_t events);
/* it has taken what there was; */
void edge_relay_drained(edge_loop *loop, int fd);
/* its time is over. */
void edge_relay_overdue(edge_loop *loop, int fd);
/* What epoll says of a carrier. */
void edge_relay_carrier_ready(edge_loop *loop, unsigned carrier, uint32_t events);
/* At the end of a turn. */
void edge_relay_flush(edge_loop *loop);
void edge_relay_close(edge_loop *loop);

#endif
