#!/bin/bash
# install.sh - an installed copy works for other programs. After `make install` into a folder of its
# own, the examples are compiled against it through pkg-config, as C and as C++, with the shared and
# the static library, and run on one rank and on two.
. tests/tap.sh

case $ITHACA in
build/release/*) ;;
*) echo "ok install # SKIP only the release build is installed" && exit 0 ;;
esac

prefix=$work/usr
install() { make --no-print-directory "$@" PREFIX=/opt/ithaca DESTDIR="$work/root"; }

# ---- What is installed ----

expect "make install" 0 make --no-print-directory install PREFIX="$prefix"
expect "the installed program runs" 0 "$prefix/bin/ithaca" version
same "the program is stripped" "" "$(or_fail nm "$prefix/bin/ithaca" 2>/dev/null)"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig

# A copy of a job script, anywhere, finds the rest beside the program.
printf '#!/bin/bash\nshift 2\nexec "$@"\n' >"$work/mpirun" # --bind-to none
chmod +x "$work/mpirun"
cp "$prefix/share/ithaca/slurm/ithaca.sbatch" "$work/my-job"
expect "a copy of an installed job script" 0 env PATH="$work:$prefix/bin:$PATH" SLURM_JOB_ID=1 SLURM_SUBMIT_DIR="$work" ITHACA_LAUNCH=mpirun \
    bash "$work/my-job" -m $NEEDLE --raw -p hi -n 1 -q
rm "$work/mpirun" "$work/my-job"
same "machine files are there" "$(printf '%s\n' cluster/machines/*.json | xargs -n1 basename)" "$(ls "$prefix/share/ithaca/machines")"
matches "the module file knows where" "$prefix/share/ithaca/modulefile" "^prepend-path PATH $prefix/bin$"

version=$(sed -n 's/^#define ITH_VERSION "\(.*\)"/\1/p' include/ithaca.h)
same "pkg-config knows the version" "$version" "$(or_fail pkg-config --modversion ithaca)"
declared() { sed -n 's/^[a-z].*[ *]\(ith_[a-z0-9_]*\)(.*/\1/p' include/*.h | sort; }
exported() {
    or_fail nm -D --defined-only "$prefix/lib/libithaca.so" |
        sed -n 's/.* T \([a-z0-9_]*\).*/\1/p' | sort
}
same "the shared library exports what the headers declare" "$(declared)" "$(exported)"
matches "a version is on each symbol" <(objdump -T "$prefix/lib/libithaca.so") \
    "ITHACA_${version%.*} +ith_version"

# ---- DESTDIR, and back to nothing ----

expect "make install into DESTDIR" 0 install install
matches "DESTDIR is not in the pkg-config file" \
    "$work/root/opt/ithaca/lib/pkgconfig/ithaca.pc" "^prefix=/opt/ithaca$"
expect "make uninstall" 0 install uninstall
same "leaves no file" "" "$(find "$work/root" -not -type d)"

# ---- A library that is missing ----

expect "make without a library" 2 \
    make --no-print-directory -j2 B="$work/empty" PKGS="jansson no-such-library" all
matches "it is named" "$err" '^error: .*: no-such-library$'
same "in one message, before the first compile" "1 0" \
    "$(grep -c '^error' "$err") $(grep -c '^  cc' "$out")"

# ---- Programs that use it ----

# build NAME OUTPUT COMPILER...: an example against the shared library
build() {
    local name=$1 output=$2
    shift 2
    # shellcheck disable=SC2046 # words on purpose
    "$@" "examples/$name.c" -o "$output" $(pkg-config --cflags --libs ithaca)
}

# --static is for a folder without the shared library.
build_static() {
    mkdir -p "$work/static" && cp "$prefix/lib/libithaca.a" "$work/static"
    # shellcheck disable=SC2046 # words on purpose
    cc -std=c11 "examples/$1.c" -o "$2" \
        $(pkg-config --define-variable=libdir="$work/static" --static --cflags --libs ithaca)
}

warnings=(-Wall -Wextra -Werror)
for name in chat document; do
    expect "$name compiles as C" 0 build $name "$work/$name" cc -std=c11 -Wpedantic "${warnings[@]}"
    expect "$name compiles as C++" 0 build $name "$work/$name.cpp" c++ -x c++ "${warnings[@]}"
    expect "$name links the static library" 0 build_static $name "$work/$name.static"
done
for header in ithaca ithaca_tools; do
    expect "$header.h alone is C++" 0 c++ -x c++ -fsyntax-only "${warnings[@]}" "include/$header.h"
done
# shellcheck disable=SC2046
expect "an embedding program compiles" 0 cc -std=c11 tests/api/test_embed.c -o "$work/embed" \
    $(pkg-config --cflags --libs ithaca) -lcmocka

export LD_LIBRARY_PATH=$prefix/lib
expect "and runs" 0 "$work/embed"
needs() { objdump -p "$1" | grep -c 'NEEDED.*libithaca'; }
same "the static one needs no library of ours" "1 0" \
    "$(needs "$work/document") $(needs "$work/document.static")"

# ---- What they say ----

python3 - $NEEDLE "$work" <<'PYTHON'
import subprocess, sys
needle, work = sys.argv[1:]
text = subprocess.run([sys.executable, f"{needle}/make_haystack.py", "--tokens", "1400",
                       "--depth", "0.5", "--seed", "3", "--answer", f"{work}/answer"],
                      check=True, capture_output=True, text=True).stdout
document, question = text.strip().rsplit("\n\n", 1)
open(f"{work}/notes.txt", "w").write(document)
open(f"{work}/question", "w").write(question)
one_line = document.replace("\n", " ")
open(f"{work}/lines", "w").write(one_line + " " + question + "\n" + question + "\n")
PYTHON
question=$(cat "$work/question") answer=$(cat "$work/answer")
ask=($NEEDLE "$work/notes.txt" "$question" "$question")
both=$answer$'\n'$answer

expect "document" 0 "$work/document" "${ask[@]}"
same "document: both answers" "$both" "$(cat "$out")"
matches "document: the second question computes little" "$err" \
    '[0-9]{4} tokens kept, [0-9]{1,2} computed'
expect "document, static, on 2 ranks" 0 scripts/on_ranks.sh 2 "$work/document.static" "${ask[@]}"
same "document, static, on 2 ranks: both answers" "$both" "$(cat "$out")"
for ranks in 1 2; do
    expect "document with a cache, $ranks ranks" 0 \
        scripts/on_ranks.sh $ranks "$work/document.cpp" -c "$work/cache" "${ask[@]}"
    same "document with a cache, $ranks ranks: both answers" "$both" "$(cat "$out")"
    matches "document with a cache, $ranks ranks: it is read" "$err" \
        '[0-9]{4} tokens kept, [0-9]{1,3} computed'
done
expect "document: a file that is missing" 1 \
    "$work/document" $NEEDLE "$work/no-such-file" "$question"
matches "document: it is named" "$err" "no-such-file: No such file"

chat() { "$@" $NEEDLE <"$work/lines"; }
expect "chat" 0 chat "$work/chat"
mv "$out" "$work/chat.1"
matches "chat: the first answer" "$work/chat.1" "^> $answer$"
same "chat: a prompt for each line, and one at the end" 3 "$(grep -c '^> ' "$work/chat.1")"
expect "chat, as C++ on 2 ranks" 0 chat scripts/on_ranks.sh 2 "$work/chat.cpp"
same "chat, as C++ on 2 ranks: the same words" "$(cat "$work/chat.1")" "$(cat "$out")"
