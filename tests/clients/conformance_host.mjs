// A host behind a running hub, for the client scenarios of the conformance suite: it has the hub connect the
// suite's server, agrees to what an authorization server asks, and calls what the scenario wants called.
//
// usage: node conformance_host.mjs SERVER_URL
//
// WAYGATE_URL and WAYGATE_KEY name the hub. The suite sets MCP_CONFORMANCE_SCENARIO,
// MCP_CONFORMANCE_PROTOCOL_VERSION and MCP_CONFORMANCE_CONTEXT.
import { randomBytes } from "node:crypto";

const target = process.argv.at(-1);
const hub = process.env.WAYGATE_URL;
const scenario = process.env.MCP_CONFORMANCE_SCENARIO ?? "";
const version = process.env.MCP_CONFORMANCE_PROTOCOL_VERSION ?? "2025-11-25";
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT || "{}");
const modern = version >= "2026-07-28";
const name = `c${randomBytes(6).toString("hex")}`;
const capabilities = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };
const clientInfo = { name: "conformance-host", version: "1" };
let session;
let next = 0;

const headers = { "X-API-Key": process.env.WAYGATE_KEY, "Content-Type": "application/json" };
const rest = async (method, path, body) => {
  const answer = await fetch(hub + path, { method, headers, body: body && JSON.stringify(body) });
  return { status: answer.status, body: await answer.json().catch(() => ({})) };
};
const log = (...words) => console.error(scenario, ...words);

function registration() {
  const specification = { name, protocol: "http", url: target, effects: { "*": "read" }, max_retries: 0 };
  if (!scenario.startsWith("auth/")) return specification;
  const oauth = {};
  if (context.client_id) oauth.client_id = context.client_id;
  if (context.client_secret) oauth.client_secret = "secret:SERVER_CONFORMANCE";
  if (scenario.includes("client-credentials")) oauth.grant = "client_credentials";
  return { ...specification, oauth };
}

/// Agrees in the place of a person; false when the hub or the authorization server will not go on.
async function agreed() {
  const begun = await rest("POST", `/gateway/servers/${name}/authorize`, {});
  if (begun.status !== 200) {
    log("not begun", JSON.stringify(begun.body));
    return false;
  }
  const asked = await fetch(begun.body.data.authorization_url, { redirect: "manual" });
  const back = asked.headers.get("location");
  if (!back) return false;
  const { pathname, search } = new URL(back);
  const done = await fetch(hub + pathname + search);
  if (done.status !== 200) log("not authorized", await done.text());
  return done.status === 200;
}

/// The elicitation's answer: every field with a default has it.
function filled(schema) {
  const fields = Object.entries(schema?.properties ?? {});
  const value = (field) =>
    field.default ?? field.enum?.[0] ?? { boolean: true, integer: 1, number: 1, array: [] }[field.type] ?? "text";
  return Object.fromEntries(fields.map(([field, kind]) => [field, value(kind)]));
}

function answer(request) {
  switch (request.method) {
    case "elicitation/create":
      return { action: "accept", content: filled(request.params?.requestedSchema) };
    case "sampling/createMessage":
      return { role: "assistant", content: { type: "text", text: "hello" }, model: "none", stopReason: "endTurn" };
    case "roots/list":
      return { roots: [{ uri: "file:///work", name: "work" }] };
    default:
      return {};
  }
}

async function* messages(response) {
  if (!response.headers.get("content-type")?.startsWith("text/event-stream")) {
    const text = await response.text();
    if (text) yield JSON.parse(text);
    return;
  }
  let rest = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const events = (rest + chunk).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const data = event.split("\n").filter((line) => line.startsWith("data:"));
      if (data.length) yield JSON.parse(data.map((line) => line.slice(5)).join("\n"));
    }
  }
}

function post(message, more) {
  const own = { ...headers, Accept: "application/json, text/event-stream", "MCP-Protocol-Version": version, ...more };
  if (session) own["Mcp-Session-Id"] = session;
  return fetch(`${hub}/servers/${name}/mcp`, { method: "POST", headers: own, body: JSON.stringify(message) });
}

async function ask(method, params = {}) {
  const id = ++next;
  const message = { jsonrpc: "2.0", id, method, params };
  const more = {};
  if (modern) {
    const prefix = "io.modelcontextprotocol";
    const meta = {
      [`${prefix}/protocolVersion`]: version,
      [`${prefix}/clientCapabilities`]: capabilities,
      [`${prefix}/clientInfo`]: clientInfo,
    };
    message.params = { ...params, _meta: meta };
    more["Mcp-Method"] = method;
    const named = params.name ?? params.uri;
    if (named) more["Mcp-Name"] = named;
    Object.assign(more, mirrored(params));
  }
  const response = await post(message, more);
  session ??= response.headers.get("mcp-session-id") ?? undefined;
  for await (const message of messages(response)) {
    if (message.method && message.id !== undefined) {
      await post({ jsonrpc: "2.0", id: message.id, result: answer(message) });
    } else if (message.id === id) {
      return message;
    }
  }
  return { error: { message: `no answer (${response.status})` } };
}

/// What a tool's schema wants repeated in headers.
const known = new Map();
function mirrored(params) {
  const properties = known.get(params.name)?.inputSchema?.properties ?? {};
  const wanted = Object.entries(properties).filter(([, kind]) => kind["x-mcp-header"]);
  const given = wanted.filter(([field]) => params.arguments?.[field] != null);
  return Object.fromEntries(
    given.map(([field, kind]) => [`Mcp-Param-${kind["x-mcp-header"]}`, encoded(String(params.arguments[field]))]),
  );
}

function encoded(text) {
  const plain = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !/^=\?base64\?.*\?=$/.test(text);
  return plain ? text : `=?base64?${Buffer.from(text).toString("base64")}?=`;
}

/// Asks, and answers what the server wants to know first.
async function asked(method, params) {
  let more = {};
  for (let round = 0; round < 5; round += 1) {
    const response = await ask(method, { ...params, ...more });
    if (response.result?.resultType !== "input_required") return response;
    const { inputRequests = {}, requestState } = response.result;
    const answers = Object.entries(inputRequests).map(([key, request]) => [key, answer(request)]);
    more = { inputResponses: Object.fromEntries(answers) };
    if (requestState !== undefined) more.requestState = requestState;
  }
  return { error: { message: "too many rounds" } };
}

/// Arguments for a tool nobody said anything about.
function guessed(tool) {
  const properties = Object.entries(tool.inputSchema?.properties ?? {});
  return Object.fromEntries(
    properties.map(([field, kind]) => [field, { number: 3, integer: 3, boolean: true }[kind.type] ?? "us-west1"]),
  );
}

async function use() {
  if (!modern) {
    await ask("initialize", { protocolVersion: version, capabilities, clientInfo });
    await post({ jsonrpc: "2.0", method: "notifications/initialized" });
  }
  const { tools = [] } = (await ask("tools/list")).result ?? {};
  for (const tool of tools) known.set(tool.name, tool);
  // This one is given the schema it is to say back.
  const echo = (tool) => (tool.name === "json_schema_echo" ? { schema: tools[0].inputSchema } : guessed(tool));
  const calls = context.toolCalls ?? tools.map((tool) => ({ name: tool.name, arguments: echo(tool) }));
  const call = (it) => asked("tools/call", { name: it.name, arguments: it.arguments ?? {} });
  let refused = tools.length === 0;
  // All at once: none may get the answer, or the state, of another.
  for (const response of await Promise.all(calls.map(call))) {
    const code = response.result?.structuredContent?.error?.code;
    if (response.error || code) {
      log("refused", JSON.stringify(response.error ?? response.result));
      refused = true;
    }
  }
  for (const [list, member, get, field] of [
    ["resources/list", "resources", "resources/read", "uri"],
    ["prompts/list", "prompts", "prompts/get", "name"],
  ]) {
    const items = (await ask(list)).result?.[member] ?? [];
    for (const item of items.slice(0, 1)) await asked(get, { [field]: item[field] });
  }
  return !refused;
}

const registered = await rest("POST", "/gateway/servers", registration());
if (registered.status !== 201) {
  log("not registered", JSON.stringify(registered.body));
  process.exit(1);
}
let works = false;
// More rights may be asked for on the way; a server that always wants more is left alone.
for (let attempt = 0; attempt < 3 && !works; attempt += 1) {
  if (scenario.startsWith("auth/") && !scenario.includes("client-credentials")) {
    if (!(await agreed())) break;
  }
  session = undefined;
  works = await use();
  if (!scenario.startsWith("auth/")) break;
}
await rest("DELETE", `/gateway/servers/${name}`);
