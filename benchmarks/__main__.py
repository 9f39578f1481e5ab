"""Runs all benchmarks, or the named ones: `make bench`, `python -m benchmarks embed rerank`.

`cold` and `search` need a running system (`xunwen up`) and `scale` a Milvus server; a benchmark
that lacks what it needs is left out, and a line says so.
"""

import argparse
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import httpx

from benchmarks import cold, embed, peers, rerank, scale, search, search_peers
from benchmarks.run import Run
from services.common.engine.processor import computes_in_bfloat16
from xunwen.cli.context import local_url


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = ("embed", "rerank", "cold", "search", "scale")
    parser.add_argument("which", nargs="*", metavar="WHICH",
                        help=f"of {', '.join(names)}; default: all")  # fmt: skip
    parser.add_argument("--peers", default=",".join(peers.REQUIREMENTS),
                        help="comma-separated; empty for none")  # fmt: skip
    parser.add_argument("--stacks", default=",".join(peers.STACKS),
                        help="comma-separated; those that search is set beside")  # fmt: skip
    parser.add_argument(
        "--processor-time",
        action="store_true",
        help="embed and rerank: count processor seconds, on a machine that others use too",
    )
    parser.add_argument(
        "--without-bfloat16",
        action="store_true",
        help="embed and rerank: as on a processor that lacks it, ours in int8, the peers in fp32",
    )
    parser.add_argument("--url", default=None, help="of the gateway; default: `xunwen up`'s")
    parser.add_argument(
        "--milvus",
        default=None,
        help="of the Milvus server that scale fills",
    )
    parser.add_argument(
        "--trial", type=int, metavar="DOCUMENTS",
        help="search: set beside the stacks on so many documents and few queries only",
    )  # fmt: skip
    parser.add_argument("--sizes", default="10000,100000,1000000", help="of scale")
    options = parser.parse_args()
    wanted = options.which or names
    if unknown := set(wanted) - set(names):
        parser.error(f"there is no benchmark {unknown.pop()}; {', '.join(names)}")
    chosen = [name for name in options.peers.split(",") if name]
    if unknown := set(chosen) - set(peers.REQUIREMENTS):
        parser.error(f"there is no peer {unknown.pop()}; {', '.join(peers.REQUIREMENTS)}")
    stacks = options.stacks.split(",")
    if unknown := set(filter(None, stacks)) - set(peers.STACKS):
        parser.error(f"there is no stack {unknown.pop()}; {', '.join(peers.STACKS)}")
    bfloat16 = computes_in_bfloat16() and not options.without_bfloat16
    with (
        tempfile.TemporaryDirectory(prefix="xunwen-bench-") as folder,
        ProcessPoolExecutor(1, get_context("spawn")) as outside,
    ):
        # The process of the peers starts before any engine of ours is loaded.
        outside.submit(os.getpid).result()
        for name, benchmark in (("embed", embed.main), ("rerank", rerank.main)):
            if name in wanted:
                benchmark(Run(Path(folder), chosen, outside, options.processor_time, bfloat16))
    if of_system := [name for name in ("cold", "search") if name in wanted]:
        url = options.url or local_url()
        try:
            httpx.get(f"{url}/livez")
        except httpx.TransportError:
            print(
                f"{' and '.join(of_system)}: left out, nobody answers at {url}; run `xunwen up`",
                file=sys.stderr,
            )
        else:
            if "cold" in wanted:
                cold.main(url)
            if "search" in wanted:
                search.main(url)
                search_peers.main(url, [name for name in stacks if name], options.trial)
    if "scale" in wanted:
        if options.milvus:
            scale.main(options.milvus, [int(size) for size in options.sizes.split(",")])
        else:
            print("scale is left out: name a server with --milvus", file=sys.stderr)


if __name__ == "__main__":
    main()
