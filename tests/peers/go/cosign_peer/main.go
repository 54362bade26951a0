// cosign_peer signs, cosigns and judges checkpoints with torchwood and golang.org/x/mod/sumdb/note,
// which know nothing of Ambit.
//
//	cosign_peer make WITNESSES SIZE   a log and its witnesses, new; what they sign: one line of JSON
//	cosign_peer judge POLICY < NOTE   exit status 0 where the policy file accepts the checkpoint
package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const origin = "ambit.example/log"

type signed struct {
	Log       string   `json:"log"`       // vkey
	Note      string   `json:"note"`      // signed by the log alone
	Witnesses []string `json:"witnesses"` // vkeys
	Lines     []string `json:"lines"`     // what each witness answers
}

func fresh(n int, size int64) (*signed, error) {
	skey, vkey, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		return nil, err
	}
	text := torchwood.Checkpoint{Origin: origin, Tree: tlog.Tree{N: size, Hash: tlog.Hash(sha256.Sum256([]byte(vkey)))}}.String()
	byLog, err := note.Sign(&note.Note{Text: text}, signer)
	if err != nil {
		return nil, err
	}
	out := &signed{Log: vkey, Note: string(byLog)}
	for i := range n {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		w, err := torchwood.NewCosignatureSigner(fmt.Sprintf("witness.example/w%d", i), key)
		if err != nil {
			return nil, err
		}
		alone, err := note.Sign(&note.Note{Text: text}, w)
		if err != nil {
			return nil, err
		}
		out.Witnesses = append(out.Witnesses, w.Verifier().String())
		out.Lines = append(out.Lines, string(alone[len(text)+1:]))
	}
	return out, nil
}

func judge(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	policy, err := torchwood.ParsePolicy(text)
	if err != nil {
		return err
	}
	bytes, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	n, err := note.Open(bytes, policy)
	if err != nil {
		return err
	}
	c, err := torchwood.ParseCheckpoint(n.Text)
	if err != nil {
		return err
	}
	return policy.Check(c.Origin, n.Sigs)
}

func run(args []string) error {
	switch {
	case len(args) == 3 && args[0] == "make":
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(args[2], 10, 64)
		if err != nil {
			return err
		}
		out, err := fresh(n, size)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(out)
	case len(args) == 2 && args[0] == "judge":
		return judge(args[1])
	}
	return errors.New("usage: cosign_peer make WITNESSES SIZE | cosign_peer judge POLICY")
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
