// Lists and calls tools with the official TypeScript SDK.
//
// usage: node typescript_client.mjs MODE URL KEY TOOL ARGUMENTS_JSON
//
// MODE is `auto`, `legacy` or a revision. Prints one JSON object: the names of all tools and the
// structured result of the call. The SDK is found through NODE_PATH's folder in WAYGATE_CLIENTS.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.env.WAYGATE_CLIENTS}/package.json`);
const { Client, StreamableHTTPClientTransport } = await import(
  pathToFileURL(require.resolve("@modelcontextprotocol/client"))
).then((module) => module.default ?? module);

const [mode, url, key, tool, args] = process.argv.slice(2);
const negotiation = mode === "auto" || mode === "legacy" ? { mode } : { mode: { pin: mode } };
const client = new Client(
  { name: "waygate-test", version: "1" },
  { versionNegotiation: negotiation },
);
const transport = new StreamableHTTPClientTransport(new URL(url), {
  requestInit: { headers: { "X-API-Key": key } },
});
await client.connect(transport);
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
