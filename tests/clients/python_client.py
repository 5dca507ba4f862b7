"""Lists and calls tools with the official Python SDK.

usage: python_client.py MODE TARGET KEY TOOL ARGUMENTS_JSON

MODE is `auto`, `legacy` or a revision; TARGET an URL, or `stdio:PROGRAM` for a hub on standard input
and output. Prints one JSON object: the names of all tools and the structured result of the call.
"""

import asyncio
import json
import os
import sys

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client


async def main(mode, target, key, tool, arguments):
    if target.startswith("stdio:"):
        environment = {**os.environ, "WAYGATE_API_KEY": key}
        program = StdioServerParameters(command=target[6:], args=["stdio"], env=environment)
        async with Client(program, mode=mode) as client:
            return await use(client, tool, arguments)
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=30) as http:
        transport = streamable_http_client(target, http_client=http)
        async with Client(transport, mode=mode) as client:
            return await use(client, tool, arguments)


async def use(client, tool, arguments):
    names, cursor = [], None
    while True:
        page = await client.list_tools(cursor=cursor)
        names += [item.name for item in page.tools]
        cursor = page.next_cursor
        if not cursor:
            break
    result = await client.call_tool(tool, arguments)
    return {
        "tools": names,
        "is_error": bool(result.is_error),
        "structured": result.structured_content,
        "text": [block.text for block in result.content if block.type == "text"],
    }


if __name__ == "__main__":
    mode, target, key, tool, arguments = sys.argv[1:6]
    print(json.dumps(asyncio.run(main(mode, target, key, tool, json.loads(arguments)))))
