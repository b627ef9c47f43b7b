#!/usr/bin/env bash
#SBATCH --job-name=lsafnet
#SBATCH --array=1-8
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=8
#SBATCH --mem=32G
#SBATCH --time=12:00:00
#SBATCH --requeue
# One shard of a batch for each task of the array; OUT_DIR lies where all nodes see it. A task that is put back into
# the queue goes on where it was. Afterwards, once:
#   sbatch --dependency=afterany:JOB_ID --wrap "lsafnet batch --collect OUT_DIR"
# Usage: sbatch lsafnet-array.sh BEFORE_DIR AFTER_DIR OUT_DIR [OPTIONS OF lsafnet batch]
set -euo pipefail
before=$1 after=$2 output=$3
shift 3
exec lsafnet batch "$before" "$after" --output "$output" --shard auto --quiet "$@"
