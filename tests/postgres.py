"""A PostgreSQL server of a test's own: made in a temporary folder, on a free port, killed and started again."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

USER = "postgres"  # Debian's; a server does not run as root
ASKED = "asked"  # a user whose password is asked for


def binaries() -> Path | None:
    """The folder of Debian's server programs, the newest; None without the package."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return found[-1].parent if found else None


@dataclass
class Server:
    """``url`` is an address without a database that one can be added to."""

    programs: Path
    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}"

    def make(self) -> None:
        self.folder.mkdir(parents=True)
        if os.getuid() == 0:
            shutil.chown(self.folder, USER, USER)
        self._run("initdb", "--pgdata", self.data, "--username", USER, "--auth", "trust", "--no-sync")
        rules = self.folder / "data/pg_hba.conf"
        rules.write_text(f"host all {ASKED} 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")

    def start(self) -> None:
        """What is killed leaves its writes to the system: waiting for the disk would test the disk."""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = str(self.folder / "server.log")
        self._run("pg_ctl", "--pgdata", self.data, "--log", log, "--wait", "--timeout", "120", "-o", options, "start")

    def kill(self) -> None:
        """SIGKILL to the server and all that it started."""
        postmaster = int((self.folder / "data/postmaster.pid").read_text().splitlines()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for process in (postmaster, *map(int, children)):
            os.kill(process, signal.SIGKILL)
        while Path(f"/proc/{postmaster}/stat").exists():
            time.sleep(0.01)

    def database(self, name: str) -> str:
        """The address of a new, empty database."""
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, name)
        return f"{self.url}/{name}"

    @property
    def data(self) -> str:
        return str(self.folder / "data")

    def _run(self, program: str, *arguments: str) -> None:
        command: Sequence[str] = (str(self.programs / program), *arguments)
        owner = USER if os.getuid() == 0 else None  # the server refuses to be root's
        with (self.folder.parent / f"{program}.out").open("w") as out:  # pg_ctl's server keeps what it was given open
            done = subprocess.run(command, stdout=out, stderr=out, cwd="/", user=owner, group=owner, check=False)
        assert done.returncode == 0, (self.folder.parent / f"{program}.out").read_text()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
