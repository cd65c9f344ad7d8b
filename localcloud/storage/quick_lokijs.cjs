// Loaded before Azurite, which keeps what it knows in lokijs and answers nobody while that searches and
// sorts: the more messages wait, the longer each call to a queue takes.
"use strict";

const part = (name) => require(require.resolve(name, { paths: [process.argv[1]] }));

const { Collection } = part("lokijs");
const { default: Messages } = part("azurite/dist/src/queue/persistence/LokiQueueMetadataStore");

// Documents that are changed or removed together have all others sorted anew, even if they are one: each
// message that is received; and each minute, one by one, what messages that are no more have left behind,
// which takes seconds for thousands.
const { findAndRemove, update } = Collection.prototype;

Collection.prototype.update = function (documents) {
  if (!Array.isArray(documents)) return update.call(this, documents);
  for (const each of documents) update.call(this, each);
};

Collection.prototype.findAndRemove = function (query) {
  const found = this.find(query);
  if (found.length === 1) this.remove(found[0]);
  else findAndRemove.call(this, query);
};

// Each call looks through all messages for those that have expired, which mostly are none.
Messages.prototype.clearExpiredMessages = async function () {
  const messages = this.db.getCollection(this.MESSAGES_COLLECTION);
  messages.ensureIndex("expirationTime");
  for (const expired of messages.find({ expirationTime: { $lte: Date.now() } })) messages.remove(expired);
};
