#!/usr/bin/env bash
# Runs the whole chain of PaddleNLP's neural search for a short time, from this checkout alone: pretraining,
# SimCSE, in-batch negatives, a ranker with the margin ranking loss, export, extraction, loading, search.
#
#   make dev
#   examples/chain.sh
#
# Each stage starts from the network of the stage before. All are short, so the models are poorer than
# the shipped ones; give your own texts and more steps for models of your own.
# ERNIE_GRAM names the body of the ranker: a directory of ERNIE-Gram, or ernie-gram-zh, which
# paddlenlp fetches. Without it the ranker starts from the chain's own encoder.
# A chain that was cut off resumes when it is started again; all results lie in runs/chain.
set -euo pipefail
cd "$(dirname "$0")/.."
xunwen=${XUNWEN:-.venv/bin/xunwen}
run=runs/chain
titles=data/literature_titles.jsonl
query=${QUERY:-国有企业引入非国有资本对创新绩效的影响}
steps=${STEPS:+steps=$STEPS validate_every=$STEPS}  # STEPS replaces each recipe's number of steps

say() { printf '\n==> %s\n' "$*"; }

[ -x "$xunwen" ] || { echo "There is no $xunwen: run \`make dev\` first." >&2; exit 1; }

say "1 pretrain: predict hidden words of the titles"
"$xunwen" train pretrain chain-pretrain $steps

say "2 SimCSE: two views of a title belong together"
"$xunwen" train simcse chain-simcse $steps

say "3 in-batch negatives: find the title of its key terms"
"$xunwen" train inbatch chain-inbatch $steps
"$xunwen" export $run/inbatch/best $run/encoder --max-tokens 64 --query-max-tokens 64

say "4 ranker: the title above what the encoder confuses with it, by a margin"
[ -f $run/lists.tsv ] ||
	"$xunwen" mine $titles $run/lists.tsv --encoder $run/encoder --sample 600 \
		--exclude data/literature_papers.jsonl --negatives 1 --first 2 --last 30
"$xunwen" train rank chain-ranker $steps ${ERNIE_GRAM:+model.source="$ERNIE_GRAM" model.pooling=pooler}
"$xunwen" export $run/ranker/best $run/ranker-model --max-tokens 96 --query-max-tokens 64

say "5 extract: the vectors of all titles"
"$xunwen" extract $titles $run/vectors --encoder $run/encoder

# The system takes free ports, so that it disturbs no other that runs already.
for part in GATEWAY RECALL RANK INDEXER MILVUS STATE CACHE; do
	export XUNWEN_${part}_PORT=0
done
export XUNWEN_HOME=$run/var XUNWEN_ENCODER=$run/encoder XUNWEN_RANKER=$run/ranker-model
say "6 load: into a system that serves both models"
trap '"$xunwen" down' EXIT
"$xunwen" up --detach --no-sample
"$xunwen" load $run/vectors --collection titles

say "7 search"
"$xunwen" search "$query" --collection titles

say "done; serve it again with"
echo "    XUNWEN_HOME=$XUNWEN_HOME XUNWEN_ENCODER=$XUNWEN_ENCODER XUNWEN_RANKER=$XUNWEN_RANKER $xunwen up"
