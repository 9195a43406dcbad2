// A client of the log that nobody here wrote: golang.org/x/mod/sumdb/note and tlog read it, over HTTP or from a folder. These
// lines only say where the files of C2SP tlog-tiles lie.
//
//	tlog_client PREFIX|FOLDER VKEY [CHECKPOINT]
//
// It checks the signature of the checkpoint, every tile against its tree, every entry against its leaf, an inclusion proof of
// some entries, and the consistency with an earlier checkpoint. Prints the size and the root.
package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "tlog_client:", err)
		os.Exit(1)
	}
}

func fetch(source, path string) ([]byte, error) {
	if !strings.HasPrefix(source, "http") {
		return os.ReadFile(source + "/" + path)
	}
	answer, err := http.Get(source + "/" + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 {
		return nil, fmt.Errorf("%s: %s", path, answer.Status)
	}
	return io.ReadAll(answer.Body)
}

// A partial may be gone once the full one is there.
func fetchTile(source, path string) ([]byte, error) {
	data, err := fetch(source, path)
	if at := strings.Index(path, ".p/"); err != nil && at >= 0 {
		return fetch(source, path[:at])
	}
	return data, err
}

type tiles struct{ source string }

func (t tiles) Height() int                          { return 8 }
func (t tiles) SaveTiles(_ []tlog.Tile, _ [][]byte) {}
func (t tiles) ReadTiles(want []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, tile := range want {
		data, err := fetchTile(t.source, "tile/"+strings.TrimPrefix(tile.Path(), "tile/8/"))
		if err != nil {
			return nil, err
		}
		if len(data) < tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s is too short", tile.Path())
		}
		out = append(out, data[:tile.W*tlog.HashSize])
	}
	return out, nil
}

func open(signed []byte, verifier note.Verifier) tlog.Tree {
	n, err := note.Open(signed, note.VerifierList(verifier))
	must(err)
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		must(fmt.Errorf("the checkpoint has not three lines, or another origin"))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	root, err := tlog.ParseHash(lines[2])
	must(err)
	return tlog.Tree{N: size, Hash: root}
}

func main() {
	source := os.Args[1]
	verifier, err := note.NewVerifier(strings.TrimSpace(os.Args[2]))
	must(err)
	signed, err := fetch(source, "checkpoint")
	must(err)
	tree := open(signed, verifier)
	reader := tlog.TileHashReader(tree, tiles{source}) // holds every tile against the tree's root
	root, err := tlog.TreeHash(tree.N, reader)
	must(err)
	if root != tree.Hash {
		must(fmt.Errorf("the tiles give another root"))
	}
	var index int64
	for index < tree.N {
		path := tlog.Tile{H: 8, L: 0, N: index / 256, W: 256}
		if tree.N-index < 256 {
			path.W = int(tree.N - index)
		}
		data, err := fetchTile(source, "tile/entries/"+strings.TrimPrefix(path.Path(), "tile/8/0/"))
		must(err)
		var stored []int64
		for i := 0; i < path.W; i++ {
			stored = append(stored, tlog.StoredHashIndex(0, index+int64(i)))
		}
		leaves, err := reader.ReadHashes(stored)
		must(err)
		for i := 0; i < path.W; i++ {
			n := int(binary.BigEndian.Uint16(data))
			if tlog.RecordHash(data[2:2+n]) != leaves[i] {
				must(fmt.Errorf("entry %d is not the one that was logged", index+int64(i)))
			}
			data = data[2+n:]
		}
		index += int64(path.W)
	}
	for _, i := range []int64{0, 1, 254, 255, 256, 65535, 65536, tree.N / 2, tree.N - 1} {
		if i >= tree.N || i < 0 {
			continue
		}
		proof, err := tlog.ProveRecord(tree.N, i, reader)
		must(err)
		leaf, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, i)})
		must(err)
		must(tlog.CheckRecord(proof, tree.N, tree.Hash, i, leaf[0]))
	}
	if len(os.Args) > 3 {
		before, err := os.ReadFile(os.Args[3])
		must(err)
		old := open(before, verifier)
		if old.N > 0 {
			proof, err := tlog.ProveTree(tree.N, old.N, reader)
			must(err)
			must(tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash))
		}
	}
	fmt.Println(tree.N, tree.Hash)
}
