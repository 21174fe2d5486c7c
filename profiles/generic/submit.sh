#!/usr/bin/env bash
# Submit one job and print its name for status.sh and cancel.sh: <its file>@<its number>.
# Snakemake calls this script from the project's folder:
#
#     submit.sh NAME THREADS MEGABYTES MINUTES GPUS SCRIPT
# Queues report finished jobs differently and forget them soon, so each job writes its own exit
# status to .snakemake/generic/<its file>.ended.
set -euo pipefail
name=$1 threads=$2 megabytes=$3 minutes=$4 gpus=$5 script=$6

mkdir -p .snakemake/generic
job=$(mktemp "$PWD/.snakemake/generic/$name.XXXXXX")
cat >"$job" <<END
#!/bin/sh
sh '$script'
echo \$? >'$job.part' && mv '$job.part' '$job.ended'
END

# TO EDIT. The same line for other queues:
#   Grid Engine  qsub -terse -V -N "$name" -pe smp "$threads" -l "h_vmem=$((megabytes / threads))M"
#                  -l "h_rt=$((minutes * 60))" -j y -o "$job.log" "$job"
#   LSF          bsub -J "$name" -n "$threads" -M "${megabytes}MB" -W "$minutes" -oo "$job.log"
#                  sh "$job" | grep -oE '[0-9]+' | head -n 1
number=$(qsub -V -N "${name:0:15}" -j oe -o "$job.log" \
    -l "select=1:ncpus=$threads:mem=${megabytes}mb:ngpus=$gpus" \
    -l "walltime=$((minutes / 60)):$((minutes % 60)):00" "$job")
echo "${job##*/}@$number"
