// A part with a query, handlers and a list.

import { html, keyed } from "/edge/page/html.js";

export const queries = ({ code }) => [["Votes", { code }]];

export const render = ({ code, votes, mine = 0, pending = false, rows = [] }) => html`
  <section class="counter"><h2>${code}</h2><p><data value="${votes}">${votes + mine}</data></p>
    <form method="post" action="/vote"><input type="hidden" name="code" value="${code}"><input name="text"><button ?disabled=${pending}>vote</button></form>
    <ol>${rows.map((one) => keyed(one, html`<li>${one}</li>`))}</ol></section>`;

export const eventHandlers = {
  async *submit({ code, mine = 0 }, event, page) {
    event.preventDefault();
    yield { pending: true, mine: mine + 1 };
    const { votes } = await page.mutate("Vote", { code });
    yield { pending: false, mine: 0, rows: [`${votes} <b>`] };
    await page.refresh(page.urls(), { cache: "no-cache" });
  },
};
