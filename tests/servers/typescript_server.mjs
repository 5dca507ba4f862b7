// An MCP server made with the official TypeScript SDK.
//
// usage: node typescript_server.mjs stdio | http
//
// Over HTTP it prints its port as the first line of standard output. The SDK is found in the folder
// WAYGATE_SERVERS. It offers `add` and `slow-tool`.
import { createRequire } from "node:module";
import { createServer } from "node:http";
import { randomUUID } from "node:crypto";

const require = createRequire(`${process.env.WAYGATE_SERVERS}/package.json`);
const { Server } = require("@modelcontextprotocol/sdk/server/index.js");
const { StdioServerTransport } = require("@modelcontextprotocol/sdk/server/stdio.js");
const { StreamableHTTPServerTransport } = require(
  "@modelcontextprotocol/sdk/server/streamableHttp.js",
);
const { CallToolRequestSchema, ListToolsRequestSchema } = require(
  "@modelcontextprotocol/sdk/types.js",
);

const number = { type: "number" };
const tools = [
  {
    name: "add",
    description: "Adds two numbers.",
    inputSchema: { type: "object", properties: { z: number, a: number }, required: ["z", "a"] },
    annotations: { readOnlyHint: true },
  },
  {
    name: "slow-tool",
    description: "Answers after some milliseconds.",
    inputSchema: { type: "object", properties: { ms: number } },
    annotations: { readOnlyHint: true },
  },
];

function make() {
  const server = new Server(
    { name: "typescript", version: "1" },
    { capabilities: { tools: { listChanged: true } } },
  );
  server.setRequestHandler(ListToolsRequestSchema, async () => ({ tools }));
  server.setRequestHandler(CallToolRequestSchema, async (request) => {
    const { name, arguments: given } = request.params;
    if (name === "add") {
      return { content: [{ type: "text", text: String(given.z + given.a) }] };
    }
    await new Promise((done) => setTimeout(done, given.ms ?? 0));
    return { content: [{ type: "text", text: "done" }] };
  });
  return server;
}

if (process.argv[2] === "stdio") {
  console.log("a greeting that is no message");
  console.error("started");
  await make().connect(new StdioServerTransport());
} else {
  const sessions = new Map();
  const server = createServer(async (request, response) => {
    const id = request.headers["mcp-session-id"];
    let transport = sessions.get(id);
    if (id && !transport) {
      response.writeHead(404).end();
      return;
    }
    if (!transport) {
      transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        onsessioninitialized: (own) => sessions.set(own, transport),
      });
      await make().connect(transport);
    }
    await transport.handleRequest(request, response);
  });
  server.listen(Number(process.argv[3] ?? 0), "127.0.0.1", () => console.log(server.address().port));
}
