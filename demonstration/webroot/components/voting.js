// A vote: a form that works by itself, and a handler that sends it as a mutation where scripts run.

import { html } from "/edge/page/html.js";

/**
 * The form of a vote.
 * @param {{code: string, name: string}} character @param {string} back the page to come back to @param {Record<string, string>} [voting] how votes of this page stand, by code
 */
export const voteForm = ({ code, name }, back, voting = {}) => html`<form class="vote" method="post" action="/vote"><input type="hidden" name="code" value="${code}"><input type="hidden" name="wanted" value="${voting[code] === "given" ? "0" : "1"}"><input type="hidden" name="back" value="${back}"><button aria-label="${voting[code] === "given" ? "Take back your vote for" : "Vote for"} ${name}" class="${voting[code] ?? ""}">${voting[code] === "given" ? "Voted" : voting[code] === "waits" ? "Waits" : "Vote"}</button></form>`;

/**
 * Sends a vote: what the part's props become.  What shows the count is told by the node, as to everybody.
 * @param {{voting?: Record<string, string>}} props @param {SubmitEvent} event @param {{mutate: (name: string, variables: object) => Promise<any>}} page
 */
export async function* vote({ voting = {} }, event, page) {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (!form.matches("form.vote")) return;
  event.preventDefault();
  const fields = new FormData(form);
  const [code, wanted] = [String(fields.get("code")), fields.get("wanted") === "1"];
  try {
    const { queued } = await page.mutate("Vote", { code, wanted });
    yield { voting: { ...voting, [code]: queued ? "waits" : wanted ? "given" : "" } };
  } catch (error) {
    yield { voting, problem: /** @type {Error} */ (error).message };
  }
}
