// webroot/edge/types against what the modules are by their own types: each takes the place of the other.

import * as app from "../../../webroot/edge/page/app.js";
import * as client from "../../../webroot/edge/client.js";
import * as components from "../../../webroot/edge/page/components.js";
import * as html from "../../../webroot/edge/page/html.js";
import * as patch from "../../../webroot/edge/page/patch.js";

type Declared<Path extends string> = Path extends "app" ? typeof import("/edge/page/app.js") : Path extends "client" ? typeof import("/edge/client.js")
  : Path extends "components" ? typeof import("/edge/page/components.js")
  : Path extends "html" ? typeof import("/edge/page/html.js") : typeof import("/edge/page/patch.js");
type Events = import("/edge/client.js").EdgeEvents;

// What is declared is there, and is that.
export const declared: [Declared<"app">, Declared<"client">, Declared<"html">, Declared<"patch">, Pick<Declared<"components">, "start">] = [app, client, html, patch, components];

// What is declared says no less than what is there, for what people hand over and get.
type Row = NonNullable<Awaited<ReturnType<typeof client.take>>>;
type Queued = Awaited<ReturnType<typeof client.queue>>[number];
type Message = import("../../../webroot/edge/worker/messages.js").Message;
export const row = (one: import("/edge/client.js").QueuedRequest): Row => one;
export const queued = (one: import("/edge/client.js").QueuedChange): Queued => one;
export const messages = (one: Events[keyof Events]): Message => one;
type Named<Type extends Message["type"]> = Extract<Message, { type: Type }>;
export const events = (one: { [Type in keyof Events]: Named<Type> }): Events => one;
// All that can be imported is declared.
export const complete: Record<keyof typeof client, unknown> = null as unknown as Declared<"client">;
export const parts = (one: import("/edge/page/app.js").Parts<number>): ConstructorParameters<typeof app.App<number>>[2] => one;
export const kind: typeof client.kind = null as unknown as typeof import("/edge/client.js").kind;

// As it is used.
document.addEventListener("edge-update", (event) => event.detail.paths.map((path) => path.length));
document.addEventListener("edge-changed", ({ detail }) => [...detail.groups, ...detail.queries].map((name) => name.length));
client.tell({ type: "debug" });
document.addEventListener("edge-outdated", ({ detail }) => detail.why.length);
export const used = new app.App(document.body, 1, { *render(state) { yield html.keyed(state, html.html`${state}`); }, *eventHandler(state) { yield state + 1; } });
export const morphed: Node[] = patch.morph(document.body, [document.createElement("p")]);
