package lua

import (
	"context"
	"testing"

	"ago/vm"
)

func testEngine(tb testing.TB) vm.Engine {
	tb.Helper()
	e, err := New(Config{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { e.Close() })
	return e
}

func TestFirst(t *testing.T) {
	e := testEngine(t)
	i, err := e.New(context.Background(), vm.Module{Format: Format, Bytes: []byte(`
local json = require "json"
local n = 0
function handle(msg, env)
  n = n + 1
  if msg.Data == "fail" then error("failed " .. n) end
  if msg.Data == "loop" then while true do pcall(function() while true do end end) end end
  return {Output = msg.Data .. " " .. (1+1) .. " " .. n, Messages = {}}
end`)}, vm.Limits{GasMax: 1e7})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	for _, d := range []string{"a", "b", "fail", "loop", "c"} {
		out, err := i.Eval(context.Background(), vm.Input{Message: []byte(`{"Data":"` + d + `"}`), Env: []byte(`{}`)})
		t.Logf("%s %q %d %v %s", d, out.Response, out.Gas, err, out.Failure)
		if out.Failure == "" && err == nil && d != "fail" {
			err = i.Commit()
		} else {
			err = i.Rollback()
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Log(i.Resident())
	}
}
