package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"sort"
	"strings"

	"github.com/anishathalye/porcupine"
)

// entry is a line of a history: the invoke of an operation (Op is there) or its return (Result is).
type entry struct {
	Op      string `json:"op"`
	ID      string `json:"id"`
	Gateway string `json:"gateway"`
	Family  int    `json:"family"`
	Task    int    `json:"task"`
	Hold    int    `json:"hold"`
	Call    string `json:"call"`
	State   string `json:"state"`
	Invoke  int64  `json:"invoke"`
	Begin   limits `json:"begin"`

	result
	Return int64 `json:"return"`
}

// result is what an operation answered; one that nobody knows the answer of is "unknown".
type result struct {
	Result   string        `json:"result"`
	Step     int           `json:"step"`
	Left     [tasks]int    `json:"left"`
	Children int           `json:"children"`
	Tasks    [tasks]string `json:"tasks"`
	Holds    [holds]string `json:"holds"`
}

const never = math.MaxInt64

// history is the operations of all files together, each complete: one without a return may take effect at any time
// after its invoke, or never.
type history struct {
	operations []porcupine.Operation
	limits     limits
	counts     map[string]int
}

func (h *history) read(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if cut := strings.LastIndexByte(string(text), '\n'); cut+1 < len(text) {
		text = text[:cut+1] // a process died within the line: an invoke that was not submitted, or no return
	}
	pending := map[string]entry{}
	lines := bufio.NewScanner(strings.NewReader(string(text)))
	for n := 1; lines.Scan(); n++ {
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
		if err := h.take(e, pending); err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
	for _, e := range pending {
		h.add(e, result{Result: "unknown"}, never)
	}
	return lines.Err()
}

func (h *history) take(e entry, pending map[string]entry) error {
	begun, known := pending[e.ID]
	switch {
	case e.Op == "families":
		if h.limits != (limits{}) && h.limits != e.Begin {
			return fmt.Errorf("other families than before")
		}
		h.limits = e.Begin
	case e.Op != "":
		if known || e.ID == "" || e.Invoke <= 0 {
			return fmt.Errorf("an invoke without an id or time of its own")
		}
		pending[e.ID] = e
	case !known || e.Return < begun.Invoke:
		return fmt.Errorf("a return of nothing that was invoked")
	case e.Result == "unknown":
		h.add(begun, e.result, never)
		delete(pending, e.ID)
	case e.Result == "ok" || e.Result == "refused":
		h.add(begun, e.result, e.Return)
		delete(pending, e.ID)
	default:
		return fmt.Errorf("result %q", e.Result)
	}
	return nil
}

func (h *history) add(e entry, r result, until int64) {
	h.counts[e.Op+" "+r.Result]++
	h.operations = append(h.operations, porcupine.Operation{Input: e, Output: r, Call: e.Invoke, Return: until})
}

// settle makes sure of intents that nobody knew the result of: whose call has ended was open, so it took effect before
// that.
func (h *history) settle() {
	ended := map[string]int64{}
	for _, o := range h.operations {
		if e := o.Input.(entry); e.Op == "outcome" && o.Output.(result).Result == "ok" {
			if first, known := ended[e.Call]; !known || o.Return < first {
				ended[e.Call] = o.Return
			}
		}
	}
	for i, o := range h.operations {
		e, r := o.Input.(entry), o.Output.(result)
		if until, known := ended[e.Call]; known && e.Op == "intent" && r.Result == "unknown" && until > o.Call {
			h.operations[i].Output, h.operations[i].Return = result{Result: "ok"}, until
			h.counts["intent settled by its outcome"]++
		}
	}
}

// by groups those operations that key names, in an order that is always the same.
func (h *history) by(key func(e entry) string) (names []string, groups map[string][]porcupine.Operation) {
	groups = map[string][]porcupine.Operation{}
	for _, o := range h.operations {
		if k := key(o.Input.(entry)); k != "" {
			if groups[k] == nil {
				names = append(names, k)
			}
			groups[k] = append(groups[k], o)
		}
	}
	sort.Strings(names)
	return names, groups
}
