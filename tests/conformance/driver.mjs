// Makes calls with the official SDK, unmodified, for the tests: a call comes in as a line of JSON,
// what came of it goes out as one.
//
//   {"client": {...} | null, "request": {...} | null, "scope", "method", "args": [...]}
//   {"value": ...} | {"error": {"name", "message", "status", "code", "data"}}
//
// Exactly one of `client` (what createClient takes) and `request` (the header fields of an incoming
// request) is given. The process ends when its input does.

import { createRequire } from "node:module";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

// An import is resolved from where the importing file lies, and the packages lie elsewhere.
const modules = process.env.BASE44_CONFORMANCE_NODE_MODULES;
const beside = createRequire(resolve(modules, "..", "driver.mjs"));
const sdk = await import(pathToFileURL(beside.resolve("@base44/sdk")));

function clientOf({ client, request }) {
  if (client !== null) return sdk.createClient(client);
  const incoming = new Request("http://app.invalid/", { headers: request });
  return sdk.createClientFromRequest(incoming);
}

async function outcome(call) {
  try {
    const client = clientOf(call);
    const scope = call.scope === "service" ? client.asServiceRole : client;
    return { value: await scope.connectors[call.method](...call.args) };
  } catch (error) {
    const { name, message, status, code, data } = error;
    return { error: { name, message, status, code, data } };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const result = await outcome(JSON.parse(line));
  // JSON has no undefined: a field that is not there is written as null, not left out.
  const written = JSON.stringify(result, (_, value) => (value === undefined ? null : value));
  process.stdout.write(`${written}\n`);
}
