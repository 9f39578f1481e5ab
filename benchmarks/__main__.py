"""All benchmarks, or the named ones: `make bench`, `python -m benchmarks embed rerank`.

search needs a running system (`xunwen up`), scale a Milvus server; what is not there is
left out in words.
"""

import argparse
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import httpx

from benchmarks import embed, peers, rerank, scale, search
from benchmarks.run import Run
from services.common.engine.processor import computes_in_bfloat16
from xunwen.cli.context import local_url


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = ("embed", "rerank", "search", "scale")
    parser.add_argument("which", nargs="*", metavar="WHICH",
                        help=f"of {', '.join(names)}; default: all")  # fmt: skip
    parser.add_argument("--peers", default=",".join(peers.REQUIREMENTS),
                        help="comma-separated; empty for none")  # fmt: skip
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
    parser.add_argument("--milvus", default=None, help="of the Milvus server that scale fills")
    parser.add_argument("--sizes", default="10000,100000,1000000", help="of scale")
    options = parser.parse_args()
    wanted = options.which or names
    if unknown := set(wanted) - set(names):
        parser.error(f"there is no benchmark {unknown.pop()}; {', '.join(names)}")
    chosen = [name for name in options.peers.split(",") if name]
    if unknown := set(chosen) - set(peers.REQUIREMENTS):
        parser.error(f"there is no peer {unknown.pop()}; {', '.join(peers.REQUIREMENTS)}")
    bfloat16 = computes_in_bfloat16() and not options.without_bfloat16
    with (
        tempfile.TemporaryDirectory(prefix="xunwen-bench-") as folder,
        ProcessPoolExecutor(1, get_context("spawn")) as outside,
    ):
        outside.submit(os.getpid).result()  # started while nothing of ours is loaded
        for name, benchmark in (("embed", embed.main), ("rerank", rerank.main)):
            if name in wanted:
                benchmark(Run(Path(folder), chosen, outside, options.processor_time, bfloat16))
    if "search" in wanted:
        url = options.url or local_url()
        try:
            httpx.get(f"{url}/livez")
        except httpx.TransportError:
            print(f"search is left out: nobody answers at {url}; run `xunwen up`", file=sys.stderr)
        else:
            search.main(url)
    if "scale" in wanted:
        if options.milvus:
            scale.main(options.milvus, [int(size) for size in options.sizes.split(",")])
        else:
            print("scale is left out: name a server with --milvus", file=sys.stderr)


if __name__ == "__main__":
    main()
