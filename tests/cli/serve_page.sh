#!/bin/bash
# serve_page.sh - the page at "/": its headers, and what its policy lets a browser do. page.sh tries it in one.
. tests/tap.sh
. tests/served.sh

start

curl -si "$url/" | tr -d '\r' >"$work/page"
sed '/^$/q' "$work/page" >"$work/headers"
for header in 'HTTP/1.1 200' 'Content-Type: text/html; charset=utf-8' 'X-Content-Type-Options: nosniff' 'X-Frame-Options: DENY' \
    'Referrer-Policy: no-referrer' 'Cache-Control: no-cache' 'Cross-Origin-Opener-Policy: same-origin'; do
    matches "page: $header" "$work/headers" "^$header"
done
python3 - "$work/page" >"$work/sums" <<'PY'
import base64, hashlib, re, sys
text = open(sys.argv[1]).read()
policy = dict(part.split(" ", 1) for part in re.search(r"(?m)^Content-Security-Policy: (.*)$", text)[1].split("; "))
page = text.split("\n\n", 1)[1]
sha = lambda tag: "'sha256-" + base64.b64encode(hashlib.sha256(re.search(f"<{tag}>(.*?)</{tag}>", page, re.S)[1].encode()).digest()).decode() + "'"
want = {"default-src": "'none'", "script-src": sha("script"), "style-src": sha("style"), "connect-src": "'self'", "img-src": "data:", "base-uri": "'none'",
        "form-action": "'none'", "frame-ancestors": "'none'", "require-trusted-types-for": "'script'", "trusted-types": "'none'"}
print(policy == want or policy)
print(len(re.findall("<script|<style", page)), re.findall(r'(?:src|href)="(?!data:|#)[^"]*"| on\w+="| style="', page))
PY
same "page: the policy allows its script and its style alone" "True
2 []" "$(cat "$work/sums")"
etag=$(sed -n 's/^ETag: //p' "$work/headers")
same "page: an ETag that is known" 304 "$(code "$url/" -H "If-None-Match: $etag")"
same "page: another ETag" 200 "$(code "$url/" -H 'If-None-Match: "0"')"
same "page: GET alone" 405 "$(code "$url/" -d x)"
stop "SIGTERM"

echo sesame >"$work/key"
start --api-key-file "$work/key"
same "with a key: the page is open" 200 "$(code "$url/")"
stop "with a key: SIGTERM"
