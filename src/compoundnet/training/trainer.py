"""Lightning's Trainer for a recipe on a host: loop, precision, processes, accumulation, clipping."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import torch
from lightning_fabric.connector import _PRECISION_INPUT
from pytorch_lightning import Trainer
from pytorch_lightning.loggers import TensorBoardLogger

from compoundnet.recipes import Recipe
from compoundnet.recipes.recipe import Precision

from .host import Host
from .state import TrainingError

_PRECISION: Mapping[Precision, _PRECISION_INPUT] = MappingProxyType(
    {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}
)


def trainer_of(recipe: Recipe, host: Host, folder: Path) -> Trainer:
    """A Trainer that leaves batches, states and validation's meaning to us. Raises TrainingError, one line."""
    accelerator = host.accelerator
    if recipe.precision == "float16" and (accelerator == "cpu" or not torch.accelerator.is_available()):
        raise TrainingError("float16 needs a GPU; train in bfloat16 or float32 on a processor")
    devices, nodes = _processes(host)
    return Trainer(
        accelerator=accelerator,
        devices=devices,
        num_nodes=nodes,
        strategy="ddp" if devices * nodes > 1 else "auto",
        precision=_PRECISION[recipe.precision],
        accumulate_grad_batches=recipe.accumulate,
        gradient_clip_val=recipe.optimizer.clip_norm,
        logger=[_events(folder)] if host.tensorboard else False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )


def _events(folder: Path) -> TensorBoardLogger:
    """A file of its own for each start: their usual names are equal within a second, and the older is written over."""
    return TensorBoardLogger(folder, name="tensorboard", version="", filename_suffix=f".{time.time_ns()}")


def _processes(host: Host) -> tuple[int, int]:
    """Processes on each machine, and machines: torchrun says, where it started us."""
    if not torch.distributed.is_torchelastic_launched():
        return host.devices, 1
    here = int(os.environ["LOCAL_WORLD_SIZE"])
    return here, int(os.environ["WORLD_SIZE"]) // here
