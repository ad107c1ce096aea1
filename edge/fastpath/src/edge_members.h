/* Whom the relay asks: applications, and the members of each, processes that speak edge-app/1 or servers that speak HTTP/1.1.
 * Here is how many questions each has, how it does, what the caller is told of it, and what the files of the relay share.
 *
 * The relay and the caller ask the same members, and one count governs both: unanswered here and others there, which each
 * tells the other, together stay within at_once of a member and queue of an application.  Of its queue an address may have
 * as much as it leaves free (edge_share); the caller says who has more. */
#ifndef EDGE_MEMBERS_H
#define EDGE_MEMBERS_H

#include "edge_app.h"
#include "edge_connection.h"

#define EDGE_APPLICATIONS 1024
#define EDGE_MEMBERS 2048
#define EDGE_CARRIERS 8192 /* connections to members */
#define EDGE_OF_PROCESS 2  /* of these are kept free for each process: one, and one that ends while the next begins */
#define EDGE_OF_SERVER 128 /* a server has so many at most, and its share of all others */
#define EDGE_EXCHANGES 64  /* at once on a carrier that speaks edge-app/1 */
#define EDGE_RELAY_READ (256 * 1024)
#define EDGE_HELD_AT_ONCE 256 /* requests that the caller has not been told of */

typedef struct edge_carrier edge_carrier;
typedef struct edge_exchange edge_exchange;

/* What is said and understood on a carrier. */
typedef struct {
    size_t reads; /* bytes at once, with what was not understood before */
    /* It is there from now on; seconds: for which it may rest. */
    void (*begin)(edge_loop *loop, edge_carrier *carrier, uint32_t seconds);
    /* Asks.  false: the question is not for the relay; or, if it is lost then, the carrier is none any more. */
    bool (*ask)(edge_loop *loop, edge_carrier *carrier, edge_exchange *exchange, const edge_question *question);
    /* Takes what is at the front of the bytes: how many, or SIZE_MAX: the rules are broken. */
    size_t (*take)(edge_loop *loop, edge_carrier *carrier, uint8_t *in, size_t length);
    /* Nothing more comes; clean: the other side has closed. */
    void (*ended)(edge_loop *loop, edge_carrier *carrier, bool clean);
    /* It is lost: so is what is asked on it; broken: by the rules. */
    void (*lost)(edge_loop *loop, edge_carrier *carrier, bool broken);
    /* The client has parted. */
    void (*cancel)(edge_loop *loop, edge_carrier *carrier, edge_exchange *exchange);
    /* The client has taken all that has come. */
    void (*taken)(edge_loop *loop, edge_carrier *carrier, edge_exchange *exchange);
} edge_protocol;

typedef struct {
    uint8_t host[256], at[1024];
    uint16_t host_length, at_length; /* host 0: the visitor's */
    uint32_t timeout_ms, queue;
    uint32_t unanswered, others, waiting; /* others: the caller's; waiting: those of them that nobody was asked */
    edge_peers askers;     /* whose they are, those of the caller, too; opened with the first */
    bool has_room;         /* for one that waits: the caller is to be told */
    unsigned first, count; /* of members */
    unsigned turn;         /* whose turn is next among those with as much to do */
} edge_application;

typedef struct edge_member {
    const edge_protocol *protocol;
    edge_application *application;
    bool is_server;                     /* it speaks HTTP/1.1 */
    uint32_t at_once;                   /* unanswered questions, at most */
    uint32_t unanswered, others, busy;  /* others: the caller's; busy: exchanges that have not parted */
    uint32_t carriers, resting, wanted; /* wanted: as many more */
    bool used;                          /* the caller's: it does well */
    bool has_answered;                  /* since its last failure */
    edge_carrier *newest, *oldest;      /* of those that can be asked one more, since when they can */
} edge_member;

typedef struct edge_relay {
    edge_mark marks[EDGE_MARKS];
    edge_passed_rules rules;
    char *rule_texts;
    edge_application applications[EDGE_APPLICATIONS];
    edge_member members[EDGE_MEMBERS];
    unsigned application_count, member_count, server_count, carrier_count;
    uint32_t carried; /* so far */
    uint32_t unanswered; /* questions to all, the caller's, too */
    edge_carrier *carriers[EDGE_CARRIERS];
    edge_carrier *work; /* at the end of this turn */
    edge_news news[EDGE_NEWS];
    unsigned news_count, with_room; /* with_room: applications of which that is to be told */
    uint32_t held; /* requests so far */
    unsigned held_count;
    edge_held held_news[EDGE_HELD_AT_ONCE]; /* of those that the caller has not been told of */
    edge_field fields[EDGE_PASSED_FIELDS]; /* of the answer that is being read */
    uint8_t input[EDGE_APP_FRAME + 4 + EDGE_RELAY_READ];
} edge_relay;

/* Whether it may be asked one more question. */
static inline bool edge_member_has_room(const edge_member *member)
{
    return member->unanswered + member->others < member->at_once;
}

/* Whether it may have one more carrier: of all of them, each server has the same share of what processes leave. */
bool edge_member_may_carry(const edge_relay *relay, const edge_member *member);

/* A question to it: it is asked; the answer has begun, or will not; it is over for the member. */
void edge_member_asked(edge_loop *loop, edge_member *member);
void edge_member_settled(edge_loop *loop, edge_member *member, uint32_t asker);
void edge_member_parted(edge_member *member);

/* Counts a question to it of a network; its index among the askers, or 0: no memory (then not counted). */
uint32_t edge_application_enter(const edge_loop *loop, edge_application *application, const uint64_t network[2]);

/* How it does: the caller goes by failures, and by whether there are answers between them. */
void edge_member_failed(edge_loop *loop, edge_member *member, uint32_t status, const char *why);
void edge_member_answered(edge_loop *loop, edge_member *member, uint32_t status);

/* Puts what is to be told of room among the news. */
void edge_members_tell_room(edge_loop *loop);
/* Whether what all exchanges of a carrier may lead to has room among handoffs and news. */
bool edge_members_can_go_on(const edge_loop *loop);
/* false: there is no room.  See there: of failures alone, the health of who fails that much is known. */
bool edge_member_tell(edge_loop *loop, edge_news_kind kind, const edge_member *member, uint32_t carrier, uint32_t status,
                      const uint8_t *data, size_t length);

#endif
