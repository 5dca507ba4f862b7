"""An MCP server made with the official Python SDK.

usage: python_server.py stdio | streamable-http | sse [PORT]
"""

import sys

from mcp.server.fastmcp import Context, FastMCP

transport = sys.argv[1]
port = int(sys.argv[2]) if len(sys.argv) > 2 else 0
server = FastMCP("python", host="127.0.0.1", port=port, log_level="WARNING")


@server.tool(annotations={"readOnlyHint": True})
def multiply(a: int, b: int) -> int:
    """Multiplies two numbers."""
    return a * b


@server.tool(annotations={"readOnlyHint": True})
async def count(steps: int, ctx: Context) -> str:
    """Reports its progress."""
    for step in range(steps):
        await ctx.report_progress(step + 1, steps, f"step {step + 1}")
    return "counted"


@server.resource("note://today")
def today() -> str:
    """A note."""
    return "buy milk"


@server.resource("note://day/{day}")
def day(day: str) -> str:
    """A note of one day."""
    return f"nothing on {day}"


@server.prompt()
def review(code: str) -> str:
    """Reviews code."""
    return f"Review this: {code}"


server.run(transport=transport)
