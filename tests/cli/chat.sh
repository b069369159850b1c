#!/bin/bash
# chat.sh - `ithaca chat`: messages from a pipe and at a terminal, what is kept between turns, saved
# conversations that go on, on 1 to 3 ranks, and what Ctrl-C does.
source "$(dirname "$0")/../tap.sh"

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export XDG_STATE_HOME=$work/state
mpirun=(mpirun --oversubscribe --bind-to none)
haystack --tokens 1400 --depth 0.5 --seed 3 >"$work/long" 2>/dev/null
echo "A short text about a ship and its crew." >"$work/short"
chat() { "$ITHACA" chat $NEEDLE --threads 1 -n 12 --temp 0 "$@"; }
# said LINE... : a chat's stdout for these lines
said() { printf '%s\n' "$@" | or_fail chat -q; }

# ---- Turns ----

printf '%s\n' "Hello" "/save $work/one.json" "And you?" "/save $work/two.json" >"$work/lines"
expect "two messages" 0 chat <"$work/lines"
cp "$out" "$work/answers"
same "two messages: saved" "4 user assistant user assistant Hello" "$(field "$work/two.json" '" ".join([str(len(j))] + [m["role"] for m in j] + [j[0]["content"]])')"
same "what is saved is its owner's" 600 "$(stat -c %a "$work/two.json")"
# What run says to the same messages, computed from the beginning
alone() { # MESSAGES N: the answer to the first N
    python3 -c 'import json, sys; json.dump(json.load(open(sys.argv[1]))[:int(sys.argv[2])], open(sys.argv[3], "w"))' "$1" "$2" "$work/part.json"
    or_fail "$ITHACA" run $NEEDLE --messages "$work/part.json" --threads 1 -n 12 --temp 0 -q
}
same "the answers are those of run" "$(alone "$work/two.json" 1; alone "$work/two.json" 3)" "$(cat "$work/answers")"
matches "a cut answer is noted" "$err" "note: the answer was cut off: it is as long as -n allows"
same "-q: nothing on stderr" "" "$(chat -q <"$work/lines" 2>&1 >/dev/null)"
same "an empty line is no message" "" "$(said "" "   ")"
same "a message of several lines" "a\\nb|c\\n\\nd" "$(said 'a\' b '"""' c '' 'd"""' "/save $work/m.json" >/dev/null; field "$work/m.json" 'j[0]["content"] + "|" + j[2]["content"]' | sed ':a;N;$!ba;s/\n/\\n/g')"
same "two slashes" "/help me" "$(said '//help me' "/save $work/m.json" >/dev/null; field "$work/m.json" 'j[0]["content"]')"
printf 'caf\xe9\n' >"$work/latin1"
expect "a message that is not UTF-8" 1 chat <"$work/latin1"
matches "a message that is not UTF-8: said so" "$err" "the message is not UTF-8"
expect "no message" 0 chat </dev/null
for lines in 'Hello\' '"""Hello'; do
    expect "$lines, and no more" 1 chat < <(printf '%s\n' "$lines")
    matches "$lines, and no more: said so" "$err" "error: the input ended within a message"
    same "$lines, and no more: no answer" "" "$(cat "$out")"
done

# ---- Only what is new is computed ----

printf '%s\n' "/load $work/long" "/load $work/short" "What is the passkey?" "/load $work/short" "/info" "/save $work/loaded.json" >"$work/lines"
expect "/load" 0 chat <"$work/lines"
sed -n 's/.*: \([0-9]*\) tokens; your next message.*/\1/p' "$err" >"$work/computed"
same "/load: three times" 3 "$(wc -l <"$work/computed")"
same "/load: the first is long" yes "$( (($(sed -n 1p "$work/computed") > 1300)) && echo yes)"
same "/load: the second is computed alone" yes "$( (($(sed -n 2p "$work/computed") < 200)) && echo yes)"
same "/load: the third too, after an answer" yes "$( (($(sed -n 3p "$work/computed") < 200)) && echo yes)"
same "/load: both texts, blank lines, and the question" yes \
    "$(python3 - "$work" <<'PY'
import json, sys
read = lambda name: open(sys.argv[1] + "/" + name).read().rstrip("\n")
print("yes" if json.load(open(sys.argv[1] + "/loaded.json"))[0]["content"] == read("long") + "\n\n" + read("short") + "\n\nWhat is the passkey?" else "no")
PY
)"
same "/load: the answer is that of run" "$(alone "$work/loaded.json" 1)" "$(head -n 1 "$out")"
printf '%s\n' "/load $work/none" "/load" "Hello" >"$work/lines"
expect "/load of nothing: goes on, and fails at the end" 1 chat <"$work/lines"
matches "/load of nothing: said so" "$err" "error: $work/none: No such file"
matches "/load without a name: said so" "$err" "error: the name of a file is missing"
same "/load of nothing: the answer is there" "$(head -n 1 "$work/answers")" "$(cat "$out")"

# What was loaded waits for a message that is answered
seq 1 2000 | tr '\n' ' ' >"$work/numbers"
printf '%s\n' "/load $work/short" "$(cat "$work/numbers")" "Who is it about?" "/save $work/kept.json" "/load $work/short" "$(cat "$work/numbers")" "/undo" "/save $work/kept2.json" >"$work/lines"
expect "a message that is too long after /load: goes on, and fails at the end" 1 chat --ctx 512 <"$work/lines"
same "a message that is too long after /load: said twice" 2 "$(grep -c "more than the context of 512" "$err")"
same "a message that is too long after /load: the next one has the text" "2 $(cat "$work/short")\\n\\nWho is it about?" \
    "$(field "$work/kept.json" 'str(len(j)) + " " + j[0]["content"].replace("\n", "\\n")')"
same "a message that is too long after /load: /undo takes back the text" "" "$(cmp "$work/kept.json" "$work/kept2.json")"

# With saved keys and values, which cannot be cut anywhere
printf '%s\n' "/load $work/long" "What is the passkey?" "/undo" "/clear" "Hello" >"$work/lines"
expect "--prompt-cache, and all forgotten" 0 chat --prompt-cache "$work/kv" <"$work/lines"
same "--prompt-cache, and all forgotten: as in a new chat" "$(head -n 1 "$work/answers")" "$(tail -n 1 "$out")"
chat --prompt-cache "$work/kv" <"$work/lines" >"$work/again" 2>/dev/null
same "--prompt-cache: the same again" "$(cat "$out")" "$(cat "$work/again")"

# ---- Commands ----

same "/retry: the same at temperature 0" "$(head -n 1 "$work/answers")" "$(said Hello /retry | tail -n 1)"
drawn() { printf '%s\n' Hello /retry /retry | chat -q --temp 2 --seed "$1"; }
same "/retry: another answer" 3 "$(drawn 5 | sort -u | wc -l)"
same "/retry: the same three with the same seed" "$(drawn 5)" "$(drawn 5)"
same "/retry: the same three with a message between them that is taken back" "$(drawn 5)" \
    "$(printf '%s\n' Hello /retry "$(cat "$work/numbers")" /retry | chat -q --ctx 512 --temp 2 --seed 5 2>/dev/null)"
printf '%s\n' Hello "/save $work/r1.json" "/system $(cat "$work/numbers")" /retry "/system -" "/save $work/r2.json" /retry >"$work/lines"
expect "/retry without room" 1 chat --ctx 512 <"$work/lines"
matches "/retry without room: said so" "$err" "more than the context of 512"
same "/retry without room: the answer stays" "" "$(cmp "$work/r1.json" "$work/r2.json")"
same "/retry without room: and with room it is the same" "$(head -n 1 "$work/answers")" "$(tail -n 1 "$out")"
echo '[{"role": "system", "content": "Be brief."}, {"role": "assistant", "content": "Yes?"}]' >"$work/first.json"
expect "/retry of an answer to nothing" 1 chat --messages "$work/first.json" < <(printf '%s\n' /retry "/save $work/m.json")
same "/retry of an answer to nothing: it stays" "system assistant" "$(field "$work/m.json" '" ".join(m["role"] for m in j)')"
same "/undo" "$(head -n 1 "$work/answers")" "$(said Other /undo Hello | tail -n 1)"
same "/clear keeps the system message" "Be brief." "$(said '/system Be brief.' Hello /clear /system | tail -n 1)"
same "/system" "$(printf 'Hello\n' | chat -q --system 'Be brief.')" "$(said '/system Be brief.' Hello)"
same "/system -" "$(said Hello)" "$(said '/system Be brief.' '/system -' Hello)"
HOME=$work/home said "/save ~/m.json" >/dev/null 2>&1
same "/save ~/: no folder, no file" "" "$(ls "$work/home" 2>/dev/null)"
mkdir "$work/home"
HOME=$work/home said Hello "/save ~/m.json" >/dev/null
same "/save ~/" "m.json" "$(ls "$work/home")"
expect "/exit" 0 chat < <(printf '/exit\nHello\n')
same "/exit: nothing more is read" "" "$(cat "$out")"
expect "an unknown command" 1 chat < <(echo /lod)
matches "an unknown command: a hint" "$err" 'unknown command /lod \(did you mean /load\?\)'
expect "/retry without an answer" 1 chat < <(echo /retry)
expect "/help" 0 chat < <(echo /help)
same "/help: fits" "" "$(grep -E '.{81}' "$out")"
expect "more than the context holds" 1 chat --ctx 512 < <(printf '%s\n' "/load $work/long" Hello)
matches "more than the context holds: said so" "$err" "more than the context of 512: /undo or /clear"
same "more than the context holds: goes on" "$(head -n 1 "$work/answers")" "$(cat "$out")"
expect "a model without a template" 1 "$ITHACA" chat synthetic:qwen3-0.6b:q8_0 --ctx 64
expect "--messages and --system" 2 chat --messages "$work/one.json" --system hi

# ---- A saved conversation goes on ----

cp "$work/short" "$work/precious"
echo '[{"type": "function"}]' >"$work/tools.json"
for file in precious tools.json; do
    expect "/save over $file" 1 chat < <(printf '%s\n' "Hello" "/load $work/short" "/save $work/$file")
    matches "/save over $file: said so" "$err" "$file exists and holds no conversation"
done
same "/save replaces no other file" "$(cat "$work/short")" "$(cat "$work/precious")"
: >"$work/new.json"
expect "/save over an empty file" 0 chat < <(printf '%s\n' "Hello" "/save $work/new.json")

say=(--temp 1.5 --seed 11)
live=$(printf '%s\n' "Hello" "And you?" "Why?" | chat -q "${say[@]}")
printf '%s\n' "Hello" "/save $work/s1.json" "And you?" "/save $work/s2.json" | chat -q "${say[@]}" >/dev/null
for ranks in 1 2 3; do
    same "resumed on $ranks ranks" "$(sed -n 3p <<<"$live")" \
        "$(echo "Why?" | "${mpirun[@]}" -n $ranks "$ITHACA" chat $NEEDLE --threads 1 -n 12 -q "${say[@]}" --messages "$work/s2.json")"
done
same "a whole chat on 3 ranks" "$live" "$(printf '%s\n' "Hello" "And you?" "Why?" | "${mpirun[@]}" -n 3 "$ITHACA" chat $NEEDLE --threads 1 -n 12 -q "${say[@]}")"
python3 -c 'import json, sys; json.dump(json.load(open(sys.argv[1]))[:3], open(sys.argv[2], "w"))' "$work/s2.json" "$work/open.json"
same "a last message of the user is answered" "$(sed -n 2p <<<"$live")" "$(chat -q "${say[@]}" --messages "$work/open.json" </dev/null)"
echo '[{"role": "user", "content": "x", "n": 0.12345678901234566}, {"role": "assistant", "content": "y"}]' >"$work/digits.json"
echo "/save $work/again.json" | chat -q --messages "$work/digits.json"
same "numbers in messages keep their digits" 0.12345678901234566 "$(field "$work/again.json" 'j[0]["n"]')"
expect "followers end with rank 0" 1 "${mpirun[@]}" -n 2 "$ITHACA" chat $NEEDLE --threads 1 -q < <(echo /lod)

# ---- A terminal ----

cat >"$work/terminal.py" <<'PY'
# terminal.py STEPS COMMAND...: runs the command at a terminal of 80 columns. STEPS is a list of [TEXT, KEYS]: when
# TEXT has appeared, and the terminal takes single keys, KEYS are typed. Prints what appeared.
import fcntl, json, os, pty, re, struct, sys, termios, time
steps, command = json.loads(sys.argv[1]), sys.argv[2:]
pid, fd = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
got, seen = "", 0
while True:
    try:
        more = os.read(fd, 65536)
    except OSError:
        break
    if not more:
        break
    got += more.decode(errors="replace")
    while steps:
        at = got.find(steps[0][0], seen)
        if at < 0:
            break
        seen = at + len(steps[0][0])
        while termios.tcgetattr(fd)[3] & termios.ICANON:
            time.sleep(0.005)
        os.write(fd, steps.pop(0)[1].encode())
print(re.sub("\x1b\\[[0-9;?]*[a-zA-Z]", "", got).replace("\r", ""))
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.exit(status if status >= 0 else 128 - status)
PY
at_terminal() { # STEPS COMMAND...
    env TERM=xterm LC_ALL=C.UTF-8 timeout 300 python3 "$work/terminal.py" "$@"
}
at="$ITHACA chat $NEEDLE --threads 1 -n 12 --temp 0"
hello=$(head -n 1 "$work/answers")

# shellcheck disable=SC2086 # words on purpose
expect "a terminal" 0 at_terminal '[["> ", "Hello\r"], ["context used", "/save '"$work"'/t.json\r"], ["> ", "\u0004"]]' $at
matches "a terminal: the answer" "$out" "^$hello"
same "a terminal: the history is its owner's" "700 600" "$(stat -c %a "$work/state/ithaca" "$work/state/ithaca/chat_history" | tr '\n' ' ' | sed 's/ $//')"
# shellcheck disable=SC2086
expect "Ctrl-C at the prompt" 0 at_terminal '[["> ", "half a line"], ["half a line", "\u0003"], ["> ", "Hello\r"], ["context used", "/save '"$work"'/t.json\r"], ["--messages", "\u0004"]]' $at
same "Ctrl-C at the prompt: the line is gone" "2 Hello" "$(field "$work/t.json" 'len(j), j[0]["content"]' | tr -d "(),'")"
# A signal that comes right before the program waits for a key does not get lost.
# shellcheck disable=SC2086
ITHACA_TEST_HOOK="typed 1 INT" expect "SIGINT before the first key" 0 at_terminal '[["> ", ""], ["> ", "\u0004"]]' $at
mkfifo "$work/silent"
exec 9<>"$work/silent"
echo Hello >&9
ITHACA_TEST_HOOK="typed 2 TERM" expect "SIGTERM before a line of a pipe" 143 timeout 300 "$ITHACA" chat $NEEDLE --threads 1 -n 12 --temp 0 -q <"$work/silent"
same "SIGTERM before a line of a pipe: the first is answered" "$hello" "$(cat "$out")"
exec 9>&-
# shellcheck disable=SC2086
ITHACA_TEST_HOOK="answer 5 INT" expect "SIGINT in an answer" 0 at_terminal '[["> ", "Hello\r"], ["stopped after", "/save '"$work"'/t.json\r"], ["--messages", "\u0004"]]' $at
same "SIGINT in an answer: what was said is kept" "2 yes" "$(field "$work/t.json" 'len(j), "yes" if j[1]["content"] and sys.argv[1] and len(j[1]["content"]) < '${#hello}' else "no"' | tr -d "(),'")"
# shellcheck disable=SC2086
expect "arrow up" 0 at_terminal '[["> ", "\u001b[A\r"], ["--messages", "\u0004"]]' $at --history "$work/state/ithaca/chat_history"
# shellcheck disable=SC2086
cp "$work/short" "$work/precious"
expect "a history that is none" 1 at_terminal '[]' $at --history "$work/precious"
matches "a history that is none: said so" "$out" "precious is not a history of ithaca chat"
same "a history that is none: it stays" "$(cat "$work/short")" "$(cat "$work/precious")"
expect "a pasted text" 0 at_terminal '[["> ", "\u001b[200~eins\nzw\u00f6lf\u001b[201~\r"], ["context used", "/save '"$work"'/t.json\r"], ["--messages", "\u0004"]]' $at --history off
same "a pasted text: one message" "2 eins\\nzwölf" "$(field "$work/t.json" 'str(len(j)) + " " + j[0]["content"].replace("\n", "\\n")')"
# shellcheck disable=SC2086
ITHACA_TEST_HOOK="answer 5 TERM" expect "SIGTERM in an answer" 143 at_terminal '[["> ", "Hello\r"]]' $at --history off

# Behind mpirun, which would take Ctrl-C for itself
# shellcheck disable=SC2086
expect "a terminal behind mpirun" 0 at_terminal '[["> ", "half a line"], ["half a line", "\u0003"], ["> ", "Hello\r"], ["context used", "/save '"$work"'/t.json\r"], ["--messages", "\u0004"]]' "${mpirun[@]}" -n 2 $at --history off
same "a terminal behind mpirun: the line is gone" "2 Hello" "$(field "$work/t.json" 'len(j), j[0]["content"]' | tr -d "(),'")"
same "a terminal behind mpirun: the same answer" "$hello" "$(field "$work/t.json" 'j[1]["content"]' | head -n 1)"
