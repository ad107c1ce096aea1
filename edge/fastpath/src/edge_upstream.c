#include "edge_upstream.h"

/* ---- questions ---- */

typedef struct {
    uint8_t *at;
} writer;

static void put(writer *to, const uint8_t *bytes, size_t length)
{
    if (length)
        memcpy(to->at, bytes, length);
    to->at += length;
}

static void put_span(writer *to, edge_span span)
{
    put(to, span.bytes, span.length);
}

#define PUT(to, text) put(to, EDGE_LITERAL(text))

static void put_line(writer *to, const uint8_t *name, size_t length, edge_span value)
{
    put(to, name, length);
    put_span(to, value);
    PUT(to, "\r\n");
}

#define PUT_LINE(to, name, value) put_line(to, EDGE_LITERAL(name), value)

/* The fields that tell who asks, how, and for which host (edge/upstream/forwarded.py). */
static void put_forwarded(writer *to, const edge_question *question)
{
    const edge_span peer = question->peer, host = question->host, scheme = {(const uint8_t *)"https", question->secure ? 5 : 4};
    PUT(to, "Forwarded: ");
    if (peer.length && memchr(peer.bytes, ':', peer.length)) { /* RFC 7239 section 6 */
        PUT(to, "for=\"[");
        put_span(to, peer);
        PUT(to, "]\";");
    } else if (peer.length) {
        PUT(to, "for=");
        put_span(to, peer);
        PUT(to, ";");
    }
    if (host.length) {
        PUT(to, "host=\"");
        put_span(to, host);
        PUT(to, "\";");
    }
    PUT(to, "proto=");
    put_span(to, scheme);
    PUT(to, "\r\n");
    if (peer.length)
        PUT_LINE(to, "X-Forwarded-For: ", peer);
    if (host.length)
        PUT_LINE(to, "X-Forwarded-Host: ", host);
    PUT_LINE(to, "X-Forwarded-Proto: ", scheme);
}

size_t edge_upstream_ask(uint8_t *to, const edge_question *question, const edge_passed_rules *rules)
{
    uint8_t lower[EDGE_HEAD_LIMIT];
    writer out = {to};
    edge_span lines = question->fields, name, value;
    edge_recognition known;
    if (question->method == EDGE_HEAD)
        PUT(&out, "HEAD ");
    else
        PUT(&out, "GET ");
    put_span(&out, question->target);
    PUT_LINE(&out, " HTTP/1.1\r\nHost: ", question->host);
    while ((known = edge_passed_next(&lines, rules, lower, &name, &value)) == EDGE_RECOGNISED) {
        put_span(&out, name);
        PUT(&out, ": ");
        put_span(&out, value);
        PUT(&out, "\r\n");
    }
    PUT(&out, "Via: 1.1 edge\r\n");
    put_forwarded(&out, question);
    PUT(&out, "\r\n");
    return known == EDGE_LET_GO ? 0 : (size_t)(out.at - to);
}

/* ---- answers ---- */

/* Where the reader stands. */
enum {
    IN_HEAD,
    OF_LENGTH,   /* a body of known length */
    UNTIL_CLOSE, /* a body that ends with the connection */
    OVER,
    /* and in a body in chunks, before: */
    SIZE,        /* the first digit of a size */
    DIGITS,
    EXTENSION,   /* what follows a semicolon */
    NAME,
    VALUE,
    QUOTED,
    PAIR,        /* what follows a backslash */
    QUOTED_END,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    LINE,        /* a trailer field, or the empty line */
    FIELD,       /* the rest of a name */
    BLANK,       /* white space before a value, or the value */
    FIELD_VALUE,
    FIELD_LF,
    NO_CODING_LF, /* the same of a Transfer-Encoding without a value */
    END_LF
};

#define CRLF "\r\n"

void edge_upstream_begin(edge_upstream_reader *reader, edge_field *fields, bool head_only)
{
    reader->fields = fields;
    reader->head_only = head_only;
    reader->begun = false;
    reader->reusable = true;
    reader->stage = IN_HEAD;
    reader->interim = 0;
    reader->searched = 0;
    reader->rest = EDGE_UPSTREAM_REST;
    reader->why = NULL;
}

bool edge_upstream_ends(const edge_upstream_reader *reader)
{
    return reader->stage == UNTIL_CLOSE || reader->stage == OVER;
}

static edge_upstream_kind wrong(edge_upstream_reader *reader, const char *why)
{
    reader->stage = OVER;
    reader->reusable = false;
    reader->why = why;
    return EDGE_UPSTREAM_WRONG;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* What the lines of a head say of its message. */
typedef struct {
    bool is_1_0, closes, has_length;
    unsigned codings;
    bool is_chunked;
    uint64_t length;
    edge_span keep_alive;
} framing;

/* A length: digits alone.  false: it is none. */
static bool read_length(edge_span value, uint64_t *length)
{
    *length = 0;
    for (size_t i = 0; i < value.length; i++) {
        const uint64_t digit = (uint64_t)value.bytes[i] - '0';
        if (!is_digit(value.bytes[i]) || *length > (UINT64_MAX - digit) / 10)
            return false;
        *length = *length * 10 + digit;
    }
    return value.length > 0;
}

/* Notes what one field says.  false: the head is malformed. */
static bool note_field(edge_span name, edge_span value, framing *seen)
{
    edge_span rest = value, member;
    switch (name.length) {
    case 10:
        if (EDGE_IS(name, "keep-alive"))
            seen->keep_alive = value;
        if (EDGE_IS(name, "connection"))
            while (edge_quoted_list_next(&rest, &member))
                seen->closes = seen->closes || EDGE_IS(member, "close");
        return true;
    case 14:
        if (!EDGE_IS(name, "content-length"))
            return true;
        if (seen->has_length)
            return false;
        seen->has_length = true;
        return read_length(value, &seen->length);
    case 17:
        if (!EDGE_IS(name, "transfer-encoding"))
            return true;
        seen->codings++;
        seen->is_chunked = EDGE_IS(value, "chunked");
        return value.length > 0;
    default:
        return true;
    }
}

/* The status line; NULL: it is malformed. */
static const uint8_t *read_status_line(const uint8_t *p, const uint8_t *end, unsigned *status, bool *is_1_0)
{
    if (end - p < 14 || (p[7] != '0' && p[7] != '1') || p[8] != ' ' || !is_digit(p[9]) || !is_digit(p[10])
        || !is_digit(p[11]) || (p[12] != ' ' && p[12] != '\r'))
        return NULL;
    *is_1_0 = p[7] == '0';
    *status = (unsigned)(p[9] - '0') * 100 + (unsigned)(p[10] - '0') * 10 + (unsigned)(p[11] - '0');
    for (p += 12; p < end && *p != '\r' && *p != '\n'; p++)
        ;
    return end - p >= 2 && p[0] == '\r' && p[1] == '\n' ? p + 2 : NULL;
}

/* One head, which ends with the bytes; what is wrong with it, or NULL. */
static const char *read_head(edge_upstream_reader *reader, const uint8_t *in, size_t length, framing *seen)
{
    static const char malformed[] = "the head of its answer is malformed";
    const uint8_t *end = in + length, *p = read_status_line(in, end, &reader->head.status, &seen->is_1_0);
    unsigned count = 0;
    if (!p)
        return malformed;
    for (; end - p > 2; count++) {
        if (count == EDGE_UPSTREAM_FIELDS)
            return "its answer has more than 128 header fields";
        edge_field *field = reader->fields + count;
        if (edge_field_next(&p, end, &field->name, &field->value) != EDGE_RECOGNISED
            || !note_field(field->name, field->value, seen))
            return malformed;
    }
    if (seen->has_length && seen->codings)
        return malformed;
    if (reader->head.status < 100 || reader->head.status > 599)
        return "there is no such status";
    reader->head.fields = reader->fields;
    reader->head.count = count;
    reader->head.length = seen->has_length ? seen->length : EDGE_UNKNOWN;
    return NULL;
}

/* The seconds that a connection may rest, by the value of Keep-Alive. */
static uint32_t rest_of(edge_span value)
{
    static const char name[] = "timeout";
    const uint8_t *end = value.bytes + value.length;
    for (const uint8_t *p = value.bytes; end - p > (ptrdiff_t)sizeof name - 1; p++) {
        const uint8_t before = p == value.bytes ? ',' : p[-1];
        if (!edge_equal_nocase((edge_span){p, sizeof name - 1}, name, sizeof name - 1)
            || (before != ' ' && before != '\t' && before != ',' && before != ';'))
            continue;
        const uint8_t *q = p + sizeof name - 1;
        while (q < end && (*q == ' ' || *q == '\t'))
            q++;
        if (q == end || *q++ != '=')
            continue;
        while (q < end && (*q == ' ' || *q == '\t'))
            q++;
        if (q < end && *q == '"')
            q++;
        if (q == end || !is_digit(*q))
            continue;
        uint32_t seconds = 0;
        for (int digits = 0; q < end && is_digit(*q) && digits < 9; digits++)
            seconds = seconds * 10 + (*q++ - '0');
        seconds = seconds ? seconds - 1 : 0; /* the answer, and the close, may be on their way */
        return seconds < EDGE_UPSTREAM_REST ? seconds : EDGE_UPSTREAM_REST;
    }
    return EDGE_UPSTREAM_REST;
}

/* The head of an interim answer. */
static edge_upstream_kind take_early(edge_upstream_reader *reader, const framing *seen)
{
    if (seen->length || seen->codings)
        return wrong(reader, "an interim answer has no body, and its head has the length of one");
    if (reader->head.status == 101)
        return wrong(reader, "it switches protocols (101), and was not asked to");
    if (++reader->interim > EDGE_UPSTREAM_INTERIM)
        return wrong(reader, "it gave more than 16 interim answers (1xx)");
    return EDGE_UPSTREAM_EARLY;
}

/* The head of the final answer: how the body ends (RFC 9112 section 6.3). */
static edge_upstream_kind take_final(edge_upstream_reader *reader, const framing *seen)
{
    const unsigned status = reader->head.status;
    if (seen->codings && (seen->is_1_0 || seen->codings > 1 || !seen->is_chunked))
        return wrong(reader, "the Transfer-Encoding of its answer is not chunked alone, or it is HTTP/1.0");
    if (seen->length >> 63)
        return wrong(reader, "no answer is as long as the head of its answer says");
    if (status == 204 && (seen->length || seen->codings))
        return wrong(reader, "an answer 204 has no body, and its head has the length of one");
    reader->reusable = !seen->is_1_0 && !seen->closes;
    reader->rest = seen->keep_alive.bytes ? rest_of(seen->keep_alive) : EDGE_UPSTREAM_REST;
    reader->data = reader->framing = reader->trailers = 0;
    if (reader->head_only || status == 204 || status == 304 || (seen->has_length && !seen->length)) {
        reader->stage = OVER;
    } else if (seen->codings) {
        reader->stage = SIZE;
    } else if (seen->has_length) {
        reader->stage = OF_LENGTH;
        reader->left = seen->length;
    } else {
        reader->stage = UNTIL_CLOSE;
        reader->reusable = false;
    }
    return EDGE_UPSTREAM_FINAL;
}

static edge_upstream_kind take_head(edge_upstream_reader *reader, const uint8_t *in, size_t length, size_t *consumed)
{
    static const char beginning[] = "HTTP/1.";
    const size_t known = length < sizeof beginning - 1 ? length : sizeof beginning - 1;
    const size_t within = length < EDGE_UPSTREAM_HEAD ? length : EDGE_UPSTREAM_HEAD;
    framing seen = {.length = 0};
    if (memcmp(in, beginning, known))
        return wrong(reader, "what it says is not HTTP/1.x");
    const size_t from = reader->searched > 3 ? reader->searched - 3 : 0;
    const uint8_t *end = from < within ? memmem(in + from, within - from, CRLF CRLF, 4) : NULL;
    if (!end) {
        reader->searched = (uint32_t)within;
        return within == EDGE_UPSTREAM_HEAD ? wrong(reader, "the head of its answer is longer than 32768 bytes")
                                            : EDGE_UPSTREAM_MORE;
    }
    reader->searched = 0;
    *consumed = (size_t)(end - in) + 4;
    const char *why = read_head(reader, in, *consumed, &seen);
    if (why)
        return wrong(reader, why);
    return reader->head.status < 200 ? take_early(reader, &seen) : take_final(reader, &seen);
}

/* What comes of a byte of a chunk's size; -1: it is no digit. */
static int hex_of(uint8_t c)
{
    return is_digit(c) ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

static bool is_token_byte(uint8_t c)
{
    return edge_token_end(&c, &c + 1) != &c;
}

static bool is_value_byte(uint8_t c)
{
    return (c >= 0x20 && c != 0x7f) || c == '\t';
}

/* The name of a trailer field is known.  Of the fields that frame a message none has a place there. */
static bool may_trail(const edge_upstream_reader *reader)
{
    return !(reader->known == 14 && !memcmp(reader->name, "content-length", 14));
}

static void note_name(edge_upstream_reader *reader, uint8_t c)
{
    if (reader->known < sizeof reader->name)
        reader->name[reader->known++] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

/* The stage after one byte of what frames chunks; -1: it is malformed. */
static int after(edge_upstream_reader *reader, uint8_t c)
{
    switch (reader->stage) {
    case SIZE:
        reader->left = 0;
        if (hex_of(c) < 0)
            return -1;
        reader->left = (uint64_t)hex_of(c);
        return DIGITS;
    case DIGITS:
        if (hex_of(c) >= 0) {
            if (reader->left >> 60)
                return -1;
            reader->left = reader->left << 4 | (uint64_t)hex_of(c);
            return DIGITS;
        }
        return c == '\r' ? SIZE_LF : c == ';' ? EXTENSION : -1;
    case EXTENSION:
        if (c == '\r')
            return -1;
        /* fall through */
    case NAME:
        return is_token_byte(c) ? NAME : c == '=' ? VALUE : c == ';' ? EXTENSION : c == '\r' ? SIZE_LF : -1;
    case VALUE:
        return is_token_byte(c) ? VALUE : c == '"' ? QUOTED : c == ';' ? EXTENSION : c == '\r' ? SIZE_LF : -1;
    case QUOTED:
        return c == '"' ? QUOTED_END : c == '\\' ? PAIR : is_value_byte(c) ? QUOTED : -1;
    case PAIR:
        return is_value_byte(c) ? QUOTED : -1;
    case QUOTED_END:
        return c == ';' ? EXTENSION : c == '\r' ? SIZE_LF : -1;
    case SIZE_LF:
        return c != '\n' ? -1 : reader->left ? DATA : LINE;
    case DATA_CR:
        return c == '\r' ? DATA_LF : -1;
    case DATA_LF:
        return c == '\n' ? SIZE : -1;
    case LINE:
        if (c == '\r')
            return END_LF;
        reader->known = 0;
        if (!is_token_byte(c) || reader->trailers++ == EDGE_UPSTREAM_FIELDS)
            return -1;
        note_name(reader, c);
        return FIELD;
    case FIELD:
        if (c == ':')
            return may_trail(reader) ? BLANK : -1;
        note_name(reader, c);
        return is_token_byte(c) ? FIELD : -1;
    case BLANK:
        if (c == ' ' || c == '\t')
            return BLANK;
        if (c == '\r' && reader->known == 17 && !memcmp(reader->name, "transfer-encoding", 17))
            return NO_CODING_LF;
        /* fall through */
    case FIELD_VALUE:
        return c == '\r' ? FIELD_LF : is_value_byte(c) ? FIELD_VALUE : -1;
    case FIELD_LF:
        return c == '\n' ? LINE : -1;
    case NO_CODING_LF:
        return -1;
    default: /* END_LF */
        return c == '\n' ? OVER : -1;
    }
}

/* Some of a body in chunks, or what frames them: what data is among it is moved together. */
static edge_upstream_kind take_chunks(edge_upstream_reader *reader, uint8_t *in, size_t length, size_t *consumed,
                                      edge_span *body)
{
    size_t at = 0, written = 0;
    while (at < length && reader->stage != OVER) {
        if (reader->stage == DATA) {
            const size_t part = reader->left < length - at ? (size_t)reader->left : length - at;
            if (written != at)
                memmove(in + written, in + at, part);
            written += part;
            at += part;
            reader->left -= part;
            if (!reader->left)
                reader->stage = DATA_CR;
            continue;
        }
        const int next = after(reader, in[at++]);
        if (next < 0)
            return wrong(reader, "the chunks of its answer are malformed");
        reader->stage = (uint8_t)next;
    }
    reader->data += written;
    reader->framing += at - written;
    *consumed = at;
    *body = (edge_span){in, written};
    if (reader->framing > EDGE_UPSTREAM_FRAMING + EDGE_UPSTREAM_FRAMING_OF_BYTE * reader->data)
        return wrong(reader, "the sizes, extensions and trailers of its answer's chunks are too long");
    return written ? EDGE_UPSTREAM_BODY : reader->stage == OVER ? EDGE_UPSTREAM_END : EDGE_UPSTREAM_MORE;
}

edge_upstream_kind edge_upstream_read(edge_upstream_reader *reader, uint8_t *in, size_t length, size_t *consumed,
                                      edge_span *body)
{
    *consumed = 0;
    *body = (edge_span){in, 0};
    if (reader->stage == OVER)
        return EDGE_UPSTREAM_END;
    if (!length)
        return EDGE_UPSTREAM_MORE;
    reader->begun = true;
    if (reader->stage == IN_HEAD)
        return take_head(reader, in, length, consumed);
    if (reader->stage > OVER)
        return take_chunks(reader, in, length, consumed, body);
    body->length = length;
    if (reader->stage == OF_LENGTH) {
        body->length = reader->left < length ? (size_t)reader->left : length;
        reader->left -= body->length;
        if (!reader->left)
            reader->stage = OVER;
    }
    *consumed = body->length;
    return EDGE_UPSTREAM_BODY;
}
