package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"ago/codec/ans104"
	"ago/message"
	"ago/store"
)

// TestGraphQL runs the scripts in testdata/graphql. Names stand for ids: $a$ is the item a, $alice$ the address of the key
// alice.
//
//	item <name> [owner=<key>] [to=<name>] [in=<name>] [anchor=<text>] [tags=(Name:Value,...)] [data=<text>]
//	mine, wait seconds=<n>, restart
//	query: the text, and after a line of --- the variables
func TestGraphQL(t *testing.T) {
	datadriven.Walk(t, "testdata/graphql", func(t *testing.T, path string) {
		n := newNetwork(t)
		names := map[string]message.ID{}
		key := func(name string) message.ID {
			id := testKey(t, name).Address()
			names[name] = id
			return id
		}
		ids := func(text string) string {
			for name, id := range names {
				text = strings.ReplaceAll(text, "$"+name+"$", id.String())
			}
			return text
		}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "key":
				for _, a := range d.CmdArgs {
					key(a.Key)
				}
			case "item":
				owner, to, in, anchor, data := "node", "", "", "", d.CmdArgs[0].Key
				d.MaybeScanArgs(t, "owner", &owner)
				d.MaybeScanArgs(t, "to", &to)
				d.MaybeScanArgs(t, "in", &in)
				d.MaybeScanArgs(t, "anchor", &anchor)
				d.MaybeScanArgs(t, "data", &data)
				draft := ans104.Draft{Data: []byte(data)}
				if to != "" {
					draft.Target, draft.HasTarget = names[to], true
				}
				if anchor != "" {
					draft.Anchor = []byte(anchor)
				}
				for _, a := range d.CmdArgs {
					if a.Key == "tags" {
						for _, v := range a.Vals {
							name, value, _ := strings.Cut(v, ":")
							draft.Tags = append(draft.Tags, Tag{Name: name, Value: value})
						}
					}
				}
				it := sign(t, testKey(t, owner), draft)
				var b store.Batch
				if err := n.put(context.Background(), &b, it, names[in]); err != nil {
					return err.Error()
				}
				if err := n.store.Apply(&b, true); err != nil {
					return err.Error()
				}
				names[d.CmdArgs[0].Key] = it.ID()
			case "mine":
				b, err := n.blocks.Mine(1)
				if err != nil {
					return err.Error()
				}
				return strconv.FormatUint(b.Height, 10)
			case "wait":
				var s int
				d.ScanArgs(t, "seconds", &s)
				n.clock.Advance(time.Duration(s) * time.Second)
			case "restart":
				n.reopen(t)
			case "query":
				text, vars, _ := strings.Cut(d.Input, "\n---\n")
				var variables map[string]any
				if vars != "" {
					if err := json.Unmarshal([]byte(ids(vars)), &variables); err != nil {
						return err.Error()
					}
				}
				got := n.query(t, ids(text), variables)
				for name, id := range names {
					got = strings.ReplaceAll(got, id.String(), "$"+name+"$")
				}
				var out bytes.Buffer
				if err := json.Indent(&out, []byte(got), "", " "); err != nil {
					return fmt.Sprintf("%v: %s", err, got)
				}
				return out.String()
			default:
				d.Fatalf(t, "no command %q", d.Cmd)
			}
			return ""
		})
	})
}
