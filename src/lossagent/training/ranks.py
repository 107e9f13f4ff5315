"""The processes of one run: who they are, what each takes, how they agree.

A single process is ``Ranks()``: nothing here then communicates, waits or copies.

Two groups of connections: gradients and losses travel over the default group (NCCL between GPUs, gloo on CPUs); words
between the processes travel over a gloo group of their own, whose patience is a week: an agent may ask a person, and
NCCL would give up after minutes. Words are pickled by torch; they come from processes of the same job alone.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from accelerate import PartialState
from torch import Tensor

from lossagent.errors import Diverged, Failed, Interrupted, Refused, Waiting

T = TypeVar("T")
PATIENCE = timedelta(days=7)
"""How long a process waits for another one that is alive; a dead one is noticed at once."""


@dataclass(frozen=True)
class Verdict:
    """What ended a process, told to the others so that they end alike."""

    kind: str
    text: str

    @classmethod
    def of(cls, error: BaseException) -> Verdict:
        """The verdict that an error amounts to."""
        if isinstance(error, KeyboardInterrupt):
            return cls("interrupted", str(error) or "interrupted")
        kinds = {Refused: "refused", Diverged: "diverged", Failed: "failed", Waiting: "waiting"}
        name = next((kind for known, kind in kinds.items() if isinstance(error, known)), "failed")
        text = str(error) if isinstance(error, tuple(kinds)) else f"{type(error).__name__}: {error}"
        return cls(name, text)

    def error(self, rank: int) -> BaseException:
        """The error that the other processes raise."""
        text = f"process {rank}: {self.text}"
        kinds: dict[str, type[BaseException]] = {
            "interrupted": Interrupted,
            "refused": Refused,
            "diverged": Diverged,
            "failed": Failed,
            "waiting": Waiting,
        }
        return kinds[self.kind](text)


@dataclass(frozen=True)
class Ranks:
    """This process among those of the run.

    Attributes:
        rank: its number, from 0; process 0 decides, asks and writes.
        size: how many there are.
        device: where its networks are.
        control: the group of connections for words.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    control: dist.ProcessGroup | None = None

    @staticmethod
    def join() -> Ranks:
        """Joins the processes that ``torchrun`` or ``accelerate launch`` started; alone without them.

        Which device is this process's, and which backend it speaks, is Accelerate's choice. Without an accelerator it
        must be told that processes are meant to work on CPUs: it takes each for alone otherwise.

        Raises:
            Failed: Accelerate sees another number of processes than PyTorch.
        """
        if _joined:
            return _joined[-1]
        wanted = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")
        state = PartialState(cpu=wanted or (_launched() > 1 and not torch.accelerator.is_available()))
        if dist.is_available() and dist.is_initialized() and dist.get_world_size() != state.num_processes:
            raise Failed(
                f"PyTorch knows of {dist.get_world_size()} processes and Accelerate of {state.num_processes}; join "
                "them before anything else makes an Accelerator."
            )
        device = state.device
        assert isinstance(device, torch.device), "Accelerate gives every process a device"
        if device.type == "cpu":
            device = torch.device("cpu")  # Accelerate numbers CPUs by process
        control = None
        if state.num_processes > 1:
            if device.type == "cuda":
                torch.cuda.set_device(device)
            control = cast(dist.ProcessGroup, dist.new_group(backend="gloo", timeout=PATIENCE))
        _joined.append(Ranks(state.process_index, state.num_processes, device, control))
        return _joined[-1]

    @staticmethod
    def here() -> Ranks:
        """The processes joined before; alone where none were."""
        return _joined[-1] if _joined else Ranks()

    @property
    def main(self) -> bool:
        """Whether this process decides, asks and writes."""
        return self.rank == 0

    def share(self, batch: int, accumulate: int = 1) -> tuple[int, int]:
        """(first slot, count) of this process's part of a batch.

        Raises:
            Refused: the batch does not divide by processes and micro-batches.
        """
        if batch % (self.size * accumulate):
            raise Refused(
                f"training.batch is the total over all processes and micro-batches and must divide by "
                f"{self.size} process(es) x training.accumulate {accumulate} = {self.size * accumulate}; found {batch}."
            )
        count = batch // self.size
        return self.rank * count, count

    def own(self, items: Sequence[T]) -> Sequence[T]:
        """This process's part of a list: items rank, rank + size, ..."""
        return items[self.rank :: self.size]

    # -- words --------------------------------------------------------------------------------------------

    def broadcast(self, value: T | None) -> T:
        """Process 0's value, on every process."""
        if self.size == 1:
            return cast(T, value)
        held: list[Any] = [value]
        dist.broadcast_object_list(held, src=0, group=self.control)
        return held[0]

    def gather(self, value: T) -> list[T]:
        """The values of all processes in their order, on every process."""
        if self.size == 1:
            return [value]
        held: list[Any] = [None] * self.size
        dist.all_gather_object(held, value, group=self.control)
        return held

    def collect(self, value: T) -> list[T]:
        """The values of all processes in their order, on process 0; an empty list elsewhere."""
        if self.size == 1:
            return [value]
        held: list[Any] | None = [None] * self.size if self.main else None
        dist.gather_object(value, held, dst=0, group=self.control)
        return held or []

    def scatter(self, values: Sequence[T] | None) -> T:
        """This process's item of process 0's list, which has one for each."""
        if self.size == 1:
            assert values is not None
            return values[0]
        held: list[Any] = [None]
        dist.scatter_object_list(held, list(values) if values is not None else None, src=0, group=self.control)
        return held[0]

    def most(self, number: int) -> int:
        """The largest of the numbers of all processes."""
        if self.size == 1:
            return number
        held = torch.tensor([number])
        dist.all_reduce(held, op=dist.ReduceOp.MAX, group=self.control)
        return int(held)

    def any(self, flag: bool) -> bool:
        """Whether any process says so."""
        return bool(self.most(int(flag)))

    def barrier(self) -> None:
        """Waits until every process is here."""
        self.most(0)

    # -- ending together ----------------------------------------------------------------------------------

    def from_main(self, make: Callable[[], T]) -> T:
        """What process 0 makes, on every process; where it fails, all fail alike.

        Raises:
            BaseException: whatever ``make`` raises on process 0; elsewhere one of the same exit status.
        """
        if self.size == 1:
            return make()
        return self._tell(make, send=True) if self.main else self.broadcast_outcome()

    def from_main_alone(self, make: Callable[[], T]) -> T:
        """On process 0: as :meth:`from_main`, but what is made stays here; the others get ``None``."""
        return make() if self.size == 1 else self._tell(make, send=False)

    def _tell(self, make: Callable[[], T], send: bool) -> T:
        try:
            value = make()
        except BaseException as error:  # Ctrl-C too: the others are waiting
            self.broadcast((Verdict.of(error), None))
            raise
        self.broadcast((None, value if send else None))
        return value

    def broadcast_outcome(self) -> Any:  # noqa: ANN401  (whatever process 0 made)
        """On the other processes: what process 0 made in :meth:`from_main`.

        Raises:
            BaseException: of the same exit status as what it raised.
        """
        verdict, value = self.broadcast(None)
        if verdict is not None:
            raise verdict.error(0)
        return value

    @contextmanager
    def together(self) -> Generator[None]:
        """Every process gets through the block, or none does; inside it nothing may communicate.

        Raises:
            BaseException: what went wrong here; else one of the same exit status, naming the process it went wrong on.
        """
        own: BaseException | None = None
        try:
            yield
        except BaseException as error:
            if self.size == 1:
                raise
            own = error
        if self.size > 1:
            self.agree(own)

    def agree(self, own: BaseException | None) -> None:
        """Tells whether all is well here; raises on every process where it is not on any.

        Raises:
            BaseException: see :meth:`together`.
        """
        verdicts = self.gather(Verdict.of(own) if own is not None else None)
        if own is not None:
            raise own
        for rank, verdict in enumerate(verdicts):
            if verdict is not None:
                raise verdict.error(rank)

    @contextmanager
    def in_touch(self) -> Generator[None]:
        """Turns the many errors of a broken connection into one sentence.

        Raises:
            Failed: another process ended without a word.
        """
        try:
            yield
        except RuntimeError as error:
            if self.size == 1 or not (isinstance(error, dist.DistError) or "gloo" in str(error).lower()):
                raise
            raise Failed(
                f"process {self.rank} of {self.size} lost touch with the others: one of them has ended; "
                "its own message says why."
            ) from error

    # -- numbers ------------------------------------------------------------------------------------------

    def mean(self, values: Tensor) -> Tensor:
        """The mean of equally shaped tensors of all processes; the tensor itself where there is one."""
        if self.size == 1:
            return values
        total = values.detach().clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total.div_(self.size)

    def leave(self) -> None:
        """Waits for all, then closes the connections; the last thing that a process does.

        Raises:
            Failed: another process ended without a word.
        """
        if self.size > 1:
            with self.in_touch():
                self.barrier()
            dist.destroy_process_group()
            _joined.clear()
            # What is left of the connections (objects that refer to each other) goes now: freed while the interpreter
            # ends, their threads abort the process.
            gc.collect()


_joined: list[Ranks] = []
"""The processes that this one has joined; a process joins once."""


def _launched() -> int:
    """How many processes a launcher says that there are."""
    names = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
    return max((int(os.environ[name]) for name in names if os.environ.get(name, "").isdigit()), default=1)
