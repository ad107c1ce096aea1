// Types of /edge/page/patch.js.

/** The new version does not fit what scripts have made of the old one, or has to be loaded; the message says why. */
export declare class Conflict extends Error {}
/** Make *node* what *wanted* is: one node, or several; those that stand there now. */
export declare function morph(node: ChildNode, wanted: Node | Iterable<Node>): Node[];
/** The difference of two HTMLs, for what is shown of the first. */
export declare class Merge {
  /** @throws {Conflict} nothing has been touched then */
  constructor(shown: ChildNode[], was: Node[], wanted: Node[], made?: Map<Node, Node>);
  apply(): Node[];
}
