#include "edge_answer.h"

#include <string.h>

/* {"v":1,"seq":20 digits,"s":"a state","stale":[three digits and a comma for each]} */
#define STATE_BYTES (EDGE_PUBLISHERS * (EDGE_STATE_ID + EDGE_STATE_NUMBER + 1))
#define BATCH_BYTES (64 + STATE_BYTES + EDGE_VALIDATORS * 4)
_Static_assert(EDGE_HISTORY_BYTES + 2 <= BATCH_BYTES, "the answer of changes fits where that of a batch does");
_Static_assert(EDGE_HEAD_FIXED >= 512 + STATE_BYTES, "a state fits into a head");
/* The most bytes of heads that one answer takes. */
#define HEADS_OF_ONE (EDGE_HEAD_FIXED + EDGE_LINES_LIMIT + BATCH_BYTES)

void edge_answerer_date(edge_answerer *answerer, uint64_t unix_seconds)
{
    if (answerer->now == unix_seconds && answerer->date[0])
        return;
    answerer->now = unix_seconds;
    edge_format_date(unix_seconds, answerer->date);
}

void edge_answerer_sites(edge_answerer *answerer, const edge_sites *sites)
{
    answerer->sites = *sites;
    memset(answerer->hosts, 0, sizeof answerer->hosts);
    memset(answerer->memo, 0, sizeof answerer->memo);
}

void edge_answerer_count_sites(edge_answerer *answerer, void *rows, unsigned sites)
{
    answerer->site_rows = sites;
    answerer->by_site = sites ? rows : NULL;
}

static edge_site *site_of(edge_answerer *answerer, unsigned site)
{
    return site < answerer->sites.count ? answerer->sites.sites + site : &answerer->alone;
}

int edge_answerer_guards(edge_answerer *answerer, const edge_guard *guards, void *buckets, uint64_t bytes)
{
    answerer->guards = guards;
    memset(answerer->memo, 0, sizeof answerer->memo); /* it knows of no patterns */
    return edge_buckets_open(&answerer->buckets, buckets, bytes) ? 0 : -1;
}

void edge_answerer_allow_none(edge_answerer *answerer, unsigned site)
{
    unsigned kept = 0;
    site_of(answerer, site)->any_origin = false;
    for (unsigned i = 0; i < answerer->origin_count; i++) {
        if (answerer->origin_site[i] == site)
            continue;
        memmove(answerer->origins[kept], answerer->origins[i], EDGE_ORIGIN_BYTES);
        answerer->origin_length[kept] = answerer->origin_length[i];
        answerer->origin_site[kept++] = answerer->origin_site[i];
    }
    answerer->origin_count = kept;
}

int edge_answerer_allow(edge_answerer *answerer, unsigned site, const char *origin, size_t length)
{
    if (length == 1 && *origin == '*') {
        site_of(answerer, site)->any_origin = true;
        return 0;
    }
    if (answerer->origin_count == EDGE_ORIGINS || length > EDGE_ORIGIN_BYTES)
        return -1;
    memcpy(answerer->origins[answerer->origin_count], origin, length);
    answerer->origin_site[answerer->origin_count] = site;
    answerer->origin_length[answerer->origin_count++] = (uint16_t)length;
    return 0;
}

int edge_answerer_hsts(edge_answerer *answerer, const uint8_t *line, size_t length)
{
    if (length > EDGE_HSTS_BYTES)
        return -1;
    memcpy(answerer->hsts, line, length);
    answerer->hsts_length = (unsigned)length;
    return 0;
}

int edge_answerer_speculate(edge_answerer *answerer, const uint8_t *line, size_t length)
{
    if (length > EDGE_SPECULATION_BYTES)
        return -1;
    if (length)
        memcpy(answerer->speculation, line, length);
    answerer->speculation_length = (unsigned)length;
    return 0;
}

static bool origin_allowed(const edge_answerer *answerer, unsigned site, edge_span origin)
{
    const bool any = site < answerer->sites.count ? answerer->sites.sites[site].any_origin
                                                  : answerer->alone.any_origin;
    if (any)
        return true;
    for (unsigned i = 0; i < answerer->origin_count; i++)
        if (origin.length == answerer->origin_length[i] && answerer->origin_site[i] == site
            && !memcmp(origin.bytes, answerer->origins[i], origin.length))
            return true;
    return false;
}

/* ---- what heads need to know ---- */

static const char own[] = "/.edge/", load[] = "/.edge/load";

/* Of the node's own resources. */
static bool is_own(edge_span path)
{
    return path.length >= sizeof own - 1 && !memcmp(path.bytes, own, sizeof own - 1);
}

/* What the name of the entry of a path begins with: the node's own resources are the same for all sites, but the
 * load document. */
static edge_span prefix_of(const edge_answerer *answerer, unsigned site, edge_span path)
{
    if (!answerer->sites.count)
        return (edge_span){answerer->alone.bytes, 0};
    const edge_site *found = answerer->sites.sites + site;
    const bool is_load = path.length == sizeof load - 1 && !memcmp(path.bytes, load, sizeof load - 1);
    return (edge_span){found->bytes, is_own(path) && !is_load ? 0 : found->length};
}

static edge_head_context context_of(const edge_answerer *answerer, const edge_request *request)
{
    return (edge_head_context){
        .date = answerer->date,
        .readable = request->origin.bytes && origin_allowed(answerer, request->site, request->origin)
                    && !is_own(request->path), /* those are published with a CORS line of their own */
        .close = request->close,
        .hsts = answerer->hsts,
        .hsts_length = answerer->secure ? answerer->hsts_length : 0,
        .speculation = answerer->speculation,
        .speculation_length = answerer->speculation_length,
    };
}

/* Counts an answer of its site; what is nobody's has the row behind those of all sites. */
static void count_site(edge_answerer *answerer, unsigned site, unsigned status, uint64_t sent)
{
    if (site > answerer->site_rows)
        return;
    uint64_t *row = answerer->by_site + site * EDGE_SITE_CELLS, *kind = row + status / 100 - 1;
    __atomic_store_n(kind, *kind + 1, __ATOMIC_RELAXED);
    __atomic_store_n(row + EDGE_SITE_SENT, row[EDGE_SITE_SENT] + sent, __ATOMIC_RELAXED);
}

/* Counts what was no request, and so names no host: of the site that takes such. */
static void count_unnamed(edge_answerer *answerer, unsigned status, uint64_t sent)
{
    const int site = answerer->sites.count ? answerer->sites.by_default : 0;
    if (answerer->by_site)
        count_site(answerer, site == EDGE_NO_SITE ? answerer->site_rows : (unsigned)site, status, sent);
}

void edge_answer_too_slow(edge_answerer *answerer, uint64_t waited_us, edge_output *out)
{
    const edge_head_context context = {.date = answerer->date,
                                       .close = true,
                                       .hsts = answerer->hsts,
                                       .hsts_length = answerer->secure ? answerer->hsts_length : 0};
    edge_output_clear(out);
    const size_t sent = edge_head_408(out, &context);
    count_unnamed(answerer, 408, sent);
    if (!answerer->log_every)
        return;
    static const edge_span unknown = {(const uint8_t *)"-", 1};
    edge_log_write(&answerer->log, &(edge_log_entry){
        .at = answerer->now_us,
        .sent = sent,
        .duration = waited_us < UINT32_MAX ? (uint32_t)waited_us : UINT32_MAX,
        .status = 408,
        .address = answerer->peer,
        .texts = {[EDGE_LOG_METHOD] = unknown, [EDGE_LOG_TARGET] = unknown, [EDGE_LOG_TLS] = answerer->tls},
    });
}

/* A Last-Modified, or the Date of an answer, out of a direct-mapped cache. */
static const char *date_of(edge_answerer *answerer, uint32_t unix_seconds)
{
    unsigned cell = unix_seconds & (EDGE_DATES - 1);
    if (answerer->dates[cell].at != unix_seconds || !answerer->dates[cell].text[0]) {
        answerer->dates[cell].at = unix_seconds;
        edge_format_date(unix_seconds, answerer->dates[cell].text);
    }
    return answerer->dates[cell].text;
}

/* Counts an answer, and writes it down; sent: bytes of its body. */
static void log_as(edge_answerer *answerer, const edge_request *request, unsigned status, uint64_t sent, uint8_t cache)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "GET"};
    const char *method = methods[request->method];
    if (answerer->by_site)
        count_site(answerer, request->site, status, sent);
    if (!answerer->log_every || --answerer->log_countdown)
        return;
    answerer->log_countdown = answerer->log_every;
    edge_log_write(&answerer->log, &(edge_log_entry){
        .at = answerer->now_us,
        .sent = sent,
        .duration = answerer->clock ? (uint32_t)(answerer->clock() - answerer->began) : 0,
        .status = (uint16_t)status,
        .cache = cache,
        .protocol = EDGE_LOG_PROTOCOL,
        .address = answerer->client,
        .texts = {
            [EDGE_LOG_METHOD] = {(const uint8_t *)method, strlen(method)},
            [EDGE_LOG_TARGET] = request->target,
            [EDGE_LOG_HOST] = request->host,
            [EDGE_LOG_REFERER] = request->referer,
            [EDGE_LOG_AGENT] = request->user_agent,
            [EDGE_LOG_TLS] = answerer->tls,
        },
    });
}

static void log_answer(edge_answerer *answerer, const edge_request *request, unsigned status, uint64_t sent)
{
    log_as(answerer, request, status, sent, EDGE_LOG_HIT);
}

/* ---- conditions and selection ---- */

/* The hash of the name of an entry. */
static edge_key hash_of(const edge_answerer *answerer, unsigned site, const uint8_t *path, size_t length)
{
    const edge_span prefix = prefix_of(answerer, site, (edge_span){path, length});
    if (!prefix.length)
        return edge_hash(&answerer->table.hash, path, length);
    return edge_hash_joined(&answerer->table.hash, prefix.bytes, prefix.length, path, length);
}

static void learn(const edge_answerer *answerer, unsigned site, const uint8_t *path, size_t length, edge_memo *memo)
{
    memo->key = hash_of(answerer, site, path, length);
    memo->fitting = answerer->guards ? edge_guard_of(answerer->guards + site, path, length, &memo->is_odd) : 0;
}

/* What is known of a path, out of a direct-mapped cache; of one that is too long, in *long_one. */
static const edge_memo *memo_of(edge_answerer *answerer, unsigned site, const uint8_t *path, size_t length,
                                edge_memo *long_one)
{
    uint64_t first = 0, last = 0, mixed;
    if (length > EDGE_MEMO_PATH) {
        learn(answerer, site, path, length, long_one);
        return long_one;
    }
    if (length >= 8) {
        memcpy(&first, path + length / 2 - 4, 8);
        memcpy(&last, path + length - 8, 8);
    } else {
        memcpy(&last, path, length);
    }
    mixed = (first * 3 ^ last ^ length ^ (uint64_t)site << 32) * 0x9e3779b97f4a7c15u;
    edge_memo *memo = answerer->memo + (mixed >> 32 & (EDGE_MEMO - 1));
    if (memo->length != length || memo->site != site || memcmp(memo->path, path, length)) {
        learn(answerer, site, path, length, memo);
        memo->length = (uint32_t)length;
        memo->site = site;
        memcpy(memo->path, path, length);
    }
    return memo;
}

static edge_key key_of(edge_answerer *answerer, unsigned site, const uint8_t *path, size_t length)
{
    edge_memo long_one;
    return memo_of(answerer, site, path, length, &long_one)->key;
}

/* UNCLEAR: not in a form that is decided here; the request is let go. */
typedef enum { NO_MATCH, MATCH, UNCLEAR } match;

/* Whether an opaque-tag is that of the entry, or the application's own of it. */
static bool is_tag_of(const edge_entry *entry, const uint8_t *tag, size_t length)
{
    if (length == EDGE_ETAG_BYTES && !memcmp(tag, entry->etag, EDGE_ETAG_BYTES))
        return true;
    return entry->state == EDGE_SLOT_ANSWER && edge_is_own_tag(entry, entry->variant, tag, length);
}

/* If-None-Match by weak comparison, RFC 9110 13.1.2 and 8.8.3.2. */
static match none_match(edge_span field, const edge_entry *entry)
{
    edge_span rest = field, member;
    match result = NO_MATCH;
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
        if (is_tag_of(entry, member.bytes, member.length))
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
static match accepts(edge_span accept, const char *type, size_t length)
{
    edge_span rest = accept, member;
    match result = NO_MATCH;
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

#define UNDECIDED (-1)

/* The variant to serve, out of those that the path has; UNDECIDED: Accept weighs what it would take. */
static int choose(unsigned variants, const edge_request *request)
{
    unsigned media = EDGE_ORIGINAL;
    variants &= ~(EDGE_OWN_ETAG | EDGE_OWN_CORS);
    if (variants >> EDGE_CODINGS && request->accept.bytes) { /* there is more than the original */
        if (memchr(request->accept.bytes, '"', request->accept.length))
            return UNDECIDED; /* a comma may stand inside the quotes */
        match avif = accepts(request->accept, "image/avif", 10);
        match webp = accepts(request->accept, "image/webp", 10);
        if (avif == UNCLEAR || webp == UNCLEAR)
            return UNDECIDED;
        if (avif == MATCH && edge_codings_of(variants, EDGE_AVIF))
            media = EDGE_AVIF;
        else if (webp == MATCH && edge_codings_of(variants, EDGE_WEBP))
            media = EDGE_WEBP;
    }
    return (int)(media * EDGE_CODINGS + edge_best_coding(edge_codings_of(variants, media) & request->codings));
}

/* Variant 0 of what the request is for: the file of its path, whatever the query; else the answer of an application
 * to exactly this query.  *key: of that. */
static bool find_first(edge_answerer *answerer, const edge_request *request, edge_key *key, edge_entry *entry)
{
    const edge_table *table = &answerer->table;
    *key = key_of(answerer, request->site, request->path.bytes, request->path.length);
    bool found = edge_table_find(table, *key, 0, entry);
    if (found && (entry->state == EDGE_SLOT_LIVE || entry->state == EDGE_SLOT_REDIRECT))
        return true;
    if (request->exact.length > request->path.length) {
        *key = key_of(answerer, request->site, request->exact.bytes, request->exact.length);
        found = edge_table_find(table, *key, 0, entry);
    }
    return found && entry->state == EDGE_SLOT_ANSWER && entry->fresh;
}

/* The entry to serve.  false: there is none, or it is not decided here which. */
static bool select_entry(edge_answerer *answerer, const edge_request *request, edge_entry *entry)
{
    edge_entry first;
    edge_key key;
    if (!find_first(answerer, request, &key, &first))
        return false;
    int variant = choose(first.variants, request);
    *entry = first;
    if (variant <= 0)
        return variant != UNDECIDED;
    if (!edge_table_find(&answerer->table, key, (unsigned)variant, entry) || entry->state != first.state)
        return false;
    entry->date = first.date;
    entry->age = first.age;
    entry->own_etag = first.own_etag;
    entry->own_length = first.own_length;
    entry->at = first.at; /* what is asked for is the answer, not its coding */
    return entry->state == EDGE_SLOT_LIVE || entry->fresh;
}

/* ---- the state of the site: edge/http/changes.py ---- */

static const char changes_path[] = "/.edge/changes";

/* The entry that says it. */
static bool find_state(edge_answerer *answerer, edge_entry *entry)
{
    edge_key key = key_of(answerer, 0, (const uint8_t *)changes_path, sizeof changes_path - 1);
    return edge_table_find(&answerer->table, key, 0, entry) && entry->state == EDGE_SLOT_LIVE && entry->body;
}

static edge_span history_of(const edge_entry *entry)
{
    return (edge_span){entry->body, entry->length};
}

/* At which state what was looked up between before and now is current; found: before was there.  Bytes NULL:
 * this node knows no states. */
static edge_span state_since(edge_answerer *answerer, bool found, const edge_entry *before)
{
    static const uint8_t unknown[] = "?";
    edge_entry now;
    bool still = find_state(answerer, &now);
    if (!still && !found)
        return (edge_span){NULL, 0};
    if (!still || !found || memcmp(before->etag, now.etag, EDGE_ETAG_BYTES))
        return (edge_span){unknown, 1};
    edge_span state = edge_changes_state(history_of(before));
    return state.length <= STATE_BYTES ? state : (edge_span){unknown, 1};
}

/* Whether the client's copy is current: by If-None-Match, or by the validator in the query. */
static match current(const edge_request *request, const edge_entry *entry)
{
    match result = request->none_match.bytes ? none_match(request->none_match, entry) : NO_MATCH;
    if (result == UNCLEAR)
        return UNCLEAR;
    if (request->tag.bytes && is_tag_of(entry, request->tag.bytes, request->tag.length))
        result = MATCH;
    /* Not confirmed: perhaps there is a newer one; then only the whole is an answer. */
    return entry->confirmed ? result : NO_MATCH;
}

/* The file to serve, once more, and at which state of the site it is current.  false: as of select_entry. */
static bool select_at_state(edge_answerer *answerer, const edge_request *request, edge_entry *entry,
                            edge_head_context *context)
{
    edge_entry before;
    bool found = find_state(answerer, &before);
    if (!select_entry(answerer, request, entry) || entry->state != EDGE_SLOT_LIVE)
        return false;
    edge_span state = state_since(answerer, found, &before);
    context->state = state.bytes;
    context->state_length = state.length;
    return true;
}

static edge_span site_prefix(const edge_answerer *answerer, unsigned site)
{
    return prefix_of(answerer, site, (edge_span){(const uint8_t *)"/", 1});
}

/* GET and HEAD of /.edge/changes.  false: let go, and nothing is written. */
static bool answer_changes(edge_answerer *answerer, const edge_request *request, edge_output *out)
{
    uint8_t body[EDGE_HISTORY_BYTES + 2], *end = body;
    edge_entry entry;
    edge_span asked;
    size_t begin;
    unsigned status = 200;
    if (!find_state(answerer, &entry) || entry.length > EDGE_HISTORY_BYTES)
        return false;
    const edge_head_context context = context_of(answerer, request);
    const edge_span history = history_of(&entry), state = edge_changes_state(history);
    const match known = current(request, &entry);
    const bool since = edge_changes_asked(request->target, &asked);
    if (known == UNCLEAR)
        return false;
    if (known == MATCH) {
        end = NULL;
    } else if (!entry.confirmed) {
        *end++ = '?';
        *end++ = '\n';
    } else if (since) {
        end = edge_changes_since(history, asked, site_prefix(answerer, request->site), body);
    } else {
        memcpy(body, state.bytes, state.length);
        end = body + state.length;
        *end++ = '\n';
    }
    if (!end) {
        edge_head_304(out, &context, &entry);
        status = 304;
    } else if (since || !entry.confirmed) {
        edge_head_plain(out, &context, &entry, (size_t)(end - body));
    } else {
        entry.length = (uint64_t)(end - body);
        edge_head_200(out, &context, &entry, date_of(answerer, entry.modified));
    }
    if (end && request->method == EDGE_GET) {
        begin = out->used;
        edge_put(out, body, (size_t)(end - body));
        edge_piece_since(out, begin);
    }
    edge_count(&answerer->table, end ? EDGE_C_OK : EDGE_C_NOT_MODIFIED, 1);
    log_answer(answerer, request, status, request->method == EDGE_GET && end ? (uint64_t)(end - body) : 0);
    return true;
}

bool edge_answer_since(edge_answerer *answerer, unsigned site, edge_span asked, uint8_t *to, size_t *written)
{
    uint8_t *end = to;
    edge_entry entry;
    if (!find_state(answerer, &entry) || entry.length > EDGE_HISTORY_BYTES)
        return false;
    if (entry.confirmed) {
        end = edge_changes_since(history_of(&entry), asked, site_prefix(answerer, site), to);
    } else {
        *end++ = '?';
        *end++ = '\n';
    }
    *written = end ? (size_t)(end - to) : 0;
    return true;
}

/* What the lines of an entry say themselves of who may read it: publishing writes the name so. */
static bool has_own_cors(const edge_entry *entry)
{
    static const char name[] = "\r\nAccess-Control-Allow-Origin:";
    const size_t length = sizeof name - 1;
    const uint8_t *p = entry->lines_200, *end = p + entry->length_200;
    if (entry->length_200 > length && !memcmp(p, name + 2, length - 2))
        return true;
    while (end - p > (ptrdiff_t)length && (p = memchr(p, '\r', (size_t)(end - p) - length))) {
        if (!memcmp(p, name, length))
            return true;
        p++;
    }
    return false;
}

/* The resource is elsewhere.  false: the Twisted side says it. */
static bool answer_redirect(edge_answerer *answerer, const edge_request *request, const edge_entry *entry,
                            edge_output *out)
{
    edge_span query = {NULL, 0};
    if (request->target.length > request->path.length) {
        query.bytes = request->target.bytes + request->path.length + 1;
        query.length = request->target.length - request->path.length - 1;
    }
    if (!edge_head_leads(entry->modified) || entry->length_304 < 2 || current(request, entry) == UNCLEAR
        || query.length + entry->length_304 + entry->length_200 > EDGE_LINES_LIMIT)
        return false;
    edge_head_context context = context_of(answerer, request);
    context.readable = context.readable && !has_own_cors(entry);
    log_answer(answerer, request, entry->modified,
               edge_head_redirect(out, &context, entry, query.bytes, query.length, request->method == EDGE_GET));
    return true;
}

/* What is said of an answer, by what was waited for: edge/cache/status.py.  Who has it stored has not asked for it again,
 * which alone keeps it there. */
typedef struct {
    const char *line; /* NULL: as it is stored */
    uint8_t logged;
    bool is_hit;
} said;

static const said said_of[] = {
    [EDGE_WAITED_NOT] = {NULL, EDGE_LOG_HIT, true},
    [EDGE_WAITED_HIT] = {NULL, EDGE_LOG_HIT, true},
    [EDGE_WAITED_FILLED] = {"Cache-Status: edge; fwd=uri-miss; stored\r\n", EDGE_LOG_MISS, false},
    [EDGE_WAITED_COLLAPSED] = {"Cache-Status: edge; fwd=uri-miss; collapsed\r\n", EDGE_LOG_COLLAPSED, false},
};

/* GET and HEAD.  false: let go, and nothing is written. */
static bool answer_get(edge_answerer *answerer, const edge_request *request, edge_output *out)
{
    edge_entry entry;
    if (request->path.length == sizeof changes_path - 1
        && !memcmp(request->path.bytes, changes_path, sizeof changes_path - 1))
        return answer_changes(answerer, request, out);
    if (!select_entry(answerer, request, &entry))
        return false;
    if (entry.state == EDGE_SLOT_REDIRECT)
        return answer_redirect(answerer, request, &entry, out);
    const bool is_answer = entry.state == EDGE_SLOT_ANSWER;
    const said *waited = said_of + answerer->waited;
    edge_head_context context = context_of(answerer, request);
    context.cached = waited->line;
    if (context.readable && (is_answer ? entry.variants & EDGE_OWN_CORS : has_own_cors(&entry)))
        context.readable = false;
    unsigned status;
    switch (current(request, &entry)) {
    case MATCH:
        if (is_answer)
            edge_head_answer_304(out, &context, &entry, date_of(answerer, entry.date));
        else
            edge_head_304(out, &context, &entry);
        edge_count(&answerer->table, EDGE_C_NOT_MODIFIED, 1);
        status = 304;
        break;
    case NO_MATCH:
        if (!is_answer && !is_own(request->path) && !select_at_state(answerer, request, &entry, &context))
            return false;
        if (request->method == EDGE_GET && entry.length && !entry.body)
            return false;
        if (is_answer)
            edge_head_answer_200(out, &context, &entry, date_of(answerer, entry.date));
        else
            edge_head_200(out, &context, &entry, date_of(answerer, entry.modified));
        if (request->method == EDGE_GET)
            edge_piece(out, entry.body, entry.length);
        edge_count(&answerer->table, EDGE_C_OK, 1);
        status = 200;
        break;
    default:
        return false;
    }
    if (is_answer && waited->is_hit) {
        edge_table_hit(&answerer->table, &entry);
        if (answerer->waited == EDGE_WAITED_NOT) /* who has waited is counted as that */
            edge_count(&answerer->table, EDGE_C_ANSWERS_HIT, 1);
    }
    log_as(answerer, request, status, status == 200 && request->method == EDGE_GET ? entry.length : 0,
           is_answer ? waited->logged : EDGE_LOG_HIT);
    return true;
}

/* ---- POST /.edge/revalidate ---- */

typedef enum { CURRENT, STALE, MALFORMED } validity;

/* One line `ETAG PATH`. */
static validity validate(edge_answerer *answerer, unsigned site, const uint8_t *p, const uint8_t *end)
{
    const uint8_t *tag, *path, *mark;
    size_t tag_length;
    bool weak = end - p >= 2 && p[0] == 'W' && p[1] == '/', quoted;
    p += weak ? 2 : 0;
    quoted = p < end && *p == '"';
    if (weak && !quoted)
        return MALFORMED;
    tag = p += quoted;
    while (p < end && *p > ' ' && *p < 0x7f && *p != '"')
        p++;
    tag_length = (size_t)(p - tag);
    if (quoted ? p == end || *p++ != '"' : !tag_length)
        return MALFORMED;
    if (end - p < 2 || p[0] != ' ' || p[1] != '/')
        return MALFORMED;
    path = ++p;
    for (; p < end; p++)
        if (*p <= ' ' || *p >= 0x7f)
            return MALFORMED;
    mark = memchr(path, '?', (size_t)(end - path));
    bool is_file, current;
    edge_memo long_one;
    const edge_memo *memo = memo_of(answerer, site, path, (size_t)((mark ? mark : end) - path), &long_one);
    if (memo->fitting && !edge_guard_tells(answerer->guards + site, memo->fitting, memo->is_odd, answerer->client))
        return STALE;
    edge_key key = memo->key;
    current = edge_table_is_current(&answerer->table, key, tag, tag_length, &is_file);
    if (mark && !is_file) /* what is no file is the answer to exactly this query */
        current = edge_table_is_current(&answerer->table, key_of(answerer, site, path, (size_t)(end - path)), tag,
                                        tag_length, &is_file);
    return current ? CURRENT : STALE;
}

/* Writes the numbers of the lines that are stale, with commas; the byte after them, or NULL: a line is
 * malformed, or there are too many.  *lines: how many there are. */
static uint8_t *write_stale(edge_answerer *answerer, const edge_request *request, uint8_t *to, unsigned *lines)
{
    const uint8_t *p = request->body.bytes, *end = p + request->body.length, *begin = to;
    unsigned line = 0;
    for (; p < end; line++) {
        const uint8_t *feed = memchr(p, '\n', (size_t)(end - p)), *stop = feed ? feed : end;
        if (line == EDGE_VALIDATORS)
            return NULL;
        if (feed && stop > p && stop[-1] == '\r')
            stop--;
        validity known = validate(answerer, request->site, p, stop);
        if (known == MALFORMED)
            return NULL;
        if (known == STALE) {
            if (to != begin)
                *to++ = ',';
            to = edge_write_number(to, line);
        }
        p = feed ? feed + 1 : end;
    }
    *lines = line;
    return to;
}

#define WRITE(to, text) ((uint8_t *)memcpy(to, text, sizeof(text) - 1) + sizeof(text) - 1)

/* A batch.  false: let go, and nothing is written. */
static bool answer_revalidate(edge_answerer *answerer, const edge_request *request, edge_output *out)
{
    edge_table *table = &answerer->table;
    edge_key key = key_of(answerer, request->site, request->path.bytes, request->path.length);
    edge_entry template, before_state;
    uint8_t json[BATCH_BYTES], *p = json;
    size_t begin;
    unsigned lines;
    uint64_t sequence = __atomic_load_n(&table->header->sequence, __ATOMIC_ACQUIRE); /* before the look-ups */
    bool has_state = find_state(answerer, &before_state);
    if (!edge_table_find(table, key, 0, &template) || template.state != EDGE_SLOT_TEMPLATE)
        return false;
    p = edge_write_number(WRITE(p, "{\"v\":1,\"seq\":"), sequence);
    p = write_stale(answerer, request, WRITE(p, ",\"stale\":["), &lines);
    if (!p)
        return false;
    edge_span state = state_since(answerer, has_state, &before_state);
    p = WRITE(p, "]");
    if (state.bytes && !(state.length == 1 && *state.bytes == '?')) {
        p = WRITE(p, ",\"s\":\"");
        memcpy(p, state.bytes, state.length);
        p = WRITE(p + state.length, "\"");
    }
    p = WRITE(p, "}");
    const edge_head_context context = context_of(answerer, request);
    edge_head_plain(out, &context, &template, (size_t)(p - json));
    begin = out->used;
    edge_put(out, json, (size_t)(p - json));
    edge_piece_since(out, begin);
    edge_count(table, EDGE_C_REVALIDATIONS, 1);
    edge_count(table, EDGE_C_VALIDATORS, lines);
    log_answer(answerer, request, 200, (uint64_t)(p - json));
    return true;
}

/* ---- GET /.edge/socket ---- */

/* An opening handshake.  false: let go, and nothing is written. */
static bool answer_opening(edge_answerer *answerer, const edge_request *request, edge_output *out)
{
    edge_opening opening = {.site = (uint16_t)request->site};
    uint8_t proof[EDGE_PROOF_BYTES];
    bool any;
    if (!answerer->opens || answerer->draining || answerer->is_trusted
        || !edge_opening_topics(request->target, answerer->audience, &opening))
        return false;
    const bool own = edge_opening_is_own(request->host, request->origin, answerer->secure, &any);
    if (request->origin.bytes && !own && !origin_allowed(answerer, request->site, request->origin))
        return false;
    opening.is_own = any && (own || !request->origin.bytes);
    answerer->opened = opening;
    edge_opening_proof(request->key, proof);
    edge_head_101(out, proof, sizeof proof);
    log_as(answerer, request, 101, 0, 0);
    return true;
}

/* ---- what is passed on to applications ---- */

void edge_answerer_pass(edge_answerer *answerer, const uint8_t *name, size_t length, uint64_t sequence,
                        uint32_t milliseconds, unsigned application, bool secure)
{
    const edge_key key = edge_hash(&answerer->table.hash, name, length);
    if (answerer->marks)
        answerer->marks[key.low & (EDGE_MARKS - 1)] = (edge_mark){
            .key = key, .sequence = sequence, .until_ms = answerer->table.now_ms + milliseconds,
            .application = (uint16_t)application, .secure = secure};
}

/* Whether a request that was not answered is passed on: said by Python of its address, as long as nothing is there. */
static bool is_passed(edge_answerer *answerer, const edge_request *request)
{
    const edge_table *table = &answerer->table;
    edge_memo long_one;
    edge_entry entry;
    if (!answerer->marks || request->method > EDGE_HEAD || request->tag.bytes || answerer->is_trusted)
        return false;
    if (answerer->guards
        && memo_of(answerer, request->site, request->path.bytes, request->path.length, &long_one)->fitting)
        return false;
    const edge_key key = key_of(answerer, request->site, request->exact.bytes, request->exact.length);
    const edge_mark *mark = answerer->marks + (key.low & (EDGE_MARKS - 1));
    if (mark->key.low != key.low || mark->key.high != key.high || mark->until_ms <= table->now_ms
        || mark->secure != answerer->secure
        || mark->sequence != __atomic_load_n(&table->header->sequence, __ATOMIC_ACQUIRE)
        || edge_table_find(table, key, 0, &entry))
        return false;
    answerer->passed = *request;
    answerer->application = mark->application;
    return true;
}

/* ---- what is held until it is stored ---- */

/* Whether nothing is published, or stored, under a path, with a slash or without. */
static bool is_nowhere(edge_answerer *answerer, const edge_request *request)
{
    const edge_table *table = &answerer->table;
    const edge_span path = request->path;
    uint8_t folder[EDGE_HELD_TARGET + 1];
    edge_entry entry;
    if (edge_table_find(table, key_of(answerer, request->site, path.bytes, path.length), 0, &entry))
        return false;
    if (request->exact.length > path.length
        && edge_table_find(table, key_of(answerer, request->site, request->exact.bytes, request->exact.length), 0, &entry))
        return false;
    if (path.bytes[path.length - 1] == '/')
        return true;
    memcpy(folder, path.bytes, path.length);
    folder[path.length] = '/';
    return !edge_table_find(table, hash_of(answerer, request->site, folder, path.length + 1), 0, &entry);
}

/* Whether a request that was not answered may be one of what is to be stored for all who ask for it: the caller knows more. */
static bool is_held(edge_answerer *answerer, const edge_request *request)
{
    edge_memo long_one;
    if (!answerer->holds || request->method != EDGE_GET || request->tag.bytes || request->apart || answerer->is_trusted
        || request->target.length > EDGE_HELD_TARGET || is_own(request->path))
        return false;
    if (answerer->guards
        && memo_of(answerer, request->site, request->path.bytes, request->path.length, &long_one)->fitting)
        return false;
    answerer->passed = *request;
    return is_nowhere(answerer, request);
}

static edge_next next_of(edge_answerer *answerer, const edge_request *request)
{
    if (answerer->waited)
        return EDGE_NEXT_HAND_OFF; /* it is not there after all */
    return is_passed(answerer, request) ? EDGE_NEXT_PASS : is_held(answerer, request) ? EDGE_NEXT_HOLD : EDGE_NEXT_HAND_OFF;
}

edge_head_context edge_answer_context(const edge_answerer *answerer, bool close)
{
    const edge_request nothing = {.close = close};
    return context_of(answerer, &nothing);
}

void edge_answer_passed(edge_answerer *answerer, const edge_request *request, unsigned status, uint64_t sent)
{
    static const unsigned classes[] = {EDGE_C_TWISTED_1XX, EDGE_C_TWISTED_2XX, EDGE_C_TWISTED_3XX, EDGE_C_TWISTED_4XX,
                                       EDGE_C_TWISTED_5XX};
    edge_count(&answerer->table, EDGE_C_REQUESTS, 1);
    edge_count(&answerer->table, classes[status / 100 - 1], 1);
    memcpy(answerer->client, answerer->peer, sizeof answerer->client); /* nobody trusted is passed on */
    log_as(answerer, request, status, sent, EDGE_LOG_BYPASS);
}

/* ---- all requests of a call ---- */

/* Whom a trusted proxy says that the request came from: the first address from the right that is no such proxy's
 * (edge/http/visitor.py).  false: that is not decided here. */
static bool take_visitor(edge_answerer *answerer, const edge_request *request)
{
    const edge_span list = request->forwarded_for, host = request->forwarded_host;
    size_t end = list.length;
    memcpy(answerer->client, answerer->peer, 16);
    if (!answerer->is_trusted)
        return true;
    if (request->forwarded.bytes || request->forwarded_fors > 1 || !answerer->parse_address
        || (list.bytes && memchr(list.bytes, '"', list.length)))
        return false;
    if (host.bytes && (host.length != request->host.length || memcmp(host.bytes, request->host.bytes, host.length)))
        return false;
    for (unsigned i = 0; list.bytes && i < EDGE_SUBNETS; i++) {
        size_t begin = end;
        uint8_t address[16];
        while (begin && list.bytes[begin - 1] != ',')
            begin--;
        edge_span rest = {list.bytes + begin, end - begin}, member;
        edge_list_next(&rest, &member);
        if (!member.length)
            return false;
        if (!answerer->parse_address(member, address))
            break;
        memcpy(answerer->client, address, 16);
        if (!begin || !edge_networks_hold(&answerer->trusted, address))
            break;
        end = begin - 1;
    }
    return true;
}

/* Fills in whose host it is.  false: nobody's. */
static bool take_site(edge_answerer *answerer, edge_request *request)
{
    const edge_span host = request->host;
    uint64_t mixed = 0;
    int site;
    if (!answerer->sites.count)
        return true;
    if (host.length > EDGE_MEMO_HOST) {
        site = edge_sites_find(&answerer->sites, host);
    } else {
        memcpy(&mixed, host.bytes, host.length < 8 ? host.length : 8);
        unsigned cell = ((mixed ^ host.length) * 0x9e3779b97f4a7c15u) >> 58 & (EDGE_MEMO_HOSTS - 1);
        if (answerer->hosts[cell].length != host.length
            || memcmp(answerer->hosts[cell].host, host.bytes, host.length)) {
            answerer->hosts[cell].length = (uint16_t)host.length;
            answerer->hosts[cell].site = (int16_t)edge_sites_find(&answerer->sites, host);
            memcpy(answerer->hosts[cell].host, host.bytes, host.length);
        }
        site = answerer->hosts[cell].site;
    }
    request->site = (unsigned)site;
    return site != EDGE_NO_SITE;
}

/* Whether the connection is another site's, whose certificate is not for the host: that is not decided here.  Proxies
 * that are trusted ask for everybody. */
static bool is_misdirected(const edge_answerer *answerer, const edge_request *request)
{
    return answerer->certificates && request->site != answerer->named && !answerer->is_trusted
           && edge_certificates_misdirect(answerer->certificates, answerer->shown, request->host);
}

static bool answer(edge_answerer *answerer, const edge_request *request, edge_output *out)
{
    switch (request->method) {
    case EDGE_REVALIDATE:
        return answer_revalidate(answerer, request, out);
    case EDGE_OPEN:
        return answer_opening(answerer, request, out);
    default:
        return answer_get(answerer, request, out);
    }
}

/* 429, until there is a token again. */
static void refuse(edge_answerer *answerer, const edge_request *request, uint64_t wait_us, edge_output *out)
{
    const edge_head_context context = context_of(answerer, request);
    const bool with_body = request->method != EDGE_HEAD;
    size_t length = edge_head_429(out, &context, (wait_us + 999999) / 1000000, with_body);
    edge_count(&answerer->table, EDGE_C_REFUSED_RATE, 1);
    log_as(answerer, request, 429, with_body ? length : 0, 0);
}

/* The same for what not everybody may, or not so often. */
static bool answer_guarded(edge_answerer *answerer, const edge_request *request, const edge_memo *memo, edge_output *out)
{
    const edge_guard *guard = answerer->guards + request->site;
    const uint64_t fitting = memo->fitting; /* the cell may be another's when the answer is made */
    uint64_t wait;
    switch (edge_guard_check(guard, fitting, memo->is_odd, answerer->client, &answerer->buckets,
                             answerer->table.now_ms * 1000, &wait)) {
    case EDGE_MAY:
        if (answer(answerer, request, out))
            return true;
        edge_guard_undo(guard, fitting, answerer->client, &answerer->buckets);
        return false;
    case EDGE_TOO_MANY:
        refuse(answerer, request, wait, out);
        return true;
    default:
        return false;
    }
}

/* false: let go, and nothing is written. */
static bool answer_if_allowed(edge_answerer *answerer, const edge_request *request, edge_output *out)
{
    edge_memo long_one;
    if (!answerer->guards)
        return answer(answerer, request, out);
    const edge_memo *memo = memo_of(answerer, request->site, request->path.bytes, request->path.length, &long_one);
    return memo->fitting ? answer_guarded(answerer, request, memo, out) : answer(answerer, request, out);
}

static bool is_full(const edge_output *out, unsigned answered)
{
    return answered == EDGE_ANSWERS || out->total >= EDGE_OUTPUT_BYTES
           || out->used > EDGE_HEADS_BYTES - HEADS_OF_ONE;
}

edge_next edge_answer(edge_answerer *answerer, const uint8_t *in, size_t length, edge_output *out,
                      size_t *consumed)
{
    unsigned answered = 0;
    edge_next next = EDGE_NEXT_RECEIVE;
    *consumed = 0;
    answerer->opened.topics = 0;
    edge_output_clear(out);
    while (*consumed < length) {
        edge_request request;
        if (is_full(out, answered)) {
            next = EDGE_NEXT_ANSWER;
            break;
        }
        edge_recognition known = edge_recognise(in + *consumed, length - *consumed, &request);
        if (known == EDGE_INCOMPLETE)
            break;
        if (request.method == EDGE_OPEN && known == EDGE_RECOGNISED && answered) {
            next = EDGE_NEXT_ANSWER;
            break;
        }
        request.close |= answerer->draining;
        if (known == EDGE_LET_GO || !take_visitor(answerer, &request) || !take_site(answerer, &request)
            || is_misdirected(answerer, &request)) {
            next = EDGE_NEXT_HAND_OFF;
            break;
        }
        if (!answer_if_allowed(answerer, &request, out)) {
            next = next_of(answerer, &request);
            break;
        }
        answerer->waited = EDGE_WAITED_NOT;
        *consumed += request.consumed;
        answered++;
        if (answerer->opened.topics) {
            next = EDGE_NEXT_OPEN;
            break;
        }
        if (request.close) {
            next = EDGE_NEXT_CLOSE;
            break;
        }
    }
    edge_count(&answerer->table, EDGE_C_REQUESTS, answered);
    return next;
}
