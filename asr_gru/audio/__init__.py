"""Audio input: recordings of any format, microphones, and resampling."""

from asr_gru.audio.discovery import find_recordings
from asr_gru.audio.opening import open_recording, read_recording
from asr_gru.audio.pcm import RawAudio
from asr_gru.audio.recording import Recording
from asr_gru.audio.resampler import Resampler
from asr_gru.audio.samples import Samples, check_rate, check_samples, check_shape

__all__ = [
    "RawAudio",
    "Recording",
    "Resampler",
    "Samples",
    "check_rate",
    "check_samples",
    "check_shape",
    "find_recordings",
    "open_recording",
    "read_recording",
]
