"""What holds for every test."""

import signal


def pytest_configure() -> None:
    """Let Ctrl-C reach the programs that tests start, also where the suite itself runs in a shell's background.

    Such a shell has it ignored, and programs inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
