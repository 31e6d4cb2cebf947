#!/bin/bash
# Parzen and its peers side by side: `make bench`.
#
# Each figure is the median of ROUNDS runs, Parzen's and the peer's in turn, so
# that both see the same neighbours; one thread unless the line says otherwise.
# The share of the bound is train-step's bound_ms / cpu_ms: on a quiet machine
# that is its time, on a busy one the wall clock would tell of the neighbours.
# Prints a Markdown table and writes build/bench/results.jsonl: first the
# machine, then an object a line. A peer that is missing is named and left out.
set -u
cd "$(dirname "$0")/../.." || exit 1
ROUNDS=${ROUNDS:-3}
B=${B:-build}
SHARED=${PARZEN_SHARED:-../shared}
WORK=$B/bench/work
RESULTS=$B/bench/results.jsonl
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 PARZEN_STATE=$WORK/state PARZEN_BIN=$B/bin
export NODE_PATH=$B/bench/npm/node_modules TMPDIR=$PWD/$WORK PYTHONWARNINGS=ignore
rm -rf "$WORK"
mkdir -p "$WORK"
: >"$RESULTS"

# --- peers ---------------------------------------------------------------------

# Debian's packages belong to its own python3, which need not come first.
python_with() {
    for p in python3 /usr/bin/python3; do
        "$p" -c "import $1" 2>/dev/null && echo "$p" && return
    done
}
TORCH=$(python_with torch)
OPTUNA=$(python_with optuna)
HF=$(node -e "require('tokenizers')" 2>/dev/null && echo node)
missing=
[ -n "$TORCH" ] || missing="$missing PyTorch"
[ -n "$OPTUNA" ] || missing="$missing Optuna"
[ -n "$HF" ] || missing="$missing Hugging-Face-tokenizers"
[ -z "$missing" ] || echo "Missing peers:$missing. \`make bench-peers\` installs them; Parzen's own figures follow." >&2

torch_name=$([ -z "$TORCH" ] || "$TORCH" -c 'import torch; print("PyTorch", torch.__version__)')
optuna_name=$([ -z "$OPTUNA" ] || "$OPTUNA" -c 'import optuna; print("Optuna", optuna.__version__)')
hf_name=$([ -z "$HF" ] || node -p "'HF tokenizers ' + require('tokenizers/package.json').version" 2>/dev/null)
[ -z "$HF" ] || [ -n "$hf_name" ] || hf_name="HF tokenizers"

# --- measuring -----------------------------------------------------------------

# field NAME: a number or text of the JSON object on standard input.
field() {
    sed -n 's/.*"'"$1"'": *"\{0,1\}\([^",}]*\).*/\1/p'
}

median() {
    sort -g | awk '{v[NR] = $1} END {if (NR) print v[int((NR + 1) / 2)]}'
}

# alternate FIELD PEER: runs OURS and PEER in turn (PEER only when the argument
# of that name is not empty). The objects that they print go to $WORK/ours and
# $WORK/peer, the medians of FIELD to ours and theirs.
alternate() {
    local name=$1 peer=$2
    : >"$WORK/ours"
    : >"$WORK/peer"
    for _ in $(seq "$ROUNDS"); do
        eval "$OURS" >>"$WORK/ours" || { echo "failed: $OURS" >&2; exit 1; }
        [ -z "$peer" ] || eval "$PEER" >>"$WORK/peer" 2>/dev/null || { echo "failed: $PEER" >&2; exit 1; }
    done
    ours=$(field "$name" <"$WORK/ours" | median)
    theirs=$(field "$name" <"$WORK/peer" | median)
}

# row WHAT UNIT PEER BETTER(less or more) [SHARE]: what alternate found.
rows=()
row() {
    local ratio=
    [ -z "$theirs" ] || ratio=$(awk -v a="$ours" -v b="$theirs" -v w="$4" 'BEGIN {print w == "less" ? b / a : a / b}')
    printf '{"what": "%s", "unit": "%s", "ours": %s, "peer": %s, "peer_name": "%s", "ratio": %s, "share_of_bound": %s}\n' \
        "$1" "$2" "$ours" "${theirs:-null}" "$3" "${ratio:-null}" "${5:-null}" >>"$RESULTS"
    rows+=("$(awk -v what="$1" -v unit="$2" -v a="$ours" -v name="$3" -v b="$theirs" -v r="$ratio" -v s="${5:-}" '
        function short(x) { return x >= 1000 ? sprintf("%d", x) : x >= 100 ? sprintf("%.0f", x) : sprintf("%.3g", x) }
        BEGIN { printf "| %s | %s %s | %s | %s | %s |", what, short(a), unit,
                b == "" ? "-" : short(b) " " unit " (" name ")",
                r == "" ? "-" : sprintf("%.1fx", r), s == "" ? "-" : sprintf("%.0f %%", 100 * s) }')")
    echo "${rows[-1]}" >&2
}

# --- the figures ---------------------------------------------------------------

train_step() {
    local oracle=$SHARED/oracles/torch_reference.py
    local peer="\$TORCH tests/bench/peer_torch.py step"
    [ ! -e "$oracle" ] || peer="\$TORCH $oracle time"
    for d in 64 128 256; do
        OURS="$B/bench/train-step d=$d" PEER="$peer d=$d"
        alternate ms "$TORCH"
        local share
        share=$(awk 'match($0, /"bound_ms":[^,]*/) {b = substr($0, RSTART + 11, RLENGTH - 11)}
                     match($0, /"cpu_ms":[^,]*/) {cpu = substr($0, RSTART + 9, RLENGTH - 9)}
                     {print b / cpu}' "$WORK/ours" | median)
        row "training step, d $d" ms "$torch_name" less "$share"
    done
    blas=$(tail -1 "$WORK/ours" | sed -n 's/.*"blas":"\([^"]*\)".*/\1/p')
    kernels=$(tail -1 "$WORK/ours" | field kernels)
}

bf16() {
    if ! "$B/bench/train-step" precision=bf16-mixed steps=3 >/dev/null 2>&1; then
        echo "bf16-mixed: not on this CPU" >&2
        return
    fi
    OURS="$B/bench/train-step d=256 precision=bf16-mixed" PEER="$B/bench/train-step d=256"
    alternate ms ours
    row "training step, d 256, bf16-mixed" ms "float32, ours" less
}

tokenizer() {
    local file=$SHARED/data/conversations-train_sft.jsonl
    [ -e "$file" ] || file=configs/quick-data.jsonl
    OURS="$B/bench/bpe $file field=completion repeat=3" PEER="node tests/bench/peer_bpe.js $file completion 350 3"
    alternate train_ms "$HF"
    local same=
    if [ -n "$HF" ]; then
        same=", other output!"
        [ "$(field hash <"$WORK/ours" | tail -1)" != "$(field hash <"$WORK/peer" | tail -1)" ] || same=", same merges"
    fi
    row "tokenizer training, 350 texts$same" ms "$hf_name" less
    ours=$(field encode_ms <"$WORK/ours" | median)
    theirs=$(field encode_ms <"$WORK/peer" | median)
    row "encoding, $(head -1 "$WORK/ours" | field texts) texts${same/merges/ids}" ms "$hf_name" less
}

suggest() {
    for n in 1000 10000; do
        OURS="$B/bench/suggest n=$n" PEER="\$OPTUNA tests/bench/peer_optuna.py suggest $n"
        alternate suggest_us "$OPTUNA"
        row "suggestion, 5 parameters, $n trials" us "$optuna_name" less
    done
}

trials() {
    OURS="$B/bench/trials workers=2 n=5000"
    PEER="rm -f $WORK/optuna.db; \$OPTUNA tests/bench/peer_optuna.py trials 100 2 $WORK/optuna.db"
    alternate trials_per_s "$OPTUNA"
    row "durable trials, 2 workers" /s "$optuna_name, SQLite" more
}

# A model of configs/$1.json after an epoch, as a folder.
model() {
    local name=$1
    shift
    "$B/bin/parzen" train "configs/$name.json" "$@" --set training.max_epochs=1 --out "$WORK/$name" >"$WORK/$name.log" &&
        "$B/bin/parzen" export "$WORK/$name"/best-*.safetensors "$WORK/$name-model" >"$WORK/$name.log" || {
        cat "$WORK/$name.log" >&2
        exit 1
    }
}

predict_file() {
    local start
    start=$(date +%s.%N)
    "$B/bin/parzen" predict "$1" --jsonl --field completion --file "$2" >"$WORK/predicted" || return 1
    awk -v n="$(wc -l <"$2")" -v a="$start" -v b="$(date +%s.%N)" 'BEGIN {printf "{\"texts_per_s\": %.1f}\n", n / (b - a)}'
}

# Parzen's time is all of `parzen predict`: start, reading, tokens, printing;
# the peer's is the forward pass alone, of the same tokens.
predict() {
    model quick --set model.emb_dim=32 --set model.num_heads=4 --set tokenizer.tokenizer_length=600 \
        --set training.lr=0.001 --set training.weight_decay=0.001
    model notebook-fixed --set data.source='"configs/quick-data.jsonl"' --set data.min_class_count=1 \
        --set 'data.fractions=[0.1,0.4,0.5]'
    for name in quick notebook-fixed; do
        for _ in $(seq $([ $name = quick ] && echo 17 || echo 1)); do cat configs/quick-data.jsonl; done >"$WORK/texts.jsonl"
        "$B/bin/parzen" tokenizer encode "$WORK/$name-model/tokenizer.json" --file "$WORK/texts.jsonl" \
            --field completion >"$WORK/ids"
        OURS="predict_file $WORK/$name-model $WORK/texts.jsonl"
        PEER="\$TORCH tests/bench/peer_torch.py predict $WORK/$name-model $WORK/ids"
        alternate texts_per_s "$TORCH"
        row "prediction, $name model" texts/s "$torch_name, without tokenizing" more
    done
}

train_step
bf16
tokenizer
suggest
trials
predict

cpu=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -1)
os=$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)
machine=$(printf '{"date": "%s", "cpu": "%s", "cores": %d, "os": "%s", "blas": "%s", "kernels": "%s", "rounds": %d, "load": %s}' \
    "$(date -u +%F)" "$cpu" "$(nproc --all)" "$os" "$blas" "$kernels" "$ROUNDS" "$(cut -d' ' -f1 /proc/loadavg)")
sed -i "1i $machine" "$RESULTS"
rm -rf "$WORK"

echo "$(date -u +%F), $cpu, $(nproc --all) cores, $os; $blas; kernels $kernels; medians of $ROUNDS runs in turn."
echo
echo "| what | Parzen | peer | ratio | share of the bound |"
echo "|---|---|---|---|---|"
printf '%s\n' "${rows[@]}"
