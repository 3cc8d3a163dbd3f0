"""``python -m asr_gru``: the command line."""

from asr_gru.cli import main

if __name__ == "__main__":
    main()
