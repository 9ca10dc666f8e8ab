"""Tasks of lm-eval (EleutherAI's evaluation harness), put to a subject of any kind.

The library brings prompts, metrics and data sets; SubjectLM answers its three kinds of request
from a subject's logits, so that float checkpoints and compiled programs are judged alike. Files of
tasks may name functions in Python, which the library runs: a folder of tasks is trusted like code.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from lm_eval import simple_evaluate
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from aretusa_compress.errors import UsageError
from aretusa_compress.evaluation.perplexity import log_softmax
from aretusa_compress.evaluation.results import TaskResult
from aretusa_compress.model.source import offline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from lm_eval.api.instance import Instance

    from aretusa_compress.evaluation.subject import Subject

ANSWER_TOKENS: Final = 256  # of generated text, where a task does not say
# Standard errors that have no formula are found by drawing samples anew, so often.
_BOOTSTRAP_DRAWS: Final = 1000


class SubjectLM(LM):
    """A subject as the library sees it; every request is answered by itself, greedily."""

    def __init__(
        self, subject: Subject, progress: Callable[[str, int, int], None] = lambda *_: None
    ) -> None:
        super().__init__()
        self.subject = subject
        self.progress = progress

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """For each (context, continuation) its log-likelihood, and whether greed would say it."""
        return [self._judge(*request.args) for request in self._watched(requests, "choices")]

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        """For each (text,) the log-likelihood of all its tokens, each predicted once."""
        totals = []
        for request in self._watched(requests, "texts"):
            windows = get_rolling_token_windows(
                self.subject.encode(request.args[0]),
                prefix_token=self.subject.start,
                max_seq_len=self.subject.context,
                context_len=1,
            )
            pairs = map(make_disjoint_window, windows)
            totals.append(sum(self._score(given, said)[0] for given, said in pairs))
        return totals

    def generate_until(self, requests: list[Instance]) -> list[str]:
        """For each (context, settings) the text up to the first stop of the settings.

        Raises UsageError E0522 for settings that ask for random text.
        """
        return [self._say(*request.args) for request in self._watched(requests, "answers")]

    def _watched(self, requests: Sequence[Instance], what: str) -> Iterable[Instance]:
        for done, request in enumerate(requests, 1):
            yield request
            self.progress(what, done, len(requests))

    def _judge(self, context: str, continuation: str) -> tuple[float, bool]:
        """Both are encoded together, as a text is; spaces before the cut belong behind it."""
        before = context.rstrip()
        whole = self.subject.encode(context + continuation)
        given = self.subject.encode(before)
        said = whole[len(given) :]
        return self._score(given or [self.subject.start], said)

    def _score(self, given: Sequence[int], said: Sequence[int]) -> tuple[float, bool]:
        """Tokens behind others; what does not fit the context is left out on the left."""
        tokens = [*given, *said][-self.subject.context - 1 :]
        first = max(len(tokens) - 1 - len(said), 0)  # the row that predicts the first of them
        targets = np.asarray(tokens[first + 1 :], np.int64)
        nats, is_greedy, position = 0.0, True, 0
        for chunk in self.subject.logits(tokens[:-1]):
            rows = chunk[max(first - position, 0) :]
            wanted = targets[max(position - first, 0) :][: len(rows)]
            nats -= float(log_softmax(rows)[np.arange(len(rows)), wanted].sum())
            is_greedy &= bool((rows.argmax(axis=-1) == wanted).all())
            position += len(chunk)
        return -nats, is_greedy

    def _say(self, context: str, settings: dict[str, Any]) -> str:
        if settings.get("do_sample") and float(settings.get("temperature", 1.0)) > 0:
            raise UsageError(
                "E0522",
                "the task asks for random text",
                why=f"do_sample with temperature {settings.get('temperature', 1.0)}",
                fix="Set do_sample: false in the task's generation_kwargs",
            )
        until = settings.get("until") or []
        stops = [until] if isinstance(until, str) else list(until)
        most = int(settings.get("max_gen_toks", ANSWER_TOKENS))
        most = min(most, self.subject.context - 1)
        prompt = self.subject.encode(context)[most - self.subject.context :] or [self.subject.start]
        tokens: list[int] = []
        for token in self.subject.continuation(prompt):
            if self.subject.is_end(token) or len(tokens) == most:
                break
            tokens.append(token)
            text = self.subject.decode(tokens)
            if any(stop in text for stop in stops):
                break
        text = self.subject.decode(tokens)
        return text[: min((text.find(stop) for stop in stops if stop in text), default=len(text))]


def run_tasks(
    subject: Subject,
    tasks: Sequence[str],
    *,
    folder: Path | None = None,
    few_shot: int | None = None,
    limit: int | None = None,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> list[TaskResult]:
    """Every metric of the tasks; `folder` holds YAML files of further ones.

    `few_shot` examples stand before each question (None: as the task says), `limit` documents are
    taken of each task. Raises UsageError E0522 for a task that is not known or cannot be made,
    ToolchainError E0503 for data that do not come.
    """
    manager = _manager(tasks, folder)
    try:
        found = simple_evaluate(
            SubjectLM(subject, progress),
            tasks=list(tasks),
            num_fewshot=few_shot,
            limit=limit,
            task_manager=manager,
            bootstrap_iters=_BOOTSTRAP_DRAWS,
            log_samples=False,
        )
    except (ConnectionError, OSError, ImportError) as problem:
        raise offline(f"the data of {', '.join(tasks)}", problem) from problem
    except (KeyError, ValueError, TypeError) as problem:
        raise UsageError(
            "E0522",
            f"lm-eval cannot make {', '.join(tasks)}",
            why=f"{type(problem).__name__}: {str(problem)[:160]}",
            fix="Correct the task's YAML file",
        ) from problem
    return _results(found)


def _manager(tasks: Sequence[str], folder: Path | None) -> TaskManager:
    """Knows the tasks; those of the library, thousands of files, are read only if one is meant."""
    known: set[str] = set()
    if folder is not None:
        manager = TaskManager(include_path=str(folder), include_defaults=False)
        known = set(manager.all_tasks)
        if known.issuperset(tasks):
            return manager
    manager = TaskManager(include_path=None if folder is None else str(folder))
    known |= set(manager.all_tasks)
    for task in tasks:
        if task not in known:
            close = get_close_matches(task, sorted(known), n=3)
            raise UsageError(
                "E0522",
                f"lm-eval knows no task '{task}'",
                why=f"similar: {', '.join(close)}" if close else "",
                fix="Name one that `lm_eval ls tasks` lists, or give its folder with --task-dir",
            )
    return manager


def _results(found: dict[str, Any]) -> list[TaskResult]:
    """One record for each number; the library names them 'metric,filter'."""
    results = []
    for task, numbers in found["results"].items():
        counts = found.get("n-samples", {}).get(task, {})
        for key, value in numbers.items():
            metric, comma, chosen = key.partition(",")
            if not comma or metric.endswith("_stderr") or not isinstance(value, int | float):
                continue
            error = numbers.get(f"{metric}_stderr,{chosen}")
            results.append(
                TaskResult(
                    task=task,
                    metric=metric,
                    filter=chosen,
                    value=float(value),
                    standard_error=float(error) if isinstance(error, int | float) else None,
                    asked=int(counts.get("effective", 0)),
                    few_shot=int(found.get("n-shot", {}).get(task, 0) or 0),
                    version=str(found.get("versions", {}).get(task, "")),
                )
            )
    return results
