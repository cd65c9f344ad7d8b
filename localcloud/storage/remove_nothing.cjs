// Loaded before Azurite. At each call to a queue Azurite removes the messages that have expired, which
// mostly are none, and lokijs sorts all messages anew for that: the more wait, the longer each call takes.
"use strict";

const { Collection } = require(require.resolve("lokijs", { paths: [process.argv[1]] }));

const remove = Collection.prototype.remove;

Collection.prototype.remove = function (documents) {
  if (!Array.isArray(documents) || documents.length > 0) remove.call(this, documents);
};
