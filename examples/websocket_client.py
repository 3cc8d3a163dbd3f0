"""Stream a recording to a server in real time and print its events.

asr-gru serve &
python examples/websocket_client.py audio_samples/read.flac ws://127.0.0.1:8000/v1/stream
"""

import asyncio
import json
import sys

import soundfile
import websockets


async def send(socket, samples, rate):
    """Send blocks of 100 ms in real time, then the end."""
    for first in range(0, len(samples), rate // 10):
        await socket.send(samples[first : first + rate // 10].tobytes())
        await asyncio.sleep(0.1)
    await socket.send(json.dumps({"type": "end"}))


async def main(recording, address):
    """Send audio and receive events concurrently."""
    samples, rate = soundfile.read(recording, dtype="int16", always_2d=True)
    async with websockets.connect(address) as socket:
        start = {"type": "start", "sample_rate": rate, "channels": samples.shape[1]}
        await socket.send(json.dumps(start))
        sending = asyncio.create_task(send(socket, samples, rate))
        async for message in socket:
            event = json.loads(message)
            if event["type"] in ("partial", "final", "error"):
                print(event["type"], event.get("text") or event.get("message", ""))
        await sending


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
