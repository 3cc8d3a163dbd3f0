"""The command line interface; it only parses options, shows progress and prints."""

from __future__ import annotations

import codecs
import importlib
import io
import os
import sys
from collections.abc import Mapping
from typing import Literal, TextIO

import click

from asr_gru import __version__
from asr_gru.cli.interrupts import Interrupted, interrupt_behind
from asr_gru.errors import Error

__all__ = ["main"]

COMMANDS: Mapping[str, str] = {
    "transcribe": "Transcribe recordings.",
    "live": "Transcribe a microphone live.",
    "serve": "Run the server: web page, WebSocket and OpenAI-compatible API.",
    "evaluate": "Measure word error rates on manifests.",
    "data": "Print statistics of manifests, and suspicious utterances.",
    "convert-manifest": "Convert manifests between formats.",
    "train": "Train a model.",
    "report": "Write the report of a training run.",
    "align-corpus": "Align the recordings of training manifests, phone by phone.",
    "align": "Align a text with a recording, word by word.",
    "export": "Export a training run as a model directory.",
    "tune": "Tune the decoding parameters of a model on manifests.",
    "adapt": "Add words and texts of your own to a model.",
    "language-model": "Train, evaluate and convert n-gram language models.",
    "pronounce": "Print the pronunciations of words and their sources.",
    "lexicon": "Build pronunciation lexicons and train grapheme-to-phoneme models.",
    "models": "List the bundled models.",
    "doctor": "Check this installation.",
}
"""Each command is ``command`` in the module of the same name, which is imported when called."""


UNENCODABLE = "asr_gru.unencodable"
"""Name of the error handler of standard output."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = f"asr_gru.cli.{cmd_name.replace('-', '_')}"
        command: click.Command = importlib.import_module(module).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from asr_gru.errors import did_you_mean

            if os.path.exists(args[0]):  # noqa: PTH110  as no name makes it raise
                raise click.UsageError(
                    f"{args[0]!r} is not a command; run: asr-gru transcribe {args[0]}"
                )
            raise click.UsageError(
                f"unknown command {args[0]!r}{did_you_mean(args[0], COMMANDS)}; "
                f"use one of {', '.join(COMMANDS)}"
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="asr-gru")
@click.option("--debug", is_flag=True, help="Show the traceback of errors.")
def _cli(debug: bool) -> None:
    """Speech recognition with GRU-CTC models, offline and on the CPU."""


def main() -> None:
    """Run the command line; errors print one line and exit with 1 (input) or 2 (usage)."""
    _open_missing_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        codecs.register_error(UNENCODABLE, _encode_anyway)
        sys.stdout.reconfigure(errors=UNENCODABLE)
    debug = "--debug" in sys.argv[1:]
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    if debug:  # may stand anywhere on the command line, but is an option of the group
        arguments.insert(0, "--debug")
    try:
        status = _cli.main(arguments, prog_name="asr-gru", standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except Error as error:
        _fail(str(error), error.exit_status, debug=debug)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else error.format_message(), err=True)
        sys.exit(2)
    except click.UsageError as error:
        _fail(_with_remedy(error), error.exit_code, debug=debug)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code, debug=debug)
    except Interrupted as error:
        sys.exit(error.exit_status)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        _fail(f"{name}{error.strerror or error}", 1, debug=debug)
    except Exception as error:
        interrupt = interrupt_behind(error)
        if interrupt is None:
            raise
        sys.exit(interrupt)


def _with_remedy(error: click.UsageError) -> str:
    """Return the message of an error; where it names no remedy, it names the help to read."""
    message = error.format_message()
    if error.ctx is None or message.endswith("?") or "; " in message:
        return message
    return f"{message.rstrip('.')}; see {error.ctx.command_path} --help"


def _open_missing_streams() -> None:
    """Open the null device for standard streams that are closed, for which Python has None."""
    if sys.stdin is None:
        sys.stdin = _null_device("r")
    if sys.stdout is None:
        sys.stdout = _null_device("w")
    if sys.stderr is None:
        sys.stderr = _null_device("w")


def _null_device(mode: Literal["r", "w"]) -> TextIO:
    return open(os.devnull, mode, encoding="utf-8")  # noqa: PTH123


def _encode_anyway(error: UnicodeError) -> tuple[str | bytes, int]:
    """Encode the bytes of file names that are not UTF-8 as they are, and other letters as ``?``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letter = ord(error.object[error.start])
    if 0xDC80 <= letter <= 0xDCFF:  # as os.fsdecode makes of such bytes
        return bytes([letter - 0xDC00]), error.start + 1
    return "?", error.start + 1


def _fail(message: str, status: int, *, debug: bool) -> None:
    try:
        sys.stdout.flush()
    except OSError:  # full or closed; Python would retry at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if debug:
        import traceback

        traceback.print_exc()
    click.echo(f"asr-gru: {' '.join(message.split())}", err=True)
    sys.exit(status)
