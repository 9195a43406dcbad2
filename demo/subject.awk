# Which column of a CSV identifies a person: the first that is filled and different in every row, names ending in "id"
# before others. Rows that go on over a line end are not looked at.
function split_row(line, out,    n, value, c, i, quoted) {
  n = 0; value = ""; quoted = 0
  for (i = 1; i <= length(line); i++) {
    c = substr(line, i, 1)
    if (quoted && c == "\"" && substr(line, i + 1, 1) == "\"") { value = value c; i++ }
    else if (c == "\"") quoted = !quoted
    else if (c == "," && !quoted) { out[++n] = value; value = "" }
    else value = value c
  }
  out[++n] = value
  return quoted ? 0 : n
}
{ sub(/\r$/, "") }
NR == 1 { sub(/^\357\273\277/, ""); columns = split_row($0, name); for (i = 1; i <= columns; i++) good[i] = 1; next }
split_row($0, row) == columns {
  for (i = 1; i <= columns; i++) {
    if (row[i] == "" || (i, row[i]) in seen) good[i] = 0
    seen[i, row[i]] = 1
  }
  if (!first) { first = 1; for (i = 1; i <= columns; i++) person[i] = row[i] }
}
END {
  for (i = 1; i <= columns; i++) if (good[i] && tolower(name[i]) ~ /id$/) { best = i; break }
  for (i = 1; i <= columns && !best; i++) if (good[i]) best = i
  if (want != "") { best = 0; for (i = 1; i <= columns; i++) if (name[i] == want) best = i }
  if (best && first) printf "%s\n%s\n", name[best], person[best]
}
