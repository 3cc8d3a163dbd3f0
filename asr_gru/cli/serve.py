"""``asr-gru serve``: run the server."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
import socket
import sys
from pathlib import Path
from typing import Any

import click

from asr_gru.cli.options import endpoint_rules, stream_options
from asr_gru.errors import ConfigError, MissingExtraError

__all__ = ["command"]

KEY_VARIABLE = "ASR_GRU_API_KEY"


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@stream_options(threads=2, threads_help="Threads of recognition; each has a share of the streams.")
@click.option(
    "--api-key-file",
    type=click.Path(path_type=Path),
    help=f"File with the key that clients must send (or the variable {KEY_VARIABLE}).",
)
@click.option(
    "--origin",
    "origins",
    multiple=True,
    help="Additional web origin that may connect; may be repeated.",
)
@click.option("--certfile", type=click.Path(path_type=Path), help="TLS certificate, for https.")
@click.option("--keyfile", type=click.Path(path_type=Path), help="Private key of --certfile.")
@click.option("--self-signed", is_flag=True, help="Create a self-signed certificate, for https.")
@click.option(
    "--strict-model", is_flag=True, help="Refuse OpenAI's model names (whisper-1 and others)."
)
@click.option("--clients", type=int, help="Maximum number of WebSocket clients [500].")
@click.option("--session-s", type=float, help="Maximum length of a session in seconds [14400].")
@click.option(
    "--idle-s", type=float, help="Seconds without a message before a client is closed [30]."
)
@click.option("--message-bytes", type=int, help="Maximum size of a WebSocket message [1000000].")
@click.option(
    "--slow-reader-s", type=float, help="Seconds before a client that does not read is closed [10]."
)
@click.option("--behind-s", type=float, help="Maximum backlog of a client's audio in seconds [5].")
@click.option("--lag-s", type=float, help="Lag in seconds beyond which clients are refused [2].")
@click.option("--upload-bytes", type=int, help="Maximum size of an upload in bytes [100000000].")
@click.option(
    "--upload-s", type=float, help="Maximum length of an uploaded recording in seconds [7200]."
)
@click.option("--uploads", type=int, help="Uploads to transcribe at a time [1].")
@click.option("--queued-uploads", type=int, help="Maximum number of queued uploads [16].")
def command(
    host: str,
    port: int,
    model: str,
    threads: int,
    decoder: str | None,
    beam: int | None,
    endpoint: str,
    api_key_file: Path | None,
    origins: tuple[str, ...],
    certfile: Path | None,
    keyfile: Path | None,
    self_signed: bool,
    strict_model: bool,
    **limits: Any,
) -> None:
    """Serve a model: web page, WebSocket and OpenAI-compatible API.

    Listens on localhost unless --host is given, which requires an API key.
    """
    try:
        from asr_gru.server.access import Access
        from asr_gru.server.context import ServerContext
        from asr_gru.server.limits import Limits
        from asr_gru.server.run import listen, serve
        from asr_gru.server.tls import check_certificate
        from asr_gru.server.tls import self_signed as make_certificate
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "fastapi", "server") from None
    from asr_gru.model.directory import ModelDirectory
    from asr_gru.recognizer import Recognizer

    rules = endpoint_rules(endpoint)
    access = Access(host, _key(api_key_file), frozenset(origins))
    chosen = Limits(**{name: value for name, value in limits.items() if value is not None})
    if (certfile is None) != (keyfile is None) or (certfile and self_signed):
        raise ConfigError("give --certfile and --keyfile together, or --self-signed alone")
    certificate = None
    if certfile and keyfile:
        check_certificate(certfile, keyfile)
        certificate = (certfile, keyfile)
    if self_signed:
        folder = Path(click.get_app_dir("asr-gru")) / "tls"
        made_certificate, made_key, fingerprint = make_certificate(folder, _names(host))
        certificate = (made_certificate, made_key)
        click.echo(f"certificate {made_certificate}, SHA-256 {fingerprint}", err=True)
    sys.setswitchinterval(0.001)  # so that the event loop waits less for the recogniser
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # invalid uploads of clients
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(each) for each in listen(host, port, chosen)]
        recognizer = Recognizer.load(model, decoder=decoder, beam=beam)
        config = ModelDirectory.open(model, verify=False).config
        context = ServerContext(
            recognizer, access, config.name, config.language, rules, chosen, strict_model, threads
        )
        scheme = "https" if certificate else "http"
        name = f"[{host}]" if ":" in host else host
        address = f"{scheme}://{name}:{sockets[0].getsockname()[1]}"

        def on_listening() -> None:
            click.echo(f"listening on {address} (press Ctrl-C to stop)", err=True)

        serve(context, sockets, certificate=certificate, on_listening=on_listening)


def _key(file: Path | None) -> str | None:
    if file is None:
        name, text = KEY_VARIABLE, os.environ.get(KEY_VARIABLE, "")
        if not text:
            return None
    else:
        name, text = str(file), file.read_bytes().decode("ascii", "replace")
    key = text.strip()
    if not key.isprintable() or not key.isascii():
        raise ConfigError(f"{name}: not a valid key; write one line of letters and digits")
    return key


def _names(host: str) -> list[str]:
    """Return the host names and addresses for the certificate."""
    names = ["localhost", "127.0.0.1", "::1", socket.gethostname()]
    try:
        address = ipaddress.ip_address(host)
        names += [] if address.is_unspecified else [host]
    except ValueError:
        names.append(host)
    return list(dict.fromkeys(names))
