// spiffe_peer: what a program that uses go-spiffe does with a Workload API, a TLS listener and a bundle endpoint.
// Every answer is one line of JSON.
//
//	spiffe_peer api ADDR                        commands of api.go on standard input
//	spiffe_peer dial ADDR SERVER_ID URL         one GET for each line (the path) of standard input, over mTLS
//	spiffe_peer serve ADDR CLIENT_ID            an HTTPS server on a free port of 127.0.0.1 that asks for a client SVID
//	spiffe_peer bundle TD URL web ROOTS         fetches a bundle endpoint of profile https_web; ROOTS is a PEM file
//	spiffe_peer bundle TD URL spiffe FILE ID    the same of profile https_spiffe; FILE is the bundle to begin with
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc/status"
)

const patience = 20 * time.Second

type fields map[string]any

func say(what fields) {
	line, err := json.Marshal(what)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}

// failed says what went wrong, with the gRPC code where there is one.
func failed(err error) fields {
	said := fields{"error": err.Error()}
	var coded interface{ GRPCStatus() *status.Status }
	if errors.As(err, &coded) {
		said["code"] = int(coded.GRPCStatus().Code())
	}
	return said
}

func eachLine(do func(words []string) fields) {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		say(do(strings.Fields(lines.Text())))
	}
}

func main() {
	commands := map[string]struct {
		words int
		run   func(ctx context.Context, words []string) error
	}{
		"api":    {1, api},
		"dial":   {3, dial},
		"serve":  {2, serve},
		"bundle": {4, fetchBundle},
	}
	if len(os.Args) < 2 || len(os.Args)-2 < commands[os.Args[1]].words || commands[os.Args[1]].run == nil {
		fmt.Fprintln(os.Stderr, "usage: spiffe_peer api|dial|serve|bundle ...")
		os.Exit(2)
	}
	if err := commands[os.Args[1]].run(context.Background(), os.Args[2:]); err != nil {
		say(failed(err))
		os.Exit(1)
	}
}
