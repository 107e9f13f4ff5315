"""All objects of a run, checked before anything is written."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from lossagent import environment, iqa
from lossagent.agents import Agent
from lossagent.agents.table import create as create_agent
from lossagent.build.checks import check_chat, check_networks, check_sets, check_sizes
from lossagent.build.networks import application_of, build_losses, build_networks
from lossagent.build.scores import metrics_of, objective_of
from lossagent.build.sets import Sets, build_sampler, build_sets
from lossagent.build.weights import foreign_weights
from lossagent.chat import ChatModel
from lossagent.chat.table import create as create_chat
from lossagent.data import ImageSet
from lossagent.evaluation import Row
from lossagent.experiment import Experiment
from lossagent.feedback import Feedback, MetricFacts
from lossagent.losses import LOSSES, LossRepository
from lossagent.metrics import Metric
from lossagent.metrics.table import FOREIGN
from lossagent.objectives import Scores
from lossagent.objectives.base import Pixels
from lossagent.objectives.people import People
from lossagent.training.networks import Networks
from lossagent.training.pictures import Application
from lossagent.training.ranks import Ranks
from lossagent.training.sampler import Sampler
from lossagent.training.settings import TrainingSettings

Lookup = Callable[[str], Pixels | None]


@dataclass
class Parts:
    """The objects of a run.

    Attributes:
        experiment: what they were made from.
        device: where networks are.
        networks, repository, sampler, application: for training.
        sets: image sets.
        metrics: name -> metric, targets and guards.
        ceiling: metric -> score of the feedback images' ground truth; passing it raises the alarm.
        agent: who decides.
        chat: the language model behind the agent, if it asks one.
        warnings: what a reader of the run should know.
    """

    experiment: Experiment
    device: torch.device
    networks: Networks
    repository: LossRepository
    sampler: Sampler
    application: Application
    sets: Sets
    metrics: dict[str, Metric]
    ceiling: dict[str, float]
    agent: Agent
    chat: ChatModel | None
    warnings: tuple[str, ...]

    def objective(self, images: ImageSet, start: Lookup) -> Scores:
        """Scores of one image set.

        Args:
            images: the set.
            start: S_0's output by image name, for guards that compare with it.
        """
        return objective_of(self.metrics, images, start, self.device)

    def reference_rows(self, images: ImageSet) -> dict[str, Row]:
        """The ground truth's own scores in metrics that look at one image alone."""
        feedback = reference_scores(self.metrics, images, self.device)
        return {"ground truth": Row(None, None, feedback)} if feedback is not None else {}

    @property
    def facts(self) -> dict[str, MetricFacts]:
        """Facts of every metric, those that people give included."""
        asked = self.experiment.people.inquiry if self.experiment.people is not None else None
        people = People(asked).facts if asked is not None else {}
        return dict(people) | {name: metric.facts for name, metric in self.metrics.items()}

    @property
    def guards(self) -> frozenset[str]:
        """Metrics that are watched, not steered by."""
        return frozenset(self.metrics) - {target.metric for target in self.experiment.goal.targets}

    @property
    def loss_facts(self) -> dict[str, str]:
        """Loss name -> what raising it does, for prompts."""
        return {name: LOSSES.facts(settings.kind) for name, settings in self.experiment.losses.items()}

    @property
    def foreign_licences(self) -> tuple[str, ...]:
        """What a run and its report have to say of the licences of others, as metrics or losses."""
        scored = any(metric.facts.implementation == "pyiqa" for metric in self.metrics.values())
        trained = any((loss.metric or "").startswith(FOREIGN) for loss in self.experiment.losses.values())
        return (iqa.licence_notice(),) if scored or trained else ()

    def record(self) -> dict[str, Any]:
        """What goes into ``environment.json``."""
        return {
            **environment.record(self.device, self.facts, self.foreign_licences),
            "seeds": {"experiment": self.experiment.seed},
            "weights": foreign_weights(self.experiment),
            "image_sets": self.sets.record(),
            "ceiling": self.ceiling,
            "overlaps": list(self.sets.overlaps),
        }

    def close(self) -> None:
        """Frees the language model."""
        if self.chat is not None:
            self.chat.close()


def build(experiment: Experiment, overlaps: Sequence[str] | None = None) -> Parts:
    """Makes every object of a run; nothing is written.

    Args:
        experiment: what is wanted.
        overlaps: what the check of the image sets found when the run began, for one that goes on.

    Raises:
        Refused: whatever cannot work, named.
    """
    training = experiment.training
    device = prepare_device(training)
    repository, opponents = build_losses(experiment, device)
    networks = build_networks(experiment, opponents, device)
    sets = build_sets(experiment, overlaps)
    metrics, warnings = metrics_of(experiment, sets)
    chat = create_chat(experiment.chat) if experiment.chat is not None else None
    agent = create_agent(experiment.agent, chat)
    sampler, application = build_sampler(experiment, sets.train, device), application_of(experiment)
    check_chat(chat)
    check_networks(networks, repository, sampler, application, device, training)
    check_sets(sets, metrics, experiment)
    check_sizes(sets, networks.restorer, application, device)
    if training.ema_warning is not None:
        warnings.append(training.ema_warning)
    if device.type != "cpu" and not training.deterministic:
        warnings.append("on this device a resumed run is bit-exact only with training.deterministic: true.")
    ceiling = reference_scores(metrics, sets.feedback, device)
    means = ceiling.means() if ceiling is not None else {}
    return Parts(
        experiment=experiment,
        device=device,
        networks=networks,
        repository=repository,
        sampler=sampler,
        application=application,
        sets=sets,
        metrics=metrics,
        ceiling={name: value for name, value in means.items() if value is not None},
        agent=agent,
        chat=chat,
        warnings=(*warnings, *sets.conversions(), *sets.notes, *sets.overlaps),
    )


def prepare_device(training: TrainingSettings) -> torch.device:
    """Sets threads and determinism, joins the processes of the run, and returns this one's device.

    Raises:
        Refused: a batch that does not divide by processes and micro-batches.
    """
    ranks = Ranks.join()
    ranks.share(training.batch, training.accumulate)
    if training.threads is not None:
        torch.set_num_threads(training.threads)
    if training.deterministic:
        # cuBLAS reads it when it starts; without it deterministic kernels refuse to run.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    return ranks.device


def reference_scores(metrics: Mapping[str, Metric], images: ImageSet, device: torch.device) -> Feedback | None:
    """Scores of a set's ground truth in metrics that look at one image alone; ``None`` without either."""
    references = Sets.references(images)
    alone = {name: m for name, m in metrics.items() if not m.facts.needs_reference}
    if not references or not alone:
        return None
    return objective_of(alone, images, lambda name: None, device)(references)
