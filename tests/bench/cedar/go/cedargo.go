package main

import (
	"encoding/json"

	"github.com/cedar-policy/cedar-go"
)

type cedarGo struct{ set *cedar.PolicySet }

func (c *cedarGo) load(folder, policies string) (err error) {
	text := []byte(policies)
	if policies == "" {
		text = read(folder, "policies.cedar")
	}
	c.set, err = cedar.NewPolicySetFromBytes("policies", text)
	return err
}

func (c *cedarGo) enter(w *world) (func(json.RawMessage) func() bool, error) {
	var entities cedar.EntityMap
	if err := json.Unmarshal(w.Entities, &entities); err != nil {
		return nil, err
	}
	return func(raw json.RawMessage) func() bool {
		var r cedar.Request
		must(json.Unmarshal(raw, &r))
		return func() bool {
			decision, _ := cedar.Authorize(c.set, entities, r)
			return bool(decision)
		}
	}, nil
}
