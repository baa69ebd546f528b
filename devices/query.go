package devices

import (
	"context"
	"encoding/json"
	"strconv"

	"ago/device"
	"ago/fault"
	"ago/message"
)

// Queries answers GraphQL as gateways do; a node with an index of its own offers it.
type Queries interface {
	// GraphQL takes the JSON of a request, with query, operationName and variables, and gives that of the answer.
	GraphQL(ctx context.Context, request []byte) ([]byte, error)
}

// Query finds messages by what they say.
var _ = device.Register(device.Device{
	Name:       "query@1.0",
	Doc:        "finds the messages that the node keeps by their keys and values",
	Default:    queryAll,
	DefaultKey: device.Key{Doc: "as all", Inputs: queryInputs},
	Keys: device.Keys{
		"all":  {Doc: "the messages that have all keys of the request with these values; 404 if there are none", Inputs: queryInputs, Do: queryAll},
		"base": {Doc: "the messages that have all keys of the message with these values; 404 if there are none", Inputs: queryInputs, Do: queryBase},
		"only": {Doc: "the messages that agree with the request in the keys that `only` names; 404 if there are none", Inputs: queryInputs, Do: queryOnly},
		"graphql": {Doc: "the answer of the node's index to a GraphQL query, as JSON", Do: queryGraphQL,
			Inputs: []device.Input{{Name: "query", Doc: "the query; without it, the body is a request as JSON", Type: device.TypeText, Max: 64 << 10}}},
	},
	Examples: []device.Example{{Needs: "what is kept depends on the node", Path: "/~query@1.0/all?type=Process&return=count", Want: "3"}},
})

var queryInputs = []device.Input{
	{Name: "return", Doc: "paths is the default; count, messages, first-path, first-message or boolean", Type: device.TypeText, Max: 100},
	{Name: "only", Doc: "the keys that count; all is the default", Type: device.TypeList, Max: queryKeysMax},
	{Name: "exclude", Doc: "keys that do not count", Type: device.TypeList, Max: queryKeysMax},
}

const (
	queryKeysMax     = 100
	queryMessagesMax = 1000 // messages read for one answer
)

func queryAll(c *device.Call, _, req message.Message) (message.Value, error) {
	return queryMatch(c, meant(req), req, nil)
}

func queryBase(c *device.Call, base, req message.Message) (message.Value, error) {
	return queryMatch(c, meant(base), req, nil)
}

func queryOnly(c *device.Call, base, req message.Message) (message.Value, error) {
	v, ok := device.First("only", req, base)
	if !ok {
		return nil, fault.New(fault.Malformed, "argument-missing", "only says which keys count")
	}
	if m, ok := v.(message.Message); ok { // keys with their values
		if _, numbered := m.Get("1"); !numbered {
			return queryMatch(c, m, req, nil)
		}
	}
	return queryMatch(c, meant(req), req, device.Texts(v))
}

func queryMatch(c *device.Call, template, req message.Message, only []string) (message.Value, error) {
	if c.Node.Contents == nil {
		return nil, unstored()
	}
	for _, key := range append([]string{"return", "exclude", "only", "cache-control"}, device.Texts(queryExcluded(req))...) {
		template = template.Without(key)
	}
	want := template
	if only != nil {
		want = message.Message{}
		for _, key := range only {
			if v, ok := template.Get(key); ok {
				want = want.With(key, v)
			}
		}
	}
	if want.Len() == 0 || want.Len() > queryKeysMax {
		return nil, fault.New(fault.Malformed, "query-malformed", "a query has 1 to %d keys, this has %d", queryKeysMax, want.Len()).
			WithHint("/~query@1.0/all?type=Process finds processes")
	}
	ids, err := c.Node.Contents.Local().Match(c, want)
	if err != nil {
		return nil, err
	}
	return queryReturn(c, ids, req.Text("return"))
}

func queryExcluded(req message.Message) message.Value {
	v, _ := req.Get("exclude")
	return v
}

func queryReturn(c *device.Call, ids []message.ID, as string) (message.Value, error) {
	switch as {
	case "count":
		return message.Int(len(ids)), nil
	case "boolean":
		return message.Atom(strconv.FormatBool(len(ids) > 0)), nil
	}
	if len(ids) == 0 {
		return nil, fault.New(fault.NotFound, "query-empty", "no message here has all of these keys with these values")
	}
	switch as {
	case "", "paths":
		out := make(message.List, len(ids))
		for i, id := range ids {
			out[i] = message.Bytes(id.String())
		}
		return out, nil
	case "first-path":
		return message.Bytes(ids[0].String()), nil
	case "first", "first-message":
		return c.Read(ids[0].String())
	case "messages":
		if len(ids) > queryMessagesMax {
			return nil, fault.New(fault.TooLarge, "query-too-large", "%d messages match, up to %d are given at once", len(ids), queryMessagesMax).
				WithHint("ask for return=paths and read them one by one")
		}
		out := make(message.List, len(ids))
		for i, id := range ids {
			v, err := c.Read(id.String())
			if err == nil {
				err = c.Charge(func(limit int64) int64 { return message.Footprint(v, limit) })
			}
			if err != nil {
				return nil, err
			}
			out[i] = v
		}
		return out, nil
	}
	return nil, fault.New(fault.Malformed, "argument-malformed", "return is paths, count, messages, first-path, first-message or boolean")
}

func queryGraphQL(c *device.Call, base, req message.Message) (message.Value, error) {
	service, ok := device.Service[Queries](c)
	if !ok {
		return nil, unserved("index for GraphQL")
	}
	var body []byte
	if query := first("query", req, base); query != "" {
		text, err := queryRequest(query, first("operationName", req, base), first("variables", req, base))
		if err != nil {
			return nil, err
		}
		body = text
	} else {
		text, _, err := codecPayload(c, base, req)
		if err != nil {
			return nil, err
		}
		if text == nil {
			return nil, codecMissing("GraphQL", message.KeyBody)
		}
		body = text
	}
	answer, err := service.GraphQL(c, body)
	if err != nil {
		return nil, err
	}
	return codecTyped("application/json", answer), nil
}

// queryRequest writes a request of GraphQL as JSON.
func queryRequest(query, operation, variables string) ([]byte, error) {
	r := struct {
		Query     string          `json:"query"`
		Operation string          `json:"operationName,omitempty"`
		Variables json.RawMessage `json:"variables,omitempty"`
	}{Query: query, Operation: operation}
	if variables != "" {
		if !json.Valid([]byte(variables)) {
			return nil, fault.New(fault.Malformed, "argument-malformed", "variables have to be JSON")
		}
		r.Variables = json.RawMessage(variables)
	}
	return json.Marshal(r)
}
