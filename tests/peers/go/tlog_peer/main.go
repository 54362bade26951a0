// tlog_peer DIR VKEY: checks a directory of tiles (C2SP tlog-tiles) with golang.org/x/mod: the
// checkpoint's signature, every entry's hash and its inclusion, and the consistency of every size
// given (all of them up to 300, then some) with the checkpoint. Prints one line of counts; exits 1
// with the reason when anything does not hold.
//
// With a third argument, a tlog-proof FILE: that its checkpoint is signed and its path leads from
// the entry it carries to the root.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

// reader gives x/mod the tiles of a C2SP directory, whose paths lack the height.
type reader struct {
	dir   string
	saved map[string][]byte
}

func (r *reader) Height() int { return height }

func (r *reader) SaveTiles([]tlog.Tile, [][]byte) {}

func (r *reader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range tiles {
		path := strings.Replace(t.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
		data, ok := r.saved[path]
		if !ok {
			var err error
			if data, err = os.ReadFile(filepath.Join(r.dir, path)); err != nil {
				return nil, err
			}
			if len(data) != t.W*tlog.HashSize {
				return nil, fmt.Errorf("%s: %d bytes", path, len(data))
			}
			r.saved[path] = data
		}
		all = append(all, data)
	}
	return all, nil
}

func checkpoint(text []byte, vkey string) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tlog.Tree{}, err
	}
	signed, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(signed.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, errors.New("no checkpoint of that log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	hash, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: hash}, err
}

func entries(dir string, size int64) ([][]byte, error) {
	var all [][]byte
	for n := int64(0); n*256 < size; n++ {
		t := tlog.Tile{H: height, L: -1, N: n, W: int(min(256, size-n*256))}
		path := strings.Replace(t.Path(), fmt.Sprintf("tile/%d/data/", height), "tile/entries/", 1)
		data, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			return nil, err
		}
		for range t.W {
			if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
				return nil, fmt.Errorf("%s ends in an entry", path)
			}
			end := 2 + int(binary.BigEndian.Uint16(data))
			all, data = append(all, data[2:end]), data[end:]
		}
		if len(data) != 0 {
			return nil, fmt.Errorf("%s: %d bytes too many", path, len(data))
		}
	}
	return all, nil
}

// naive is the tree that the entries give, kept in memory by x/mod's own storage layout.
func naive(all [][]byte) (tlog.HashReaderFunc, error) {
	var stored []tlog.Hash
	read := func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, at := range indexes {
			if at >= int64(len(stored)) {
				return nil, errors.New("no such hash")
			}
			out[i] = stored[at]
		}
		return out, nil
	}
	for i, entry := range all {
		hashes, err := tlog.StoredHashes(int64(i), entry, tlog.HashReaderFunc(read))
		if err != nil {
			return nil, err
		}
		stored = append(stored, hashes...)
	}
	return read, nil
}

func directory(dir, vkey string) error {
	text, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return err
	}
	tree, err := checkpoint(text, vkey)
	if err != nil {
		return err
	}
	all, err := entries(dir, tree.N)
	if err != nil {
		return err
	}
	tiles := tlog.TileHashReader(tree, &reader{dir, map[string][]byte{}})
	for i, entry := range all {
		proof, err := tlog.ProveRecord(tree.N, int64(i), tiles)
		if err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, int64(i), tlog.RecordHash(entry)); err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
	}
	hashes, err := naive(all)
	if err != nil {
		return err
	}
	consistent := 0
	for size := int64(1); size <= tree.N; size++ {
		if size > 300 && size != tree.N && size%97 != 0 {
			continue
		}
		root, err := tlog.TreeHash(size, hashes)
		if err != nil {
			return err
		}
		proof, err := tlog.ProveTree(tree.N, size, tiles)
		if err != nil {
			return fmt.Errorf("size %d: %w", size, err)
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, size, root); err != nil {
			return fmt.Errorf("size %d: %w", size, err)
		}
		consistent++
	}
	fmt.Printf("%d entries, %d sizes\n", len(all), consistent)
	return nil
}

func receipt(vkey, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	head, signed, ok := bytes.Cut(text, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !ok || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("no proof that carries an entry")
	}
	tree, err := checkpoint(signed, vkey)
	if err != nil {
		return err
	}
	entry, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return err
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		proof = append(proof, hash)
	}
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry)); err != nil {
		return err
	}
	fmt.Printf("%d of %d\n", index, tree.N)
	return nil
}

func main() {
	var err error
	switch len(os.Args) {
	case 3:
		err = directory(os.Args[1], os.Args[2])
	case 4:
		err = receipt(os.Args[2], os.Args[3])
	default:
		err = errors.New("usage: tlog_peer DIR VKEY [PROOF]")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
