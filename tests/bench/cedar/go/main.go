// The Go engines under the load of one case; see ../bench.c for what the cases are.
//
//	bench cedar-go|opa|casbin CASE [--worlds N] [--requests N]
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sort"
	"time"
)

type uid struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

func (u uid) String() string { return u.Type + "::" + u.ID }

type entity struct {
	UID     uid            `json:"uid"`
	Attrs   map[string]any `json:"attrs"`
	Parents []uid          `json:"parents"`
}

type request struct {
	Principal uid            `json:"principal"`
	Action    uid            `json:"action"`
	Resource  uid            `json:"resource"`
	Context   map[string]any `json:"context"`
}

type world struct {
	Policies string            `json:"policies"`
	Entities json.RawMessage   `json:"entities"`
	Requests []json.RawMessage `json:"requests"`
}

// An engine is loaded once for a case, or once for each world that brings its own policies.
type engine interface {
	load(folder, policies string) error
	// Takes a world's entities; what it gives decides one request.
	enter(w *world) (prepare func(raw json.RawMessage) (decide func() bool), err error)
}

var engines = map[string]engine{"cedar-go": &cedarGo{}, "opa": &opa{}, "casbin": &casbinEngine{}}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func read(folder, name string) []byte {
	data, err := os.ReadFile(filepath.Join(folder, name))
	must(err)
	return data
}

// For each entity the uids of all it is in, itself among them.
func closure(entities []entity) map[string]map[string]bool {
	parents := map[string][]string{}
	for _, e := range entities {
		for _, p := range e.Parents {
			parents[e.UID.String()] = append(parents[e.UID.String()], p.String())
		}
	}
	up := map[string]map[string]bool{}
	for _, e := range entities {
		seen := map[string]bool{}
		for queue := []string{e.UID.String()}; len(queue) > 0; {
			next := queue[0]
			queue = queue[1:]
			if !seen[next] {
				seen[next] = true
				queue = append(queue, parents[next]...)
			}
		}
		up[e.UID.String()] = seen
	}
	return up
}

type tally struct {
	loadMS    float64
	samples   []int64
	decisions []byte
}

func (t *tally) load(e engine, folder, policies string) {
	start := time.Now()
	must(e.load(folder, policies))
	t.loadMS += float64(time.Since(start).Nanoseconds()) / 1e6
}

func (t *tally) run(e engine, w *world, most int) {
	prepare, err := e.enter(w)
	must(err)
	var decides []func() bool
	for _, raw := range w.Requests[:min(most, len(w.Requests))] {
		decides = append(decides, prepare(raw))
	}
	for _, decide := range decides {
		letter := byte('D')
		if decide() {
			letter = 'A'
		}
		t.decisions = append(t.decisions, letter)
	}
	for _, decide := range decides {
		start := time.Now()
		decide()
		t.samples = append(t.samples, time.Since(start).Nanoseconds())
	}
}

func (t *tally) percentile(part float64) int64 {
	sort.Slice(t.samples, func(i, j int) bool { return t.samples[i] < t.samples[j] })
	return t.samples[int(float64(len(t.samples)-1)*part)]
}

func main() {
	name, folder := os.Args[1], os.Args[2]
	flags := flag.NewFlagSet(name, flag.ExitOnError)
	worlds := flags.Int("worlds", 1<<30, "")
	requests := flags.Int("requests", 1<<30, "")
	must(flags.Parse(os.Args[3:]))
	e, t := engines[name], &tally{}
	if _, err := os.Stat(filepath.Join(folder, "policies.cedar")); err == nil {
		t.load(e, folder, "")
	}
	file, err := os.Open(filepath.Join(folder, "worlds.jsonl"))
	must(err)
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<30)
	for i := 0; i < *worlds && lines.Scan(); i++ {
		var w world
		must(json.Unmarshal(lines.Bytes(), &w))
		if w.Policies != "" {
			t.load(e, folder, w.Policies)
		}
		t.run(e, &w, *requests)
	}
	must(lines.Err())
	must(os.WriteFile(filepath.Join(folder, name+".decisions"), t.decisions, 0o644))
	fmt.Printf("{\"engine\":%q,\"p50_ns\":%d,\"p99_ns\":%d,\"parse_ms\":%.3f,\"requests\":%d}\n",
		name, t.percentile(0.5), t.percentile(0.99), t.loadMS, len(t.decisions))
}
