// The certified oidc-provider, unmodified, as the authorization server of the tests: rotation with
// reuse detection, PKCE required, clients with basic, post and no authentication.
//
//   node oidc_provider.mjs '{"accessTokens": 3, "redirectUris": ["http://127.0.0.1/callback"]}'
//   {"issuer": "http://127.0.0.1:43211"}
//
// A consent is given at once, for an account of the tests, unless the authorization request has
// `consent=deny`. SIGTERM ends the process with 0. Besides what the provider serves there are
//
//   GET  /me                 200 with a token that is good by this clock, in milliseconds; else 401
//   POST /__test__/fault     {"faults": [...], "repeat": bool}: what happens to the next token calls
//   POST /__test__/revoke    {"grant": id}: what a person does who no longer trusts the app
//   GET  /__test__/log       {"calls": [...], "grants": [...], "reuses": number}
//
// A fault is `{"delay_before", "commit", "delay_after", "status", "headers", "drop"}`: how long the
// call waits for the provider, whether the provider sees it at all, how long the answer waits, what
// is answered instead, and whether the connection is cut instead. It holds up nobody else.

import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";

const modules = process.env.BASE44_CONFORMANCE_NODE_MODULES;
const beside = createRequire(resolve(modules, "..", "oidc_provider.mjs"));
const { Provider } = await import(pathToFileURL(beside.resolve("oidc-provider")));

const ACCOUNT = "ada";
const SECRET = "a secret with what needs encoding: + % / & = ?";
const DAYS = 24 * 3600;
const options = { accessTokens: 3600, redirectUris: [], ...JSON.parse(process.argv[2] ?? "{}") };

const digest = (text) => createHash("sha256").update(text).digest("hex");
const now = () => Date.now() / 1000;

function configuration() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const client = (method) => ({
    client_id: method,
    ...(method === "none" ? {} : { client_secret: SECRET }),
    token_endpoint_auth_method: method,
    introspection_endpoint_auth_method: method,
    revocation_endpoint_auth_method: method,
    application_type: "native", // A redirect to this machine may then have any port.
    grant_types: ["authorization_code", "refresh_token"],
    redirect_uris: options.redirectUris,
  });
  return {
    clients: ["client_secret_basic", "client_secret_post", "none"].map(client),
    jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256" }] },
    cookies: { keys: [randomBytes(16).toString("hex")] },
    scopes: ["openid", "offline_access", "read", "write"],
    // Times are whole seconds there, rounded down: /me is where a token ends when it should.
    clockTolerance: 1,
    ttl: {
      AccessToken: options.accessTokens,
      AuthorizationCode: 60,
      Grant: 14 * DAYS,
      IdToken: 3600,
      Interaction: 600,
      RefreshToken: 14 * DAYS,
      Session: 14 * DAYS,
    },
    pkce: { required: () => true },
    issueRefreshToken: () => true,
    rotateRefreshToken: () => true,
    features: {
      devInteractions: { enabled: false },
      introspection: { enabled: true },
      revocation: { enabled: true },
    },
    extraParams: ["consent"],
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  };
}

const server = createServer((request, response) => {
  serve(request, response).catch((error) => response.writeHead(500).end(`${error}\n`));
});
// Whoever closes an idle connection may do it while a request is on its way: that is the client.
server.keepAliveTimeout = 0;
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const issuer = `http://127.0.0.1:${server.address().port}`;
const provider = new Provider(issuer, configuration());

const calls = [];
const grants = new Map(); // id -> {client, chain: digests of its refresh tokens, newest: the last}
const ends = new Map(); // access token -> milliseconds
const errors = new WeakMap(); // the context of a token call -> the error it ended with
let faults = { faults: [], repeat: false };

provider.on("grant.error", (context, error) => errors.set(context, error));
provider.on("access_token.saved", (token) =>
  ends.set(token.jti, Date.now() + options.accessTokens * 1000),
);
provider.on("refresh_token.saved", (token) => {
  const grant = grants.get(token.grantId) ?? { client: token.clientId, chain: [] };
  grant.chain.push(digest(token.jti));
  grants.set(token.grantId, { ...grant, newest: token.jti });
});

provider.use(async (context, next) => {
  if (context.path !== "/token") return next();
  const fault = { commit: true, ...nextFault() };
  const call = { arrived: now(), fault, pid: Number(context.get("X-Test-Pid")) || null, ended: null };
  calls.push(call);
  await sleep(1000 * (fault.delay_before ?? 0));
  if (fault.commit) {
    await next();
    Object.assign(call, outcome(context));
  }
  await sleep(1000 * (fault.delay_after ?? 0));
  call.ended = now();
  if (fault.drop) {
    context.respond = false;
    context.res.destroy();
  } else if (fault.status !== undefined) {
    context.status = fault.status;
    context.body = { error: "temporarily_unavailable" };
    context.set(fault.headers ?? {});
  }
});

const provided = provider.callback();

function nextFault() {
  const fault = faults.faults.shift();
  if (fault !== undefined && faults.repeat) faults.faults.push(fault);
  return fault;
}

// What the provider made of a token call, whatever is told of it.
function outcome(context) {
  const { oidc, status, body } = context;
  const error = errors.get(context);
  const presented = oidc.params?.refresh_token;
  return {
    committed: now(),
    client: oidc.client?.clientId ?? null,
    grant_type: oidc.params?.grant_type ?? null,
    grant: oidc.entities.Grant?.jti ?? null,
    presented: presented === undefined ? null : digest(presented),
    issued: body?.refresh_token === undefined ? null : digest(body.refresh_token),
    status,
    error: body?.error ?? null,
    detail: error?.error_detail ?? null,
  };
}

// All that a browser would have to be asked for: one visit, and the account has logged in and said
// yes to everything, or no.
async function interact(request, response) {
  const { params } = await provider.interactionDetails(request, response);
  const denied = { error: "access_denied", error_description: "the account has said no" };
  const result = params.consent === "deny" ? denied : await consented(params);
  await provider.interactionFinished(request, response, result, {
    mergeWithLastSubmission: false,
  });
}

async function consented(params) {
  const grant = new provider.Grant({ accountId: ACCOUNT, clientId: params.client_id });
  grant.addOIDCScope(params.scope ?? "");
  return { login: { accountId: ACCOUNT }, consent: { grantId: await grant.save() } };
}

async function me(request) {
  const value = (request.headers.authorization ?? "").replace(/^Bearer /, "");
  const token = await provider.AccessToken.find(value);
  const good = token !== undefined && Date.now() < ends.get(value);
  return good ? [200, { account: token.accountId, scope: token.scope }] : [401, {}];
}

async function log() {
  const told = await Promise.all(
    [...grants].map(async ([id, { client, chain, newest }]) => {
      const token = await provider.RefreshToken.find(newest);
      const alive = token !== undefined && (await provider.Grant.find(id)) !== undefined;
      return { id, client, chain, alive };
    }),
  );
  const reuses = calls.filter((call) => call.detail === "refresh token already used").length;
  return [200, { calls, grants: told, reuses }];
}

async function setFaults(request) {
  faults = { repeat: false, ...(await json(request)) };
  return [200, {}];
}

async function revoke(request) {
  const { grant } = await json(request);
  await Promise.all([
    provider.AccessToken.revokeByGrantId(grant),
    provider.RefreshToken.revokeByGrantId(grant),
    provider.Grant.adapter.destroy(grant),
  ]);
  return [200, {}];
}

async function json(request) {
  const chunks = await request.toArray();
  return JSON.parse(Buffer.concat(chunks));
}

const routes = {
  "GET /me": me,
  "GET /__test__/log": log,
  "POST /__test__/fault": setFaults,
  "POST /__test__/revoke": revoke,
};

async function serve(request, response) {
  const path = new URL(request.url, issuer).pathname;
  const route = routes[`${request.method} ${path}`];
  if (route !== undefined) {
    const [status, body] = await route(request);
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
  } else if (path.startsWith("/interaction/")) {
    await interact(request, response);
  } else {
    await provided(request, response);
  }
}

process.on("SIGTERM", () => process.exit(0));
process.stdout.write(`${JSON.stringify({ issuer, secret: SECRET })}\n`);
