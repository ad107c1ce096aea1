// Takes the components of a page over from the server.

import { start } from "/edge/page/components.js";

start().catch((error) => console.warn("the page stays as the server has made it:", error));
