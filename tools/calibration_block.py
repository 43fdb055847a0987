"""The block of docs/devices.md with the numbers of a calibration, as the code has them."""

from dataclasses import fields

from compoundnet.calibrating import Plan
from compoundnet.calibrating.checking import MOST_SINCE_CALIBRATED, RECHECKED


def calibration() -> str:
    """How many samples, passes and networks held out; what is measured again, and how much drift is allowed."""
    plan = {field.name: field.default for field in fields(Plan)}
    return (
        f"A calibration clocks {plan['count']} samples of a stage or two, {plan['whole']} whole networks that are "
        f"fitted too, and {plan['held_out']} that are not, in "
        f"{plan['passes']} passes; `--quick` fewer. Before a device is used, {RECHECKED} of its samples are clocked "
        f"again, and a machine that has become more than {100 * MOST_SINCE_CALIBRATED:.0f} % slower or faster is "
        "refused."
    )
