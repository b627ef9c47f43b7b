"""A training run: steps over drawn examples, validation after each epoch, a state from which a killed run resumes."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from lsafnet.checkpoint.files import save_checkpoint
from lsafnet.training.examples import stack_examples
from lsafnet.training.trainer import LabelledBatch, LossError, Trainer, TrainingOptions, learning_rate
from lsafnet_cli.errors import DeviceError, OptionError
from lsafnet_cli.files.replacing import output_errors, replacing
from lsafnet_cli.observer import Observer, watched
from lsafnet_cli.options import DeviceOptions
from lsafnet_cli.system.apart import without_main_module
from lsafnet_cli.system.devices import choose_device, is_out_of_memory
from lsafnet_cli.system.heap import FreedMemory
from lsafnet_cli.training.boards import open_board
from lsafnet_cli.training.curves import draw_curves
from lsafnet_cli.training.domain import domain_of, training_images
from lsafnet_cli.training.draws import Schedule
from lsafnet_cli.training.options import TrainOptions
from lsafnet_cli.training.processes import Processes, joined_processes, own_device
from lsafnet_cli.training.report import TrainingReport, report_of
from lsafnet_cli.training.setup import TrainingSetup, build_start, draws_of, prepare_training
from lsafnet_cli.training.state import BEST, CURVES, LAST, EpochTotals, Progress, RunFolder, epoch_file
from lsafnet_cli.training.validate import validate
from lsafnet_cli.training.watching import EpochRow

SAVE_EVERY_SECONDS = 300.0
ONE_VALUE = "more than 1 value per channel"  # what torch's batch norm says of a batch of one pooled feature


def train_network(
    data_sets: str | Path | Sequence[str | Path],
    run_folder: str | Path,
    options: TrainOptions | None = None,
    observer: Observer | None = None,
) -> TrainingReport:
    """Train a network on one data set or several, or resume an interrupted run with the same options.

    A data set is a folder or the JSON file that describes it, see docs/training.md.
    The run's folder holds `best.safetensors` (by SeK on the validation split), `last.safetensors`, `metrics.csv`,
    `curves.png`, `training.json` and the state. Raises LsafnetError.
    """
    options = options or TrainOptions()
    observer = observer or Observer()
    paths = [data_sets] if isinstance(data_sets, str | Path) else data_sets
    setup = prepare_training([Path(path) for path in paths], options, observer)
    device, precision = _device(options)
    current = torch.cuda.device(device) if device.type == "cuda" else nullcontext()  # pinned copies go by it
    with (
        current,
        joined_processes(device, options.batch_size, options.accumulate) as processes,
        ExitStack() as stack,
    ):
        run = RunFolder(Path(run_folder), device)
        if processes.leads:
            stack.enter_context(run.held(observer.notice))
            run.begin(setup.fingerprint(), options.resume, options.overwrite)
        with memory_advice():
            training = Training(setup, run, device, precision, processes, observer)
            training.resume()
            report = training.run_all()
    return report


@contextmanager
def memory_advice() -> Iterator[None]:
    """Turn out-of-memory errors into a DeviceError that says what to lower."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise DeviceError(
            "out of memory; lower `batch_size` or `crop_px`, or give `accumulate`, which computes a batch in parts"
        ) from error


class Training:
    """One process' part in a run."""

    def __init__(
        self,
        setup: TrainingSetup,
        run: RunFolder,
        device: torch.device,
        precision: str,
        processes: Processes,
        observer: Observer,
    ) -> None:
        options = setup.options
        torch.manual_seed(options.seed)
        self.setup, self.run, self.device = setup, run, device
        self.processes, self.observer = processes, observer
        self.images = training_images(setup)
        draws = self.draws = draws_of(setup, setup.train)
        self.schedule = Schedule(
            per_epoch=options.crops_per_epoch or len(draws),
            batch_size=options.batch_size,
            epochs=options.epochs,
            part=processes.rank,
            parts=processes.count,
            pieces=options.accumulate,
        )
        network = build_start(setup).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if processes.count > 1 and device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        together = processes.together(network, device)
        self.trainer = Trainer(network, self._trainer_options(precision), device, together)
        self.progress = Progress()
        self.saved = time.monotonic()

    def _trainer_options(self, precision: str) -> TrainingOptions:
        options = self.setup.options
        return TrainingOptions(
            steps=self.schedule.epochs * self.schedule.steps_per_epoch,
            optimizer="adamw" if options.optimizer == "adamw" else "sgd",
            learning_rate=options.rate(self.setup.data_sets[0].layout.name),
            weight_decay=options.weight_decay,
            power=options.power,
            warmup_steps=options.warmup_steps,
            bce="balanced" if options.recipe == "rsiscd" else "plain",
            ema_decay=options.ema_decay,
            bf16=precision == "bf16",
            backbone_rate=options.backbone_rate,
            clip_norm=options.clip,
            class_weights=_class_weights(self.setup),
            label_sets=self.setup.sets,
        )

    def resume(self) -> None:
        """Resume from the folder's state, if there is one and resuming is wanted. Raises OutputError, InputError."""
        if not self.setup.options.resume:
            return
        found = self.run.load(self.setup.fingerprint(), self.setup.options.overwrite)
        if found is not None:
            state, self.progress = found
            self.trainer.load_state_dict(state)
            done = (
                "is complete already" if self.progress.complete else f"resumed after step {self.trainer.step}"
            )
            self.observer.notice(f"{self.run.path}: {done}")

    def run_all(self) -> TrainingReport:
        """Take all steps that are left."""
        schedule, observer = self.schedule, self.observer
        total = schedule.epochs * schedule.steps_per_epoch
        tensorboard = self.setup.options.tensorboard and self.processes.leads
        with (
            watched(observer, "train", total, "steps", done=self.trainer.step),
            open_board(self.run.path, tensorboard) as board,
            FreedMemory(every_size=True) as freed,
        ):
            if self.setup.options.start is not None and self.trainer.step == 0:
                self.progress.start = self._scores()
            with without_main_module():  # its processes are started here
                batches = iter(self._loader())
            while self.trainer.step < total and not self.progress.complete:
                self._step(batches)
                freed.used_once()
                if self.trainer.step % schedule.steps_per_epoch == 0:
                    board.add(self._end_epoch())
        return self._report()

    def _loader(self) -> DataLoader[Any]:
        options = self.setup.options
        spawned: dict[str, Any] = {"multiprocessing_context": "spawn"} if options.workers else {}
        return DataLoader(
            self.draws,
            batch_sampler=replace(self.schedule, first_step=self.trainer.step),
            num_workers=options.workers,
            collate_fn=partial(stack_examples, normalization=self.setup.info.normalization),
            pin_memory=self.device.type == "cuda",
            worker_init_fn=_one_thread,
            **spawned,
        )

    def _step(self, batches: Iterator[LabelledBatch]) -> None:
        start = time.perf_counter()
        pieces = [next(batches) for _ in range(self.schedule.pieces)]
        waited = time.perf_counter() - start
        try:
            terms = self.trainer.train_step(*pieces)
        except LossError as error:
            raise OptionError(
                f"{error} (try `learning_rate`, `precision` fp32 or `warmup_steps`); "
                f"{self.run.path} keeps the last good state"
            ) from error
        except ValueError as error:
            if ONE_VALUE not in str(error):
                raise
            raise OptionError(
                f"`batch_size` {self.setup.options.batch_size}: batch normalisation needs more than one value per "
                "channel; raise `batch_size` or `crop_px`, or lower `accumulate`"
            ) from error
        self.progress.tally.add(terms, time.perf_counter() - start, waited)
        epoch = (self.trainer.step - 1) // self.schedule.steps_per_epoch + 1
        self.observer.advance(1, f"epoch {epoch}", loss=terms["total"])
        ending = self.trainer.step % self.schedule.steps_per_epoch == 0
        if not ending and time.monotonic() - self.saved > SAVE_EVERY_SECONDS:
            self._save()

    def _scores(self) -> dict[str, float]:
        """Return the scores on the validation split, which the leading process finds and tells the others."""
        scores = validate(self.trainer.averaged, self.setup, self.device) if self.processes.leads else None
        return dict(self.processes.agree(scores))

    def _end_epoch(self) -> EpochRow:
        """Validate, keep the row, and save; the leading process alone does so and tells the others."""
        tally, self.progress.tally = self.progress.tally, EpochTotals()
        row = EpochRow(
            epoch=len(self.progress.history) + 1,
            step=self.trainer.step,
            learning_rate=learning_rate(self.trainer.step - 1, self.trainer.options),
            seconds=tally.seconds,
            waiting=tally.waiting,
            losses=tally.means,
            scores=self._scores(),
        )
        progress = self.progress
        progress.history.append(row)
        best = progress.best is row
        patience = self.setup.options.patience
        waited = row.epoch - (progress.best.epoch if progress.best else 0)
        progress.complete = row.epoch == self.schedule.epochs or (patience is not None and waited >= patience)
        self.observer.finish(f"epoch {row.epoch}", row.words(best), **row.flat(), best=best)
        if self.processes.leads:
            self._publish(row, best)
        self._save()
        return row

    def _publish(self, row: EpochRow, best: bool) -> None:
        info = replace(
            self.setup.info,
            metrics={name: round(x, 5) for name, x in row.scores.items()},
            domain=domain_of(self.trainer.averaged, self.setup.info, self.images),
        )
        kept = (epoch_file(row.epoch),) if self.setup.options.keep_epochs else ()
        for name in (LAST, *((BEST,) if best else ()), *kept):
            with output_errors(self.run.path / name):
                save_checkpoint(self.run.path / name, self.trainer.averaged, info)
        self.run.write_history(self.progress.history)
        if find_spec("matplotlib") is not None:
            with replacing(self.run.path / CURVES) as path:
                draw_curves(self.progress.history, path)

    def _save(self) -> None:
        self.saved = time.monotonic()
        if self.processes.leads:
            self.run.save(self.trainer.state_dict(), self.progress, self.setup.fingerprint())

    def _report(self) -> TrainingReport:
        report = report_of(self.run, self.setup, self.progress, self.trainer.step)
        if self.processes.leads:
            self.run.write_facts(
                {"options": self.setup.fingerprint(), "complete": True, "report": report.as_dict()}
            )
        return report


def _class_weights(setup: TrainingSetup) -> tuple[float, ...] | None:
    """Return the weights of classes 0..K-1. Raises OptionError where there are not as many as classes."""
    given = setup.options.class_weights
    names = [entry.name for entry in setup.info.classes[1:]]
    if given is not None and len(given) != len(names):
        raise OptionError(f"`class_weights`: {len(given)} numbers; give one for each of {', '.join(names)}")
    return None if given is None else (1.0, *given)


def _device(options: TrainOptions) -> tuple[torch.device, str]:
    device = choose_device(DeviceOptions(own_device(options.device), options.precision))
    if device.precision == "fp16":
        return device.torch_device, "fp32"  # training in fp16 would need its losses scaled
    return device.torch_device, device.precision


def _one_thread(_: int) -> None:
    torch.set_num_threads(1)
