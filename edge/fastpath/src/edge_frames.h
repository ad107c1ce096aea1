/* The frames of a WebSocket of the push service (RFC 6455): those that are answered here, or let go.
 *
 * A strict subset is recognised, as of requests: whole messages of at most 125 bytes, masked, without extensions.
 * Of these answered are pings, pongs, goodbyes, and the one question that nearly all questions are: what has
 * changed since a state (edge/http/questions.py).  Everything else is let go with the bytes that were read.
 * edge/fastpath/frames.py is the twin of this.  Sans-IO. */
#ifndef EDGE_FRAMES_H
#define EDGE_FRAMES_H

#include "edge_answer.h"

#define EDGE_FRAME_PAYLOAD 125    /* bytes: what a control frame may have, and a length of one byte says */
#define EDGE_FRAMES_PER_SECOND 100 /* of the peer: pushsocket.py LIMITS */

typedef struct {
    uint32_t second; /* whose frames are counted */
    uint16_t count;
    uint16_t site;
    bool closing; /* we have said goodbye: the peer's is waited for, and nothing else heard */
} edge_frames;

/* Answers as many frames at the front of the bytes as are recognised; *consumed: their bytes.  Clears the output
 * first.  now: in seconds.  CLOSE: both sides have said goodbye. */
edge_next edge_frames_answer(edge_answerer *answerer, edge_frames *frames, uint32_t now, const uint8_t *in,
                             size_t length, edge_output *out, size_t *consumed);

/* An empty ping; goodbye, because the node stops (1001).  Clear the output first. */
void edge_frames_ping(edge_output *out);
void edge_frames_goodbye(edge_output *out);

#endif
