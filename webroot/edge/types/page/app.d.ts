// Types of /edge/page/app.js.

import { Html } from "./html.js";

/** Milliseconds of work before others get their turn. */
export declare const SLICE_MS: number;
export interface Difference {
  key: string;
  piece?: Html;
  gone?: boolean;
  after?: string;
}
export interface Parts<State> {
  render(state: State): Iterable<Html> | AsyncIterable<Html>;
  /** A later event of the same name ends the iteration. */
  eventHandler(state: State, event: Event): AsyncIterable<State> | Iterable<State>;
  conciliate?(before: State | undefined, state: State): AsyncIterable<Difference> | Iterable<Difference>;
  /** Names of the events that are listened to. */
  events?: string[];
}
/** The loop of a page: state -> HTML -> the page, and events -> new states. */
export declare class App<State> {
  constructor(root: Element, state: State, parts: Parts<State>);
  root: Element;
  state: State;
  /** Take what a server has rendered for what the state would be: nothing is written. */
  hydrate(): Promise<this>;
  /** Show *state*; false: a newer one came first. */
  show(state: State): Promise<boolean>;
  handle(event: Event): Promise<void>;
}
