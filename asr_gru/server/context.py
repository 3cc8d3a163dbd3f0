"""The state that all connections share."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from asr_gru.server.batcher import Batcher
from asr_gru.server.metrics import Metrics
from asr_gru.server.upload_queue import UploadQueue

if TYPE_CHECKING:
    from asr_gru.recognizer import Recognizer
    from asr_gru.server.access import Access
    from asr_gru.server.limits import Limits
    from asr_gru.streaming.endpoint import EndpointRules

__all__ = ["ServerContext"]

ORIGINALS = re.compile(r"whisper-\d+|gpt-4o(-mini)?-transcribe(-\d{4}-\d{2}-\d{2})?")
"""OpenAI's names of models that transcribe, which many clients have built in."""


@dataclass(frozen=True, slots=True)
class ServerContext:
    """Model, limits, metrics and queues of the server.

    Attributes:
        recognizer: shared by all clients.
        access: who may use the server.
        model: name under which clients address the model.
        language: code of the model's language, or ``""``.
        endpoint: default endpoint rules.
        limits: bounds for each client.
        strict_model: refuse the names of OpenAI's models; otherwise the loaded one answers.
        threads: threads that step the streams.
        started: seconds since the epoch.
    """

    recognizer: Recognizer
    access: Access
    model: str
    language: str
    endpoint: EndpointRules
    limits: Limits
    strict_model: bool = False
    threads: int = 1
    metrics: Metrics = field(default_factory=Metrics, init=False)
    batcher: Batcher = field(init=False)
    uploads: UploadQueue = field(init=False)
    started: float = field(default_factory=time.time, init=False)

    def __post_init__(self) -> None:
        limits = self.limits
        batcher = Batcher(self.recognizer, self.metrics, limits.behind_s, self.threads)
        object.__setattr__(self, "batcher", batcher)
        object.__setattr__(self, "uploads", UploadQueue(limits.uploads, limits.queued_uploads))

    def answers_to(self, model: str) -> bool:
        """Whether a client that asks for ``model`` gets the loaded one."""
        return model == self.model or (
            not self.strict_model and ORIGINALS.fullmatch(model) is not None
        )

    def writes(self, language: str) -> bool:
        """Whether a client's language code, in any case and with any region, is the model's."""
        asked, own = (re.split("[-_]", code)[0].lower() for code in (language, self.language))
        return not asked or not own or asked == own
