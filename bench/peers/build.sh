#!/bin/sh
# build.sh - builds llama.cpp's llama-bench, llama-batched-bench, llama-perplexity, llama-cli,
# llama-completion, llama-tokenize and llama-grammar (llama_grammar.cpp) for this CPU into DIR/bin. The source is the copy inside the sdist of
# llama-cpp-python on PyPI, downloaded with pip and checked against its SHA-256. With a folder of
# ik_llama.cpp's source, builds also its llama-sweep-bench, into DIR/ik.
#
# usage: build.sh DIR [JOBS [IK_SOURCE]]     DIR lies outside this repository; a second run resumes
#                                            where the first one stopped
#        build.sh --bench DIR [JOBS]         llama-bench alone, in a quarter of the time: its kernels
#                                            (ggml) with -O3 as always, what calls them with -O1
set -eu

version=0.3.36
sha256=832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e
targets="llama-bench llama-batched-bench llama-perplexity llama-tokenize llama-completion llama-cli llama-server"
bench=
[ "${1:-}" != --bench ] || { bench=1 targets=llama-bench && shift; }

[ $# -ge 1 ] && [ "$1" != "-h" ] && [ "$1" != "--help" ] || { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
dir=$1
jobs=${2:-$(nproc)}
ik=${3:-}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
sdist=$dir/llama_cpp_python-$version.tar.gz
src=$dir/llama_cpp_python-$version/vendor/llama.cpp

[ -f "$sdist" ] || python3 -m pip download --no-deps --no-binary llama-cpp-python -d "$dir" "llama-cpp-python==$version"
echo "$sha256  $sdist" | sha256sum -c - >&2
[ -f "$src/CMakeLists.txt" ] || tar -xzf "$sdist" -C "$dir"

# CMake reads this file as it enters ggml's folder.
set --
if [ -n "$bench" ]; then
    echo 'set(CMAKE_CXX_FLAGS_RELEASE "-O3 -DNDEBUG")' >"$dir/kernels.cmake"
    set -- "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG" "-DCMAKE_PROJECT_ggml_INCLUDE=$dir/kernels.cmake"
fi

# No HTTPS, no tests, no web pages: they only add build time. The tools sit behind
# LLAMA_BUILD_SERVER, llama-cli among them.
cmake -S "$src" -B "$dir/build" -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DBUILD_SHARED_LIBS=OFF \
    -DLLAMA_BUILD_TOOLS=ON -DLLAMA_BUILD_COMMON=ON -DLLAMA_BUILD_SERVER=ON -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
    -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF "$@"
for target in $targets; do
    cmake --build "$dir/build" -j "$jobs" --target "$target"
done
mkdir -p "$dir/bin"
for target in $targets; do
    ln -sf "../build/bin/$target" "$dir/bin/$target"
done
[ -z "$bench" ] || { echo "built into $dir/bin: $targets" && exit 0; }
llama=$dir/build
c++ -O1 -std=c++17 -I"$src/common" -I"$src/include" -I"$src/ggml/include" -I"$src/vendor" "$(dirname "$0")/llama_grammar.cpp" \
    "$llama/common/libllama-common.a" "$llama/common/libllama-common-base.a" "$llama/src/libllama.a" "$llama/ggml/src/libggml.a" \
    "$llama/ggml/src/libggml-cpu.a" "$llama/ggml/src/libggml-base.a" -fopenmp -lpthread -ldl -o "$dir/bin/llama-grammar"
echo "built into $dir/bin: $targets llama-grammar"

[ -n "$ik" ] || exit 0
cmake -S "$ik" -B "$dir/ik-build" -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DBUILD_SHARED_LIBS=OFF \
    -DLLAMA_CURL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_SERVER=OFF
cmake --build "$dir/ik-build" -j "$jobs" --target llama-sweep-bench
mkdir -p "$dir/ik"
ln -sf ../ik-build/bin/llama-sweep-bench "$dir/ik/llama-sweep-bench"
echo "built into $dir/ik: llama-sweep-bench"
