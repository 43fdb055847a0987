"""The block of docs/serving.md: the server under load, and the soak."""

from collections.abc import Mapping
from typing import Any

from tools.files import newest_benchmarks
from tools.tables import table, taken


def serving() -> str:
    """The server under load beside the engine without it, and the soak."""
    lines = newest_benchmarks("serving_")
    alone = {line["what"]: line for line in lines}
    rows = [
        [
            *(line["server"], str(line["clients"]), str(line["n"]), str(line["failed"])),
            *(f"{line['per_second']:.1f}", f"{line['p50_ms']:.1f}", f"{line['p99_ms']:.1f}"),
            *(f"{100 * line[share]:.0f} %" for share in ("of_engine", "of_fed")),
            *(f"{line['cpu_ms']:.1f}", f"{100 * line['http_cpu_share']:.0f} %"),
        ]
        for line in lines
        if line["what"] == "load"
    ]
    head = [
        *("Server", "Clients", "n", "Failed", "Requests/s", "p50 (ms)", "p99 (ms)"),
        *("Of the engine's rate", "Of the fed engine's rate", "CPU (ms)", "CPU beyond the fed engine"),
    ]
    engine, fed = alone["engine alone"], alone["engine fed"]
    beside = (
        f"The engine alone: {engine['per_second']:.1f} a second, {engine['cpu_ms']:.2f} ms of processor time each. "
        f"Fed by a thread that reads pictures: {fed['per_second']:.1f} a second, {fed['cpu_ms']:.2f} ms for both. "
        f"The machine's load average was {engine['load_average']:g}."
    )
    note = taken(lines, "python", "torch", "onnxruntime", "fastapi", "uvicorn", "httptools")
    return f"{table(head, rows)}\n\n{beside}\n\n{_soak(lines[-1])}\n\n{note}"


def _soak(line: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{count:,} times {status}" for status, count in line["statuses"].items())
    memory = (
        f"{line['before_mb']:.0f} MB before, {line['after_mb']:.0f} MB after, {line['most_mb']:.0f} MB at most, "
        f"{line['trend_mb_per_minute']:+.2f} MB a minute in the second half"
    )
    clients = f"{line['clients']} clients and a limit of {line['queue']} requests"
    errors = f"{line['server_errors']} server errors, {line['broken_off']} connections broken off"
    files = f"{line['files_before']} and {line['files_after']} open files"
    return (
        f"Soak of {line['seconds']:g} seconds, {clients}, good and bad requests mixed: {counts}; {errors}; "
        f"memory {memory}; {files}."
    )
