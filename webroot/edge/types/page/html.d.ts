// Types of /edge/page/html.js.

/** Where in a text, and its keyed pieces. */
export interface List {
  at: number;
  length: number;
  rows: Html[];
}
/** Text that is HTML. */
export declare class Html {
  constructor(text: string, key?: string, lists?: List[]);
  text: string;
  /** Which component it is, among its siblings. */
  key: string;
  /** Lists of keyed pieces in it. */
  lists: List[];
  outside: string | undefined;
  /** What is around the lists. */
  around(): string;
  /** What stands there while its lists are made what they are in it. */
  unfinished(): Html;
  toString(): string;
}
/** A piece of HTML: what is put in is escaped, unless it is Html itself. Lists are joined; null, undefined and booleans are nothing. */
export declare function html(strings: TemplateStringsArray, ...values: unknown[]): Html;
/** A component: HTML of one element that is found again by *key*. */
export declare function keyed(key: string | number, piece: Html): Html;
