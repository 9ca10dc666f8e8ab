"""Greedy decoding with llama-cpp-python, timed token by token; runs in that package's environment.

Arguments: GGUF file, prompt, new tokens, threads. Prints JSON. Imports nothing of this project.
"""

import json
import sys
import time

import llama_cpp  # type: ignore[import-not-found]


def main() -> None:
    """Feed the prompt, then choose and feed the likeliest token again and again."""
    path, prompt, count, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    model = llama_cpp.Llama(
        model_path=path, n_ctx=512, n_threads=threads, n_threads_batch=threads, verbose=False
    )
    ids = model.tokenize(prompt.encode(), add_bos=True, special=False)
    start = time.monotonic()
    model.eval(ids)
    prefill_s = time.monotonic() - start
    tokens = [int(model.sample(temp=0.0))]
    wall, cpu = time.monotonic(), time.process_time()
    for _ in range(count - 1):
        model.eval([tokens[-1]])
        tokens.append(int(model.sample(temp=0.0)))
    found = {
        "version": llama_cpp.__version__,
        "system": llama_cpp.llama_print_system_info().decode(),
        "prompt": list(ids),
        "tokens": tokens,
        "prefill_s": prefill_s,
        "decode_s": time.monotonic() - wall,
        "decode_cpu_s": time.process_time() - cpu,
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
