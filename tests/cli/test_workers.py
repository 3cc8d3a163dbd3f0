"""Worker processes, played by threads."""

import threading
from multiprocessing import Pipe
from types import SimpleNamespace

from asr_gru.cli import workers
from asr_gru.results import Segment, Transcript, Word
from asr_gru.streaming.recordings import Update

SEGMENTS = tuple(Segment.from_words(i, (Word(f"word{i}", i, i + 0.5, 1.0),)) for i in range(3))


def work(pipe, *, dies):
    try:
        while True:
            indices, _ = pipe.recv()
            for index in indices:
                pipe.send(Update(index, SEGMENTS[:2], 2.0, None))
                if dies:
                    return
                pipe.send(Update(index, SEGMENTS[2:], 3.0, None))
                pipe.send(workers.Finished(index, Transcript(SEGMENTS, 3.0)))
            pipe.send(None)
    except EOFError:
        pass
    finally:
        pipe.close()


def test_segments_are_reported_once_if_a_worker_dies_after_some_of_them(monkeypatch):
    started = []

    def start(_settings):
        parent_end, child_end = Pipe()
        threading.Thread(target=work, args=(child_end,), kwargs={"dies": not started}).start()
        started.append(child_end)
        process = SimpleNamespace(
            join=lambda *_: None, terminate=lambda: None, is_alive=lambda: False, exitcode=-9
        )
        return workers._Worker(process, parent_end, [])

    monkeypatch.setattr(workers, "_start", start)
    seen = []
    workers.transcribe_in_workers(None, ["a.wav", "b.wav"], 2, 1, seen.append)
    assert len(started) == 2
    for index in (0, 1):
        updates = [one for one in seen if isinstance(one, Update) and one.index == index]
        assert [one for update in updates for one in update.segments] == list(SEGMENTS)
