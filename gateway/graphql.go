package gateway

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"

	"ago/codec/js"
	"ago/fault"
)

//go:embed schema.graphql
var schemaText string

var schema = gqlparser.MustLoadSchema(&ast.Source{Name: "schema.graphql", Input: schemaText})

// Bounds of one request. The known clients need less than a tenth of each.
const (
	requestBytesMax = 1 << 20 // a thousand ids in variables are 46 kB
	tokensMax       = 4000    // of the query text; checking a query costs the square of it at worst
	depthMax        = 20      // a full selection is 5 deep, the question for the schema that editors ask 14
	rootsMax        = 20      // root fields, each of which is a search
	firstDefault    = 10
	firstMax        = 1000
	valuesMax       = 1000 // values of one condition
	tagFiltersMax   = 50
)

// queryCache keeps checked queries: clients send the same few texts again and again.
type queryCache struct {
	mu   sync.Mutex
	docs map[string]*ast.QueryDocument
}

const (
	cachedQueries  = 256
	cachedQueryMax = 8 << 10 // longer texts have values written into them and do not come again
)

func (c *queryCache) load(text string) (*ast.QueryDocument, error) {
	c.mu.Lock()
	doc := c.docs[text]
	c.mu.Unlock()
	if doc != nil {
		return doc, nil
	}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Name: "query", Input: text}, tokensMax)
	if err != nil {
		return nil, badQuery(err)
	}
	// Depth is bounded before the check, which is recursive.
	for _, op := range doc.Operations {
		if err := checkDepth(op.SelectionSet, doc, 0, map[string]bool{}); err != nil {
			return nil, err
		}
	}
	if errs := validator.ValidateWithRules(schema, doc, nil); len(errs) > 0 {
		return nil, badQuery(errs)
	}
	if len(text) <= cachedQueryMax {
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.docs) >= cachedQueries || c.docs == nil {
			c.docs = map[string]*ast.QueryDocument{}
		}
		c.docs[strings.Clone(text)] = doc
	}
	return doc, nil
}

func badQuery(err error) error {
	var list gqlerror.List
	text := err.Error()
	if errors.As(err, &list) && len(list) > 0 {
		text = list[0].Message
	} else if one := (*gqlerror.Error)(nil); errors.As(err, &one) {
		text = strings.TrimPrefix(one.Error(), "input: ") // with the variable it is about
	}
	return malformedQuery("%s", text)
}

func malformedQuery(format string, args ...any) *fault.Error {
	return fault.New(fault.Malformed, "query-malformed", format, args...).
		WithHint("the fields and arguments are those of Arweave's gateways; {__schema{queryType{fields{name args{name}}}}} lists them")
}

// checkDepth walks each fragment once per chain it is used in; a cycle is left to the check of the query.
func checkDepth(set ast.SelectionSet, doc *ast.QueryDocument, depth int, within map[string]bool) error {
	if depth > depthMax {
		return fault.New(fault.TooLarge, "query-too-deep", "the query is over %d levels deep", depthMax).WithHint("ask for less at once")
	}
	for _, s := range set {
		var err error
		switch s := s.(type) {
		case *ast.Field:
			err = checkDepth(s.SelectionSet, doc, depth+1, within)
		case *ast.InlineFragment:
			err = checkDepth(s.SelectionSet, doc, depth+1, within)
		case *ast.FragmentSpread:
			f := doc.Fragments.ForName(s.Name)
			if f == nil || within[s.Name] {
				continue
			}
			within[s.Name] = true
			err = checkDepth(f.SelectionSet, doc, depth+1, within)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// graphRequest is the body of a request.
type graphRequest struct {
	Query         string         `json:"query"`
	Variables     map[string]any `json:"variables"`
	OperationName string         `json:"operationName"`
}

// Query answers a GraphQL request with the JSON of its result: {"data":{…}} or {"errors":[…]}.
func (g *Gateway) Query(ctx context.Context, query string, variables map[string]any, operation string) []byte {
	data, err := g.execute(ctx, graphRequest{query, variables, operation})
	if err != nil {
		return graphError(err)
	}
	out := make([]byte, 0, len(data)+9)
	out = append(append(append(out, `{"data":`...), data...), '}')
	return out
}

// GraphQL answers a request that is JSON as it is sent to /graphql. It fails with Malformed for one that cannot be read; faults of
// the query are in the answer.
func (g *Gateway) GraphQL(ctx context.Context, request []byte) ([]byte, error) {
	var req graphRequest
	if err := decodeNumbers(request, &req); err != nil {
		return nil, fault.New(fault.Malformed, "request-malformed", "the body is not a GraphQL request").
			WithHint(`send JSON: {"query": "...", "variables": {...}}`)
	}
	ctx, stop := context.WithTimeout(ctx, queryTime)
	defer stop()
	return g.Query(ctx, req.Query, req.Variables, req.OperationName), nil
}

func graphError(err error) []byte {
	ext := map[string]string{"code": fault.CodeOf(err)}
	if h := fault.HintOf(err); h != "" {
		ext["hint"] = h
	}
	b, _ := json.Marshal(map[string]any{"errors": []any{map[string]any{"message": err.Error(), "extensions": ext}}})
	return b
}

func (g *Gateway) execute(ctx context.Context, r graphRequest) (data []byte, err error) {
	defer func() {
		// The checker of queries is a library that panics on some shapes of variables; that is the sender's fault.
		if p := recover(); p != nil {
			g.log.Error("a query broke the executor", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			data, err = nil, malformedQuery("the query or its variables have a shape that cannot be read")
		}
	}()
	if strings.TrimSpace(r.Query) == "" {
		return nil, fault.New(fault.Malformed, "query-missing", "the request has no query").
			WithHint(`send JSON: {"query": "...", "variables": {...}}`)
	}
	doc, err := g.queries.load(r.Query)
	if err != nil {
		return nil, err
	}
	op := doc.Operations.ForName(r.OperationName)
	switch {
	case op == nil && r.OperationName == "":
		return nil, fault.New(fault.Malformed, "operation-missing", "the query has %d operations", len(doc.Operations)).
			WithHint("name one of them in operationName")
	case op == nil:
		return nil, fault.New(fault.Malformed, "operation-missing", "the query has no operation %q", r.OperationName).
			WithHint("operationName is the name of an operation in the query")
	case op.Operation != ast.Query:
		return nil, fault.New(fault.Unsupported, "operation-unsupported", "only queries are answered, not a %s", op.Operation).
			WithHint("items are uploaded with POST /tx of a bundler, transactions with POST /tx of a gateway")
	}
	vars, err := validator.VariableValues(schema, op, r.Variables)
	if err != nil {
		return nil, badQuery(err)
	}
	x := execution{g: g, ctx: ctx, doc: doc, vars: vars}
	fields, err := x.collect([]ast.SelectionSet{op.SelectionSet})
	if err != nil {
		return nil, err
	}
	if len(fields) > rootsMax {
		return nil, fault.New(fault.TooLarge, "query-too-wide", "the query has over %d root fields", rootsMax).WithHint("ask in several requests")
	}
	err = x.object(fields, "Query", x.root)
	return x.out, err
}

// selected is a field of the answer: repeated ones are one, with the selections of all.
type selected struct {
	key   string // alias or name
	name  string
	field *ast.Field
	sub   []selected
}

// execution writes the answer of one operation.
type execution struct {
	g    *Gateway
	ctx  context.Context
	doc  *ast.QueryDocument
	vars map[string]any
	out  []byte
}

// collect merges selection sets into the fields to answer, in order of their first mention. All types of the schema are
// objects, so a fragment that passed the check applies.
func (x *execution) collect(sets []ast.SelectionSet) ([]selected, error) {
	var out []selected
	at := map[string]int{}
	inner := [][]ast.SelectionSet{}
	visited := map[string]bool{}
	var walk func(ast.SelectionSet) error
	walk = func(set ast.SelectionSet) error {
		for _, s := range set {
			switch s := s.(type) {
			case *ast.Field:
				if ok, err := x.included(s.Directives); err != nil || !ok {
					if err != nil {
						return err
					}
					continue
				}
				key := s.Alias
				if key == "" {
					key = s.Name
				}
				i, ok := at[key]
				if !ok {
					i = len(out)
					at[key] = i
					out = append(out, selected{key: key, name: s.Name, field: s})
					inner = append(inner, nil)
				}
				if len(s.SelectionSet) > 0 {
					inner[i] = append(inner[i], s.SelectionSet)
				}
			case *ast.InlineFragment:
				ok, err := x.included(s.Directives)
				if err == nil && ok {
					err = walk(s.SelectionSet)
				}
				if err != nil {
					return err
				}
			case *ast.FragmentSpread:
				ok, err := x.included(s.Directives)
				if err != nil {
					return err
				}
				if !ok || visited[s.Name] {
					continue
				}
				visited[s.Name] = true
				f := x.doc.Fragments.ForName(s.Name)
				if f == nil {
					return malformedQuery("there is no fragment %q", s.Name)
				}
				if err := walk(f.SelectionSet); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for _, s := range sets {
		if err := walk(s); err != nil {
			return nil, err
		}
	}
	for i := range out {
		if len(inner[i]) == 0 {
			continue
		}
		sub, err := x.collect(inner[i])
		if err != nil {
			return nil, err
		}
		out[i].sub = sub
	}
	return out, nil
}

// included applies @skip and @include.
func (x *execution) included(ds ast.DirectiveList) (bool, error) {
	for _, d := range ds {
		if d.Name != "skip" && d.Name != "include" {
			continue
		}
		v, ok := d.ArgumentMap(x.vars)["if"].(bool)
		if !ok {
			return false, malformedQuery("@%s needs a value for its condition", d.Name)
		}
		if v == (d.Name == "skip") {
			return false, nil
		}
	}
	return true, nil
}

// object writes the selected fields; each is written by value.
func (x *execution) object(fields []selected, typeName string, value func(selected) error) error {
	x.out = append(x.out, '{')
	for i, f := range fields {
		if i > 0 {
			x.out = append(x.out, ',')
		}
		x.out = js.AppendJSON(x.out, f.key)
		x.out = append(x.out, ':')
		if f.name == "__typename" {
			x.out = js.AppendJSON(x.out, typeName)
			continue
		}
		if err := value(f); err != nil {
			return err
		}
	}
	x.out = append(x.out, '}')
	return nil
}

// serveGraph answers GET and POST /graphql. Errors of a query have the status 200, as on every gateway.
func (g *Gateway) serveGraph(w http.ResponseWriter, r *http.Request) {
	var req graphRequest
	var text []byte
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		q := r.URL.Query()
		req.Query, req.OperationName = q.Get("query"), q.Get("operationName")
		text = []byte(q.Get("variables"))
		if len(text) > 0 {
			if err := decodeNumbers(text, &req.Variables); err != nil {
				writeError(w, fault.New(fault.Malformed, "request-malformed", "variables are not a JSON object: %v", err).
					WithHint(`give them as variables={"name": "value"}, URL-encoded`))
				return
			}
		}
	} else {
		body, err := readAll(r.Body, requestBytesMax, "query")
		if err != nil {
			writeError(w, err)
			return
		}
		if t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); t == "application/graphql" {
			req.Query = string(body)
		} else if err := decodeNumbers(body, &req); err != nil {
			text := "the body is not a GraphQL request"
			if len(body) == 0 {
				text = "the body is empty"
			}
			writeError(w, fault.New(fault.Malformed, "request-malformed", "%s", text).
				WithHint(`send JSON: {"query": "...", "variables": {...}}`))
			return
		}
	}
	ctx, stop := context.WithTimeout(r.Context(), queryTime)
	defer stop()
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(g.Query(ctx, req.Query, req.Variables, req.OperationName))
}

// decodeNumbers reads JSON and keeps numbers exact.
func decodeNumbers(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more than one value")
	}
	return nil
}
