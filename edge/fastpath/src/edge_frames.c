#include "edge_frames.h"

enum { BINARY = 0x82, CLOSE = 0x88, PING = 0x89, PONG = 0x8a }; /* FIN and opcode: RFC 6455 5.2 */
enum { MASKED = 0x80, LONGER = 126 };
enum { CHANGED = 1, ANSWER = 128 }; /* edge/http/questions.py */

#define HEAD 6 /* bytes of the head of a short frame from a client */
#define MOST_ANSWER (4 + 2 + EDGE_HISTORY_BYTES + 2)

/* A frame of ours in the output, from where its payload is. */
static void put_head(edge_output *out, uint8_t kind, size_t length)
{
    uint8_t head[4] = {kind, (uint8_t)length};
    if (length < LONGER) {
        edge_put(out, head, 2);
        return;
    }
    head[1] = LONGER;
    head[2] = (uint8_t)(length >> 8);
    head[3] = (uint8_t)length;
    edge_put(out, head, 4);
}

static void put_frame(edge_output *out, uint8_t kind, const uint8_t *payload, size_t length)
{
    size_t begin = out->used;
    put_head(out, kind, length);
    edge_put(out, payload, length);
    edge_piece_since(out, begin);
}

/* What has changed since the state that is asked for.  false: not answered here. */
static bool answer_question(edge_answerer *answerer, unsigned site, const uint8_t *question, size_t length,
                            edge_output *out)
{
    uint8_t answer[2 + EDGE_HISTORY_BYTES + 2];
    size_t told;
    if (length < 2 || question[0] != CHANGED
        || !edge_answer_since(answerer, site, (edge_span){question + 2, length - 2}, answer + 2, &told))
        return false;
    answer[0] = CHANGED + ANSWER;
    answer[1] = question[1];
    put_frame(out, BINARY, answer, 2 + told);
    return true;
}

/* Whether a goodbye is one that is given back as it came: none, or a common code without a reason. */
static bool is_plain_goodbye(const uint8_t *payload, size_t length)
{
    unsigned code = length == 2 ? (unsigned)payload[0] << 8 | payload[1] : 0;
    return !length || code == 1000 || code == 1001 || (code >= 3000 && code <= 4999);
}

static bool is_recognised(uint8_t kind, uint8_t second)
{
    return (kind == BINARY || kind == CLOSE || kind == PING || kind == PONG) && second & MASKED
           && (second & ~MASKED) <= EDGE_FRAME_PAYLOAD;
}

/* Whether one more frame is not too many for this second. */
static bool in_time(edge_frames *frames, uint32_t now)
{
    if (frames->second != now) {
        frames->second = now;
        frames->count = 0;
    }
    if (frames->count == EDGE_FRAMES_PER_SECOND)
        return false;
    frames->count++;
    return true;
}

/* Answers one whole frame.  RECEIVE: and the next may follow. */
static edge_next answer_one(edge_answerer *answerer, const edge_frames *frames, uint8_t kind, const uint8_t *payload,
                            size_t length, edge_output *out)
{
    if (frames->closing)
        return kind == CLOSE ? EDGE_NEXT_CLOSE : EDGE_NEXT_RECEIVE;
    switch (kind) {
    case BINARY:
        return answer_question(answerer, frames->site, payload, length, out) ? EDGE_NEXT_RECEIVE : EDGE_NEXT_HAND_OFF;
    case PING:
        put_frame(out, PONG, payload, length);
        return EDGE_NEXT_RECEIVE;
    case CLOSE:
        if (!is_plain_goodbye(payload, length))
            return EDGE_NEXT_HAND_OFF;
        put_frame(out, CLOSE, payload, length);
        return EDGE_NEXT_CLOSE;
    default:
        return EDGE_NEXT_RECEIVE;
    }
}

edge_next edge_frames_answer(edge_answerer *answerer, edge_frames *frames, uint32_t now, const uint8_t *in,
                             size_t length, edge_output *out, size_t *consumed)
{
    uint8_t payload[EDGE_FRAME_PAYLOAD];
    edge_next next = EDGE_NEXT_RECEIVE;
    size_t at = 0;
    edge_output_clear(out);
    while (next == EDGE_NEXT_RECEIVE && length - at >= 2) {
        const uint8_t *frame = in + at;
        size_t size = frame[1] & ~MASKED & 0xff;
        if (out->used + MOST_ANSWER > EDGE_HEADS_BYTES) {
            next = EDGE_NEXT_ANSWER;
            break;
        }
        if (!is_recognised(frame[0], frame[1])) {
            next = frames->closing ? EDGE_NEXT_CLOSE : EDGE_NEXT_HAND_OFF;
            break;
        }
        if (length - at < HEAD + size)
            break;
        for (size_t i = 0; i < size; i++)
            payload[i] = frame[HEAD + i] ^ frame[2 + i % 4];
        if (!in_time(frames, now)) {
            next = frames->closing ? EDGE_NEXT_CLOSE : EDGE_NEXT_HAND_OFF;
            break;
        }
        next = answer_one(answerer, frames, frame[0], payload, size, out);
        if (next == EDGE_NEXT_HAND_OFF)
            frames->count--; /* who gets it counts it */
        else
            at += HEAD + size;
    }
    *consumed = at;
    return next;
}

void edge_frames_ping(edge_output *out)
{
    static const uint8_t nothing[1];
    put_frame(out, PING, nothing, 0);
}

void edge_frames_goodbye(edge_output *out)
{
    static const uint8_t reason[] = "\x03\xe9the node stops"; /* 1001: pushsocket.py drain */
    put_frame(out, CLOSE, reason, sizeof reason - 1);
}
