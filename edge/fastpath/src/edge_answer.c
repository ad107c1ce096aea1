#include "edge_answer.h"

#include <string.h>

/* Heads: 100 fixed bytes, two line blocks of at most 64 KiB each are bounded by the room check. */
#define FIXED_ROOM 512

void edge_answerer_date(edge_answerer *answerer, uint64_t unix_seconds)
{
    if (answerer->now == unix_seconds && answerer->date[0])
        return;
    answerer->now = unix_seconds;
    edge_format_date(unix_seconds, answerer->date);
}

void edge_answerer_allow_none(edge_answerer *answerer)
{
    answerer->any_origin = 0;
    answerer->origin_count = 0;
}

int edge_answerer_allow(edge_answerer *answerer, const char *origin, size_t length)
{
    if (length == 1 && *origin == '*') {
        answerer->any_origin = 1;
        return 0;
    }
    if (answerer->origin_count == EDGE_ORIGINS || length > EDGE_ORIGIN_BYTES)
        return -1;
    memcpy(answerer->origins[answerer->origin_count], origin, length);
    answerer->origin_length[answerer->origin_count++] = (uint16_t)length;
    return 0;
}

static int origin_allowed(const edge_answerer *answerer, edge_span origin)
{
    if (!origin.bytes)
        return 0;
    if (answerer->any_origin)
        return 1;
    for (unsigned i = 0; i < answerer->origin_count; i++)
        if (origin.length == answerer->origin_length[i]
            && !memcmp(origin.bytes, answerer->origins[i], origin.length))
            return 1;
    return 0;
}

/* ---- writing ---- */

static void put_date(edge_answerer *answerer, edge_output *out)
{
    edge_put(out, EDGE_LITERAL("Date: "));
    edge_put(out, (const uint8_t *)answerer->date, EDGE_DATE_BYTES);
    edge_put(out, EDGE_LITERAL("\r\n"));
}

static void put_modified(edge_answerer *answerer, edge_output *out, uint32_t modified)
{
    unsigned cell = modified & 255;
    if (answerer->modified[cell].at != modified || !answerer->modified[cell].text[0]) {
        answerer->modified[cell].at = modified;
        edge_format_date(modified, answerer->modified[cell].text);
    }
    edge_put(out, EDGE_LITERAL("Last-Modified: "));
    edge_put(out, (const uint8_t *)answerer->modified[cell].text, EDGE_DATE_BYTES);
    edge_put(out, EDGE_LITERAL("\r\n"));
}

/* expose: scripts may read all header lines, which a 304 has no use for. */
static void put_tail(edge_answerer *answerer, edge_output *out, const edge_request *request, int expose)
{
    static const char prefix[] = "/.edge/"; /* these carry their own CORS line */
    edge_span path = request->path;
    if (origin_allowed(answerer, request->origin)
        && !(path.length >= sizeof prefix - 1 && !memcmp(path.bytes, prefix, sizeof prefix - 1))) {
        edge_put(out, EDGE_LITERAL("Access-Control-Allow-Origin: *\r\n"));
        if (expose)
            edge_put(out, EDGE_LITERAL("Access-Control-Expose-Headers: *\r\n"));
    }
    if (request->close)
        edge_put(out, EDGE_LITERAL("Connection: close\r\n"));
    edge_put(out, EDGE_LITERAL("\r\n"));
}

static void sample(edge_answerer *answerer, const edge_request *request, unsigned status, size_t sent)
{
    edge_sample *record;
    if (--answerer->log_countdown)
        return;
    answerer->log_countdown = answerer->log_every;
    if (answerer->sample_count == EDGE_SAMPLES)
        return;
    record = answerer->samples + answerer->sample_count++;
    record->at = answerer->now;
    record->sent = sent;
    record->status = (uint16_t)status;
    record->method = (uint8_t)request->method;
    record->address[0] = 0;
    record->target_length = (uint16_t)(request->target.length < EDGE_SAMPLE_TARGET ? request->target.length
                                                                                   : EDGE_SAMPLE_TARGET);
    memcpy(record->target, request->target.bytes, record->target_length);
}

/* ---- conditions and selection ---- */

static edge_key key_of(edge_answerer *answerer, const uint8_t *path, size_t length)
{
    uint64_t first = 0, last = 0, mixed;
    if (length > EDGE_MEMO_PATH)
        return edge_hash(&answerer->table.hash, path, length);
    if (length >= 8) {
        memcpy(&first, path + length / 2 - 4, 8);
        memcpy(&last, path + length - 8, 8);
    } else {
        memcpy(&last, path, length);
    }
    mixed = (first * 3 ^ last ^ length) * 0x9e3779b97f4a7c15u;
    unsigned cell = mixed >> 32 & (EDGE_MEMO - 1);
    if (answerer->memo[cell].length != length || memcmp(answerer->memo[cell].path, path, length)) {
        answerer->memo[cell].key = edge_hash(&answerer->table.hash, path, length);
        answerer->memo[cell].length = (uint32_t)length;
        memcpy(answerer->memo[cell].path, path, length);
    }
    return answerer->memo[cell].key;
}

enum { NO_MATCH, MATCH, UNCLEAR };

/* If-None-Match by weak comparison, RFC 9110 13.1.2 and 8.8.3.2. */
static int none_match(edge_span field, const uint8_t etag[EDGE_ETAG_BYTES])
{
    edge_span rest = field, member;
    int result = NO_MATCH;
    if (field.length == 1 && *field.bytes == '*')
        return MATCH;
    while (rest.bytes) {
        /* A comma may stand inside an opaque-tag: members are found by their quotes. */
        const uint8_t *p = rest.bytes, *end = p + rest.length, *close;
        while (p < end && (*p == ' ' || *p == '\t'))
            p++;
        if (end - p >= 2 && p[0] == 'W' && p[1] == '/')
            p += 2;
        if (p == end || *p++ != '"')
            return UNCLEAR;
        close = memchr(p, '"', (size_t)(end - p));
        if (!close)
            return UNCLEAR;
        member.bytes = p;
        member.length = (size_t)(close - p);
        for (size_t i = 0; i < member.length; i++)
            if (member.bytes[i] <= ' ' || member.bytes[i] >= 0x7f)
                return UNCLEAR;
        if (member.length == EDGE_ETAG_BYTES && !memcmp(member.bytes, etag, EDGE_ETAG_BYTES))
            result = MATCH;
        for (p = close + 1; p < end && (*p == ' ' || *p == '\t'); p++)
            ;
        if (p < end && *p != ',')
            return UNCLEAR;
        rest.bytes = p < end ? p + 1 : NULL;
        rest.length = p < end ? (size_t)(end - p - 1) : 0;
    }
    return result;
}

/* Does Accept list the type, alone?  UNCLEAR when it does with parameters. */
static int accepts(edge_span accept, const char *type, size_t length)
{
    edge_span rest = accept, member;
    int result = NO_MATCH;
    while (edge_list_next(&rest, &member)) {
        edge_span start = member;
        if (member.length < length)
            continue;
        start.length = length;
        if (!edge_equal_nocase(start, type, length))
            continue;
        if (member.length != length)
            return UNCLEAR;
        result = MATCH;
    }
    return result;
}

/* The variant for this request out of the mask, or -1: let go. */
static int choose(unsigned mask, const edge_request *request)
{
    unsigned media = 0, codings;
    if (mask >> 4 && request->accept.bytes) {
        if (memchr(request->accept.bytes, '"', request->accept.length))
            return -1; /* a comma may stand inside the quotes */
        int avif = accepts(request->accept, "image/avif", 10);
        int webp = accepts(request->accept, "image/webp", 10);
        if (avif == UNCLEAR || webp == UNCLEAR)
            return -1;
        if (avif == MATCH && mask >> 8)
            media = 2;
        else if (webp == MATCH && mask >> 4 & 15)
            media = 1;
    }
    codings = mask >> 4 * media & request->codings;
    return (int)(4 * media + (codings & 4 ? 2 : codings & 2 ? 1 : 0));
}

static edge_verdict answer_get(edge_answerer *answerer, const edge_request *request, edge_output *out)
{
    edge_table *table = &answerer->table;
    edge_key key = key_of(answerer, request->path.bytes, request->path.length);
    edge_entry entry;
    size_t begin = out->used;
    int variant, matched = NO_MATCH;
    if (!edge_table_find(table, key, 0, &entry) || entry.state != EDGE_SLOT_LIVE)
        return EDGE_HANDOFF;
    variant = choose(entry.variants, request);
    if (variant < 0
        || (variant && (!edge_table_find(table, key, (unsigned)variant, &entry) || entry.state != EDGE_SLOT_LIVE)))
        return EDGE_HANDOFF;
    if (request->none_match.bytes)
        matched = none_match(request->none_match, entry.etag);
    if (matched == UNCLEAR)
        return EDGE_HANDOFF;
    if (request->tag.length == EDGE_ETAG_BYTES && !memcmp(request->tag.bytes, entry.etag, EDGE_ETAG_BYTES))
        matched = MATCH;
    if (!entry.confirmed) /* perhaps there is a newer one: then only the whole is an answer */
        matched = NO_MATCH;
    if (matched == NO_MATCH && request->method == EDGE_GET && entry.length && !entry.body)
        return EDGE_HANDOFF;
    if ((size_t)entry.length_200 + entry.length_304 + FIXED_ROOM > EDGE_HEADS_BYTES - out->used)
        return EDGE_RECOGNISED;
    if (matched == MATCH)
        edge_put(out, EDGE_LITERAL("HTTP/1.1 304 \r\n"));
    else
        edge_put(out, EDGE_LITERAL("HTTP/1.1 200 OK\r\n"));
    put_date(answerer, out);
    edge_put(out, EDGE_LITERAL("ETag: \""));
    edge_put(out, entry.etag, EDGE_ETAG_BYTES);
    edge_put(out, EDGE_LITERAL("\"\r\n"));
    if (matched == MATCH) {
        edge_put(out, entry.lines_304, entry.length_304);
    } else {
        put_modified(answerer, out, entry.modified);
        edge_put(out, EDGE_LITERAL("Content-Length: "));
        edge_put_number(out, entry.length);
        edge_put(out, EDGE_LITERAL("\r\n"));
        edge_put(out, entry.lines_200, entry.length_200);
    }
    put_tail(answerer, out, request, matched == NO_MATCH);
    size_t before = out->total;
    edge_piece(out, out->heads + begin, out->used - begin);
    if (matched == NO_MATCH && request->method == EDGE_GET)
        edge_piece(out, entry.body, entry.length);
    edge_count(table, matched == MATCH ? EDGE_C_NOT_MODIFIED : EDGE_C_OK, 1);
    if (answerer->log_every)
        sample(answerer, request, matched == MATCH ? 304 : 200, out->total - before);
    return EDGE_MORE;
}

/* ---- POST /.edge/revalidate ---- */

/* One line `ETAG PATH`.  1: current, 0: stale, -1: malformed. */
static int validator_current(edge_answerer *answerer, const uint8_t *p, const uint8_t *end)
{
    const uint8_t *tag, *path, *mark;
    size_t tag_length;
    int weak = end - p >= 2 && p[0] == 'W' && p[1] == '/';
    p += weak ? 2 : 0;
    if (p < end && *p == '"') {
        tag = ++p;
        while (p < end && *p > ' ' && *p < 0x7f && *p != '"')
            p++;
        tag_length = (size_t)(p - tag);
        if (p == end || *p++ != '"')
            return -1;
    } else {
        if (weak)
            return -1;
        tag = p;
        while (p < end && *p > ' ' && *p < 0x7f && *p != '"')
            p++;
        tag_length = (size_t)(p - tag);
        if (!tag_length)
            return -1;
    }
    if (end - p < 2 || p[0] != ' ' || p[1] != '/')
        return -1;
    path = ++p;
    for (; p < end; p++)
        if (*p <= ' ' || *p >= 0x7f)
            return -1;
    mark = memchr(path, '?', (size_t)(end - path));
    if (tag_length != EDGE_ETAG_BYTES)
        return 0;
    return edge_table_is_current(&answerer->table, key_of(answerer, path, (size_t)((mark ? mark : end) - path)), tag);
}

static edge_verdict answer_revalidate(edge_answerer *answerer, const edge_request *request, edge_output *out)
{
    edge_table *table = &answerer->table;
    edge_key own = key_of(answerer, request->path.bytes, request->path.length);
    edge_entry template;
    uint8_t json[64 + EDGE_VALIDATORS * 4];
    size_t used = 0, begin = out->used, before = out->total;
    const uint8_t *p = request->body.bytes, *end = p + request->body.length;
    uint64_t sequence = __atomic_load_n(&table->header->sequence, __ATOMIC_ACQUIRE);
    unsigned line = 0;
    if (!edge_table_find(table, own, 0, &template) || template.state != EDGE_SLOT_TEMPLATE)
        return EDGE_HANDOFF;
    if ((size_t)template.length_200 + sizeof json + FIXED_ROOM > EDGE_HEADS_BYTES - out->used)
        return EDGE_RECOGNISED;
    for (; p < end; line++) {
        const uint8_t *feed = memchr(p, '\n', (size_t)(end - p)), *stop = feed ? feed : end;
        int current;
        if (line == EDGE_VALIDATORS)
            return EDGE_HANDOFF;
        if (feed && stop > p && stop[-1] == '\r')
            stop--;
        current = validator_current(answerer, p, stop);
        if (current < 0)
            return EDGE_HANDOFF;
        if (!current) {
            unsigned divisor = line >= 100 ? 100 : line >= 10 ? 10 : 1;
            if (used)
                json[used++] = ',';
            for (; divisor; divisor /= 10)
                json[used++] = (uint8_t)('0' + line / divisor % 10);
        }
        p = feed ? feed + 1 : end;
    }
    unsigned sequence_digits = 1;
    for (uint64_t n = sequence; n >= 10; n /= 10)
        sequence_digits++;
    edge_put(out, EDGE_LITERAL("HTTP/1.1 200 OK\r\n"));
    put_date(answerer, out);
    edge_put(out, EDGE_LITERAL("Content-Length: "));
    edge_put_number(out, sizeof "{\"v\":1,\"seq\":,\"stale\":[]}" - 1 + sequence_digits + used);
    edge_put(out, EDGE_LITERAL("\r\n"));
    edge_put(out, template.lines_200, template.length_200);
    put_tail(answerer, out, request, 0);
    edge_put(out, EDGE_LITERAL("{\"v\":1,\"seq\":"));
    edge_put_number(out, sequence);
    edge_put(out, EDGE_LITERAL(",\"stale\":["));
    edge_put(out, json, used);
    edge_put(out, EDGE_LITERAL("]}"));
    edge_piece(out, out->heads + begin, out->used - begin);
    edge_count(table, EDGE_C_REVALIDATIONS, 1);
    edge_count(table, EDGE_C_VALIDATORS, line);
    if (answerer->log_every)
        sample(answerer, request, 200, out->total - before);
    return EDGE_MORE;
}

edge_verdict edge_answer(edge_answerer *answerer, const uint8_t *in, size_t length, edge_output *out,
                         size_t *consumed)
{
    unsigned answered = 0;
    edge_verdict verdict = EDGE_MORE;
    *consumed = 0;
    out->used = 0;
    out->count = 0;
    out->total = 0;
    while (*consumed < length) {
        edge_request request;
        if (answered == EDGE_ANSWERS || out->total >= EDGE_OUTPUT_BYTES) {
            verdict = EDGE_RECOGNISED;
            break;
        }
        verdict = edge_recognise(in + *consumed, length - *consumed, &request);
        if (verdict != EDGE_RECOGNISED)
            break;
        if (answerer->draining)
            request.close = 1;
        verdict = request.method == EDGE_REVALIDATE ? answer_revalidate(answerer, &request, out)
                                                    : answer_get(answerer, &request, out);
        if (verdict != EDGE_MORE)
            break;
        *consumed += request.consumed;
        answered++;
        if (request.close) {
            verdict = EDGE_CLOSE;
            break;
        }
    }
    edge_count(&answerer->table, EDGE_C_REQUESTS, answered);
    return verdict;
}
