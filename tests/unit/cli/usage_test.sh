#!/bin/bash
# What the commands say without a serving cell: help, exit codes, one clear sentence.
set -u
bourn=$BOURN_BIN/bourn
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
passed=0 failed=0
# expect CODE TEXT ARGUMENTS…: exit status, and a text that must stand in what is printed.
expect() {
  local out code=0
  out=$("$bourn" "${@:3}" 2>&1 </dev/null) || code=$?
  if [ "$code" -eq "$1" ] && case $out in *"$2"*) true ;; *) false ;; esac; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'bourn %s: exit %d, not %d with "%s":\n%s\n' "${*:3}" "$code" "$1" "$2" "$out"
  fi
}
init=(init cn --domicile CN --controller "Clinic Ltd" --origin cn.example/ledger)

expect 64 "usage: bourn"
expect 0 "usage: bourn" --help
expect 0 "bourn 0." --version
expect 64 "no command nix" nix
expect 64 "party add" party
expect 64 "no command party nix" party nix
expect 0 "party end" party --help
for command in init serve "party add" "party end" "party list" "collection add" "collection list" "notice add" "pack add" \
  "pack check" import export "consent key" "consent enrol" "consent export" "consent history" "consent sign" "consent show" status metrics log; do
  # shellcheck disable=SC2086
  expect 0 "bourn $command" $command --help
done

expect 64 "bourn init" init
expect 64 "two capital letters" init cn --domicile cn --controller C --origin cn.example/ledger
expect 64 "without https://" init cn --domicile CN --controller C --origin https://cn.example/ledger
expect 64 "without a slash" init cn --domicile CN --controller C --origin cn.example/
expect 64 "seconds are wanted" "${init[@]}" --delay 1d
expect 64 "no option --colour" "${init[@]}" --colour red
expect 1 "nix.yaml" "${init[@]}" --pack nix.yaml
[ ! -e cn ] || { echo "a refused init left a folder"; failed=$((failed + 1)); }
expect 0 "made the cell cn" "${init[@]}"
expect 1 "not an empty folder" "${init[@]}"
expect 0 "for trials" init trial --domicile CN --controller C --origin t.example --delay 0
expect 0 '"delay_s":5' init j --domicile CN --controller C --origin j.example --delay 5 --json
expect 1 "no checkpoint yet" log cn
expect 64 "bourn log" log

expect 69 "not serving: start it" status cn
expect 69 "make one with" status nix
expect 69 "not serving" party list cn
add=(party add cn x --kind app --jurisdiction CN --purpose dpv:ServiceProvision)
expect 69 "not serving" "${add[@]}"
expect 64 "--kind" party add cn x --kind robot --jurisdiction CN --purpose p:x
expect 64 "--jurisdiction" party add cn x --kind app --jurisdiction China --purpose p:x
expect 64 "--purpose is wanted" party add cn x --kind app --jurisdiction CN
expect 64 "belongs to the --purpose" party add cn x --kind app --jurisdiction CN --ground dpv:Contract --purpose p:x
expect 64 "belongs to the --purpose" "${add[@]}" --ground a --ground b
expect 64 "is no right" "${add[@]}" --rights read,all
expect 64 "is no right" "${add[@]}" --rights ''
expect 64 "--days" "${add[@]}" --days 0
expect 64 "from 1 to 3660" "${add[@]}" --days 3661
expect 69 "not serving" "${add[@]}" --kind registrar --days 3660
expect 64 "not a name" party add cn 'x y' --kind app --jurisdiction CN --purpose p:x

printf 'id,n\n1,2\n' >people.csv
printf 'id,id\n1,2\n' >twice.csv
printf 'fields: [{ name: a, type: number }]\n' >bad.yaml
expect 64 "bourn collection add" collection add cn people
expect 64 "bourn collection add" collection add cn people --infer people.csv --schema bad.yaml
expect 1 "both named id" collection add cn people --infer twice.csv
expect 1 "bad.yaml" collection add cn people --schema bad.yaml
expect 1 "cannot open" collection add cn people --infer nix.csv
expect 69 "not serving" collection add cn people --infer people.csv
expect 64 "OLD=NEW" collection add cn people --infer people.csv --rename id
expect 64 "it alone" collection add cn people --infer people.csv --rename a=b
expect 64 "language" notice add cn n --language e --text x
expect 64 "not empty" notice add cn n --language en --text ''
expect 69 "not serving" notice add cn n --language en --text x

import=(import cn people.csv --collection people --subject id --purpose p:x)
expect 64 "BOURN_TOKEN is not set" "${import[@]}"
export BOURN_TOKEN=none
expect 64 "bourn import" import cn people.csv
expect 64 "a name is wanted" "${import[@]}" --subject 'a b'
expect 64 "is not a term" "${import[@]}" --purpose 'a b'
expect 64 "--collection is wanted" import cn people.csv --subject id --purpose p:x
expect 64 "csv, ndjson, json or export" "${import[@]}" --format xml
expect 1 "cannot open" import cn nix.csv --collection people --subject id --purpose p:x
expect 69 "not serving" "${import[@]}"

export=(export cn A1 --collection people --purpose p:x --out -)
expect 64 "bourn export" export cn A1 --collection people --out -
expect 64 "bourn export" export cn A1 --purpose p:x --out -
expect 64 "is not a name" "${export[@]}" --collection 'a b'
expect 64 "is not a term" "${export[@]}" --purpose 'a b'
expect 64 "standard output" "${export[@]}" --json
expect 64 "https://" "${export[@]}" --url http://cn.example
expect 64 "1 to 256 bytes" export cn '' --collection people --purpose p:x --out -
expect 69 "not serving" "${export[@]}"

expect 0 "examples hold" pack check "$BOURN_SOURCE/packs/home.yaml"
expect 1 "bad.yaml" pack check bad.yaml

expect 64 "bourn consent key" consent key old k
expect 0 "made k" consent key new k
expect 1 "never written over" consent key new k
expect 64 "https://" consent enrol http://cn.example --code x --key k
expect 69 "no answer" consent enrol http://127.0.0.1:1 --code x --key k
history=(consent history http://127.0.0.1:1 --key k --label 00112233445566778899aabbccddeeff)
expect 64 "bourn consent history" "${history[@]}"
expect 64 "bourn consent history" consent history --key k --label 00112233445566778899aabbccddeeff --log-key v
expect 64 "32 hex digits" consent history http://127.0.0.1:1 --key k --label 0011 --log-key v
expect 64 "takes no value" "${history[@]}" --log-key v --json=1
expect 1 "nix" "${history[@]}" --log-key nix
copy=(consent export http://127.0.0.1:1 --key k --label 00112233445566778899aabbccddeeff)
expect 64 "bourn consent export" consent export http://127.0.0.1:1 --key k
expect 64 "bourn consent export" "${copy[@]}" http://127.0.0.1:2
expect 64 "32 hex digits" consent export http://127.0.0.1:1 --key k --label 0011
expect 64 "name a file with --out" "${copy[@]}" --json
expect 64 "no option --code" "${copy[@]}" --code x
expect 64 "not the origin" "${copy[@]}" --origin $'a\nb'
expect 64 "https:// address" consent export http://cell.example --key k --label 00112233445566778899aabbccddeeff
expect 69 "no answer" "${copy[@]}"
expect 69 "no answer" "${copy[@]}" --origin cn.example/ledger --out copy.ndjson
expect 1 "cannot open the key nix" consent export http://127.0.0.1:1 --key nix --label 00112233445566778899aabbccddeeff --origin cn.example/ledger
[ ! -e copy.ndjson ] || { echo "a copy that failed left a file"; failed=$((failed + 1)); }
expect 1 "cannot open" consent sign nix.json --key k
printf '{"statement":{"a":1}}' >odd.json
expect 1 "" consent sign odd.json --key k
printf '[]' >list.json
expect 1 "member \`statement\`" consent sign list.json --key k
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
