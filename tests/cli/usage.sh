#!/bin/bash
# usage.sh - wrong usage gives one line on stderr, nothing on stdout, and exit status 2, also on two
# ranks. What cannot be done gives one line and exit status 1.
source "$(dirname "$0")/../tap.sh"

one_line() { same "$1: one line" 1 "$(grep -c '^ithaca: error: ' "$err")"; }

usage() {
    local name=$1
    shift
    expect "usage: $name" 2 "$ITHACA" "$@"
    same "usage: $name: nothing on stdout" "" "$(cat "$out")"
    one_line "usage: $name"
}

echo "The rain came from the north and the harbour was quiet." >"$work/text"
usage "unknown command" dance
usage "no model" run -p hello
usage "no prompt" run -m $NEEDLE
usage "unknown option" run -m $NEEDLE -p hello --dance
says() { matches "usage: $1: says what" "$err" "$2"; }
usage "an option of another program" run -m $NEEDLE -p hello --ctx-size 100
says "an option of another program" "unknown option --ctx-size \(did you mean --ctx\?\)"
usage "an option that is like none" run -m $NEEDLE -p hello --zzz=3
says "an option that is like none" "unknown option --zzz;"
usage "an abbreviation of several" run -m $NEEDLE -p hello --top 3
says "an abbreviation of several" "--top may be one of 2 options"
usage "a flag with a value" run -m $NEEDLE -p hello --json=1
says "a flag with a value" "option --json takes no value"
usage "a text without its option" run -m $NEEDLE hello
says "a text without its option" "unexpected argument \"hello\": give a text with -p"
usage "a misspelt command" rnu $NEEDLE -p hello
says "a misspelt command" "unknown command \"rnu\" \(did you mean run\?\)"
usage "a misspelt kind of bench" bench modle $NEEDLE
says "a misspelt kind of bench" "unknown command \"bench modle\" \(did you mean model\?\)"
usage "a command that is like none" abracadabra
says "a command that is like none" "unknown command \"abracadabra\"; see"
usage "a misspelt option" run $NEEDLE -p hello --max-tokesn 3
says "a misspelt option" "unknown option --max-tokesn \(did you mean --max-tokens\?\)"
usage "a misspelt word" run $NEEDLE -p hello --distribution shraded
says "a misspelt word" "--distribution takes auto, replicated, sharded or streamed, not \"shraded\" \(did you mean sharded\?\)"
usage "two models" run $NEEDLE -m $NEEDLE -p hello
usage "no folder of a cache" cache ls
usage "no command" -m $NEEDLE -p hello
says "no command" "a command must precede -m"
usage "help for what is no command" help dance
usage "option without its value" run -p hello -m
usage "not a number" run -m $NEEDLE -p hello -n many
says "not a number" "-n \(--max-tokens\) takes a whole number"
usage "out of range" run -m $NEEDLE -p hello --top-p 2
usage "unknown choice" score -m $NEEDLE -f "$work/text" --kv q3
usage "stray word" tokenize -m $NEEDLE -p hello world
usage "ids and text" run -m $NEEDLE --ids "$work/text" -p hello
usage "text twice" tokenize -m $NEEDLE -p hello -f "$work/text"
usage "template options without a template" run -m $NEEDLE --raw -p hello --system "be kind"
usage "contradiction" score -m $NEEDLE -f "$work/text" --exact --quant w4

# options that would have no effect
usage "a type of a model that has its own" bench model $NEEDLE --type zz
usage "two kinds of help" help --man --completion bash
usage "the count of a text" tokenize $NEEDLE -p hello --render --count
usage "a type beside a list of them" eval perplexity $NEEDLE -f "$work/text" --quant w8 --quants w8,w4
usage "a cache's type beside a list of them" eval perplexity $NEEDLE -f "$work/text" --kv f32 --kvs q8,f32
usage "a model that guesses nothing" run $NEEDLE -p hello --speculate off --draft "$work/text"
usage "markers in ids" run $NEEDLE --ids "$work/text" --parse-special

usage "speculation of an unknown kind" run -m $NEEDLE -p hello --speculate luck
usage "drafts longer than a pass" run -m $NEEDLE -p hello --speculate lookup:16
usage "drafts without a length" run -m $NEEDLE -p hello --speculate lookup:
usage "a drafting model that is not named" run -m $NEEDLE -p hello --speculate draft
usage "many prompts with a drafting model" batch $NEEDLE -i in -o out --speculate draft
usage "many prompts with a drafting model, served" serve $NEEDLE --speculate draft:3
usage "prompt lookup by a model" run -m $NEEDLE -p hello --speculate lookup --draft $NEEDLE

usage "bench of nothing" bench
usage "bench of an unknown kind" bench luck
usage "bench of two models" bench model -m $NEEDLE --shape qwen3-8b
usage "bench in two forms" bench model -m $NEEDLE --csv --json
usage "bench at depths that fall" bench model -m $NEEDLE --depths 10,5

expect "no command at all" 2 "$ITHACA"
expect "usage on 2 ranks" 2 scripts/on_ranks.sh 2 "$ITHACA" run -m $NEEDLE --dance
one_line "usage on 2 ranks"

fails() {
    local name=$1 regex=$2
    shift 2
    expect "fails: $name" 1 "$@"
    one_line "fails: $name"
    matches "fails: $name: says what" "$err" "$regex"
}

echo "1 2 three" >"$work/bad.ids"
: >"$work/empty"
fails "missing file" "^ithaca: error: $work/none: No such file" "$ITHACA" run -m $NEEDLE -f "$work/none"
fails "missing file on 2 ranks" "^ithaca: error: $work/none: No such file" scripts/on_ranks.sh 2 "$ITHACA" run -m $NEEDLE -f "$work/none"
fails "missing model" "$work/none: No such" "$ITHACA" run -m "$work/none" -p hello
fails "missing model on 2 ranks" "$work/none: No such" scripts/on_ranks.sh 2 "$ITHACA" score -m "$work/none" -f "$work/text"
fails "a word among ids" "entry 3, \"three\"" "$ITHACA" score -m $NEEDLE --ids "$work/bad.ids"
fails "a word among ids on 2 ranks" "entry 3, \"three\"" scripts/on_ranks.sh 2 "$ITHACA" score -m $NEEDLE --ids "$work/bad.ids"
fails "nothing to score" "not one token" "$ITHACA" score -m $NEEDLE -f "$work/empty"
fails "more than the context holds" "context of 8" "$ITHACA" score -m $NEEDLE -f "$work/text" --ctx 8
fails "a prompt that the context does not hold" "the prompt has [0-9]+ tokens, more than the context of 8: .*--ctx" "$ITHACA" run -m $NEEDLE -f "$work/text" --ctx 8
fails "memory for nothing" "^ithaca: error: 0 MiB available per rank.*--mem" "$ITHACA" run -m $NEEDLE -p hello --mem 1MiB
fails "a drafting model of another vocabulary" "--draft: .* vocabulary of .* needs the same" "$ITHACA" run -m $NEEDLE -p hello --draft synthetic:smollm2-135m:q4_0
fails "statistics of another kind" "not a statistics file of ithaca calibrate: $NEEDLE/config.json" "$ITHACA" run -m $NEEDLE -p hello --stats $NEEDLE/config.json
fails "a cache where no folder can be" "cannot create the folder $work/none/x: No such file" "$ITHACA" run -m $NEEDLE -p hello --prompt-cache "$work/none/x"
fails "a cache that is a file" "$work/text is not a folder" "$ITHACA" run -m $NEEDLE -p hello --prompt-cache "$work/text"
fails "a pack where no file can be" "cannot create $work/none/x.ith: No such file" "$ITHACA" pack $NEEDLE -o "$work/none/x.ith"
fails "statistics where no file can be" "cannot create $work/none/x: No such file" "$ITHACA" calibrate -m $NEEDLE -f "$work/text" -o "$work/none/x"
same "statistics where no file can be: before the work" 0 "$(grep -c prefill "$err")"
fails "statistics in place of a folder" "$work is not a regular file" "$ITHACA" calibrate -m $NEEDLE -f "$work/text" -o "$work"
echo 99999 >"$work/far.ids"
fails "an id outside the vocabulary" "99999" "$ITHACA" score -m $NEEDLE --ids "$work/far.ids"

fails "a scaling of positions of no known form" "expected none, linear:FACTOR, yarn:FACTOR" "$ITHACA" run -m $NEEDLE -p hello --rope-scaling stretch:4
expect "a prompt beyond the trained length" 0 "$ITHACA" score -m $NEEDLE -f "$work/text" --rope-scaling yarn:1:8 --ctx 64
matches "a prompt beyond the trained length: the option is named" "$err" "more than the 8 that the model was trained for.*--rope-scaling yarn:2:8"

expect "the model as an argument of its own" 0 "$ITHACA" score $NEEDLE -f "$work/text" -q
mv "$out" "$work/score"
expect "the model after the options" 0 "$ITHACA" score -f "$work/text" -q $NEEDLE
same "the model after the options: the same" "$(cat "$work/score")" "$(cat "$out")"
expect "a context in k" 1 "$ITHACA" score $NEEDLE --ids <(seq 1100) -c 1k
matches "a context in k: k is 1,024" "$err" "context of 1024"
usage "a context in another unit" score $NEEDLE -f "$work/text" -c 1g
expect "old names of options and words" 0 "$ITHACA" score $NEEDLE -f "$work/text" -q --placement replicated --quant keep \
    --weights-by threads --exchange-parts 1
mv "$out" "$work/score"
expect "their new names" 0 "$ITHACA" score $NEEDLE -f "$work/text" -q --distribution replicated --quant lossless \
    --shares threads --head-slices 1
same "their new names: the same" "$(cat "$work/score")" "$(cat "$out")"

expect "| head ends quietly" 0 bash -c "'$ITHACA' help --man 2>'$err' | head -n 1; echo \${PIPESTATUS[0]} >'$work/status'"
same "| head: nothing is said" "" "$(cat "$err")"
matches "| head: the line" "$out" "ITHACA"

