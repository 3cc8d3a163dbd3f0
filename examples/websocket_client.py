"""Send a recording to a server at the pace of speech, and print what comes back.

asr-gru serve &
python examples/websocket_client.py audio_samples/read.flac ws://127.0.0.1:8000/v1/stream
"""

import asyncio
import json
import sys

import soundfile
import websockets


async def speak(socket, samples, rate):
    """Send a tenth of a second every tenth of a second."""
    for first in range(0, len(samples), rate // 10):
        await socket.send(samples[first : first + rate // 10].tobytes())
        await asyncio.sleep(0.1)
    await socket.send(json.dumps({"type": "end"}))


async def main(recording, address):
    """Speak and listen at once."""
    samples, rate = soundfile.read(recording, dtype="int16", always_2d=True)
    async with websockets.connect(address) as socket:
        start = {"type": "start", "sample_rate": rate, "channels": samples.shape[1]}
        await socket.send(json.dumps(start))
        speaking = asyncio.create_task(speak(socket, samples, rate))
        async for message in socket:
            event = json.loads(message)
            if event["type"] in ("partial", "final", "error"):
                print(event["type"], event.get("text") or event.get("message", ""))
        await speaking


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
