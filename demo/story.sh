# The story that tools/demo tells. Sourced by it: $file, $subject, $work, $stay are set, the programs are in PATH.
# Every step checks what it says.

n=0
tell() { n=$((n + 1)); printf '%2d  %s\n' "$n" "$*"; }
more() { printf '    %s\n' "$*"; }
wrong() { printf '\nThis did not come out as told: %s\n' "$*" >&2; [ ! -s "$work/answer" ] || head -c 600 "$work/answer" >&2; exit 1; }

# ask TOKEN PURPOSE CURL-ARGUMENTS…: sets $status and $receipt; the answer is in $work/answer.
ask() {
  local token=$1 purpose=$2
  shift 2
  status=$(printf 'header = "Authorization: Bearer %s"\n' "$token" |
    curl -s --config - -H "Bourn-Purpose: $purpose" -o "$work/answer" -D "$work/headers" -w '%{http_code}' "$@") || true
  receipt=$(sed -n 's/^[Bb]ourn-[Rr]eceipt: *\([0-9]*\).*/\1/p' "$work/headers")
}
clinic() { ask "$CLINIC" dpv:ServiceProvision "$@"; }
lab() { ask "$LAB" dpv:ResearchAndDevelopment "$@"; }
expect() { [ "$status" = "$1" ] || wrong "the answer should be $1, and is $status"; }
# answer FILTER: a member of the last answer.
answer() { jq -er "$1" "$work/answer" 2>/dev/null || wrong "the answer lacks $1"; }
verify() { # verify WHERE WANTED-EXIT OPTIONS…: the report is in $work/report
  local code=0
  BOURN_TOKEN=${DOG:-} bourn-verify "$1" --key "$work/cn/ledger.vkey" "${@:3}" >"$work/report" 2>&1 || code=$?
  [ "$code" -eq "$2" ] || { cp "$work/report" "$work/answer"; wrong "bourn-verify should exit with $2, and did with $code"; }
}
settle() { # waits until the checkpoint covers all entries
  local before='' now='' same=0
  for _ in $(seq 100); do
    now=$(curl -fs "$U/ledger/checkpoint" | sed -n 2p || true)
    if [ -n "$now" ] && [ "$now" = "$before" ]; then same=$((same + 1)); else same=0; fi
    [ "$same" -lt 15 ] || return 0
    before=$now
    sleep 0.1
  done
  wrong "the checkpoint does not come to rest"
}

find_person() {
  local found
  case $file in
    *.ndjson | *.jsonl)
      [ -n "$subject" ] || subject=$(head -1 "$file" | jq -r '[keys_unsorted[] | select(test("id$"; "i"))][0] // keys_unsorted[0]')
      person=$(head -1 "$file" | jq -er --arg f "$subject" '.[$f] | strings') || wrong "the first row has no text in $subject" ;;
    *)
      found=$(awk -v want="$subject" -f demo/subject.awk "$file")
      [ -n "$found" ] || wrong "no column of $file is filled and different in every row: name the subject's field"
      subject=${found%%$'\n'*} person=${found#*$'\n'} ;;
  esac
}

begin() {
  printf '\nA cell in China keeps the records of people. A clinic works there; a lab abroad would like to read them.\n\n'
  bourn init "$work/cn" --domicile CN --controller "Clinic Ltd" --origin demo.example/ledger >"$work/answer" 2>&1 || wrong "bourn init"
  tell "bourn init: a cell for people of China. Its ledger, demo.example/ledger, begins with the rules pledge-2015 and home."
  bourn serve "$work/cn" --listen 127.0.0.1:0 >"$work/listening" 2>"$work/serve.log" &
  server=$!
  for _ in $(seq 300); do
    U=$(sed -n 's/^listening on //p' "$work/listening")
    [ -z "$U" ] || break
    kill -0 "$server" 2>/dev/null || { cp "$work/serve.log" "$work/answer"; wrong "bourn serve ended"; }
    sleep 0.1
  done
  curl -fs "$U/healthz" >/dev/null || wrong "the cell does not answer"
  tell "bourn serve: it listens on $U, in processes that the kernel confines: front, vault, signer."
}

parties() {
  bourn collection add "$work/cn" people --infer "$file" >"$work/schema" 2>"$work/answer" || wrong "bourn collection add"
  bourn notice add "$work/cn" research --language en --text "Lab (US) studies how people fare" >"$work/answer" 2>&1 || wrong "bourn notice add"
  CLINIC=$(bourn party add "$work/cn" clinic --kind app --jurisdiction CN --purpose dpv:ServiceProvision --ground dpv:Contract \
    --rights read,write,consent,enrol,erase 2>"$work/answer") || wrong "bourn party add"
  LAB=$(bourn party add "$work/cn" lab --kind app --jurisdiction US --purpose dpv:ResearchAndDevelopment 2>"$work/answer") || wrong "bourn party add"
  DOG=$(bourn party add "$work/cn" watchdog --kind auditor --jurisdiction CN --purpose dpv:LegalCompliance --ground dpv:LegalObligation \
    --rights audit 2>"$work/answer") || wrong "bourn party add"
  tell "Three parties get a token each: the clinic (China), the lab (US), and a watchdog that may audit, not read."
  summary=$(BOURN_TOKEN=$CLINIC bourn import "$work/cn" "$file" --collection people --subject "$subject" \
    --purpose dpv:ServiceProvision 2>"$work/answer") || wrong "bourn import: $summary"
  tell "bourn import ${file##*/}: $summary. Each person has a key of their own."
  S=$U/v1/subjects/$(jq -rn --arg id "$person" '$id | @uri')
}

consent() {
  clinic "$S/records/people"
  expect 200
  shown=$(jq -r '[.records[0].data[] | strings | select(. != "")][:4] | join(", ")' "$work/answer" | tr -d '\000-\037\177' | cut -c1-100)
  tell "The clinic reads the record of $person: 200, $shown … The entry came first: number $receipt."
  lab "$S/records/people"
  expect 403
  tell "The lab asks for the same: 403, $(answer .code). Missing: $(answer '[.missing[] | (.any_of // .all_of)[]] | unique | join(" or ")') ($(answer '.missing[0].rule'))."
  clinic -X POST "$S/enrolments"
  expect 201
  code=$(answer .code)
  bourn consent key new "$work/person.key" >/dev/null 2>"$work/answer" || wrong "bourn consent key"
  said=$(bourn consent enrol "$U" --code "$code" --key "$work/person.key" 2>"$work/answer") || wrong "bourn consent enrol"
  tell "The person makes a key on their own machine and proves to hold it with a code that the clinic handed over:"
  more "${said/ is now yours/}"
  clinic --json '{"purposes":["dpv:ResearchAndDevelopment"],"recipients":["lab"],"collections":["people"],"expires":"2031-01-01","notice":"research"}' \
    "$S/consent-requests"
  expect 200
  cp "$work/answer" "$work/s.json"
  bourn consent sign "$work/s.json" --key "$work/person.key" >"$work/c.json" 2>"$work/words" || wrong "bourn consent sign"
  tell "The lab's wish comes as a statement. What the person reads and signs, offline:"
  sed -n '2,$p' "$work/words" | tr -s ' \n' ' ' | sed 's/ The notice you were shown.*//' | fold -s -w 100 |
    while read -r line || [ -n "$line" ]; do more "| $line"; done
  clinic --json "@$work/c.json" "$S/consents"
  expect 201
  id=$(answer .id)
  tell "The clinic hands it in: a consent, entry $id, signed by the person."
  lab "$S/records/people"
  expect 200
  tell "The lab asks again: 200, with a receipt: entry $receipt."
  clinic -X DELETE "$S/consents/$id"
  case $status in 200 | 204) ;; *) expect 200 ;; esac
  tell "The person withdraws: entry $receipt. No signature is asked for that."
  lab "$S/records/people"
  expect 403
  tell "The lab asks again: 403."
}

prove() {
  settle
  verify "$U/ledger" 0 --save-evidence "$work/evidence"
  disclosed=$(sed -n 's/^disclosures *//p' "$work/report")
  case $disclosed in *'1 of them to another country'*'subject-signed 1'*) ;; *) wrong "the replay counts: $disclosed" ;; esac
  tell "bourn-verify, a stranger to all this, replays the ledger through the same gate: exit 0, nothing violated."
  more "disclosures: $disclosed"
  clinic -X DELETE "$S"
  case $status in 200 | 204) ;; *) expect 200 ;; esac
  tell "The person asks to be forgotten: entry $receipt. Their key is destroyed; the ledger keeps only that there was somebody."
  clinic "$S/records/people"
  expect 404
  tell "The clinic asks for the record: 404."
  settle
  verify "$U/ledger" 0
  grep -qi 'undecidable because erased' "$work/report" || wrong "the report does not count what was erased"
  tell "bourn-verify again: exit 0. What the erasure left undecidable is counted, not hidden."
  in_the_clear
}

# Every value of seven bytes or more, looked for in every file of the cell.
in_the_clear() {
  case $file in
    *.ndjson | *.jsonl) jq -r '.. | scalars | tostring' "$file" ;;
    *) tr ',"' '\n\n' <"$file" | tail -n +2 ;;
  esac | sed 's/\r$//' | awk 'length($0) >= 7 && /[^0-9.-]/' | sort -u | awk 'NR <= 2000' >"$work/values"
  # Words of the schema, which is public, are no values of people.
  tr -cs 'A-Za-z0-9_' '\n' <"$work/schema" | sort -u >"$work/public"
  grep -vxFf "$work/public" "$work/values" >"$work/secret" || true
  [ -s "$work/secret" ] || wrong "no values to look for"
  hits=$(grep -rlaFf "$work/secret" "$work/cn" --exclude admin.sock || true)
  [ -z "$hits" ] || wrong "values stand in the clear in: $hits"
  tell "$(wc -l <"$work/secret") values of the people are looked for in all files of the cell: none stands in the clear."
}

# cheat FORGERY WORDS: on a copy, made and signed again with the operator's own key.
cheat() {
  local made entry found copy=$work/forged
  rm -rf "$copy"
  mkdir "$copy"
  tar -C "$work/cn" -cf - --exclude=admin.sock --exclude=journal --exclude=store . | tar -C "$copy" -xf -
  cp "$work/evidence" "$work/evidence.forged"
  made=$(forge "$copy" --evidence "$work/evidence.forged" "$1" 2>"$work/answer") || wrong "forge $1"
  entry=$(printf '%s\n' "$made" | sed -n 's/.*entry[ =]\([0-9][0-9]*\).*/\1/p' | sed -n 1p)
  [ -n "$entry" ] || wrong "forge $1 names no entry: $made"
  verify "$copy/ledger" 1 --rows "$copy/rows" --evidence "$work/evidence.forged"
  found=$(sed -n "s/^ *entry $entry  *//p" "$work/report" | sed -n 1p | tr -s ' ')
  [ -n "$found" ] || { cp "$work/report" "$work/answer"; wrong "the verifier does not name entry $entry"; }
  tell "$2"
  more "bourn-verify: exit 1, violated: entry $entry, $found"
}

story() {
  find_person
  begin
  parties
  consent
  prove
  printf '\nNow the operator cheats, on copies of the files, with every key that an operator has.\n\n'
  verify "$U/ledger" 0 --save-evidence "$work/evidence"
  cheat forged-signature "They sign a consent in a person's name, and the log anew."
  cheat entry-altered "They alter an entry of the past."
  cheat policy-swapped "They put a lax rule in force for one disclosure, and sign the log anew."
  printf '\nEvery step came out as told.\n'
}

farewell() {
  if [ -z "$stay" ]; then
    kill "$server"
    wait "$server" || wrong "the cell did not drain"
    server=''
    return 0
  fi
  trap - EXIT
  printf '\nIt stays: %s (process %s, folder %s).\n' "$U" "$server" "$work"
  printf '  CLINIC=%s LAB=%s DOG=%s\n' "$CLINIC" "$LAB" "$DOG"
  printf '  ledger: %s/ledger/checkpoint   key: %s/cn/ledger.vkey\n' "$U" "$work"
  printf '  end it with: kill %s; rm -r %s\n' "$server" "$work"
}

story
farewell
