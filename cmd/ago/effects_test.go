package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ago/message"
	"ago/node"
	"ago/settings"
)

// effects are what each variable of each unit changes. The name is unit/variable.
var effects = map[string]func(*testing.T, *world){
	// Compute unit.
	"cu/PORT":        ofPort(settings.CU),
	"cu/WALLET":      ofWalletText(settings.CU),
	"cu/WALLET_FILE": ofWalletFile(settings.CU, "WALLET_FILE"),
	"cu/DB_MODE":     ofDBMode(settings.CU),
	"cu/DB_URL": func(t *testing.T, w *world) {
		r := w.start(t, settings.CU, env{"DB_URL": "second"})
		if _, err := os.Stat(filepath.Join(r.dir, "second", "tables")); err != nil {
			t.Error(err)
		}
	},
	"cu/ENABLE_METRICS_ENDPOINT": ofMetrics(settings.CU, "ENABLE_METRICS_ENDPOINT", "anything"),
	"cu/GATEWAY_URL": func(t *testing.T, w *world) {
		f := newFront(t, w.node.Addresses().Gateway)
		w.start(t, settings.CU, env{"GATEWAY_URL": f.URL}).result(t, 0).is(t, 200, "Output")
		if !f.heard("/graphql") || !f.heard("/raw/") {
			t.Errorf("the gateway heard %q", f.asked)
		}
	},
	"cu/ARWEAVE_URL": func(t *testing.T, w *world) {
		f, rest := newFront(t, w.node.Addresses().Gateway), newFront(t, w.node.Addresses().Gateway)
		w.start(t, settings.CU, env{"ARWEAVE_URL": f.URL, "GATEWAY_URL": rest.URL}).result(t, 0).is(t, 200, "Output")
		if !f.heard("/raw/") || rest.heard("/raw/") || !rest.heard("/graphql") {
			t.Errorf("it heard %q, the gateway %q", f.asked, rest.asked)
		}
	},
	"cu/GRAPHQL_URL": func(t *testing.T, w *world) {
		f, rest := newFront(t, w.node.Addresses().Gateway), newFront(t, w.node.Addresses().Gateway)
		w.start(t, settings.CU, env{"GRAPHQL_URL": f.URL + "/graphql", "GATEWAY_URL": rest.URL}).result(t, 0).is(t, 200, "Output")
		if !f.heard("POST /graphql") || rest.heard("/graphql") {
			t.Errorf("it heard %q, the gateway %q", f.asked, rest.asked)
		}
	},
	"cu/GRAPHQL_URLS": func(t *testing.T, w *world) {
		broken, f := newFront(t, "!"), newFront(t, w.node.Addresses().Gateway)
		w.start(t, settings.CU, env{"GRAPHQL_URL": broken.URL + "/graphql", "GRAPHQL_URLS": "http://127.0.0.1:1," + f.URL + "/graphql"}).result(t, 0).is(t, 200, "Output")
		if !broken.heard("/graphql") || !f.heard("/graphql") {
			t.Errorf("they heard %q and %q", broken.asked, f.asked)
		}
	},
	"cu/CHECKPOINT_GRAPHQL_URL": func(t *testing.T, w *world) {
		broken, f := newFront(t, "!"), newFront(t, w.node.Addresses().Gateway)
		r := w.start(t, settings.CU, env{
			"GRAPHQL_URL": broken.URL + "/graphql", "GRAPHQL_URLS": w.node.Addresses().Gateway + "/graphql", "CHECKPOINT_GRAPHQL_URL": f.URL + "/graphql",
			"PROCESS_CHECKPOINT_TRUSTED_OWNERS": w.address,
		})
		r.longResult(t).is(t, 200, "Output")
		if !f.heard("Checkpoint") {
			t.Errorf("it heard %q", f.asked)
		}
	},
	"cu/SU_URL": func(t *testing.T, w *world) {
		f := newFront(t, w.node.Addresses().SU)
		w.start(t, settings.CU, env{"SU_URL": f.URL}).result(t, 0).is(t, 200, "Output")
		if !f.heard("/processes/") {
			t.Errorf("the scheduler heard %q", f.asked)
		}
	},
	"cu/UPLOADER_URL": func(t *testing.T, w *world) {
		f := newFront(t, "")
		r := w.start(t, settings.CU, env{"UPLOADER_URL": f.URL, "DISABLE_PROCESS_CHECKPOINT_CREATION": "false", "PROCESS_MEMORY_CACHE_CHECKPOINT_INTERVAL": "20"})
		r.result(t, 2).is(t, 200, "Output")
		eventually(t, "the upload of a checkpoint", func() bool { return f.heard("POST /tx") })
	},
	"cu/DISABLE_PROCESS_CHECKPOINT_CREATION": func(t *testing.T, w *world) {
		for value, uploaded := range map[string]bool{"false": true, "true": false} {
			f := newFront(t, "")
			r := w.start(t, settings.CU, env{"UPLOADER_URL": f.URL, "DISABLE_PROCESS_CHECKPOINT_CREATION": value})
			r.result(t, 2).is(t, 200, "Output")
			r.stop() // which writes checkpoints
			if f.heard("POST /tx") != uploaded {
				t.Errorf("%s: the bundler heard %d things", value, len(f.asked))
			}
		}
	},
	"cu/DISABLE_PROCESS_FILE_CHECKPOINT_CREATION": func(t *testing.T, w *world) {
		for value, written := range map[string]bool{"false": true, "yes": false} {
			dir := t.TempDir()
			r := w.start(t, settings.CU, env{"PROCESS_MEMORY_FILE_CHECKPOINTS_DIR": dir, "DISABLE_PROCESS_FILE_CHECKPOINT_CREATION": value})
			r.result(t, 2).is(t, 200, "Output")
			r.stop()
			if got := files(t, dir); (len(got) > 0) != written {
				t.Errorf("%s: %v", value, got)
			}
		}
	},
	"cu/PROCESS_MEMORY_FILE_CHECKPOINTS_DIR": func(t *testing.T, w *world) {
		dir := filepath.Join(t.TempDir(), "made")
		r := w.start(t, settings.CU, env{"PROCESS_MEMORY_FILE_CHECKPOINTS_DIR": dir, "DISABLE_PROCESS_FILE_CHECKPOINT_CREATION": "false"})
		r.result(t, 2).is(t, 200, "Output")
		r.stop()
		if len(files(t, dir)) == 0 {
			t.Error("no checkpoint is there")
		}
	},
	"cu/PROCESS_MEMORY_CACHE_CHECKPOINT_INTERVAL": func(t *testing.T, w *world) {
		dir := t.TempDir()
		r := w.start(t, settings.CU, env{
			"PROCESS_MEMORY_FILE_CHECKPOINTS_DIR": dir, "DISABLE_PROCESS_FILE_CHECKPOINT_CREATION": "false", "PROCESS_MEMORY_CACHE_CHECKPOINT_INTERVAL": "20",
		})
		r.result(t, 2).is(t, 200, "Output")
		eventually(t, "a checkpoint", func() bool { return len(files(t, dir)) > 0 })
	},
	"cu/EAGER_CHECKPOINT_ACCUMULATED_GAS_THRESHOLD": func(t *testing.T, w *world) {
		dir := t.TempDir()
		r := w.start(t, settings.CU, env{
			"PROCESS_MEMORY_FILE_CHECKPOINTS_DIR": dir, "DISABLE_PROCESS_FILE_CHECKPOINT_CREATION": "false", "EAGER_CHECKPOINT_ACCUMULATED_GAS_THRESHOLD": "1",
		})
		r.ask(t, "GET", fmt.Sprintf("/result/%s?process-id=%[1]s", w.lua), nil).is(t, 200, "Output")
		eventually(t, "a checkpoint", func() bool { return len(files(t, dir)) > 0 })
	},
	"cu/EAGER_CHECKPOINT_EVAL_TIME_THRESHOLD": func(t *testing.T, w *world) {
		dir := t.TempDir()
		r := w.start(t, settings.CU, env{
			"PROCESS_MEMORY_FILE_CHECKPOINTS_DIR": dir, "DISABLE_PROCESS_FILE_CHECKPOINT_CREATION": "false", "EAGER_CHECKPOINT_EVAL_TIME_THRESHOLD": "1",
		})
		eventually(t, "a checkpoint", func() bool {
			r.w.send(t, w.other, "count")
			r.ask(t, "POST", "/dry-run?process-id="+w.other.String(), []byte(`{"Id":"1","Target":"x","Owner":"o","Data":"count","Tags":[]}`))
			return len(files(t, dir)) > 0
		})
	},
	"cu/PROCESS_CHECKPOINT_CREATION_THROTTLE": ofThrottle,
	"cu/DEFAULT_LOG_LEVEL": func(t *testing.T, w *world) {
		r := w.start(t, settings.CU, env{"DEFAULT_LOG_LEVEL": "silly"})
		if !strings.Contains(r.log.String(), "level=DEBUG") {
			t.Errorf("logged %q", r.log)
		}
	},
	"cu/LOG_CONFIG_PATH": func(t *testing.T, w *world) {
		file := filepath.Join(t.TempDir(), "level")
		check(t, os.WriteFile(file, []byte("debug"), 0o600))
		r := w.start(t, settings.CU, env{"LOG_CONFIG_PATH": file})
		if !strings.Contains(r.log.String(), "level=DEBUG") {
			t.Errorf("logged %q", r.log)
		}
	},
	"cu/MEM_MONITOR_INTERVAL": func(t *testing.T, w *world) {
		r := w.start(t, settings.CU, env{"MEM_MONITOR_INTERVAL": "5"})
		eventually(t, "a line about memory", func() bool { return strings.Contains(r.log.String(), "msg=memory") })
	},
	"cu/PROCESS_WASM_MEMORY_MAX_LIMIT": func(t *testing.T, w *world) {
		w.start(t, settings.CU, env{"PROCESS_WASM_MEMORY_MAX_LIMIT": "1_000_000"}).result(t, 0).is(t, 413, "is more than 1000000")
	},
	"cu/PROCESS_WASM_COMPUTE_MAX_LIMIT": func(t *testing.T, w *world) {
		w.start(t, settings.CU, env{"PROCESS_WASM_COMPUTE_MAX_LIMIT": "1000"}).result(t, 0).is(t, 413, "is more than 1000")
	},
	"cu/PROCESS_WASM_SUPPORTED_FORMATS": func(t *testing.T, w *world) {
		w.start(t, settings.CU, env{"PROCESS_WASM_SUPPORTED_FORMATS": "wasm32-unknown-emscripten, wasm32-unknown-emscripten2"}).result(t, 0).
			is(t, 422, "this unit runs wasm32-unknown-emscripten, wasm32-unknown-emscripten2")
	},
	"cu/PROCESS_WASM_SUPPORTED_EXTENSIONS": func(t *testing.T, w *world) {
		for _, e := range []struct {
			env    env
			status int
		}{{env{"AGO_EXTENSIONS": ""}, 422}, {env{"PROCESS_WASM_SUPPORTED_EXTENSIONS": "WeaveDrive"}, 200}} {
			r := w.start(t, settings.CU, e.env)
			r.ask(t, "GET", fmt.Sprintf("/result/%s?process-id=%[1]s", w.extended), nil).is(t, e.status, "")
		}
	},
	"cu/WASM_EVALUATION_MAX_WORKERS":                ofWorkers,
	"cu/WASM_EVALUATION_PRIMARY_WORKERS_PERCENTAGE": ofShare,
	"cu/WASM_EVALUATION_WORKERS_DRY_RUN_MAX_QUEUE":  ofDryRunQueue,
	"cu/WASM_MODULE_CACHE_MAX_SIZE":                 ofModuleCache,
	"cu/WASM_INSTANCE_CACHE_MAX_SIZE":               ofEviction(env{"WASM_INSTANCE_CACHE_MAX_SIZE": "1"}),
	"cu/PROCESS_MEMORY_CACHE_MAX_SIZE":              ofEviction(env{"PROCESS_MEMORY_CACHE_MAX_SIZE": "1"}),
	"cu/PROCESS_MEMORY_CACHE_TTL": func(t *testing.T, w *world) {
		r := w.start(t, settings.CU, env{"PROCESS_MEMORY_CACHE_TTL": "50", "ENABLE_METRICS_ENDPOINT": "1"})
		r.result(t, 0).is(t, 200, "Output")
		eventually(t, "the end of the idle process", func() bool {
			return strings.Contains(r.ask(t, "GET", "/metrics", nil).body, "\nao_cu_live_processes 0\n")
		})
		r.result(t, 4).is(t, 200, "Output")
	},
	"cu/WASM_BINARY_FILE_DIRECTORY": func(t *testing.T, w *world) {
		dir := filepath.Join(t.TempDir(), "code")
		r := w.start(t, settings.CU, env{"WASM_BINARY_FILE_DIRECTORY": dir})
		r.result(t, 0).is(t, 200, "Output")
		eventually(t, "a compiled module", func() bool { return len(files(t, dir)) > 0 })
	},
	"cu/PROCESS_MEMORY_CACHE_FILE_DIR": func(t *testing.T, w *world) {
		dir := filepath.Join(t.TempDir(), "states")
		r := w.start(t, settings.CU, env{"PROCESS_MEMORY_CACHE_FILE_DIR": dir})
		r.result(t, 2).is(t, 200, "Output")
		r.stop()
		if len(files(t, dir)) == 0 {
			t.Error("no state is there")
		}
	},
	"cu/BUSY_THRESHOLD": func(t *testing.T, w *world) {
		r := w.start(t, settings.CU, env{"BUSY_THRESHOLD": "1"})
		id := w.send(t, w.other, "count")
		path := fmt.Sprintf("/result/%s?process-id=%s", id, w.other)
		r.ask(t, "GET", path, nil).is(t, 202, "in progress")
		r.ask(t, "GET", path+"&no-busy=1", nil).is(t, 200, "Output")
	},
	"cu/RESTRICT_PROCESSES": func(t *testing.T, w *world) {
		r := w.start(t, settings.CU, env{"RESTRICT_PROCESSES": w.other.String() + "," + w.counting.String()})
		r.result(t, 0).is(t, 403, "Access denied for process "+w.counting.String())
		r.dryRun(t).is(t, 403, "Access denied")
		r.ask(t, "GET", "/results/"+w.counting.String(), nil).is(t, 403, "Access denied")
		r.ask(t, "GET", "/state/"+w.counting.String(), nil).is(t, 403, "Access denied")
		r.ask(t, "GET", "/cron/"+w.counting.String(), nil).is(t, 403, "Access denied")
	},
	"cu/ALLOW_PROCESSES": func(t *testing.T, w *world) {
		w.start(t, settings.CU, env{"ALLOW_PROCESSES": w.other.String()}).result(t, 0).is(t, 403, "Access denied for process")
		w.start(t, settings.CU, env{"ALLOW_PROCESSES": w.counting.String()}).result(t, 0).is(t, 200, "Output")
	},
	"cu/ALLOW_OWNERS": func(t *testing.T, w *world) {
		w.start(t, settings.CU, env{"ALLOW_OWNERS": w.other.String()}).result(t, 0).is(t, 403, "Access denied for process owner "+w.address)
		w.start(t, settings.CU, env{"ALLOW_OWNERS": w.address}).result(t, 0).is(t, 200, "Output")
	},
	"cu/UNIT_MODE": func(t *testing.T, w *world) {
		r := w.start(t, settings.CU, env{"UNIT_MODE": "ru"})
		r.result(t, 0).is(t, 404, "dry runs only")
		r.dryRun(t).is(t, 200, "Output")
	},
	"cu/HYDRATION_MODE_NONCE_LIMIT": func(t *testing.T, w *world) {
		r := w.start(t, settings.CU, env{"HYDRATION_MODE_NONCE_LIMIT": "2"})
		r.result(t, 4).is(t, 503, "currently hydrating with >2 nonces remaining")
		eventually(t, "the evaluation", func() bool { return r.result(t, 4).status == 200 })
	},
	"cu/LOAD_MESSAGES_PAGE_SIZE": func(t *testing.T, w *world) {
		f := newFront(t, w.node.Addresses().SU)
		w.start(t, settings.CU, env{"SU_URL": f.URL, "LOAD_MESSAGES_PAGE_SIZE": "2"}).result(t, 4).is(t, 200, "Output")
		if f.count("limit=2") < 3 {
			t.Errorf("the scheduler heard %q", f.asked)
		}
	},
	"cu/DRY_RUN_DEFAULT_MAX_PROCESS_AGE": func(t *testing.T, w *world) {
		for age, want := range map[string]int{"3600000": 1, "0": 2} {
			f := newFront(t, w.node.Addresses().SU)
			r := w.start(t, settings.CU, env{"SU_URL": f.URL, "DRY_RUN_DEFAULT_MAX_PROCESS_AGE": age})
			r.dryRun(t).is(t, 200, "Output")
			r.dryRun(t).is(t, 200, "Output")
			if got := f.count("/latest"); got != want {
				t.Errorf("age %s: the end of the log was asked for %d times, want %d", age, got, want)
			}
		}
	},
	"cu/RATE_LIMIT_MAX_REQUESTS": func(t *testing.T, w *world) {
		r := w.start(t, settings.CU, env{"RATE_LIMIT_MAX_REQUESTS": "1"})
		r.dryRun(t).is(t, 200, "Output")
		r.dryRun(t).is(t, 429, "are allowed in 1m")
		r.result(t, 0).is(t, 200, "Output")
	},
	"cu/RATE_LIMIT_WINDOW": func(t *testing.T, w *world) {
		r := w.start(t, settings.CU, env{"RATE_LIMIT_MAX_REQUESTS": "1", "RATE_LIMIT_WINDOW": "300"})
		r.dryRun(t).is(t, 200, "Output")
		eventually(t, "the next window", func() bool { return r.dryRun(t).status == 200 })
	},
	"cu/PROCESS_CHECKPOINT_TRUSTED_OWNERS": func(t *testing.T, w *world) {
		f := newFront(t, w.node.Addresses().Gateway)
		w.start(t, settings.CU, env{"GATEWAY_URL": f.URL, "PROCESS_CHECKPOINT_TRUSTED_OWNERS": w.other.String()}).longResult(t).is(t, 200, "Output")
		if !f.heard(w.other.String()) || !f.heard("Checkpoint") {
			t.Errorf("the gateway heard %q", f.asked)
		}
	},
	"cu/PROCESS_IGNORE_ARWEAVE_CHECKPOINTS": func(t *testing.T, w *world) {
		f := newFront(t, w.node.Addresses().Gateway)
		w.start(t, settings.CU, env{
			"GATEWAY_URL": f.URL, "PROCESS_CHECKPOINT_TRUSTED_OWNERS": w.other.String(), "PROCESS_IGNORE_ARWEAVE_CHECKPOINTS": w.long.String(),
		}).longResult(t).is(t, 200, "Output")
		if f.heard("Checkpoint") {
			t.Errorf("the gateway heard %q", f.asked)
		}
	},
	"cu/PROCESS_CHECKPOINT_PREFERRED_OWNERS": ofPreferred,
	"cu/IGNORE_ARWEAVE_CHECKPOINTS":          ofIgnored,
	"cu/IGNORE_LOCAL_CHECKPOINTS":            ofIgnoredLocal,

	// Scheduler.
	"su/PORT":                 ofPort(settings.SU),
	"su/WALLET":               ofWalletText(settings.SU),
	"su/SU_WALLET_PATH":       ofWalletFile(settings.SU, "SU_WALLET_PATH"),
	"su/DB_MODE":              ofDBMode(settings.SU),
	"su/DATABASE_URL":         ofDatabaseURL,
	"su/DATABASE_READ_URL":    ofReadURL,
	"su/DB_WRITE_CONNECTIONS": ofWriteConnections,
	"su/DB_READ_CONNECTIONS":  ofReadConnections,
	"su/PROCESS_CACHE_SIZE":   ofProcessCache,
	"su/SU_DATA_DIR": func(t *testing.T, w *world) {
		dir := filepath.Join(t.TempDir(), "data")
		w.start(t, settings.SU, env{"SU_DATA_DIR": dir})
		if len(files(t, dir)) == 0 {
			t.Error("nothing is there")
		}
	},
	"su/ENABLE_METRICS": ofMetrics(settings.SU, "ENABLE_METRICS", "true"),
	"su/GATEWAY_URL": func(t *testing.T, w *world) {
		f := newFront(t, w.node.Addresses().Gateway)
		w.start(t, settings.SU, env{"GATEWAY_URL": f.URL})
		if !f.heard("/block/current") {
			t.Errorf("the gateway heard %q", f.asked)
		}
	},
	"su/ARWEAVE_URL":      ofBlocks("ARWEAVE_URL"),
	"su/ARWEAVE_URL_LIST": ofBlocks("ARWEAVE_URL_LIST"),
	"su/GRAPHQL_URL": func(t *testing.T, w *world) { // the scheduler adds the path itself
		f, rest := newFront(t, w.node.Addresses().Gateway), newFront(t, w.node.Addresses().Gateway)
		r := w.start(t, settings.SU, env{"GRAPHQL_URL": f.URL, "GATEWAY_URL": rest.URL})
		id := r.spawn(t)
		r.ask(t, "POST", fmt.Sprintf("/?process-id=%s&assign=%s", id, w.messages[0]), nil).is(t, 200, "timestamp")
		if !f.heard("POST /graphql") || rest.heard("/graphql") {
			t.Errorf("it heard %q, the gateway %q", f.asked, rest.asked)
		}
	},
	"su/UPLOAD_NODE_URL": func(t *testing.T, w *world) {
		f := newFront(t, w.node.Addresses().Bundler)
		r := w.start(t, settings.SU, env{"UPLOAD_NODE_URL": f.URL})
		r.spawn(t)
		eventually(t, "the upload of location, process and assignment", func() bool { return f.count("POST /tx") >= 3 })
	},
	"su/MAX_READ_MEMORY": func(t *testing.T, w *world) {
		r := w.start(t, settings.SU, env{"MAX_READ_MEMORY": "1"})
		id := r.spawn(t)
		r.post(t, id, "x").is(t, 200, "")
		got := r.ask(t, "GET", "/"+id.String(), nil)
		got.is(t, 200, `"has_next_page":true`)
		if n := strings.Count(got.body, `"cursor"`); n != 1 {
			t.Errorf("%d edges", n)
		}
	},
	"su/WARMUP_DELAY": func(t *testing.T, w *world) {
		r := w.start(t, settings.SU, env{"WARMUP_DELAY": "3600"})
		_, raw := w.spawnItem(t, r.said["address"])
		r.ask(t, "POST", "/", raw).is(t, 503, "Server is warming up. Please try again later.")
	},
	"su/ENABLE_MESSAGE_MAX_SIZE": func(t *testing.T, w *world) {
		ofSize(t, w, env{"ENABLE_MESSAGE_MAX_SIZE": "true"}, 102_400, 413)
		ofSize(t, w, env{"ENABLE_MESSAGE_MAX_SIZE": "false"}, 102_400, 200)
	},
	"su/MAX_MESSAGE_SIZE_BYTES": func(t *testing.T, w *world) {
		ofSize(t, w, env{"ENABLE_MESSAGE_MAX_SIZE": "true", "MAX_MESSAGE_SIZE_BYTES": "1000"}, 1000, 413)
	},
	"su/MAX_SIZE_OWNER_WHITELIST": func(t *testing.T, w *world) {
		ofSize(t, w, env{"ENABLE_MESSAGE_MAX_SIZE": "true", "MAX_SIZE_OWNER_WHITELIST": w.address}, 102_400, 200)
	},
	"su/MAX_SIZE_FROM_WHITELIST": func(t *testing.T, w *world) {
		ofSize(t, w, env{"ENABLE_MESSAGE_MAX_SIZE": "true", "MAX_SIZE_FROM_WHITELIST": w.other.String()}, 102_400, 200, node.Tag{Name: "From-Process", Value: w.other.String()})
		ofSize(t, w, env{"ENABLE_MESSAGE_MAX_SIZE": "true", "MAX_SIZE_FROM_WHITELIST": w.lua.String()}, 102_400, 413, node.Tag{Name: "From-Process", Value: w.other.String()})
	},
	"su/MAX_SIZE_FROM_OWNER_WHITELIST": func(t *testing.T, w *world) {
		r := w.start(t, settings.SU, env{"ENABLE_MESSAGE_MAX_SIZE": "true", "MAX_SIZE_FROM_OWNER_WHITELIST": w.address})
		from, to := r.spawn(t), r.spawn(t)
		data := strings.Repeat("x", 102_400)
		r.ask(t, "POST", "/", w.item(t, to, data, node.Tag{Name: "From-Process", Value: from.String()})).is(t, 200, "")
		r.ask(t, "POST", "/", w.item(t, to, data)).is(t, 413, "message-too-large")
	},
	"su/IP_WHITELIST_URL": func(t *testing.T, w *world) {
		for list, status := range map[string]int{`["10.1.2.3"]`: 403, `["127.0.0.1"]`: 200, `[]`: 200} {
			r := w.start(t, settings.SU, env{"IP_WHITELIST_URL": serving(t, list)})
			_, raw := w.spawnItem(t, r.said["address"])
			r.ask(t, "POST", "/", raw).is(t, status, "")
		}
	},
	"su/PROCESS_WHITELIST_URL": func(t *testing.T, w *world) {
		r := w.start(t, settings.SU, env{"PROCESS_WHITELIST_URL": serving(t, `{"processes":{"`+w.counting.String()+`":{}}}`)})
		_, raw := w.spawnItem(t, r.said["address"])
		r.ask(t, "POST", "/", raw).is(t, 403, "is not allowed on this SU")
		r.ask(t, "POST", "/", w.item(t, w.counting, "x")).is(t, 307, w.node.Addresses().SU) // past the door, and not scheduled here
	},
	"su/ENABLE_ROUTER_CHECK": ofRouterCheck,
	"su/ROUTER_URL":          ofRouterCheck,
	"su/ASSIGNMENT":          ofRouterCheck,
	"su/MODE":                ofSchedulerRouter,
	"su/SCHEDULER_LIST_PATH": ofSchedulerRouter,

	// Messenger.
	"mu/PORT":                    ofPort(settings.MU),
	"mu/WALLET":                  ofWalletText(settings.MU),
	"mu/PATH_TO_WALLET":          ofWalletFile(settings.MU, "PATH_TO_WALLET"),
	"mu/DB_MODE":                 ofDBMode(settings.MU),
	"mu/ENABLE_METRICS_ENDPOINT": ofMetrics(settings.MU, "ENABLE_METRICS_ENDPOINT", "1"),
	"mu/DB_URL": func(t *testing.T, w *world) {
		r := w.start(t, settings.MU, env{"DB_URL": "tasks.sqlite"})
		if _, err := os.Stat(filepath.Join(r.dir, "tasks", "tables")); err != nil {
			t.Error(err)
		}
	},
	"mu/CU_URL": func(t *testing.T, w *world) {
		f := newFront(t, w.node.Addresses().CU)
		w.start(t, settings.MU, env{"CU_URL": f.URL}).post(t, w.other, "count").is(t, 202, "Processing")
		eventually(t, "the question for the result", func() bool { return f.heard("/result/") })
	},
	"mu/SU_URL": func(t *testing.T, w *world) {
		f := newFront(t, w.node.Addresses().SU)
		w.start(t, settings.MU, env{"SU_URL": f.URL}).post(t, w.other, "count").is(t, 202, "Processing")
		if !f.heard("POST / ") {
			t.Errorf("the scheduler heard %q", f.asked)
		}
	},
	"mu/SU_ROUTER_URL": func(t *testing.T, w *world) {
		f := newFront(t, w.node.Addresses().SU)
		w.start(t, settings.MU, env{"SU_ROUTER_URL": f.URL, "GATEWAY_URL": "http://127.0.0.1:1"}).post(t, w.other, "count").is(t, 202, "Processing")
		if !f.heard("GET /processes/") || !f.heard("POST / ") {
			t.Errorf("the router heard %q", f.asked)
		}
	},
	"mu/GATEWAY_URL": func(t *testing.T, w *world) {
		f := newFront(t, w.node.Addresses().Gateway)
		w.start(t, settings.MU, env{"GATEWAY_URL": f.URL}).post(t, w.other, "count").is(t, 202, "Processing")
		if !f.heard("/graphql") {
			t.Errorf("the gateway heard %q", f.asked)
		}
	},
	"mu/GRAPHQL_URL": func(t *testing.T, w *world) {
		f := newFront(t, w.node.Addresses().Gateway)
		w.start(t, settings.MU, env{"GRAPHQL_URL": f.URL + "/graphql", "GATEWAY_URL": "http://127.0.0.1:1"}).post(t, w.other, "count").is(t, 202, "Processing")
		if !f.heard("POST /graphql") {
			t.Errorf("it heard %q", f.asked)
		}
	},
	"mu/ARWEAVE_URL": func(t *testing.T, w *world) { // the data of a message that was assigned by its id
		f := newFront(t, w.node.Addresses().Gateway)
		r := w.start(t, settings.MU, env{"ARWEAVE_URL": f.URL})
		r.ask(t, "POST", fmt.Sprintf("/?process-id=%s&assign=%s", w.other, w.messages[1]), nil).is(t, 202, "Processing Assignment")
		eventually(t, "the question for the data", func() bool { return f.heard("/raw/" + w.messages[1].String()) })
	},
	"mu/UPLOADER_URL": func(t *testing.T, w *world) {
		f := newFront(t, w.node.Addresses().Bundler)
		w.start(t, settings.MU, env{"UPLOADER_URL": f.URL}).post(t, message.HashOf([]byte("a wallet")), "x").is(t, 202, "Stored")
		if !f.heard("POST /tx") {
			t.Errorf("the bundler heard %q", f.asked)
		}
	},
	"mu/MAX_WORKERS":            ofPushWorkers,
	"mu/TASK_QUEUE_RETRY_DELAY": ofRetryDelay,
	"mu/TASK_QUEUE_MAX_RETRIES": ofRetries,
	"mu/GET_RESULT_RETRY_DELAY": func(t *testing.T, w *world) {
		f := newFront(t, "!")
		w.start(t, settings.MU, env{"CU_URL": f.URL, "GET_RESULT_RETRY_DELAY": "1"}).post(t, w.other, "count").is(t, 202, "Processing")
		eventually(t, "six questions for the result", func() bool { return f.count("/result/") >= 6 }) // half a minute by default
	},
	"mu/GET_RESULT_MAX_RETRIES": func(t *testing.T, w *world) {
		f := newFront(t, "!")
		r := w.start(t, settings.MU, env{"CU_URL": f.URL, "GET_RESULT_RETRY_DELAY": "1", "GET_RESULT_MAX_RETRIES": "2"})
		r.post(t, w.other, "count").is(t, 202, "Processing")
		eventually(t, "the end of asking", func() bool { return strings.Contains(r.log.String(), "not asked for any more") })
		if n := f.count("/result/"); n != 2 {
			t.Errorf("asked %d times", n)
		}
	},
	"mu/IP_WALLET_RATE_LIMIT": func(t *testing.T, w *world) {
		r := w.start(t, settings.MU, env{"IP_WALLET_RATE_LIMIT": "1"})
		r.post(t, w.other, "count").is(t, 202, "Processing")
		r.post(t, w.other, "count").is(t, 429, "are allowed in 1h")
	},
	"mu/IP_WALLET_RATE_LIMIT_INTERVAL": func(t *testing.T, w *world) {
		r := w.start(t, settings.MU, env{"IP_WALLET_RATE_LIMIT": "1", "IP_WALLET_RATE_LIMIT_INTERVAL": "200"})
		r.post(t, w.other, "count").is(t, 202, "Processing")
		eventually(t, "the next interval", func() bool { return r.post(t, w.other, "count").status == 202 })
	},
	"mu/RATE_LIMIT_FILE_URL": func(t *testing.T, w *world) {
		for list, second := range map[string]int{`{"default":1}`: 429, `{"addresses":{"` + w.address + `":1},"default":1}`: 202, `{"ips":{"127.0.0.1":5},"default":1}`: 202} {
			r := w.start(t, settings.MU, env{"RATE_LIMIT_FILE_URL": serving(t, list)})
			r.post(t, w.other, "count").is(t, 202, "Processing")
			r.post(t, w.other, "count").is(t, second, "")
		}
	},
	"mu/PROCESS_WHITELIST_URL": func(t *testing.T, w *world) {
		r := w.start(t, settings.MU, env{"PROCESS_WHITELIST_URL": serving(t, `{"processes":{"`+w.other.String()+`":{}}}`)})
		r.post(t, w.other, "count").is(t, 202, "Processing")
		r.post(t, w.lua, "count").is(t, 403, "is not allowed")
	},
	"mu/FROM_PROCESS_BLACKLIST": func(t *testing.T, w *world) {
		r := w.start(t, settings.MU, env{"FROM_PROCESS_BLACKLIST": w.lua.String()})
		r.ask(t, "POST", "/", w.item(t, w.other, "count", node.Tag{Name: "From-Process", Value: w.lua.String()})).is(t, 403, "Invalid From-Process value.")
		r.post(t, w.other, "count").is(t, 202, "Processing")
	},
	"mu/DISABLE_TRACE": func(t *testing.T, w *world) {
		w.start(t, settings.MU, env{"DISABLE_TRACE": "true"}).ask(t, "GET", "/tasks", nil).is(t, 404, "route-unknown")
		w.start(t, settings.MU, env{"DISABLE_TRACE": "false"}).ask(t, "GET", "/tasks", nil).is(t, 200, "tasks")
	},
	"mu/ENABLE_PUSH": func(t *testing.T, w *world) {
		path := fmt.Sprintf("/push/%s/0?process-id=%s", w.messages[0], w.counting)
		w.start(t, settings.MU, nil).ask(t, "POST", path, nil).is(t, 404, "route-unknown")
		w.start(t, settings.MU, env{"ENABLE_PUSH": "true"}).ask(t, "POST", path, nil).is(t, 202, "Processing Message Result")
	},
	"mu/ENABLE_CUSTOM_PUSH":      ofCustomPush,
	"mu/CUSTOM_CU_MAP_FILE_PATH": ofCustomPush,
	"mu/ALLOW_PUSHES_AFTER": func(t *testing.T, w *world) {
		w.start(t, settings.MU, env{"ENABLE_PUSH": "true", "ALLOW_PUSHES_AFTER": "9000000"}).
			ask(t, "POST", fmt.Sprintf("/push/%s/0?process-id=%s", w.messages[0], w.counting), nil).is(t, 403, "message-too-old")
	},

	// Router.
	"ur/PORT":                    ofPort(settings.UR),
	"ur/ENABLE_METRICS_ENDPOINT": ofMetrics(settings.UR, "ENABLE_METRICS_ENDPOINT", "1"),
	"ur/AO_UNIT": func(t *testing.T, w *world) {
		w.start(t, settings.UR, env{"AO_UNIT": "mu", "HOSTS": w.node.Addresses().MU}).ask(t, "GET", "/", nil).is(t, 200, "ao messenger unit")
		w.start(t, settings.UR, env{"AO_UNIT": "mu", "HOSTS": w.node.Addresses().MU}).post(t, w.other, "count").is(t, 202, "Processing")
		w.start(t, settings.UR, env{"AO_UNIT": "cu"}).result(t, 0).is(t, 200, "Output")
	},
	"ur/HOSTS": func(t *testing.T, w *world) { // the second has the process if the first cannot be reached
		w.start(t, settings.UR, env{"HOSTS": "http://127.0.0.1:1, " + w.node.Addresses().CU}).result(t, 0).is(t, 200, "Output")
		w.start(t, settings.UR, env{"HOSTS": "http://127.0.0.1:1"}).result(t, 0).is(t, 503, "unit-unreachable")
	},
	"ur/STRATEGY": func(t *testing.T, w *world) {
		w.start(t, settings.UR, env{"STRATEGY": "redirect"}).result(t, 0).is(t, http.StatusTemporaryRedirect, w.node.Addresses().CU+"/result/"+w.messages[0].String()+"?process-id=")
	},
	"ur/PROCESS_TO_HOST": func(t *testing.T, w *world) {
		ofHost(t, w, env{"PROCESS_TO_HOST": fmt.Sprintf(`{%q:"http://own"}`, w.counting)})
	},
	"ur/OWNER_TO_HOST": func(t *testing.T, w *world) {
		ofHost(t, w, env{"OWNER_TO_HOST": fmt.Sprintf(`{%q:"http://own"}`, w.address), "SUR_URL": w.node.Addresses().SU})
	},
	"ur/SUR_URL": func(t *testing.T, w *world) {
		f := newFront(t, w.node.Addresses().SU)
		ofHost(t, w, env{"OWNER_TO_HOST": fmt.Sprintf(`{%q:"http://own"}`, w.address), "SUR_URL": f.URL})
		if !f.heard("/processes/" + w.counting.String()) {
			t.Errorf("it heard %q", f.asked)
		}
	},
	"ur/FROM_MODULE_TO_HOST": func(t *testing.T, w *world) {
		tags, err := json.Marshal(map[string]any{"tags": []map[string]string{{"name": "From-Module", "value": "m"}}})
		check(t, err)
		ofHost(t, w, env{"FROM_MODULE_TO_HOST": `{"m":"http://own"}`, "SUR_URL": serving(t, string(tags))})
	},
	"ur/SUBROUTER_URL": ofSubrouter,
	"ur/OWNERS":        ofSubrouter,
}

func ofPort(u settings.Unit) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		port := freePort(t)
		if r := w.start(t, u, env{"PORT": port}); !strings.HasSuffix(r.url, ":"+port) {
			t.Errorf("it answers at %s", r.url)
		}
	}
}

func ofWalletText(u settings.Unit) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		if r := w.start(t, u, env{"WALLET": w.wallet}); r.said["address"] != w.address {
			t.Errorf("it is %s, not %s", r.said["address"], w.address)
		}
	}
}

func ofWalletFile(u settings.Unit, name string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		file := filepath.Join(t.TempDir(), "w.json")
		check(t, os.WriteFile(file, []byte(w.wallet), 0o600))
		if r := w.start(t, u, env{name: file}); r.said["address"] != w.address {
			t.Errorf("it is %s, not %s", r.said["address"], w.address)
		}
	}
}

func ofDBMode(u settings.Unit) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		if _, err := w.try(t, u, env{"DB_MODE": "remote"}); err == nil || !strings.Contains(err.Error(), "needs the address of a database") {
			t.Errorf("started with %v", err)
		}
	}
}

func ofMetrics(u settings.Unit, name, value string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		w.start(t, u, env{name: value}).ask(t, "GET", "/metrics", nil).is(t, 200, "ao_http_request")
		if got := w.start(t, u, nil).ask(t, "GET", "/metrics", nil); strings.Contains(got.body, "ao_http_request") {
			t.Errorf("without it the answer is %d", got.status)
		}
	}
}

// ofEviction: of two processes that were used only one stays live.
func ofEviction(e env) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		e := env{"ENABLE_METRICS_ENDPOINT": "1", "PROCESS_MEMORY_CACHE_MAX_SIZE": e["PROCESS_MEMORY_CACHE_MAX_SIZE"], "WASM_INSTANCE_CACHE_MAX_SIZE": e["WASM_INSTANCE_CACHE_MAX_SIZE"]}
		r := w.start(t, settings.CU, e)
		r.result(t, 0).is(t, 200, "Output")
		r.ask(t, "GET", fmt.Sprintf("/result/%s?process-id=%[1]s", w.lua), nil).is(t, 200, "Output")
		eventually(t, "an eviction", func() bool {
			return !strings.Contains(r.ask(t, "GET", "/metrics", nil).body, "\nao_cu_evicted_processes_total 0\n")
		})
	}
}

func ofBlocks(name string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		f, rest := newFront(t, w.node.Addresses().Gateway), newFront(t, w.node.Addresses().Gateway)
		w.start(t, settings.SU, env{name: f.URL, "GATEWAY_URL": rest.URL})
		if !f.heard("/block/current") || rest.heard("/block/current") {
			t.Errorf("it heard %q, the gateway %q", f.asked, rest.asked)
		}
	}
}

// spawn makes a process at a scheduler.
func (r *running) spawn(t *testing.T) message.ID {
	t.Helper()
	id, raw := r.w.spawnItem(t, r.said["address"])
	r.ask(t, "POST", "/", raw).is(t, 200, id.String())
	return id
}

// post gives a unit a message for a process.
func (r *running) post(t *testing.T, p message.ID, data string) answer {
	t.Helper()
	return r.ask(t, "POST", "/", r.w.item(t, p, data))
}

func ofSize(t *testing.T, w *world, e env, size, status int, tags ...node.Tag) {
	t.Helper()
	r := w.start(t, settings.SU, e)
	id := r.spawn(t)
	r.post(t, id, "small").is(t, 200, "")
	r.ask(t, "POST", "/", w.item(t, id, strings.Repeat("x", size), tags...)).is(t, status, "")
}

func ofCustomPush(t *testing.T, w *world) {
	f := newFront(t, w.node.Addresses().CU)
	file := filepath.Join(t.TempDir(), "map.json")
	check(t, os.WriteFile(file, fmt.Appendf(nil, `{%q:%q}`, w.counting, f.URL), 0o600))
	path := fmt.Sprintf("/push/%s/0?process-id=%s&custom-cu=1", w.messages[0], w.counting)
	w.start(t, settings.MU, env{"ENABLE_PUSH": "true"}).ask(t, "POST", path, nil).is(t, 403, "custom-cu-refused")
	w.start(t, settings.MU, env{"ENABLE_PUSH": "true", "ENABLE_CUSTOM_PUSH": "true", "CUSTOM_CU_MAP_FILE_PATH": file}).ask(t, "POST", path, nil).is(t, 202, "Processing")
	eventually(t, "the question for the result", func() bool { return f.heard("/result/") })
}

func ofHost(t *testing.T, w *world, e env) {
	t.Helper()
	e["STRATEGY"] = "redirect"
	w.start(t, settings.UR, e).result(t, 0).is(t, http.StatusTemporaryRedirect, "http://own/result/")
}

func ofSubrouter(t *testing.T, w *world) {
	ofHost(t, w, env{"SUBROUTER_URL": "http://own", "OWNERS": w.address, "SUR_URL": w.node.Addresses().SU})
	w.start(t, settings.UR, env{"SUBROUTER_URL": "http://own", "OWNERS": w.luaModule.String(), "SUR_URL": w.node.Addresses().SU, "STRATEGY": "redirect"}).
		result(t, 0).is(t, http.StatusTemporaryRedirect, w.node.Addresses().CU)
}

// ofRouterCheck: only what the router gives this scheduler is made here.
func ofRouterCheck(t *testing.T, w *world) {
	router := httptest.NewServer(http.HandlerFunc(func(a http.ResponseWriter, r *http.Request) {
		a.Header().Set("Location", "https://su3.ao.example"+r.URL.RequestURI())
		a.WriteHeader(http.StatusTemporaryRedirect)
	}))
	t.Cleanup(router.Close)
	for number, status := range map[string]int{"3": 200, "4": 307} {
		r := w.start(t, settings.SU, env{"ENABLE_ROUTER_CHECK": "true", "ROUTER_URL": router.URL, "ASSIGNMENT": number})
		_, raw := w.spawnItem(t, r.said["address"])
		r.ask(t, "POST", "/", raw).is(t, status, "")
	}
	r := w.start(t, settings.SU, env{"ENABLE_ROUTER_CHECK": "false", "ROUTER_URL": router.URL, "ASSIGNMENT": "4"})
	r.spawn(t)
	if _, err := w.try(t, settings.SU, env{"ENABLE_ROUTER_CHECK": "true"}); err == nil || !strings.Contains(err.Error(), "needs the router") {
		t.Errorf("without a router: %v", err)
	}
}

// ofSchedulerRouter: a process is where it was made, and clients are sent there.
func ofSchedulerRouter(t *testing.T, w *world) {
	file := filepath.Join(t.TempDir(), "list.json")
	check(t, os.WriteFile(file, fmt.Appendf(nil, `[{"url":"http://127.0.0.1:1","no_route":true},{"url":%q}]`, w.node.Addresses().SU), 0o600))
	r := w.start(t, settings.SU, env{"MODE": "router", "SCHEDULER_LIST_PATH": file})
	id, raw := w.spawnItem(t, w.node.Addresses().Scheduler)
	r.ask(t, "POST", "/", raw).is(t, http.StatusTemporaryRedirect, w.node.Addresses().SU+"/")
	r.ask(t, "GET", "/"+id.String(), nil).is(t, http.StatusTemporaryRedirect, w.node.Addresses().SU+"/"+id.String())
	r.ask(t, "GET", "/timestamp", nil).is(t, http.StatusBadRequest, "No process-id query parameter provided")
	r.ask(t, "GET", "/timestamp?process-id="+id.String(), nil).is(t, http.StatusTemporaryRedirect, w.node.Addresses().SU+"/timestamp?process-id=")
	// A process that was there before is found at its scheduler, and one that is nowhere is not.
	r.ask(t, "GET", "/"+w.counting.String(), nil).is(t, http.StatusTemporaryRedirect, w.node.Addresses().SU+"/"+w.counting.String())
	r.ask(t, "GET", "/"+message.HashOf([]byte("nowhere")).String(), nil).is(t, http.StatusNotFound, "process-unknown")
	r.post(t, w.counting, "x").is(t, http.StatusTemporaryRedirect, w.node.Addresses().SU+"/")
}
