package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"ago/message"
	"ago/settings"
)

// hosts are addresses of this machine that nothing else listens at, so that many nodes can have the usual ports at a time.
var hosts atomic.Int64

func nextHost() string {
	n := hosts.Add(1)
	return fmt.Sprintf("127.%d.%d.%d", 64+os.Getpid()%128, n/250, 1+n%250)
}

// tryNode starts all units together, and gives the face of one of them beside processes that are the node's own.
func (w *world) tryNode(t *testing.T, face settings.Unit, e env) (*running, error) {
	t.Helper()
	dir := t.TempDir()
	base := env{"AGO_DATA": dir, "AGO_CACHE": w.cache, "AGO_LISTEN": nextHost(), "AGO_MODULES": w.moduleFiles(t)}
	for own, name := range map[string]string{"SU_DATA_DIR": "AGO_DATA", "WASM_BINARY_FILE_DIRECTORY": "AGO_CACHE"} {
		if _, given := e[own]; given {
			delete(base, name)
		}
	}
	r, err := w.run(t, settings.Node, dir, base, e)
	if err != nil {
		return nil, err
	}
	r.url, r.said["address"] = r.said[string(face)], r.said["scheduler"]
	if face == settings.CU || face == settings.MU {
		own := *w
		r.w = &own
		own.messages, own.longs = nil, nil
		own.counting, own.other = r.make(t, "probe"), r.make(t, "probe")
		own.lua, own.extended = r.make(t, ""), r.make(t, "extended")
		for range 5 {
			own.messages = append(own.messages, r.order(t, own.counting))
		}
	}
	return r, nil
}

// moduleFiles are the modules of the world, for a node to serve too.
func (w *world) moduleFiles(t *testing.T) string {
	t.Helper()
	file, err := filepath.Abs("../../test/reference/modules/probe3.wasm")
	check(t, err)
	one := func(seed, more string) string {
		return message.HashOf([]byte(seed)).String() + "=" + file + ",Module-Format=" + probeFormat + more
	}
	return one("probe", "") + ";" + one("extended", ",Extension=WeaveDrive")
}

// make spawns a process at the scheduler of a node.
func (r *running) make(t *testing.T, seed string) message.ID {
	t.Helper()
	module := r.w.luaModule
	if seed != "" {
		module = message.HashOf([]byte(seed))
	}
	id, raw := r.w.processItem(t, r.said["scheduler"], module)
	request(t, "POST", r.said["su"]+"/", raw).is(t, 200, id.String())
	return id
}

// order gives a message a slot without having it evaluated.
func (r *running) order(t *testing.T, p message.ID) message.ID {
	t.Helper()
	raw := r.w.item(t, p, "count")
	request(t, "POST", r.said["su"]+"/", raw).is(t, 200, "")
	return itemID(t, raw)
}

// likeUnits are the variables at which the node's face of a unit does what the unit alone does.
var likeUnits = strings.Fields(`
	su/SU_DATA_DIR su/WALLET su/SU_WALLET_PATH cu/WALLET_FILE su/DB_MODE su/DATABASE_URL su/ENABLE_METRICS su/UPLOAD_NODE_URL
	su/ENABLE_MESSAGE_MAX_SIZE su/MAX_MESSAGE_SIZE_BYTES su/MAX_SIZE_OWNER_WHITELIST su/MAX_SIZE_FROM_WHITELIST su/MAX_READ_MEMORY su/IP_WHITELIST_URL
	su/public-url su/location-ttl su/process-rate su/wallet-rate su/upload-batch su/upload-bytes su/upload-confirm su/memory su/db-name
	su/log-format su/log-level-file su/address-rate su/body-memory su/rate-burst cu/LOG_CONFIG_PATH cu/DEFAULT_LOG_LEVEL cu/MEM_MONITOR_INTERVAL
	cu/RATE_LIMIT_MAX_REQUESTS cu/RATE_LIMIT_WINDOW
	cu/PROCESS_MEMORY_CACHE_TTL cu/WASM_EVALUATION_MAX_WORKERS cu/WASM_EVALUATION_PRIMARY_WORKERS_PERCENTAGE cu/WASM_BINARY_FILE_DIRECTORY
	cu/PROCESS_MEMORY_FILE_CHECKPOINTS_DIR cu/DISABLE_PROCESS_FILE_CHECKPOINT_CREATION
	gateway/block-interval`)

// TestVariablesOfANode is TestEveryVariable for the units together, for what does not need processes of another network.
func TestVariablesOfANode(t *testing.T) {
	w := newWorld(t)
	w.asNode = true
	look := func(name string, effect func(*testing.T, *world)) {
		t.Run(strings.ReplaceAll(name, "/", "-"), func(t *testing.T) {
			t.Parallel()
			effect(t, w)
		})
	}
	for _, name := range likeUnits {
		effect := effects[name]
		if effect == nil {
			effect = ownEffects[name]
		}
		if effect == nil {
			t.Errorf("%s is no variable", name)
			continue
		}
		look(name, effect)
	}
	for name, effect := range nodeEffects {
		look(name, effect)
	}
}

// nodeEffects are what a node does at a variable where that differs from what the unit alone does, or no unit alone has it.
var nodeEffects = map[string]func(*testing.T, *world){
	"port-base": func(t *testing.T, w *world) {
		r := w.start(t, settings.Node, env{"AGO_PORT_BASE": "7100"})
		for i, face := range []string{"gateway", "bundler", "mu", "su", "cu", "node"} {
			if !strings.HasSuffix(r.said[face], fmt.Sprintf(":%d", 7100+i)) {
				t.Errorf("the %s answers at %s", face, r.said[face])
			}
		}
	},
	"listen": func(t *testing.T, w *world) {
		host := nextHost()
		r := w.start(t, settings.Node, env{"AGO_LISTEN": host})
		if !strings.HasPrefix(r.url, "http://"+host+":") {
			t.Errorf("it says that it is at %s", r.url)
		}
		r.ask(t, "GET", "/healthz", nil).is(t, 200, "")
	},
	// A node evaluates what it schedules, so it refuses at once what it would not evaluate.
	"memory-max":            ofRefusedSpawn(env{"PROCESS_WASM_MEMORY_MAX_LIMIT": "1_000_000"}, 413, "is more than 1000000"),
	"compute-max":           ofRefusedSpawn(env{"PROCESS_WASM_COMPUTE_MAX_LIMIT": "1000"}, 413, "is more than 1000"),
	"formats":               ofRefusedSpawn(env{"PROCESS_WASM_SUPPORTED_FORMATS": "wasm32-unknown-emscripten"}, 422, "this unit runs wasm32-unknown-emscripten"),
	"allowed-processes-url": ofRefusedSpawn(env{"PROCESS_WHITELIST_URL": "http://127.0.0.1:1"}, 503, "list-unreadable"),
	"new-key": func(t *testing.T, w *world) {
		dir := t.TempDir()
		w.start(t, settings.Node, env{"AGO_DATA": dir}).stop()
		if _, err := w.try(t, settings.Node, env{"AGO_DATA": dir, "WALLET": w.wallet}); err == nil {
			t.Error("data of another key is taken")
		}
		if r := w.start(t, settings.Node, env{"AGO_DATA": dir, "WALLET": w.wallet, "AGO_NEW_KEY": "true"}); r.said["scheduler"] != w.address {
			t.Errorf("it is %s, not %s", r.said["scheduler"], w.address)
		}
	},
	"core-wallet": func(t *testing.T, w *world) {
		file := filepath.Join(t.TempDir(), "w.json")
		check(t, os.WriteFile(file, []byte(w.wallet), 0o600))
		if _, err := w.try(t, settings.Node, env{"AGO_CORE_WALLET": file}); err == nil || !strings.Contains(err.Error(), "not RSA") {
			t.Errorf("a key that is no RSA key: %v", err)
		}
	},
	"profiling": func(t *testing.T, w *world) {
		w.start(t, settings.Node, env{"AGO_PROFILING": "1"}).ask(t, "GET", "/debug/pprof/", nil).is(t, 200, "goroutine")
		if got := w.start(t, settings.Node, nil).ask(t, "GET", "/debug/pprof/", nil); got.status == 200 {
			t.Error("profiles are served without it")
		}
	},
}

func ofRefusedSpawn(e env, status int, text string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		w.start(t, settings.SU, nil).spawn(t)
		r := w.start(t, settings.SU, e)
		_, raw := w.spawnItem(t, r.said["address"])
		r.ask(t, "POST", "/", raw).is(t, status, text)
	}
}
