#include "edge_members.h"

#include <stdlib.h>

/* ---- how much they have ---- */

bool edge_member_may_carry(const edge_relay *relay, const edge_member *member)
{
    if (!member->is_server)
        return true;
    const unsigned processes = relay->member_count - relay->server_count;
    const unsigned share = (EDGE_CARRIERS - EDGE_OF_PROCESS * processes) / relay->server_count;
    return member->carriers + member->wanted < (share < EDGE_OF_SERVER ? share : EDGE_OF_SERVER);
}

uint32_t edge_application_enter(const edge_loop *loop, edge_application *application, const uint64_t network[2])
{
    edge_peers *askers = &application->askers;
    if (!askers->size && edge_peers_open(askers, loop->peers.seed)) {
        edge_peers_close(askers);
        *askers = (edge_peers){.size = 0};
        return 0;
    }
    return edge_peers_enter_network(askers, network);
}

void edge_member_asked(edge_loop *loop, edge_member *member)
{
    loop->relay->unanswered++;
    member->application->unanswered++;
    member->unanswered++;
    member->busy++;
}

void edge_member_settled(edge_loop *loop, edge_member *member, uint32_t asker)
{
    edge_application *application = member->application;
    edge_peers_leave(&application->askers, asker);
    loop->relay->unanswered--;
    application->unanswered--;
    member->unanswered--;
    if (application->waiting && !application->has_room) {
        application->has_room = true;
        loop->relay->with_room++;
    }
}

void edge_member_parted(edge_member *member)
{
    member->busy--;
}

/* ---- what the caller is told ---- */

bool edge_members_can_go_on(const edge_loop *loop)
{
    return loop->handoff_count + EDGE_EXCHANGES <= EDGE_HANDOFFS && loop->relay->news_count + 8 <= EDGE_NEWS;
}

bool edge_member_tell(edge_loop *loop, edge_news_kind kind, const edge_member *member, uint32_t carrier, uint32_t status,
                      const uint8_t *data, size_t length)
{
    edge_relay *relay = loop->relay;
    uint8_t *copy = length ? malloc(length) : NULL;
    if (relay->news_count == EDGE_NEWS || (length && !copy)) {
        free(copy);
        return false;
    }
    if (length)
        memcpy(copy, data, length);
    relay->news[relay->news_count++] = (edge_news){
        .kind = kind, .member = (uint32_t)(member - relay->members), .carrier = carrier, .status = status, .data = copy,
        .length = length};
    return true;
}

void edge_members_tell_room(edge_loop *loop)
{
    edge_relay *relay = loop->relay;
    for (unsigned i = 0; i < relay->application_count && relay->with_room; i++) {
        edge_application *one = relay->applications + i;
        if (one->has_room && edge_member_tell(loop, EDGE_NEWS_ROOM, relay->members + one->first, 0, 0, NULL, 0)) {
            one->has_room = false;
            relay->with_room--;
        }
    }
}

void edge_member_failed(edge_loop *loop, edge_member *member, uint32_t status, const char *why)
{
    if (member->has_answered)
        edge_member_tell(loop, EDGE_NEWS_ANSWERED, member, 0, 0, NULL, 0);
    member->has_answered = false;
    edge_member_tell(loop, EDGE_NEWS_FAILED, member, 0, status, (const uint8_t *)why, strlen(why));
}

void edge_member_answered(edge_loop *loop, edge_member *member, uint32_t status)
{
    if (status >= 502 && status <= 504) /* edge/upstream/health.py FAILURE_STATUSES */
        edge_member_failed(loop, member, status, "");
    else
        member->has_answered = true;
}
