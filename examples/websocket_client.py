"""Stream a recording to a server in real time and print its events.

asr-gru serve &
python examples/websocket_client.py audio_samples/read.flac ws://127.0.0.1:8000/v1/stream
"""

import argparse
import asyncio
import json
import sys

import numpy as np
import soundfile
import websockets


async def send(socket: websockets.ClientConnection, samples: np.ndarray, rate: int) -> None:
    """Send blocks of 100 ms in real time, then the end."""
    for first in range(0, len(samples), rate // 10):
        await socket.send(samples[first : first + rate // 10].tobytes())
        await asyncio.sleep(0.1)
    await socket.send(json.dumps({"type": "end"}))


async def main(recording: str, address: str) -> None:
    """Send audio and receive events concurrently, until the server closes."""
    samples, rate = soundfile.read(recording, dtype="int16", always_2d=True)
    async with websockets.connect(address) as socket:
        start = {"type": "start", "sample_rate": rate, "channels": samples.shape[1]}
        await socket.send(json.dumps(start))
        sending = asyncio.create_task(send(socket, samples, rate))
        try:
            async for message in socket:
                event = json.loads(message)
                if event["type"] in ("partial", "final"):
                    print(event["type"], event["text"])
                elif event["type"] == "error":
                    sys.exit(f"error: {event['message']}")
        finally:
            sending.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Stream a recording to a server.")
    parser.add_argument("recording")
    parser.add_argument("address", help="such as ws://127.0.0.1:8000/v1/stream")
    options = parser.parse_args()
    try:
        asyncio.run(main(options.recording, options.address))
    except (OSError, soundfile.LibsndfileError, websockets.WebSocketException) as error:
        sys.exit(f"error: {error}")
