// Types of /edge/page/html.js.

/** Text that is HTML. */
export declare class Html {
  constructor(text: string, key?: string);
  text: string;
  /** Which component it is, among its siblings. */
  key: string;
  toString(): string;
}
/** A piece of HTML: what is put in is escaped, unless it is Html itself. Lists are joined; null, undefined and booleans are nothing. */
export declare function html(strings: TemplateStringsArray, ...values: unknown[]): Html;
/** A component: HTML of one element that is found again by *key*. */
export declare function keyed(key: string | number, piece: Html): Html;
