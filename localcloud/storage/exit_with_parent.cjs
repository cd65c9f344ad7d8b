// Loaded before Azurite. Azurite saves what it holds in memory at the first SIGTERM, and would be
// killed while saving by a second one; this makes it end once, also when the parent is gone.
"use strict";

const GRACE_MILLISECONDS = 20000;

process.on("SIGTERM", () => setTimeout(() => process.exit(1), GRACE_MILLISECONDS).unref());

process.stdin.on("end", () => process.kill(process.pid, "SIGTERM"));
process.stdin.resume();
process.stdin.unref();
