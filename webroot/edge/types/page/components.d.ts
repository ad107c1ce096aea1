// Types of /edge/page/components.js.

import { App } from "./app.js";
import { Html } from "./html.js";

export type Props = Record<string, any>;
export type Query = [name: string, variables?: Record<string, unknown>];
/** A component: a module that is rendered by the browser and by the server alike. */
export interface Component {
  /** Its HTML, one element: a function of its props and of the data of its queries alone. */
  render(props: any): Html;
  /** What it needs. */
  queries?(props: any): Query[];
  /** By the names of events; they yield changes to the props of their part. */
  eventHandlers?: Record<string, (props: any, event: any, page: any) => AsyncIterable<Props> | Iterable<Props>>;
}
/** The components of a page. */
export declare class Page {
  /** Asks for queries anew, by URL, those that are shown; what comes is put in place. */
  refresh(urls: Iterable<string>, how?: RequestInit): Promise<boolean>;
  /** Changes something: a mutation by its name; its data. */
  mutate(name: string, variables: Record<string, unknown>): Promise<Props>;
  /** URLs of the queries of all that is shown. */
  urls(): Set<string>;
}
/** Takes over what the server has rendered, of the state that it has embedded; nothing is touched. */
export declare function start(load?: (name: string) => Promise<Component>): Promise<Page>;
