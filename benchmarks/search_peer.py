"""Runs one other search stack on the sample: `python search_peer.py NAME < request > answer`.

It runs in the environment of that stack and imports nothing of the project but the scripts beside
it. The request is JSON: `model` and `ranker` (model directories of ours, for sizes and tokenizers),
`work` (a folder), `documents` ([[id, text], ...]), `queries`, `ranked_queries`, `depth` (candidates
that are ranked), `threads`, `max_tokens`. The answer is {"recall": [milliseconds of each query],
"ranked": [...]}.

The models are BERTs of our size with random weights: speed does not depend on weights, and none of
these stacks loads ours. Every stack works as its own documentation shows it.
"""

import json
import os
import sys

from peer import _torch_model
from timing import TOP, reranked, times


def main():
    request = json.load(sys.stdin)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(request["threads"])
    recall, rank = STACKS[sys.argv[1]](request)
    answer = {
        "recall": times(recall, request["queries"]),
        "ranked": times(rank, request["ranked_queries"]),
    }
    sys.stdout.write("\n" + json.dumps(answer))
    sys.stdout.flush()
    os._exit(0)  # threads that a stack started may wait for work for ever


def txtai(request):
    """txtai: an index of vectors and BM25, and its pipeline that scores pairs by a
    cross-encoder."""
    from txtai import Embeddings
    from txtai.pipeline import Similarity

    embeddings = Embeddings(path=_torch_model(request, 0), hybrid=True, content=True)
    embeddings.index((name, text, None) for name, text in request["documents"])
    similarity = Similarity(_torch_model(request, 1), crossencode=True)

    def rank(query):
        found = embeddings.search(query, max(TOP, request["depth"]))
        scores = dict(similarity(query, [each["text"] for each in found[: request["depth"]]]))
        return reranked(found, [scores[at] for at in range(len(scores))])

    return lambda query: embeddings.search(query, TOP), rank


def haystack(request):
    """Haystack: BM25 and embeddings in memory joined by rank, and a cross-encoder as the ranker."""
    from haystack import Document
    from haystack.components.joiners import DocumentJoiner
    from haystack.components.retrievers.in_memory import (
        InMemoryBM25Retriever,
        InMemoryEmbeddingRetriever,
    )
    from haystack.document_stores.in_memory import InMemoryDocumentStore
    from sentence_transformers import CrossEncoder, SentenceTransformer

    encoder = SentenceTransformer(_torch_model(request, 0), device="cpu")
    ranker = CrossEncoder(_torch_model(request, 1), max_length=request["max_tokens"], device="cpu")
    texts = [text for _, text in request["documents"]]
    vectors = encoder.encode(texts, show_progress_bar=False)
    store = InMemoryDocumentStore()
    store.write_documents(
        [
            Document(id=name, content=text, embedding=vector.tolist())
            for (name, text), vector in zip(request["documents"], vectors, strict=True)
        ]
    )
    words = InMemoryBM25Retriever(store)
    dense = InMemoryEmbeddingRetriever(store)
    joiner = DocumentJoiner(join_mode="reciprocal_rank_fusion")

    def recall(query, top=TOP):
        vector = encoder.encode(query, show_progress_bar=False).tolist()
        legs = [
            words.run(query=query, top_k=top)["documents"],
            dense.run(query_embedding=vector, top_k=top)["documents"],
        ]
        return joiner.run(documents=legs, top_k=top)["documents"]

    def rank(query):
        found = recall(query, max(TOP, request["depth"]))
        pairs = [(query, each.content) for each in found[: request["depth"]]]
        return reranked(found, ranker.predict(pairs, show_progress_bar=False))

    return recall, rank


def langchain(request):
    """LangChain: vectors in a file of milvus-lite, and the cross-encoder of its compressor."""
    from langchain_huggingface import HuggingFaceEmbeddings
    from langchain_milvus import Milvus
    from sentence_transformers import CrossEncoder

    embeddings = HuggingFaceEmbeddings(
        model_name=_torch_model(request, 0), model_kwargs={"device": "cpu"}
    )
    ranker = CrossEncoder(_torch_model(request, 1), max_length=request["max_tokens"], device="cpu")
    store = Milvus(
        embedding_function=embeddings,
        connection_args={"uri": f"{request['work']}/langchain.db"},
        index_params={"index_type": "FLAT", "metric_type": "IP"},
        drop_old=True,
    )
    names, texts = zip(*request["documents"], strict=True)
    store.add_texts(list(texts), metadatas=[{"name": name} for name in names])

    def rank(query):
        found = store.similarity_search(query, k=max(TOP, request["depth"]))
        pairs = [(query, each.page_content) for each in found[: request["depth"]]]
        return reranked(found, ranker.predict(pairs, show_progress_bar=False))

    return lambda query: store.similarity_search(query, k=TOP), rank


STACKS = {"txtai": txtai, "haystack": haystack, "langchain": langchain}

if __name__ == "__main__":
    main()
