// linearizable judges histories of src/ledger/history_driver.c with Porcupine: is there one order of all operations, each
// between its invoke and its return, in which the exact store would have answered the same?
//
//	linearizable [-timeout 60s] HISTORY...
//
// All files are one history: of several processes on one store, at once or one after another. Prints one JSON object;
// status 0: there is such an order; 1: there is none; 2: not known (the time is over, or what is read is no history).
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/anishathalye/porcupine"
)

type verdict struct {
	Linearizable bool           `json:"linearizable"`
	Families     int            `json:"families"`
	Calls        int            `json:"calls"`
	Counts       map[string]int `json:"counts"`
	Illegal      []string       `json:"illegal"`
}

func fail(format string, words ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", words...)
	os.Exit(2)
}

// stuck is the operation that the longest order found does not reach: the one that ended first.
func stuck(info porcupine.LinearizationInfo, all []porcupine.Operation) string {
	var longest []porcupine.Operation
	for _, partition := range info.PartialLinearizationsOperations() {
		for _, order := range partition {
			if len(order) > len(longest) {
				longest = order
			}
		}
	}
	reached := map[string]bool{}
	for _, o := range longest {
		reached[o.Input.(entry).ID] = true
	}
	var first *porcupine.Operation
	for i, o := range all {
		if !reached[o.Input.(entry).ID] && (first == nil || o.Return < first.Return) {
			first = &all[i]
		}
	}
	if first == nil {
		return "no order"
	}
	e, r := first.Input.(entry), first.Output.(result)
	return fmt.Sprintf("after %d operations %s %s (task %d, hold %d) cannot be %s", len(longest), e.Op, e.ID, e.Task,
		e.Hold, r.Result)
}

func (v *verdict) judge(name string, model porcupine.Model, operations []porcupine.Operation, timeout time.Duration) {
	switch found, info := porcupine.CheckOperationsVerbose(model, operations, timeout); found {
	case porcupine.Illegal:
		v.Illegal = append(v.Illegal, name+": "+stuck(info, operations))
	case porcupine.Unknown:
		fail("%s: not decided within %v", name, timeout)
	}
}

func main() {
	timeout := flag.Duration("timeout", time.Minute, "for each family")
	flag.Parse()
	h := history{counts: map[string]int{}}
	for _, path := range flag.Args() {
		if err := h.read(path); err != nil {
			fail("%v", err)
		}
	}
	if len(h.operations) == 0 || h.limits.Holds != holds {
		fail("no history of families with %d tasks and %d holds", tasks, holds)
	}
	h.settle()
	v := verdict{Counts: h.counts, Illegal: []string{}}
	names, groups := h.by(func(e entry) string {
		if e.Op == "outcome" {
			return ""
		}
		return fmt.Sprintf("family %d", e.Family)
	})
	v.Families = len(names)
	for _, name := range names {
		v.judge(name, h.limits.familyModel(), groups[name], *timeout)
	}
	names, groups = h.by(func(e entry) string { return e.Call })
	v.Calls = len(names)
	for _, name := range names {
		v.judge("call "+name, callModel(), groups[name], *timeout)
	}
	v.Linearizable = len(v.Illegal) == 0
	text, _ := json.Marshal(v)
	fmt.Println(string(text))
	if !v.Linearizable {
		os.Exit(1)
	}
}
