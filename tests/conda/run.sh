#!/usr/bin/env bash
# Run a small exam with a real conda, then plan it without conda and with it: no job may run again.
# Without conda, print a message and succeed, because not every machine has one.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
line=$(printf '=%.0s' {1..100})

command -v conda >/dev/null || {
    printf '\n%s\neyechart: the conda tests DID NOT RUN: there is no conda on the PATH\n%s\n\n' \
        "$line" "$line" >&2
    exit 0
}

folder=$(mktemp -d -t eyechart-conda.XXXXXX)
trap 'rm -rf "$folder"' EXIT
git -C "$here" archive HEAD | tar -x -C "$folder"
cd "$folder"
cat >mine.yaml <<'END'
models: [tiny_clip, tiny_llava]
datasets:
  clevr: {layout: clevr, source: render, splits: {train: 40, val: 20}, tasks: [shape]}
probing: {folds: 2, seeds: 1, bootstrap: 100, probes: {mlp: {hidden: 16}}}
END
snakemake=("$here/.venv/bin/snakemake" --cores 2 --configfile mine.yaml)

nothing_to_do() {
    "${snakemake[@]}" -n "$@" >plan.txt 2>&1 || { cat plan.txt >&2; exit 1; }
    grep -q 'Nothing to be done' plan.txt || {
        cat plan.txt >&2
        echo "eyechart: error: jobs run again with the flags: ${*:-none}" >&2
        exit 1
    }
}

"${snakemake[@]}" --use-conda
nothing_to_do --use-conda
nothing_to_do
echo '# a comment' >>envs/base.yaml
nothing_to_do --use-conda
echo "eyechart: with conda, without it and with it again: nothing runs twice"
