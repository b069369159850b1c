#!/bin/bash
# qemu_numa.sh - the program on a machine with two memory nodes, which qemu emulates: a Debian
# kernel, an initramfs of busybox, Ithaca and Open MPI. The needle model runs on one rank across
# both nodes, and on two ranks bound to a node each, with resident and with streamed weights.
# --report-pages must find the pages where they belong, and the logits must have this machine's
# bits.
#
# It takes minutes and downloads 27 MB, so only `make check-long` runs it. Skipped where
# qemu-system-x86_64, busybox-static, cpio or the kernel's package are missing.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

program=${ITHACA:-build/release/ithaca}
build=${BUILD:-build/release}/numa
root=$build/root
output=$build/console.log
mpi=/usr/lib/x86_64-linux-gnu/openmpi/lib/openmpi3
pmix=/usr/lib/x86_64-linux-gnu/pmix2/lib/pmix
needle="/ithaca run -m /model --ids /1k.ids -n 30 --ignore-eos --ctx 1100 --report-placement -q"
larger="/ithaca run -m synthetic:/larger/config.json:q4_0 --ids /few.ids -n 4 --ignore-eos --ctx 1100 --report-placement -q"

skip() {
    echo "ok numa: two nodes in qemu # SKIP $*"
    exit 0
}

fetch_kernel() {
    local package
    compgen -G "$build/kernel/boot/vmlinuz-*" >/dev/null && return 0
    package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[^ ]*\).*/\1/p' | head -n 1)
    [[ -n $package ]] || return 1
    mkdir -p "$build/kernel" && (cd "$build" && apt-get -q download "$package" >apt.log 2>&1) &&
        dpkg -x "$build"/linux-image-*.deb "$build/kernel" && rm -f "$build"/linux-image-*.deb
}

# with_libraries FILE...: copies programs and plugins, and the libraries that they name, to their
# paths
with_libraries() {
    local file
    for file in "$@" $(ldd "$@" 2>/dev/null | grep -o '/[^ ):]*' | sort -u); do
        mkdir -p "$root$(dirname "$file")"
        cp -Lu "$file" "$root$file"
    done
}

# Matrices of many pages, because where two nodes' tiles meet, a page belongs to both.
larger_config() {
    cat <<'JSON'
{"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 4,
 "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 64, "vocab_size": 4096, "max_position_embeddings": 4096,
 "rms_norm_eps": 1e-6, "rope_theta": 1000000, "tie_word_embeddings": false}
JSON
}

make_root() {
    rm -rf "$root"
    mkdir -p "$root"/{bin,proc,sys,dev,tmp,etc,lib64,usr/share} || return 1
    cp "$(command -v busybox)" "$root/bin/busybox"
    with_libraries /usr/bin/orterun $(find "$mpi" "$pmix" -name '*.so' |
        grep -vE 'ucx|ucc|uct|ofi|psm|openib|usnic|hcoll|portals|cuda|monitoring|lustre|slurm|tm\.so|munge|psec_munge')
    mv "$root/usr/bin/orterun" "$root/bin/mpirun"
    cp -r /usr/share/openmpi /usr/share/pmix* "$root/usr/share/" 2>/dev/null
    cp -r /etc/openmpi "$root/etc/" 2>/dev/null
    cp "$program" "$root/ithaca"
    # shellcheck disable=SC2046 # paths without blanks
    with_libraries $(ldd "$program" | grep -o '/[^ ):]*')
    with_libraries /lib/x86_64-linux-gnu/libgcc_s.so.1 # glibc loads it when a thread of OpenMP ends
    cp -r tests/models/needle-qwen3 "$root/model"
    cp tests/golden/needle/1k.ids "$root/1k.ids"
    mkdir "$root/larger" && larger_config >"$root/larger/config.json"
    seq 100 120 >"$root/few.ids"
    echo 'root:x:0:0:root:/:/bin/sh' >"$root/etc/passwd"
    echo '127.0.0.1 localhost two-nodes' >"$root/etc/hosts"
    cat >"$root/init" <<INIT
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin HOME=/ OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_btl=self,vader OMPI_MCA_pml=ob1 OMPI_MCA_btl_vader_single_copy_mechanism=none OMPI_MCA_plm_rsh_agent=sh
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/shm; mount -t tmpfs tmp /dev/shm; mount -t tmpfs tmp /tmp
hostname two-nodes; ifconfig lo up
for node in /sys/devices/system/node/node*; do echo "\${node##*/}: cpus \$(cat \$node/cpulist)"; done
two="mpirun -n 2 --map-by numa --bind-to numa"
echo "= needle, one rank"; $needle -t 4 --json
echo "= larger, one rank"; $larger -t 4; $larger -t 4 --json
echo "= larger, two ranks"; \$two $larger; \$two $larger --json
echo "= streamed, one rank"; $larger -t 4 --placement streamed --mem 70MiB --json
echo "= streamed, two ranks"; \$two $larger --placement streamed --mem 74MiB --json
echo "= end"
poweroff -f
INIT
    chmod +x "$root/init"
    (cd "$root" && find . | cpio -o -H newc --quiet) | gzip -1 >"$build/initramfs.gz"
}

boot() {
    timeout 1500 qemu-system-x86_64 -machine q35 -accel tcg,thread=multi -cpu max -smp 4 -m 1536M -no-reboot -nographic -net none \
        -object memory-backend-ram,id=m0,size=768M -numa node,nodeid=0,memdev=m0,cpus=0-1 \
        -object memory-backend-ram,id=m1,size=768M -numa node,nodeid=1,memdev=m1,cpus=2-3 \
        -kernel "$build"/kernel/boot/vmlinuz-* -initrd "$build/initramfs.gz" -append 'console=ttyS0 quiet panic=-1' \
        </dev/null >"$output" 2>&1
}

[[ ${ITHACA_LONG:-} == 1 ]] || skip "ITHACA_LONG=1 runs it"
for tool in qemu-system-x86_64 busybox cpio apt-get ldd; do
    command -v $tool >/dev/null || skip "$tool is missing"
done
mkdir -p "$build"
fetch_kernel || skip "no package linux-image-cloud-amd64 to download"
make_root || skip "no initramfs: $build"
boot

# here MODEL IDS TOKENS: prints the logits' digest of the same run on this machine
here() {
    "$program" run -m "$1" --ids "$2" -n "$3" --ignore-eos --ctx 1100 --json -q | sed -n 's/.*"logits_sha256":"\([0-9a-f]*\)".*/\1/p'
}

# check HEADING DIGEST NODES SHARE: the JSON object behind "= HEADING" on the console has the
# digest, and at least that share of weights and KV cache lies where it should, on so many nodes in
# all
check() {
    python3 - "$output" "$@" <<'PYTHON' && echo "ok numa: $1" || { failed=1; echo "not ok numa: $1"; }
import json, sys
console, heading, digest, nodes, share = sys.argv[1:]
text = open(console, errors="replace").read().replace("\r", "")
part = text.split("= " + heading + "\n")[1].split("\n= ")[0]
print("# " + part.strip().replace("\n", "\n# "))
result = json.loads([line for line in part.splitlines() if line.startswith("{")][-1])
ranks = result["memory"]["ranks"]
there = [(rank[kind]["right"], rank[kind]["bytes"] - rank[kind]["absent"]) for rank in ranks for kind in ("weights", "kv")]
right = min(good / here for good, here in there if here > 0)
streamed = result["distribution"].startswith("streamed") and sum(rank["weights"]["bytes"] for rank in ranks) < 26 << 20
found = {node["node"] for rank in ranks for node in rank["nodes"] if node["weights"]["found"] > 0}
sys.exit(not (result["logits_sha256"] == digest and right >= float(share) and len(found) == int(nodes)
              and streamed == heading.startswith("streamed")))
PYTHON
}

failed=0
# Where two nodes' tiles of a small matrix meet, a page belongs to both, and the needle model's
# matrices have only 4 to 32 pages.
check "needle, one rank" "$(here tests/models/needle-qwen3 tests/golden/needle/1k.ids 30)" 2 0.6
check "larger, one rank" "$(here synthetic:"$root"/larger/config.json:q4_0 "$root/few.ids" 4)" 2 0.94
check "larger, two ranks" "$(here synthetic:"$root"/larger/config.json:q4_0 "$root/few.ids" 4)" 2 0.99
check "streamed, one rank" "$(here synthetic:"$root"/larger/config.json:q4_0 "$root/few.ids" 4)" 2 0.9
check "streamed, two ranks" "$(here synthetic:"$root"/larger/config.json:q4_0 "$root/few.ids" 4)" 2 0.9
exit $failed
