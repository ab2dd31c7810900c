// Loaded before Azurite. Every ten minutes it takes away what no blob needs any more, one part after the other, each by a look at all of them, and answers
// nobody meanwhile: for a minute where there are 20,000. So it does that no more (once in 24 days, the longest that a timer waits).
const path = require("path");
const constants = path.resolve(__dirname, "../target/tools/azurite/node_modules/azurite/dist/src/blob/utils/constants.js");
require(constants).DEFAULT_GC_INTERVAL_MS = 2 ** 31 - 1;
