// The worker of the official SDK, unmodified, for `calls.py`; `_worker.py` says what the lines mean.
//
//   node calls.mjs URL APP TOKEN

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [serverUrl, appId, serviceToken] = process.argv.slice(2);
const WARMING_UP = 5000;
const say = (reply) => process.stdout.write(`${JSON.stringify(reply)}\n`);

async function load() {
  // An import is resolved from where the importing file lies, and the packages lie elsewhere.
  const modules = process.env.BASE44_CONFORMANCE_NODE_MODULES;
  if (modules === undefined) throw new Error("BASE44_CONFORMANCE_NODE_MODULES is not set");
  const folder = resolve(modules, "@base44/sdk");
  const { version } = JSON.parse(readFileSync(resolve(folder, "package.json")));
  const beside = createRequire(resolve(modules, "..", "calls.mjs"));
  return { version, ...(await import(pathToFileURL(beside.resolve("@base44/sdk")))) };
}

let sdk;
try {
  sdk = await load();
} catch (error) {
  say({ missing: error.message });
  process.exit();
}

const { connectors } = sdk.createClient({ serverUrl, appId, serviceToken }).asServiceRole;

async function run(calls, inFlight) {
  let left = calls;
  const ask = async (key) => {
    while (left-- > 0) await connectors.getConnection(key);
  };
  await Promise.all(Array.from({ length: inFlight }, (_, number) => ask(`service-${number}`)));
}

async function measured({ calls, in_flight }) {
  await run(in_flight, in_flight);
  const began = process.hrtime.bigint();
  const usage = process.cpuUsage();
  await run(calls, in_flight);
  const { user, system } = process.cpuUsage(usage);
  const wall = Number(process.hrtime.bigint() - began) / 1e9;
  return { calls, cpu: (user + system) / 1e6, wall, figures: {} };
}

// V8 compiles what has run often: a server's calls cost what they do after some thousand of them.
await run(WARMING_UP, 16);
say({ ready: { "Node.js": process.versions.node, "@base44/sdk": sdk.version } });
for await (const line of createInterface({ input: process.stdin })) {
  say(await measured(JSON.parse(line)));
}
