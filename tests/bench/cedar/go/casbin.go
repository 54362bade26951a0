package main

import (
	"encoding/json"
	"strings"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"
)

// Conditions are attribute rules, evaluated for each line whose action fits.
const casbinModel = `
[request_definition]
r = sub, act, obj, args
[policy_definition]
p = act, eft, rule
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = (p.act == "*" || p.act == r.act) && eval(p.rule)
`

type casbinEngine struct {
	enforcer *casbin.Enforcer
	up       map[string]map[string]bool
}

type casbinSubject struct {
	Name, Status string
	Level        float64
}

type casbinArgs struct {
	Amount, Count     float64
	Region, Path      string
	DryRun, HasDryRun bool
}

func (c *casbinEngine) load(folder, _ string) error {
	var lines [][]string
	m, err := model.NewModelFromString(casbinModel)
	must(err)
	must(json.Unmarshal(read(folder, "casbin.json"), &lines))
	if c.enforcer, err = casbin.NewEnforcer(m); err != nil {
		return err
	}
	c.enforcer.AddFunction("g", func(args ...any) (any, error) {
		return c.up[args[0].(string)][args[1].(string)], nil
	})
	c.enforcer.AddFunction("prefix", func(args ...any) (any, error) {
		return strings.HasPrefix(args[0].(string), args[1].(string)), nil
	})
	_, err = c.enforcer.AddPolicies(lines)
	return err
}

func (c *casbinEngine) enter(w *world) (func(json.RawMessage) func() bool, error) {
	var entities []entity
	if err := json.Unmarshal(w.Entities, &entities); err != nil {
		return nil, err
	}
	c.up = closure(entities)
	attrs := map[string]map[string]any{}
	for _, e := range entities {
		attrs[e.UID.String()] = e.Attrs
	}
	return func(raw json.RawMessage) func() bool {
		var r request
		must(json.Unmarshal(raw, &r))
		who, args := attrs[r.Principal.String()], r.Context["args"].(map[string]any)
		dryRun, has := args["dry_run"].(bool)
		sub := casbinSubject{r.Principal.String(), who["status"].(string), who["level"].(float64)}
		values := casbinArgs{args["amount"].(float64), args["count"].(float64), args["region"].(string),
			args["path"].(string), dryRun, has}
		return func() bool {
			ok, err := c.enforcer.Enforce(sub, r.Action.String(), r.Resource.String(), values)
			must(err)
			return ok
		}
	}, nil
}
