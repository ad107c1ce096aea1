/* What has changed since a state of the site: GET /.edge/changes?since=STATE.  The grammar of states and of
 * the history that the supervisor keeps stands in edge/http/changes.py, the twin of this.  Sans-IO. */
#ifndef EDGE_CHANGES_H
#define EDGE_CHANGES_H

#include "edge_request.h"

#define EDGE_STATE_ID 6       /* digits that name a publisher */
#define EDGE_STATE_NUMBER 11  /* digits of a position, at most */
#define EDGE_PUBLISHERS 64    /* components of a state */
#define EDGE_HISTORY_BYTES 5120

/* The state that the query of a target names.  false: it names none. */
bool edge_changes_asked(edge_span target, edge_span *asked);

/* The state of the node that keeps the history: its first line. */
edge_span edge_changes_state(edge_span history);

/* Writes the body of the answer to who was at the state asked, not longer than the history and two bytes;
 * the byte after it, or NULL: nothing has changed.  Told are the paths of the site whose names begin with prefix. */
uint8_t *edge_changes_since(edge_span history, edge_span asked, edge_span prefix, uint8_t *to);

#endif
