"""What arguments without a name, and those without a value, mean: by their names, for every command that has them."""

from collections.abc import Mapping
from types import MappingProxyType

POSITIONAL: Mapping[str, tuple[str, str | None]] = MappingProxyType(
    {
        "nets": ("names of networks (see models), JSON files or weights files, timed in turn", "+"),
        "action": ("check: look at every picture, change nothing", None),
        "folder": ("a folder with one sub-folder of pictures a class, or train/ and val/ that hold them", None),
        "net": ("a network's name (see models), a JSON file, or - for standard input", None),
        "pattern": ("only the names that match, such as 'efficientnet_*'", "?"),
        "space": (
            "mnasnet, per_stage (around --base), or a JSON file that --save wrote; architecture takes a network too",
            None,
        ),
        "paths": ("picture files, folders or globs", "*"),
        "request": ("list; fetch NAME ...; verify [NAME ...]; where [NAME ...]; or import FILE ...", "+"),
        "what": ("list; show RECIPE; diff RECIPE RECIPE; or scale RECIPE (a name or a JSON file)", "+"),
        "parts": ("the files that predict --shard wrote, one for each shard", "+"),
        "file": ("a weights file, the folder of a training run, an exported model, or a name with weights", None),
        "artefact": ("a file that export wrote", None),
        "journal": (
            "a search's journal or folder, or postgresql://user@host/database; for rate also a trials.csv",
            None,
        ),
        "solution": ("a file that solve wrote, or - for standard input", None),
        "weights": ("a name with weights (see models), a weights file, or the folder of a training run", None),
    }
)
FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "checkpointing": "keep only the blocks' inputs and compute the rest again in the backward pass",
        "no_average": "keep no moving average of the weights",
        "check": "run two training steps on this machine and measure what torch allocates in the second",
        "json": "write JSON to standard output and nothing else",
        "with_preprocess": "put decoding and resizing of a JPEG of 500 x 375 pixels on the clock too",
        "patient": "let auto try the engines that compile for minutes too",
        "why": "also list the stages by time, and say what bounds each",
        "include_preprocess": "let the graph take uint8 pictures of any size, and resize, crop and normalise them",
        "cam": "a second output: class activation maps of every class",
        "random_weights": "take a network's name or JSON file, with weights that nobody trained",
        "by_stage": "let one stage grow before another: more depths for a small network, where uniform ones are few",
        "per_stage": "choose the width and the repeats of every stage by themselves (--depth and --width: 0.5:2 each)",
        "quick": "measure a quarter of the samples, more briefly",
        "no_recheck": "trust the device file, without measuring a few samples of it again",
        "resume": "go on with the run in --out from its newest state",
        "no_proxies": "leave the zero-cost proxies out, which build every network",
        "unchecked": "do not look first for damaged pictures, which are left out, and for copies that judge",
        "test_judges": "let ImageNet's val/ judge as --val, which is its test set: its figures then choose the weights",
        "compile": "compile the network first: minutes once, then faster steps",
        "tensorboard": "write events for TensorBoard too",
        "again": "look at a run's test pictures though they were looked at before; its events say so",
        "force": "write over a file that is there",
        "verbose": "list every name in the original and in the new file",
        "stored": "list: what is in the store, with sizes and paths, instead of what is published",
        "exact": "decode every pixel of large JPEGs, more slowly",
    }
)
