"""The loop that every stage shares: steps, log, validation, checkpoints, exact resume."""

import logging
import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import paddle
from paddle.nn import ClipGradByGlobalNorm
from paddle.optimizer import AdamW
from paddle.optimizer.lr import LambdaDecay

from training import durable
from training.data.stream import BatchStream
from training.failures import RunDiverged
from training.run import checkpoint
from training.run.checkpoint import Progress
from training.run.directory import BEST, CHECKPOINTS, LAST, claimed
from training.run.metrics_log import MetricsLog
from training.run.objective import Objective, StepResult
from training.run.recipe import OptimizerSettings, Recipe

log = logging.getLogger(__name__)

E = TypeVar("E")


def train(recipe: Recipe, objective: Objective[E]) -> Path:
    """Runs or continues `recipe`; returns the directory of the best network.

    The run directory holds recipe.yaml, data.json, train.log, metrics.csv, loss.png, checkpoints/,
    best/ (lowest validation loss; the last network if nothing is held back) and last/. The
    randomness of a step is a function of the seed and its number, so a run that was killed ends
    where an uninterrupted one does. Raises RunInUse, RunMismatch, RunDiverged.
    """
    with claimed(recipe) as run:
        return _train(recipe, objective, run)


def _train(recipe: Recipe, objective: Objective[E], run: Path) -> Path:
    schedule = _schedule(recipe.optimizer, recipe.steps)
    optimizer = _optimizer(recipe.optimizer, schedule, objective)
    progress = checkpoint.restore(run / CHECKPOINTS, objective.network, optimizer) or Progress()
    if progress.step:
        log.info("continuing after step %d", progress.step)
    metrics = MetricsLog(run, progress.step)
    batching = objective.batching()
    stream = BatchStream(objective.examples, batching, recipe.seed, progress.position)
    validated = objective.validation()
    began, seconds_before = time.monotonic(), progress.seconds
    since, losses, tokens = began, list[float](), 0
    batches = iter(stream)
    while progress.step < recipe.steps:
        drawn = [*islice(batches, recipe.accumulate)]
        position = drawn[-1][1]
        step = progress.step + 1
        result = _step(objective, optimizer, [batch for batch, _ in drawn], recipe.seed, step)
        rate = schedule.get_lr()
        schedule.step()
        progress.step, progress.position = step, position
        progress.tokens += result.tokens
        losses.append(result.loss)
        tokens += result.tokens
        done = step == recipe.steps
        if step % recipe.log_every == 0 or done:
            now = time.monotonic()
            speed = tokens / max(now - since, 1e-9)
            loss = float(np.mean(losses))
            log.info(
                "step %d/%d loss %.4f rate %.2e %.0f tokens/s",
                step,
                recipe.steps,
                loss,
                rate,
                speed,
            )
            metrics.add(step, loss=loss, learning_rate=rate, tokens_per_second=speed)
            since, losses, tokens = now, [], 0
        if validated and (step % recipe.validate_every == 0 or done):
            held_back = batching.batches(validated, np.random.default_rng(recipe.seed))
            value = _validate(objective, held_back, recipe.seed)
            metrics.add(step, validation_loss=value)
            log.info("step %d validation loss %.4f", step, value)
            if progress.best is None or value < progress.best:
                progress.best = value
                objective.save(run / BEST)
                # The next checkpoint counts on it: only a lower loss replaces it.
                durable.sync(run / BEST)
            since = time.monotonic()
        if step % recipe.checkpoint_every == 0 or done:
            progress.seconds = seconds_before + time.monotonic() - began
            checkpoint.save(run / CHECKPOINTS, progress, objective.network, optimizer)
            metrics.draw()
    objective.save(run / LAST)
    if not validated:
        objective.save(run / BEST)
    log.info("%d steps, %d tokens, %.0f s", progress.step, progress.tokens, progress.seconds)
    return run / BEST


def _step(
    objective: Objective[E], optimizer: AdamW, batches: list[list[E]], seed: int, step: int
) -> StepResult:
    """Makes one step by the mean gradient of the batches."""
    objective.network.train()
    rng = np.random.default_rng([seed, 1, step])
    paddle.seed(int(rng.integers(2**31)))
    results = [objective.backward(batch, rng) for batch in batches]
    loss = sum(result.loss for result in results) / len(results)
    if not np.isfinite(loss):
        raise RunDiverged(f"the loss of step {step} is {loss}: lower the rate")
    if len(results) > 1:
        with paddle.no_grad():
            for parameter in objective.network.parameters():
                if parameter.grad is not None:
                    parameter.grad.scale_(1 / len(results))
    optimizer.step()
    optimizer.clear_grad()
    return StepResult(loss, sum(result.tokens for result in results))


def _validate(objective: Objective[E], batches: Iterable[list[E]], seed: int) -> float:
    objective.network.eval()
    rng = np.random.default_rng([seed, 2])
    paddle.seed(seed)
    with paddle.no_grad():
        weighted, examples = 0.0, 0
        for batch in batches:
            weighted += objective.evaluate(batch, rng).loss * len(batch)
            examples += len(batch)
    return weighted / examples


def _schedule(settings: OptimizerSettings, steps: int) -> LambdaDecay:
    warmup = settings.warmup * steps

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return (steps - step) / max(steps - warmup, 1)

    return LambdaDecay(settings.learning_rate, factor)


def _optimizer(
    settings: OptimizerSettings, schedule: LambdaDecay, objective: Objective[E]
) -> AdamW:
    decayed = {
        parameter.name
        for name, parameter in objective.network.named_parameters()
        if not name.endswith("bias") and "norm" not in name
    }
    return AdamW(
        schedule,
        parameters=objective.network.parameters(),
        weight_decay=settings.weight_decay,
        apply_decay_param_fun=decayed.__contains__,
        grad_clip=ClipGradByGlobalNorm(settings.clip),
    )
