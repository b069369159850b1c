#!/bin/bash
# damaged_pack.sh - a flipped bit anywhere in a pack is found by --verify, and by a run that reads
# it; the message names the place. The same holds for a pack that ends too early. On one rank and on
# two.
source "$(dirname "$0")/../tap.sh"

echo 1 2 3 >"$work/ids"
score() { "$ITHACA" score -m "$1" --ids "$work/ids" --json; }
one_line() { same "$1: one line" 1 "$(grep -c '^ithaca: error: ' "$err")"; }

# flip PACK OFFSET: copies the pack to $work/bad.ith with one bit flipped
flip() {
    cp "$1" "$work/bad.ith"
    python3 - "$work/bad.ith" "$2" <<'PY'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2])); x = f.read(1)[0]
    f.seek(int(sys.argv[2])); f.write(bytes([x ^ 0x10]))
PY
}

# where PACK EXPRESSION: prints an offset, computed from the index j and the header's fields
where() {
    python3 - "$1" "$2" <<'PY'
import json, struct, sys
data = open(sys.argv[1], "rb").read()
index, length = struct.unpack_from("<QQ", data, 24)
j = json.loads(data[index:index + length])
t = {x["name"]: x for x in j["tensors"]}
print(eval(sys.argv[2]))
PY
}

q=model.layers.2.self_attn.q_proj.weight
for kind in "w8 0" "bf16 3"; do
    set -- $kind
    pack=$work/$1.ith
    expect "$1: pack" 0 "$ITHACA" pack $NEEDLE -o "$pack" --quant "$1" --zstd "$2"
    expect "$1: whole" 0 score "$pack"
    expect "$1: whole: verified" 0 "$ITHACA" inspect "$pack" --verify

    # found NAME EXPRESSION REGEX: the damage is found by a run and by --verify
    found() {
        flip "$pack" "$(where "$pack" "$2")"
        expect "$1: a run fails" 1 score "$work/bad.ith"
        one_line "$1: a run"
        matches "$1: a run names it" "$err" "$3"
        expect "$1: --verify fails" 1 "$ITHACA" inspect "$work/bad.ith" --verify
        one_line "$1: --verify"
        matches "$1: --verify names it" "$err" "$3"
    }
    found "$1: header" 20 "bad.ith: damaged: the header"
    found "$1: index" "index + length // 2" "bad.ith: damaged: the index"
    found "$1: a tile" "t['$q']['offset'] + t['$q']['bytes'] - 1" "damaged: tensor $q, tile 15 of 16"
    found "$1: the last matrix's first tile" "max(x['offset'] for x in j['tensors'] if len(x['shape']) == 2)" "damaged: tensor .*, tile 0 of"
    found "$1: a norm" "t['model.norm.weight']['offset']" "damaged: tensor model.norm.weight, tile 0 of 1"
    found "$1: a tile table" "t['$q']['table'] + 17" "damaged: the checksum of the tile table of $q"
    found "$1: the tokenizer" "j['blobs'][0]['offset'] + 99" "damaged: the checksum of tokenizer.json"

    flip "$pack" 4000
    expect "$1: padding: --verify fails" 1 "$ITHACA" inspect "$work/bad.ith" --verify
    matches "$1: padding: --verify names it" "$err" "a byte between 64 and 4096"

    size=$(stat -c %s "$pack")
    for keep in 8 63 64 5000 $((size / 2)) $((size - 1)); do
        head -c "$keep" "$pack" >"$work/bad.ith"
        expect "$1: $keep of $size bytes" 1 score "$work/bad.ith"
        one_line "$1: $keep bytes"
        matches "$1: $keep bytes: said so" "$err" "bad.ith: truncated"
    done
done

# Several bad tiles: the first is named, whatever the number of threads
pack=$work/w8.ith
flip "$pack" "$(where "$pack" "t['$q']['offset'] + 5 * t['$q']['bytes'] // 16")"
mv "$work/bad.ith" "$work/twice.ith"
flip "$work/twice.ith" "$(where "$pack" "t['$q']['offset'] + 9 * t['$q']['bytes'] // 16")"
for _ in 1 2 3; do
    expect "two bad tiles" 1 "$ITHACA" inspect "$work/bad.ith" --verify
    matches "two bad tiles: the first is named" "$err" "$q, tile 5 of"
done

expect "two ranks" 1 scripts/on_ranks.sh 2 "$ITHACA" score -m "$work/bad.ith" --ids "$work/ids"
same "two ranks: said once" 1 "$(grep -c '^ithaca: error: ' "$err")"
matches "two ranks: named" "$err" "rank [01]: .*tensor $q, tile [59] of"
expect "only packs have checksums" 1 "$ITHACA" inspect $NEEDLE --verify
matches "only packs have checksums: said so" "$err" "only packs"

# A scale that is not finite in a pack whose checksums are all right: what is used where it is mapped is not read before the pass,
# which names the layer
with_scale() { # F16: of row 0, group 0 of the first tile
    python3 - "$work/w8.ith" "$work/scale.ith" "$q" "$1" <<'PY'
import json, struct, sys
M = (1 << 64) - 1
P = (11400714785074694791, 14029467366897019727, 1609587929392839161, 9650029242287828579, 2870177450012600261)
rotl = lambda x, r: (x << r | x >> (64 - r)) & M
step = lambda acc, x: rotl((acc + x * P[1]) & M, 31) * P[0] & M
def xxh64(b):
    at, n = 0, len(b)
    if n >= 32:
        v = [(P[0] + P[1]) & M, P[1], 0, -P[0] & M]
        for at in range(0, n - 31, 32):
            v = [step(a, x) for a, x in zip(v, struct.unpack_from("<4Q", b, at))]
        at += 32
        h = sum(rotl(a, r) for a, r in zip(v, (1, 7, 12, 18))) & M
        for a in v:
            h = ((h ^ step(0, a)) * P[0] + P[3]) & M
    else:
        h = P[4]
    h = (h + n) & M
    while at + 8 <= n:
        h = (rotl(h ^ step(0, struct.unpack_from("<Q", b, at)[0]), 27) * P[0] + P[3]) & M
        at += 8
    if at + 4 <= n:
        h = (rotl(h ^ struct.unpack_from("<I", b, at)[0] * P[0] & M, 23) * P[1] + P[2]) & M
        at += 4
    for x in b[at:]:
        h = rotl(h ^ x * P[4] & M, 11) * P[0] & M
    h = (h ^ h >> 33) * P[1] & M
    h = (h ^ h >> 29) * P[2] & M
    return h ^ h >> 32
source, to, name, scale = sys.argv[1:]
b = bytearray(open(source, "rb").read())
index, length = struct.unpack_from("<QQ", b, 24)
t = next(x for x in json.loads(b[index:index + length])["tensors"] if x["name"] == name)
offset, size = struct.unpack_from("<QI", b, t["table"])
groups = (t["shape"][1] + 31) // 32
table = slice(t["table"], t["table"] + 24 * ((t["shape"][0] + 15) // 16))
before = b"%016x" % xxh64(b[table])
struct.pack_into("<H", b, offset + 512 * groups, int(scale, 16))
struct.pack_into("<Q", b, t["table"] + 16, xxh64(b[offset:offset + size]))
text = b[index:index + length]
assert text.count(before) == 1
b[index:index + length] = text.replace(before, b"%016x" % xxh64(b[table]))
struct.pack_into("<Q", b, 40, xxh64(b[index:index + length]))
struct.pack_into("<Q", b, 56, xxh64(b[:56]))
open(to, "wb").write(b)
PY
}
with_scale 3c00
expect "a scale of 1: verified" 0 "$ITHACA" inspect "$work/scale.ith" --verify
expect "a scale of 1: runs" 0 score "$work/scale.ith"
for scale in 7c00 fc00 7e00; do
    with_scale $scale
    expect "scale $scale: an error" 1 score "$work/scale.ith"
    one_line "scale $scale"
    matches "scale $scale: the layer is named" "$err" "in layer 2, in its attention"
done
