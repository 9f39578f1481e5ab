#!/usr/bin/env bash
# Trains an encoder from start to end in about ten minutes, from this checkout alone.
#
#   make dev
#   examples/demonstration.sh
#
# The shipped encoder is trained further on the shipped titles of 8,000 papers, exported, and compared
# with the shipped one on the keywords of papers that neither of them saw.
# A run that was cut off resumes when it is started again; all results lie in runs/demonstration.
set -euo pipefail
cd "$(dirname "$0")/.."
xunwen=${XUNWEN:-.venv/bin/xunwen}
run=runs/demonstration

say() { printf '\n==> %s\n' "$*"; }

[ -x "$xunwen" ] || { echo "There is no $xunwen: run \`make dev\` first." >&2; exit 1; }

say "train"
"$xunwen" train inbatch demonstration "$@"

say "export"
"$xunwen" export $run/best $run/model --max-tokens 160 --query-max-tokens 64

# Measures how well keywords find their titles, on the papers of the split that may be used to tune.
measure() { "$xunwen" eval offline --tasks keywords_to_title --split dev --sample 300 "$@"; }

say "measure the shipped encoder"
measure --encoder models/literature-encoder --save $run/before

say "measure the new encoder, and compare"
# The tolerance lets a demonstration succeed even if the new encoder is a little worse.
measure --encoder $run/model --against $run/before --tolerance 5 --report $run/report.html

say "done"
cat <<END
The new model is $run/model, the comparison with curves $run/report.html.
Serve it in a home of its own, because other vectors want another index:

    XUNWEN_ENCODER=$run/model XUNWEN_HOME=var/demonstration $xunwen up
END
