package main

import "github.com/anishathalye/porcupine"

const (
	tasks = 3 // of a family: 0 is the root, the others are its children
	holds = 3
)

// limits is what a family begins with, as the driver says it.
type limits struct {
	Families int        `json:"families"`
	Calls    [tasks]int `json:"calls"`
	Children int        `json:"children"`
	Holds    int        `json:"holds"`
}

// family is the state of one: budgets are bounded counters, a task opens and closes, an approval is used once,
// children are counted. All of it is one state, because an intent changes several of them at once or none.
type family struct {
	left     [tasks]int
	state    [tasks]string
	children int
	hold     [holds]string
}

// guard is one step of a transaction: it refuses, or it changes the family.
type guard func(f *family) bool

func debit(task int) guard {
	return func(f *family) bool {
		f.left[task]--
		return f.state[task] == "active" && f.left[task] >= 0
	}
}

func moveTask(task int, to string, from ...string) guard {
	return func(f *family) bool { return move(&f.state[task], to, from) }
}

func moveHold(hold int, to string, from ...string) guard {
	return func(f *family) bool { return move(&f.hold[hold], to, from) }
}

func move(at *string, to string, from []string) bool {
	for _, state := range from {
		if *at == state {
			*at = to
			return true
		}
	}
	return false
}

// guards are the steps of an operation, in the order in which the driver puts them.
func (l limits) guards(e entry) []guard {
	switch e.Op {
	case "intent":
		steps := []guard{debit(e.Task)}
		if e.Task != 0 {
			steps = append(steps, debit(0))
		}
		if e.Hold >= 0 {
			steps = append(steps, moveHold(e.Hold, "used", "approved"))
		}
		return steps
	case "decide":
		return []guard{moveHold(e.Hold, e.State, "pending")}
	case "cancel":
		return []guard{moveHold(e.Hold, "cancelled", "pending", "approved")}
	case "child":
		return []guard{func(f *family) bool {
			f.children++
			return f.state[0] == "active" && f.children <= l.Children
		}}
	case "close":
		return []guard{moveTask(e.Task, "completed", "active", "suspended")}
	case "suspend":
		return []guard{moveTask(e.Task, "suspended", "active")}
	case "resume":
		return []guard{moveTask(e.Task, "active", "suspended")}
	}
	panic("no model of operation " + e.Op)
}

// step says whether the family can answer e with r, and what it is after it. A transaction is whole or nothing, and it
// is refused by the first step that cannot be. What is unknown takes effect if it can; its end is open, so it may do so
// after all else, where nobody sees it.
func (l limits) step(f family, e entry, r result) (bool, family) {
	if e.Op == "read" {
		return r.Result == "unknown" ||
			f == family{left: r.Left, state: r.Tasks, children: r.Children, hold: r.Holds}, f
	}
	after := f
	for i, passes := range l.guards(e) {
		if !passes(&after) {
			return r.Result == "unknown" || r.Result == "refused" && r.Step == i, f
		}
	}
	return r.Result != "refused", after
}

func (l limits) familyModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any {
			f := family{left: l.Calls}
			for i := range f.state {
				f.state[i] = "active"
			}
			for i := range f.hold {
				f.hold[i] = "pending"
			}
			return f
		},
		Step: func(state, input, output any) (bool, any) {
			return l.step(state.(family), input.(entry), output.(result))
		},
	}
}

// callModel is one call: an intent opens it, and of all outcomes one ends it.
func callModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return "none" },
		Step: func(state, input, output any) (bool, any) {
			from, to := "none", "open"
			if input.(entry).Op == "outcome" {
				from, to = "open", "ended"
			}
			switch output.(result).Result {
			case "ok":
				return state == from, to
			case "refused": // an intent may be refused for what the family says
				return from == "none" || state != from, state
			}
			if state == from {
				return true, to
			}
			return true, state
		},
	}
}
