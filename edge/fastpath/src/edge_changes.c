#include "edge_changes.h"

/* A position: its digits. */
typedef struct {
    const uint8_t *id;
    edge_span number;
} component;

typedef struct {
    component components[EDGE_PUBLISHERS]; /* by ascending ID */
    unsigned count;
} vector;

static bool is_digit(uint8_t c)
{
    return c == '-' || c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z' && c < 128);
}

/* The bytes up to the first end; *rest moves behind that.  At the end of *rest its bytes become NULL. */
static edge_span cut(edge_span *rest, uint8_t end)
{
    edge_span part = *rest;
    const uint8_t *found = rest->length ? memchr(rest->bytes, end, rest->length) : NULL;
    if (found) {
        part.length = (size_t)(found - rest->bytes);
        rest->bytes = found + 1;
        rest->length -= part.length + 1;
    } else {
        rest->bytes = NULL;
        rest->length = 0;
    }
    return part;
}

bool edge_changes_asked(edge_span target, edge_span *asked)
{
    static const char name[] = "since=";
    edge_span rest = target;
    cut(&rest, '?');
    if (!rest.bytes || rest.length < sizeof name - 1 || memcmp(rest.bytes, name, sizeof name - 1))
        return false;
    rest.bytes += sizeof name - 1;
    rest.length -= sizeof name - 1;
    *asked = cut(&rest, '&');
    return true;
}

edge_span edge_changes_state(edge_span history)
{
    return cut(&history, '\n');
}

static bool parse(edge_span text, vector *to)
{
    to->count = 0;
    while (text.bytes) {
        edge_span one = cut(&text, '.');
        const uint8_t *id = one.bytes;
        if (to->count == EDGE_PUBLISHERS || one.length < EDGE_STATE_ID
            || one.length > EDGE_STATE_ID + EDGE_STATE_NUMBER)
            return false;
        for (size_t i = 0; i < one.length; i++)
            if (!is_digit(id[i]))
                return false;
        if (one.length > EDGE_STATE_ID && id[EDGE_STATE_ID] == '-')
            return false;
        if (to->count && memcmp(id, to->components[to->count - 1].id, EDGE_STATE_ID) <= 0)
            return false;
        to->components[to->count++] =
            (component){id, {id + EDGE_STATE_ID, one.length - EDGE_STATE_ID}};
    }
    return to->count > 0;
}

static bool is_greater(edge_span one, edge_span other)
{
    return one.length != other.length ? one.length > other.length
                                      : memcmp(one.bytes, other.bytes, one.length) > 0;
}

/* The position of a publisher; none: 0. */
static edge_span position_of(const vector *in, const uint8_t *id, bool *is_known)
{
    for (unsigned i = 0; i < in->count; i++)
        if (!memcmp(in->components[i].id, id, EDGE_STATE_ID)) {
            *is_known = true;
            return in->components[i].number;
        }
    *is_known = false;
    return (edge_span){id, 0};
}

/* Whether everything that has changed between the two is known here. */
static bool is_told(const vector *now, const vector *known, const vector *then)
{
    bool is_known;
    for (unsigned i = 0; i < then->count; i++) {
        edge_span here = position_of(now, then->components[i].id, &is_known);
        if (!is_known || is_greater(then->components[i].number, here))
            return false;
    }
    for (unsigned i = 0; i < known->count; i++)
        if (is_greater(known->components[i].number, position_of(then, known->components[i].id, &is_known)))
            return false;
    return true;
}

static uint8_t *write_line(uint8_t *to, edge_span line)
{
    memcpy(to, line.bytes, line.length);
    to[line.length] = '\n';
    return to + line.length + 1;
}

/* The path of a name, if it is of the site with this prefix.  false: it is another one's. */
static bool path_of(edge_span *name, edge_span prefix)
{
    if (name->length <= prefix.length || memcmp(name->bytes, prefix.bytes, prefix.length)
        || name->bytes[prefix.length] != '/')
        return false;
    name->bytes += prefix.length;
    name->length -= prefix.length;
    return true;
}

uint8_t *edge_changes_since(edge_span history, edge_span asked, edge_span prefix, uint8_t *to)
{
    static const uint8_t unknown[] = "?";
    vector now, known, then;
    edge_span rest = history, state = cut(&rest, '\n'), floors = cut(&rest, '\n');
    bool is_known;
    if (asked.length == state.length && !memcmp(asked.bytes, state.bytes, state.length))
        return NULL;
    if (!parse(state, &now) || !parse(floors, &known) || !parse(asked, &then)
        || !is_told(&now, &known, &then))
        return write_line(to, (edge_span){unknown, 1});
    to = write_line(to, state);
    while (rest.bytes) {
        edge_span path = cut(&rest, '\n'), change;
        const uint8_t *line = path.bytes;
        change = cut(&path, ' ');
        if (!path.length || change.length < EDGE_STATE_ID)
            continue;
        edge_span number = {line + EDGE_STATE_ID, change.length - EDGE_STATE_ID};
        if (is_greater(number, position_of(&then, line, &is_known)) && path_of(&path, prefix))
            to = write_line(to, path);
    }
    return to;
}
