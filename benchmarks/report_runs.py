"""The sections of docs/benchmarks.md about running programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goals import PER_MAC_GOAL
from markdown_text import count, paragraph, spread, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from emulated import EmulatedCost, KernelCount
    from host_speed import HostSpeed
    from isolated_kernels import IsolatedCount
    from measurements import Measured
    from subjects import Subject


def instructions_section(subject: Subject, cost: EmulatedCost) -> Iterator[str]:
    """Instructions per token and per kernel of one model."""
    one_hart = sum(cost.per_token_one_hart) / len(cost.per_token_one_hart)
    profiled = sum(cost.profiled_per_token) / len(cost.profiled_per_token)
    kernels = sum(kernel.instructions for kernel in cost.decode) / cost.decode_tokens
    yield f"## Instructions in QEMU: {subject.name}"
    yield ""
    yield from paragraph(
        f"`-icount shift=0,sleep=off`, {cost.harts} harts together, prompt of {cost.prompt_tokens} "
        f"tokens, then {cost.decode_tokens} tokens decoded greedily. Kernels are counted as by "
        "`aretusa run --profile --json`: the run less a run of one token is the decode."
    )
    prefill = cost.prefill_total / cost.prompt_tokens
    sharing = cost.mean_per_token - one_hart
    yield from table(
        ("", "instructions"),
        [
            ("per decoded token", count(cost.mean_per_token)),
            (f"of which sharing among {cost.harts} harts, barriers included", count(sharing)),
            ("per prompt token", count(prefill)),
            ("boot: checksums and the prompt's encoding", count(cost.boot)),
            ("counting per kernel adds, per token", count(profiled - cost.mean_per_token)),
            ("choice of the token and token loop", count(profiled - kernels)),
        ],
    )
    yield "Decode, per token:"
    yield ""
    yield from _kernel_table(cost.decode, cost.decode_tokens)
    yield from _padded(cost.decode)
    yield "Prefill, per prompt token, without the head:"
    yield ""
    yield from _kernel_table(cost.prefill, cost.prompt_tokens)


def _kernel_table(kernels: tuple[KernelCount, ...], tokens: int) -> Iterator[str]:
    total = sum(kernel.instructions for kernel in kernels)
    rows = [
        (
            kernel.work.kernel,
            kernel.work.form,
            count(kernel.work.units / tokens),
            count(kernel.instructions / tokens),
            f"{100 * kernel.instructions / total:.1f} %",
            _per_unit(kernel),
        )
        for kernel in kernels
    ]
    products = [kernel for kernel in kernels if kernel.work.is_product]
    macs = sum(kernel.work.macs for kernel in products)
    spent = sum(kernel.instructions for kernel in products)
    share = f"{100 * spent / total:.1f} %"
    per_mac = f"{spent / macs:.3f} /MAC"
    rows.append(("all products", "", count(macs / tokens), count(spent / tokens), share, per_mac))
    yield from table(("kernel", "form", "MACs or elements", "instructions", "share", "each"), rows)


def _padded(kernels: tuple[KernelCount, ...]) -> list[str]:
    """Products above the goal whose last block is not full."""
    rows = [
        f"{work.kernel} has {work.rows} rows and works on {work.rows_worked_on}"
        for work in (kernel.work for kernel in kernels if _misses(kernel))
        if work.rows < work.rows_worked_on
    ]
    if not rows:
        return []
    return paragraph(f"Rows come in blocks of eight: {'; '.join(rows)}.")


def _misses(kernel: KernelCount) -> bool:
    return kernel.work.is_product and kernel.per_unit >= PER_MAC_GOAL


def _per_unit(kernel: KernelCount) -> str:
    if not kernel.work.macs:
        return f"{kernel.per_unit:.1f} /element"
    text = f"{kernel.per_unit:.3f} /MAC"
    return f"**{text}**" if _misses(kernel) else text


def boot_section(models: Iterable[Measured], kernels: Iterable[IsolatedCount]) -> Iterator[str]:
    """Checksums and the tokenizer."""
    alone = next((k for k in kernels if k.kernel.startswith("crc32c")), None)
    yield "## Boot and tokenizer"
    yield ""
    text = "Every image is checked by CRC-32C before the first token, 64 KiB per hart in turn."
    if alone is not None:
        text += f" The checksum alone takes {alone.per_unit:.2f} instructions per byte."
    yield from paragraph(text)
    known = [(model.subject.name, model.boot) for model in models if model.boot is not None]
    yield from table(
        ("", *(name for name, _ in known)),
        [
            ("bytes of images", *(count(boot.image_bytes) for _, boot in known)),
            ("instructions without a text", *(count(boot.checks) for _, boot in known)),
            ("per byte", *(f"{boot.checks / boot.image_bytes:.3f}" for _, boot in known)),
        ],
    )
    yield "The tokenizer on the device, on one hart:"
    yield ""
    rows = [
        (
            f"{name}, {text.text}",
            count(text.text_bytes),
            count(text.tokens),
            count(text.instructions),
            f"{text.instructions / text.text_bytes:.0f}",
            f"{text.instructions / text.tokens:.0f}",
        )
        for name, boot in known
        for text in boot.texts
    ]
    yield from table(("text", "bytes", "tokens", "instructions", "per byte", "per token"), rows)


def host_section(models: Iterable[Measured]) -> Iterator[str]:
    """Tokens per second on this computer."""
    yield "## Host"
    yield ""
    yield from paragraph(
        "Greedy decode after the same prompt, runs in turn. Our host program is the portable C "
        "that is meant for RV32, compiled with `gcc -O2`: it has no SIMD kernels and exists to "
        "check bits, not to be fast. llama.cpp uses the vector instructions of this processor and "
        "rounds differently, so that the texts may part. Its seconds include the Python loop "
        "around each token (`benchmarks/llama_decode.py`). Waiting threads of both give up their "
        "core (llama.cpp with OMP_WAIT_POLICY=passive unless that is set: its default, spinning, "
        "is quicker on free cores and far slower on busy ones). With a load the lines of one "
        "thread are the ones to read."
    )
    for model in models:
        for host in model.host:
            yield from _host(model.subject, host)
        if model.host and model.host[0].theirs:
            features = model.host[0].theirs[0].system.strip(" |\n")
            yield from paragraph(f"llama.cpp reports: {features}")


def _host(subject: Subject, host: HostSpeed) -> Iterator[str]:
    form = "{:.1f}"
    rows = [
        (
            "aretusa, host",
            spread(host.our_rates(), form),
            spread([1000 * run.decode_cpu_s / host.decoded for run in host.ours], form),
        )
    ]
    if host.theirs:
        rows.append(
            (
                f"llama.cpp (llama-cpp-python {host.theirs[0].version})",
                spread(host.their_rates(), form),
                spread([1000 * run.decode_cpu_s / host.decoded for run in host.theirs], form),
            )
        )
    threads = "1 thread" if host.threads == 1 else f"{host.threads} threads"
    yield f"{subject.name}, {threads}, {host.decoded} tokens, {len(host.ours)} runs:"
    yield ""
    yield from table(("", "tokens per second", "processor ms per token"), rows)
    if not host.theirs:
        yield from paragraph(f"llama.cpp: not measured: {host.no_reference}.")
        return
    same = "the same" if host.ours[0].prompt == host.theirs[0].prompt else "DIFFERENT"
    yield from paragraph(
        f"Ours as a share of llama.cpp's tokens per second: {spread(host.ratios(), '{:.3f}')}; by "
        f"processor time {host.cpu_ratio():.3f}. The ids of the prompt are {same}; the first "
        f"{host.common_tokens()} of {len(host.ours[0].tokens)} tokens are alike."
    )
