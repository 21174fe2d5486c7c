#!/usr/bin/env bash
# Benchmark a LLaVA with the shape of the 7B model and random weights on a GPU, in under 8 minutes:
#     bench/gpu.sh [folder for the results]
# Compares extraction with the bare forward pass and with one item at a time (the peers' loop),
# including peak device memory; then times answers after a shared prefix. Without a GPU, it prints a
# message.
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONPATH=workflow OMP_NUM_THREADS=4
python=${PYTHON:-.venv/bin/python}
out=${1:-${OUT:-.}}
if ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
  echo "bench/gpu.sh DID NOT RUN: no GPU that torch $("$python" -c 'import torch; print(torch.__version__)') can use" >&2
  exit 3
fi
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
{
  "$python" -c 'import sys; sys.path.insert(0, "bench"); import tables, torch; print(torch.cuda.get_device_name(0) + ",", tables.stamp())'
  extraction="$python bench/extraction.py --size 7b --device cuda --dtype bfloat16 --rounds 2 --folder $folder"
  timeout 150 $extraction --pictures 64 --questions 1 --batch auto
  timeout 120 $extraction --pictures 16 --questions 10 --batch auto --variants bare shared
  timeout 120 $extraction --pictures 16 --questions 1 --batch 1
  timeout 90 "$python" bench/answering.py --size 7b --folder "$folder" --device cuda --dtype bfloat16 --pictures 16 --rounds 2
} | tee "$out/gpu.md"
