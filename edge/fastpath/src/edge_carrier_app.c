/* Carriers that speak edge-app/1: up to EDGE_EXCHANGES exchanges at once, each with a window of its own. */
#include <string.h>

#include "edge_carrier.h"

#define CREDIT_STEP (EDGE_APP_WINDOW / 2)
#define MOST_INTERIM 16

static bool has_room(const edge_carrier *carrier)
{
    return carrier->app.ready && carrier->open < carrier->app.at_once;
}

static void begin(edge_loop *loop, edge_carrier *carrier, uint32_t seconds)
{
    (void)loop, (void)carrier, (void)seconds; /* it is asked when it says that it is ready */
}

static bool ask(edge_loop *loop, edge_carrier *carrier, edge_exchange *exchange, const edge_question *question)
{
    uint8_t frame[EDGE_APP_ASK];
    unsigned at = 0;
    while (carrier->app.exchanges[at])
        at++;
    exchange->number = (carrier->app.asked + 1) * EDGE_EXCHANGES + at;
    exchange->may_come = EDGE_APP_WINDOW;
    const size_t length = edge_app_ask(frame, exchange->number, question, &loop->relay->rules);
    if (!length || !edge_carrier_say(loop, carrier, frame, length))
        return false;
    carrier->app.asked++;
    carrier->app.exchanges[at] = exchange;
    carrier->open++;
    if (!has_room(carrier))
        edge_carrier_withdraw(loop, carrier);
    return true;
}

/* Nothing more is said in an exchange. */
static void close_exchange(edge_loop *loop, edge_carrier *carrier, const edge_exchange *exchange)
{
    carrier->app.exchanges[exchange->number % EDGE_EXCHANGES] = NULL;
    carrier->open--;
    if (has_room(carrier))
        edge_carrier_offer(loop, carrier);
    if (carrier->retired)
        edge_carrier_retire(loop, carrier); /* it may have been the last one of it */
}

static void cancel(edge_loop *loop, edge_carrier *carrier, edge_exchange *exchange)
{
    uint8_t frame[64];
    close_exchange(loop, carrier, exchange);
    edge_carrier_say(loop, carrier, frame, edge_app_cancel(frame, exchange->number));
}

/* The application may send as much as was taken. */
static void taken(edge_loop *loop, edge_carrier *carrier, edge_exchange *exchange)
{
    uint8_t frame[64];
    if (exchange->untold < CREDIT_STEP
        || !edge_carrier_say(loop, carrier, frame, edge_app_credit(frame, exchange->number, exchange->untold)))
        return;
    exchange->may_come += exchange->untold;
    exchange->untold = 0;
}

static void lost(edge_loop *loop, edge_carrier *carrier, bool broken)
{
    edge_member_tell(loop, EDGE_NEWS_LOST, carrier->member, carrier->id, broken, NULL, 0);
    for (unsigned i = 0; i < EDGE_EXCHANGES; i++) {
        edge_exchange *exchange = carrier->app.exchanges[i];
        if (!exchange)
            continue;
        carrier->app.exchanges[i] = NULL;
        carrier->open--;
        edge_exchange_part(exchange);
        edge_exchange_fail(loop, exchange, broken ? EDGE_MET_GARBAGE : EDGE_MET_NO_ANSWER);
    }
}

static void ended(edge_loop *loop, edge_carrier *carrier, bool clean)
{
    (void)clean;
    edge_carrier_lose(loop, carrier, false);
}

/* ---- answers ---- */

/* Counts a piece against what may come, and against what was announced. */
typedef enum { COUNTED, AGAINST_ITS_HEAD, AGAINST_THE_RULES } counting;

static counting count_piece(edge_exchange *exchange, const edge_app_message *message)
{
    const uint64_t sent = exchange->sent + message->body.length;
    if ((message->more && !message->body.length) || message->body.length > exchange->may_come)
        return AGAINST_THE_RULES;
    exchange->may_come -= (uint32_t)message->body.length;
    exchange->untold += (uint32_t)message->body.length;
    if (exchange->expected == EDGE_UNKNOWN)
        return COUNTED;
    return sent > exchange->expected || (!message->more && sent < exchange->expected) ? AGAINST_ITS_HEAD : COUNTED;
}

/* There is no answer, or none that can be passed on; always true. */
static bool give_up(edge_loop *loop, edge_carrier *carrier, edge_exchange *exchange, edge_met met, bool cancels)
{
    edge_exchange_part(exchange);
    if (cancels)
        cancel(loop, carrier, exchange);
    else
        close_exchange(loop, carrier, exchange);
    edge_member_failed(loop, carrier->member, met, "");
    edge_exchange_fail(loop, exchange, met);
    return true;
}

/* Gives what is in the output, the head of the answer or nothing, and the piece of its body in the message.  false: the
 * rules are broken, as in all of these. */
static bool take_piece(edge_loop *loop, edge_carrier *carrier, edge_exchange *exchange, const edge_app_message *message)
{
    switch (exchange->answered || message->body.length || !message->more ? count_piece(exchange, message) : COUNTED) {
    case AGAINST_THE_RULES:
        return false;
    case AGAINST_ITS_HEAD:
        return give_up(loop, carrier, exchange, EDGE_MET_GARBAGE, true);
    case COUNTED:
        break;
    }
    if (!exchange->answered) {
        edge_exchange_begun(loop, exchange);
        edge_member_answered(loop, carrier->member, message->status);
    }
    if (!message->more) {
        close_exchange(loop, carrier, exchange);
        edge_exchange_part(exchange);
    }
    edge_exchange_body(loop, exchange, message->body);
    if (loop->output.total || !message->more)
        edge_exchange_give(loop, exchange);
    return true;
}

static bool take_interim(edge_loop *loop, edge_exchange *exchange, const edge_app_message *message,
                         const edge_passed *head)
{
    if (message->body.length || !message->more || ++exchange->interim > MOST_INTERIM)
        return false;
    if (message->status == 100)
        return true; /* nobody waits for it */
    edge_output_clear(&loop->output);
    if (edge_exchange_interim(loop, exchange, head)) /* what clients could misread is left out */
        edge_exchange_give(loop, exchange);
    return true;
}

static bool take_answer(edge_loop *loop, edge_carrier *carrier, edge_exchange *exchange, const edge_app_message *message)
{
    const edge_passed head = {message->status, message->length, loop->relay->fields, message->field_count};
    const bool bodiless = exchange->head_only || message->status == 204 || message->status == 304;
    if (exchange->answered)
        return false;
    edge_app_fields(message, loop->relay->fields);
    if (message->status < 200)
        return take_interim(loop, exchange, message, &head);
    if (bodiless && (message->body.length || message->more))
        return give_up(loop, carrier, exchange, EDGE_MET_GARBAGE, true);
    exchange->expected = bodiless ? EDGE_UNKNOWN : message->length;
    edge_output_clear(&loop->output);
    if (!edge_exchange_head(loop, exchange, &head, bodiless))
        return give_up(loop, carrier, exchange, EDGE_MET_GARBAGE, true);
    return take_piece(loop, carrier, exchange, message);
}

static bool take_data(edge_loop *loop, edge_carrier *carrier, edge_exchange *exchange, const edge_app_message *message)
{
    if (!exchange->answered)
        return false;
    edge_output_clear(&loop->output);
    return take_piece(loop, carrier, exchange, message);
}

/* What is said in an exchange; one that is over has no one to hear it. */
static bool take_of_exchange(edge_loop *loop, edge_carrier *carrier, edge_app_kind kind, const edge_app_message *message)
{
    edge_exchange *exchange = carrier->app.exchanges[message->number % EDGE_EXCHANGES];
    if (message->number / EDGE_EXCHANGES > carrier->app.asked || message->number < EDGE_EXCHANGES)
        return false; /* there was none */
    if (!exchange || exchange->number != message->number)
        return true;
    switch (kind) {
    case EDGE_APP_ANSWER:
        return take_answer(loop, carrier, exchange, message);
    case EDGE_APP_DATA:
        return take_data(loop, carrier, exchange, message);
    case EDGE_APP_CREDIT:
        return !message->size; /* nothing was sent that it could be for */
    default:
        return give_up(loop, carrier, exchange, EDGE_MET_NO_ANSWER, false);
    }
}

/* One array that a process has sent. */
static bool take_array(edge_loop *loop, edge_carrier *carrier, const uint8_t *array, size_t length)
{
    edge_app_message message;
    const edge_app_kind kind = edge_app_read(array, length, &message);
    if (kind == EDGE_APP_MALFORMED || (!carrier->app.ready && kind != EDGE_APP_READY && kind != EDGE_APP_NOTHING))
        return false;
    switch (kind) {
    case EDGE_APP_NOTHING:
        return true;
    case EDGE_APP_READY:
        if (carrier->app.ready || message.number != 1)
            return false;
        carrier->app.ready = true;
        carrier->app.at_once = message.size < EDGE_EXCHANGES ? (uint32_t)message.size : EDGE_EXCHANGES;
        edge_carrier_offer(loop, carrier);
        return true;
    case EDGE_APP_DRAIN:
        edge_carrier_retire(loop, carrier);
        return true;
    case EDGE_APP_CHANGED:
        edge_member_tell(loop, EDGE_NEWS_FRAME, carrier->member, carrier->id, 0, array, length);
        return true;
    default:
        return take_of_exchange(loop, carrier, kind, &message);
    }
}

/* The frames at the front of the bytes. */
static size_t take(edge_loop *loop, edge_carrier *carrier, uint8_t *in, size_t length)
{
    size_t at = 0;
    while (length - at >= 4 && edge_members_can_go_on(loop)) {
        const uint8_t *p = in + at;
        const size_t size = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (!size || size > EDGE_APP_FRAME)
            return SIZE_MAX;
        if (length - at - 4 < size)
            break;
        if (!take_array(loop, carrier, p + 4, size))
            return SIZE_MAX;
        at += 4 + size;
    }
    return at;
}

const edge_protocol edge_carrier_app = {
    .reads = EDGE_APP_FRAME + 4 + EDGE_RELAY_READ,
    .begin = begin,
    .ask = ask,
    .take = take,
    .ended = ended,
    .lost = lost,
    .cancel = cancel,
    .taken = taken,
};
