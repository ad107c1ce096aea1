#include "edge_request.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Character classes. */
#define TOKEN 1  /* tchar, RFC 9110 5.6.2 */
#define TARGET 2 /* pchar / "/" / "?" without the percent sign, RFC 3986 3.3 and 3.4 */
#define HOST 4   /* ALPHA / DIGIT / "." / "-" */
#define TAG 8    /* base64url */
#define DIGIT 16
#define HEX 32   /* HEXDIG / ":" / ".": inside an IP-literal */

static uint8_t classes[256];

__attribute__((constructor)) static void classes_fill(void)
{
    for (int c = 0; c < 256; c++) {
        int digit = c >= '0' && c <= '9', alpha = (c | 32) >= 'a' && (c | 32) <= 'z' && c < 128;
        uint8_t class = 0;
        if (digit || alpha || (c && c < 128 && strchr("!#$%&'*+-.^_`|~", c)))
            class |= TOKEN;
        if (digit || alpha || (c && c < 128 && strchr("-._~!$&'()*+,;=:@/?", c)))
            class |= TARGET;
        if (digit || alpha || c == '.' || c == '-')
            class |= HOST;
        if (digit || alpha || c == '-' || c == '_')
            class |= TAG;
        if (digit)
            class |= DIGIT;
        if (digit || c == ':' || c == '.' || (alpha && (c | 32) <= 'f'))
            class |= HEX;
        classes[c] = class;
    }
}

static inline int is(uint8_t c, unsigned class)
{
    return classes[c] & class;
}

int edge_list_next(edge_span *rest, edge_span *member)
{
    const uint8_t *p = rest->bytes, *end;
    if (!p)
        return 0;
    end = p + rest->length;
    const uint8_t *comma = memchr(p, ',', rest->length);
    const uint8_t *stop = comma ? comma : end;
    rest->bytes = comma ? comma + 1 : NULL;
    rest->length = comma ? (size_t)(end - comma - 1) : 0;
    while (p < stop && (*p == ' ' || *p == '\t'))
        p++;
    while (stop > p && (stop[-1] == ' ' || stop[-1] == '\t'))
        stop--;
    member->bytes = p;
    member->length = (size_t)(stop - p);
    return 1;
}

static inline const uint8_t *value_end(const uint8_t *p, const uint8_t *end)
{
    for (;;) {
#ifdef __SSE2__
        while (end - p >= 16) {
            __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
            __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
            __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
            int mask = _mm_movemask_epi8(_mm_or_si128(low, del));
            if (mask) {
                p += __builtin_ctz((unsigned)mask);
                break;
            }
            p += 16;
        }
#endif
        while (p < end && *p >= 0x20 && *p != 0x7f)
            p++;
        if (p < end && *p == '\t') {
            p++;
            continue;
        }
        return p;
    }
}

static inline int field_next(const uint8_t **at, const uint8_t *end, edge_span *name, edge_span *value)
{
    const uint8_t *p = *at;
    name->bytes = p;
    while (end - p >= 4 && is(p[0], TOKEN) && is(p[1], TOKEN) && is(p[2], TOKEN) && is(p[3], TOKEN))
        p += 4;
    while (p < end && is(*p, TOKEN))
        p++;
    if (p == end)
        return 0;
    name->length = (size_t)(p - name->bytes);
    if (!name->length || *p++ != ':')
        return -1;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    value->bytes = p;
    p = value_end(p, end);
    if (end - p < 2)
        return p == end || *p == '\r' ? 0 : -1;
    if (p[0] != '\r' || p[1] != '\n')
        return -1;
    value->length = (size_t)(p - value->bytes);
    while (value->length && (value->bytes[value->length - 1] == ' ' || value->bytes[value->length - 1] == '\t'))
        value->length--;
    *at = p + 2;
    return 1;
}

const uint8_t *edge_value_end(const uint8_t *p, const uint8_t *end)
{
    return value_end(p, end);
}

int edge_field_next(const uint8_t **at, const uint8_t *end, edge_span *name, edge_span *value)
{
    return field_next(at, end, name, value);
}

static int host_is_plain(edge_span host)
{
    const uint8_t *p = host.bytes, *end = p + host.length;
    if (p < end && *p == '[') {
        const uint8_t *begin = ++p;
        while (p < end && is(*p, HEX))
            p++;
        if (p == begin || p == end || *p++ != ']')
            return 0;
    } else {
        const uint8_t *begin = p;
        while (p < end && is(*p, HOST))
            p++;
        if (p == begin)
            return 0;
    }
    if (p == end)
        return 1;
    if (*p++ != ':' || p == end || end - p > 5)
        return 0;
    while (p < end && is(*p, DIGIT))
        p++;
    return p == end;
}

/* Accept-Encoding without weights: the plain tokens gzip and br count, unknown ones do not, and
 * what has q-values or special meaning is let go. */
static int codings_of(edge_span value, unsigned *codings)
{
    edge_span rest = value, member;
    *codings = 1;
    while (edge_list_next(&rest, &member)) {
        for (size_t i = 0; i < member.length; i++)
            if (!is(member.bytes[i], TOKEN))
                return 0;
        if (EDGE_IS(member, "br"))
            *codings |= 4;
        else if (EDGE_IS(member, "gzip"))
            *codings |= 2;
        else if (!member.length || EDGE_IS(member, "*") || EDGE_IS(member, "identity")
                 || EDGE_IS(member, "x-gzip"))
            return 0;
    }
    return 1;
}

/* Splits path and query, finds ~etag=TAG as the last parameter. */
static int target_split(edge_request *request)
{
    edge_span target = request->target;
    const uint8_t *mark = memchr(target.bytes, '?', target.length), *end = target.bytes + target.length;
    static const char name[] = "~etag=";
    const size_t name_length = sizeof name - 1;
    request->path = target;
    if (!mark)
        return 1;
    request->path.length = (size_t)(mark - target.bytes);
    for (const uint8_t *p = mark + 1; p < end; p++)
        if (!is(*p, TARGET))
            return 0;
    const uint8_t *last = end;
    while (last > mark + 1 && last[-1] != '&')
        last--;
    if ((size_t)(end - last) <= name_length || memcmp(last, name, name_length))
        return 1;
    edge_span tag = {last + name_length, (size_t)(end - last) - name_length};
    if (tag.length > 64)
        return 1;
    for (size_t i = 0; i < tag.length; i++)
        if (!is(tag.bytes[i], TAG))
            return 1;
    request->tag = tag;
    return 1;
}

static int starts(const uint8_t *in, size_t length, const char *text, size_t text_length)
{
    size_t n = length < text_length ? length : text_length;
    return memcmp(in, text, n) ? -1 : length >= text_length;
}

/* The request line.  Returns the byte after it, or NULL with *verdict set. */
static const uint8_t *request_line(const uint8_t *in, size_t length, edge_request *request,
                                   edge_verdict *verdict)
{
    static const char get[] = "GET /", head[] = "HEAD /", version[] = " HTTP/1.1\r\n";
    static const char revalidate[] = "POST /.edge/revalidate HTTP/1.1\r\n";
    const uint8_t *end = in + length, *p;
    int known;
    *verdict = EDGE_HANDOFF;
    if ((known = starts(in, length, get, sizeof get - 1)) >= 0) {
        request->method = EDGE_GET;
        p = in + 4;
    } else if ((known = starts(in, length, head, sizeof head - 1)) >= 0) {
        request->method = EDGE_HEAD;
        p = in + 5;
    } else if ((known = starts(in, length, revalidate, sizeof revalidate - 1)) >= 0) {
        request->method = EDGE_REVALIDATE;
        p = in + 5;
    } else {
        return NULL;
    }
    if (!known) {
        *verdict = EDGE_MORE;
        return NULL;
    }
    request->target.bytes = p;
    while (p < end && *p > 0x20 && *p < 0x7f)
        p++;
    request->target.length = (size_t)(p - request->target.bytes);
    known = starts(p, (size_t)(end - p), version, sizeof version - 1);
    if (known == 0)
        *verdict = EDGE_MORE;
    return known > 0 ? p + sizeof version - 1 : NULL;
}

typedef struct {
    int hosts, connections, none_matches, accepts, codings, origins, lengths, modified_since;
    edge_span content_type;
    uint64_t content_length;
} fields_seen;

/* Notes one field.  0: outside the subset. */
static int field(edge_span name, edge_span value, edge_request *request, fields_seen *seen)
{
    switch (name.length) {
    case 2:
        return !EDGE_IS(name, "te");
    case 4:
        if (EDGE_IS(name, "host"))
            return !seen->hosts++ && host_is_plain(value);
        return 1;
    case 5:
        return !EDGE_IS(name, "range");
    case 6:
        if (EDGE_IS(name, "accept")) {
            request->accept = value;
            return !seen->accepts++;
        }
        if (EDGE_IS(name, "origin")) {
            request->origin = value;
            return !seen->origins++;
        }
        return !EDGE_IS(name, "expect");
    case 7:
        return !EDGE_IS(name, "upgrade") && !EDGE_IS(name, "trailer");
    case 8:
        return !EDGE_IS(name, "if-match") && !EDGE_IS(name, "if-range");
    case 10:
        if (!EDGE_IS(name, "connection"))
            return 1;
        if (EDGE_IS(value, "close"))
            request->close = 1;
        else if (!EDGE_IS(value, "keep-alive"))
            return 0;
        return !seen->connections++;
    case 12:
        if (!EDGE_IS(name, "content-type") || request->method != EDGE_REVALIDATE)
            return 1;
        if (seen->content_type.bytes)
            return 0;
        seen->content_type = value;
        return 1;
    case 13:
        if (!EDGE_IS(name, "if-none-match"))
            return 1;
        request->none_match = value;
        return !seen->none_matches++;
    case 14:
        if (EDGE_IS(name, "http2-settings"))
            return 0;
        if (!EDGE_IS(name, "content-length"))
            return 1;
        if (request->method != EDGE_REVALIDATE || seen->lengths++ || !value.length || value.length > 7)
            return 0;
        for (size_t i = 0; i < value.length; i++) {
            if (!is(value.bytes[i], DIGIT))
                return 0;
            seen->content_length = seen->content_length * 10 + (value.bytes[i] - '0');
        }
        return seen->content_length <= EDGE_BODY_LIMIT;
    case 15:
        if (!EDGE_IS(name, "accept-encoding"))
            return 1;
        return !seen->codings++ && codings_of(value, &request->codings);
    case 16:
        return !EDGE_IS(name, "content-encoding");
    case 17:
        if (EDGE_IS(name, "if-modified-since"))
            seen->modified_since = 1;
        return !EDGE_IS(name, "transfer-encoding");
    case 19:
        return !EDGE_IS(name, "if-unmodified-since");
    case 22:
        return !EDGE_IS(name, "x-http-method-override");
    default:
        return 1;
    }
}

/* "text/plain", alone or with parameters. */
static int type_is_plain(edge_span type)
{
    edge_span essence = type;
    const uint8_t *semicolon;
    if (!type.bytes)
        return 1;
    semicolon = memchr(type.bytes, ';', type.length);
    if (semicolon)
        essence.length = (size_t)(semicolon - type.bytes);
    while (essence.length && (essence.bytes[essence.length - 1] == ' ' || essence.bytes[essence.length - 1] == '\t'))
        essence.length--;
    return EDGE_IS(essence, "text/plain");
}

static edge_verdict finish(const uint8_t *in, const uint8_t *p, size_t length, edge_request *request,
                           const fields_seen *seen)
{
    size_t head = (size_t)(p - in);
    if (head > EDGE_HEAD_LIMIT || !seen->hosts)
        return EDGE_HANDOFF;
    request->consumed = head;
    if (request->method != EDGE_REVALIDATE)
        return (!seen->modified_since || request->none_match.bytes) && target_split(request)
                   ? EDGE_RECOGNISED
                   : EDGE_HANDOFF;
    if (!seen->lengths || !type_is_plain(seen->content_type) || request->none_match.bytes
        || seen->modified_since)
        return EDGE_HANDOFF;
    if (length - head < seen->content_length)
        return EDGE_MORE;
    request->path = request->target;
    request->body.bytes = p;
    request->body.length = seen->content_length;
    request->consumed += seen->content_length;
    return EDGE_RECOGNISED;
}

edge_verdict edge_recognise(const uint8_t *in, size_t length, edge_request *request)
{
    const uint8_t *end = in + length, *p;
    fields_seen seen;
    edge_verdict verdict, incomplete = length >= EDGE_HEAD_LIMIT ? EDGE_HANDOFF : EDGE_MORE;
    memset(request, 0, sizeof *request);
    memset(&seen, 0, sizeof seen);
    request->codings = 1;
    p = request_line(in, length, request, &verdict);
    if (!p)
        return verdict == EDGE_MORE ? incomplete : verdict;
    for (int fields = 0;; fields++) {
        edge_span name, value;
        if (p == end)
            return incomplete;
        if (*p == '\r') {
            if (p + 1 == end)
                return incomplete;
            return p[1] == '\n' ? finish(in, p + 2, length, request, &seen) : EDGE_HANDOFF;
        }
        if (fields == EDGE_FIELD_LIMIT)
            return EDGE_HANDOFF;
        int known = field_next(&p, end, &name, &value);
        if (known <= 0)
            return known ? EDGE_HANDOFF : incomplete;
        if (!field(name, value, request, &seen))
            return EDGE_HANDOFF;
    }
}
