"""Sessions that are open when the server is stopped."""

import asyncio

from asr_gru.streaming.endpoint import EndpointRules
from tests.server.clients import expected, finals, receive_all, speech_like, start_session


def test_a_shutdown_finishes_the_open_segment(serving, recognizer):
    samples = speech_like(3.0)

    async def main(server):
        async with server.socket() as socket:
            await start_session(socket, endpoint="off")
            await socket.send(samples.tobytes())
            await receive_all(socket, until=("partial",))
            await asyncio.sleep(0.5)
            server.stop()
            return await receive_all(socket), socket

    with serving() as server:
        messages, socket = asyncio.run(main(server))
    assert [m["text"] for m in finals(messages)] == expected(
        recognizer, samples, rules=EndpointRules.off()
    )
    assert messages[-1]["code"] == "shutting_down"
    assert socket.close_code == 1012


def test_all_clients_get_their_finals_at_a_shutdown(serving, recognizer):
    """Audio that arrives while streams are finished affects no client."""
    samples = speech_like(3.0)

    async def one(server, stopped):
        async with server.socket() as socket:
            await start_session(socket, endpoint="off")
            await socket.send(samples.tobytes())

            async def send_slowly():
                while True:
                    await socket.send(bytes(640))
                    await asyncio.sleep(0.01)

            dripping = asyncio.create_task(send_slowly())
            stopped.append(socket)
            if len(stopped) == 8:
                await asyncio.sleep(0.5)
                server.stop()
            messages = await receive_all(socket)
            dripping.cancel()
            await asyncio.gather(dripping, return_exceptions=True)
            return messages

    async def main(server):
        stopped = []
        return await asyncio.gather(*(one(server, stopped) for _ in range(8)))

    with serving() as server:
        for messages in asyncio.run(main(server)):
            assert messages[-1]["code"] == "shutting_down"
            assert " ".join(m["text"] for m in finals(messages))
