"""Runs GPTQModel: `python -m aretusa_compress.gptq.library_worker JOB.json`, in its own folder.

A process of its own, because the library wants settings in the environment before it is imported,
writes logs into the current folder and starts threads that outlive its work. The job is a JSON
object with the keys of gptq.library; the result is a directory.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from threading import Thread
from typing import Any


def main() -> None:
    """Read the job, do it."""
    end_with_parent()
    job: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    # The library refuses to work with fewer, as on a machine of two cores.
    os.environ["GPTQMODEL_CPU_WORKERS"] = "2"
    import torch  # noqa: PLC0415 - after the environment

    torch.manual_seed(job["seed"])
    torch.set_num_threads(job["threads"])
    match job["work"]:
        case "quantise":
            _quantise(job)
        case "branches":
            _branches(job)
        case other:
            message = f"no such work: {other!r}"
            raise ValueError(message)


def end_with_parent() -> None:
    """End this process when the one at the other end of its stdin does, by a kill, too.

    Otherwise the work of a killed run goes on, and writes where the next run works.
    """

    def wait() -> None:
        # Reading sys.stdin itself would keep a lock that the interpreter's end needs.
        os.read(sys.stdin.fileno(), 1)
        os._exit(1)

    Thread(target=wait, daemon=True).start()


def _quantise(job: dict[str, Any]) -> None:
    from gptqmodel import BACKEND, GPTQModel, QuantizeConfig  # noqa: PLC0415

    config = QuantizeConfig(
        bits=job["bits"],
        group_size=job["group"],
        sym=job["symmetric"],
        damp_percent=job["damping"],
        desc_act=False,
        act_group_aware=job["reorder"],
        pack_impl="original",  # the other one compiles C++ first, and writes the same bits
    )
    model = GPTQModel.load(job["model"], config, device=job["device"], trust_remote_code=False)
    model.quantize(_windows(job), batch_size=1, backend=BACKEND.GPTQ_TORCH)
    model.save(job["output"])


def _branches(job: dict[str, Any]) -> None:
    from gptqmodel import GPTQModel  # noqa: PLC0415
    from gptqmodel.adapter.adapter import Lora  # noqa: PLC0415

    GPTQModel.adapter.generate(
        adapter=Lora(path=job["output"], rank=job["rank"]),
        model_id_or_path=job["original"],
        quantized_model_id_or_path=job["model"],
        calibration_dataset=_windows(job),
        calibration_dataset_concat_size=0,
        device=job["device"],
    )


def _windows(job: dict[str, Any]) -> list[dict[str, list[int]]]:
    return [{"input_ids": ids, "attention_mask": [1] * len(ids)} for ids in job["windows"]]


if __name__ == "__main__":
    main()
