"""A server that answers as an inference server does, at once: `python server.py PORT`.

Chat answers of 32 tokens, whole, or as a stream of one event per token with a last one of usage.
"""

import asyncio
import json
import sys

TOKENS = 32
HEAD = {"id": "c", "object": "chat.completion.chunk", "model": "m"}
USAGE = {"prompt_tokens": 40, "completion_tokens": TOKENS, "total_tokens": 40 + TOKENS}


def event(data: object) -> bytes:
    text = b"data: " + json.dumps(data).encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(text), text)


STREAM = [event({**HEAD, "choices": [{"delta": {"content": f" word{i}"}}]}) for i in range(TOKENS)]
LAST = event({**HEAD, "choices": [], "usage": USAGE})
END = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
WHOLE = json.dumps({**HEAD, "choices": [{"message": {"content": "word " * 32}}], "usage": USAGE})
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    + f"Content-Length: {len(WHOLE)}\r\n\r\n{WHOLE}".encode()
)
BEGIN = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            break
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        wish = json.loads(await reader.readexactly(length))
        if not wish.get("stream"):
            writer.write(ANSWER)
            continue
        writer.write(BEGIN)
        for one in STREAM:
            writer.write(one)
            await asyncio.sleep(wish.get("pause_s", 0.0))
        writer.write((LAST if wish.get("stream_options") else b"") + END)
    writer.close()


async def main(port: int) -> None:
    async with await asyncio.start_server(serve, "127.0.0.1", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
