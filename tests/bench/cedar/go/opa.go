package main

import (
	"context"
	"encoding/json"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

// Entities are data.e: uid to {attrs, up}, up being the set of all it is in. The query is prepared
// once; each decision gets its input as a value that was made before.
type opa struct {
	query rego.PreparedEvalQuery
	store storage.Store
}

func (o *opa) load(folder, _ string) (err error) {
	o.store = inmem.NewWithOpts(inmem.OptRoundTripOnWrite(false), inmem.OptReturnASTValuesOnRead(true))
	o.query, err = rego.New(
		rego.Query("data.bench.allow"),
		rego.Module("policy.rego", string(read(folder, "policy.rego"))),
		rego.Store(o.store),
		rego.StoreReadAST(true),
	).PrepareForEval(context.Background())
	return err
}

// Entities inside of values become their uid as a string.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if e, ok := v["__entity"].(map[string]any); ok {
			return e["type"].(string) + "::" + e["id"].(string)
		}
		out := map[string]any{}
		for name, member := range v {
			out[name] = plain(member)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plain(v[i])
		}
		return out
	}
	return v
}

func (o *opa) enter(w *world) (func(json.RawMessage) func() bool, error) {
	var entities []entity
	if err := json.Unmarshal(w.Entities, &entities); err != nil {
		return nil, err
	}
	ctx, data, up := context.Background(), map[string]any{}, closure(entities)
	for _, e := range entities {
		above := map[string]any{}
		for name := range up[e.UID.String()] {
			above[name] = true
		}
		data[e.UID.String()] = map[string]any{"attrs": plain(e.Attrs), "up": above}
	}
	if err := storage.WriteOne(ctx, o.store, storage.AddOp, storage.MustParsePath("/e"), data); err != nil {
		return nil, err
	}
	return func(raw json.RawMessage) func() bool {
		var r request
		must(json.Unmarshal(raw, &r))
		input := ast.MustInterfaceToValue(map[string]any{"principal": r.Principal.String(),
			"action": r.Action.String(), "resource": r.Resource.String(), "context": plain(r.Context)})
		return func() bool {
			results, err := o.query.Eval(ctx, rego.EvalParsedInput(input))
			must(err)
			return results.Allowed()
		}
	}, nil
}
