// Lists and calls tools with the older TypeScript SDK, which knows sessions only.
//
// usage: node old_client.mjs TRANSPORT KEY TOOL ARGUMENTS_JSON COMMAND_OR_URL [ARGUMENT...]
//
// TRANSPORT is `http`, `sse` or `stdio`. Prints one JSON object: the names of all tools and the
// structured result of the call. The SDK is found in the folder WAYGATE_CLIENTS names.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.env.WAYGATE_CLIENTS}/package.json`);
const load = (path) => import(pathToFileURL(require.resolve(`@modelcontextprotocol/sdk/client/${path}.js`)));
const [transport, key, tool, args, target, ...rest] = process.argv.slice(2);

const headers = { "X-API-Key": key };
const opened = {
  async http() {
    const { StreamableHTTPClientTransport } = await load("streamableHttp");
    return new StreamableHTTPClientTransport(new URL(target), { requestInit: { headers } });
  },
  async sse() {
    const { SSEClientTransport } = await load("sse");
    return new SSEClientTransport(new URL(target), { requestInit: { headers } });
  },
  async stdio() {
    const { StdioClientTransport } = await load("stdio");
    return new StdioClientTransport({ command: target, args: rest, env: process.env, stderr: "inherit" });
  },
};

const { Client } = await load("index");
const client = new Client({ name: "waygate-test", version: "1" });
await client.connect(await opened[transport]());
const names = [];
let cursor;
do {
  const page = await client.listTools({ cursor });
  names.push(...page.tools.map((item) => item.name));
  cursor = page.nextCursor;
} while (cursor);
const result = await client.callTool({ name: tool, arguments: JSON.parse(args) });
console.log(
  JSON.stringify({
    tools: names,
    is_error: result.isError === true,
    structured: result.structuredContent,
    text: result.content.filter((block) => block.type === "text").map((block) => block.text),
  }),
);
await client.close();
