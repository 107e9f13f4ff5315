#!/bin/bash
# A trainer that is another program, steered from the shell: bash examples/steer.sh PHOTOS RUN [STAGES]
# PHOTOS: a folder of PNG photographs. Killed at any moment and started again, it goes on where it was.
set -eu
photos=$1 run=$2 stages=${3:-6}
trainer() { python "$(dirname "$0")/steer_trainer.py" "$@" --photos "$photos"; }

# What a call answers is kept first: a call that fails ends the script, which it would not do inside of eval.
answer=$(lossagent steer --losses mse=1,smooth=0.1 --metric niqe --config '{guards: [psnr_y]}' \
    --references "$photos" --stages "$stages" --folder "$run" --format shell)
eval "$answer"
while [ "$done" = false ]; do
    raw=()
    mkdir -p "$run/nets"
    if [ "$state" -gt 0 ]; then # state 0 is the network before training
        raw=(--raw "$(trainer train --start "$run/nets/$start_from.npy" --weights "$weights" --out "$run/nets/$state.npy")")
    fi
    trainer restore --net "$run/nets/$state.npy" --out "$run/restored"
    answer=$(lossagent steer --folder "$run" --state "$state" --images "$run/restored" ${raw[@]+"${raw[@]}"} --format shell)
    eval "$answer"
done
echo "Best of $of: state $best, $run/nets/$best.npy"
