package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"ago/message"
	"ago/settings"
	"ago/store/postgres/pgtest"
)

// ownEffects are what the settings of ago's own change, and those of a unit whose forerunner had no name for them. The name is
// unit/flag.
var ownEffects = map[string]func(*testing.T, *world){
	"su/listen": ofListen(settings.SU), "mu/listen": ofListen(settings.MU), "cu/listen": ofListen(settings.CU), "gateway/listen": ofListen(settings.Gateway), "ur/listen": ofListen(settings.UR),
	"su/memory": ofMemory(settings.SU), "mu/memory": ofMemory(settings.MU), "cu/memory": ofMemory(settings.CU), "gateway/memory": ofMemory(settings.Gateway),
	"mu/data": ofData(settings.MU), "cu/data": ofData(settings.CU), "gateway/data": ofData(settings.Gateway),
	"su/log-level": ofLogLevel(settings.SU), "mu/log-level": ofLogLevel(settings.MU), "gateway/log-level": ofLogLevel(settings.Gateway), "ur/log-level": ofLogLevel(settings.UR),
	"su/log-format": ofLogFormat(settings.SU), "mu/log-format": ofLogFormat(settings.MU), "cu/log-format": ofLogFormat(settings.CU), "gateway/log-format": ofLogFormat(settings.Gateway),
	"ur/log-format":     ofLogFormat(settings.UR),
	"su/log-level-file": ofLevelFile(settings.SU), "mu/log-level-file": ofLevelFile(settings.MU), "gateway/log-level-file": ofLevelFile(settings.Gateway), "ur/log-level-file": ofLevelFile(settings.UR),
	"su/memory-log-interval": ofMemoryLog(settings.SU), "mu/memory-log-interval": ofMemoryLog(settings.MU),
	"su/address-rate": ofAddressRate(settings.SU), "mu/address-rate": ofAddressRate(settings.MU), "cu/address-rate": ofAddressRate(settings.CU), "gateway/address-rate": ofAddressRate(settings.Gateway),
	"ur/address-rate": ofAddressRate(settings.UR),
	"su/body-memory":  ofBodyMemory(settings.SU, "/"), "mu/body-memory": ofBodyMemory(settings.MU, "/"), "cu/body-memory": ofBodyMemory(settings.CU, "/dry-run?process-id="), "gateway/body-memory": ofBodyMemory(settings.Gateway, "/tx"),
	"ur/body-memory": ofBodyMemory(settings.UR, "/dry-run?process-id="),
	"su/rate-burst":  ofBurst(settings.SU), "mu/rate-burst": ofBurst(settings.MU), "cu/rate-burst": ofBurst(settings.CU), "gateway/rate-burst": ofBurst(settings.Gateway), "ur/rate-burst": ofBurst(settings.UR),
	"su/db-name": ofDBName(settings.SU), "mu/db-name": ofDBName(settings.MU), "cu/db-name": ofDBName(settings.CU),

	"su/public-url": func(t *testing.T, w *world) {
		f := newFront(t, w.node.Addresses().Bundler)
		w.start(t, settings.SU, env{"UPLOAD_NODE_URL": f.URL, "AGO_PUBLIC_URL": "https://su.ao.example"})
		eventually(t, "the announcement", func() bool { return f.heard("https://su.ao.example") })
	},
	"su/location-ttl": func(t *testing.T, w *world) {
		f := newFront(t, w.node.Addresses().Bundler)
		w.start(t, settings.SU, env{"UPLOAD_NODE_URL": f.URL, "AGO_LOCATION_TTL": "5m"})
		eventually(t, "the announcement", func() bool { return f.heard("300000") })
	},
	"su/redirects": func(t *testing.T, w *world) {
		path := "/" + w.counting.String()
		w.start(t, settings.SU, nil).ask(t, "GET", path, nil).is(t, 307, w.node.Addresses().SU+path)
		w.start(t, settings.SU, env{"AGO_REDIRECTS": "off"}).ask(t, "GET", path, nil).is(t, 404, "message-unknown")
	},
	"su/process-rate": func(t *testing.T, w *world) {
		r := w.start(t, settings.SU, env{"AGO_PROCESS_RATE": "1", "AGO_RATE_BURST": "2"})
		busy, quiet := r.spawn(t), r.spawn(t)
		eventually(t, "a refusal", func() bool { return r.post(t, busy, "x").status == 429 })
		r.post(t, quiet, "x").is(t, 200, "")
	},
	"su/wallet-rate": func(t *testing.T, w *world) {
		r := w.start(t, settings.SU, env{"AGO_WALLET_RATE": "1", "AGO_RATE_BURST": "2"})
		p := r.spawn(t)
		eventually(t, "a refusal", func() bool { return r.post(t, p, "x").status == 429 })
	},
	"mu/process-rate": func(t *testing.T, w *world) {
		r := w.start(t, settings.MU, env{"AGO_PROCESS_RATE": "1", "AGO_RATE_BURST": "1"})
		eventually(t, "a refusal", func() bool { return r.post(t, w.other, "count").status == 429 })
		r.post(t, w.lua, "count").is(t, 202, "Processing")
	},
	"mu/wallet-rate": func(t *testing.T, w *world) {
		r := w.start(t, settings.MU, env{"AGO_WALLET_RATE": "1", "AGO_RATE_BURST": "1"})
		eventually(t, "a refusal", func() bool { return r.post(t, w.other, "count").status == 429 })
	},
	"su/upload-batch": func(t *testing.T, w *world) {
		f := newFront(t, w.node.Addresses().Bundler)
		w.start(t, settings.SU, env{"UPLOAD_NODE_URL": f.URL, "AGO_UPLOAD_BATCH": "100"}).spawn(t)
		eventually(t, "a bundle", func() bool { return f.heard("Bundle-Format") })
	},
	"su/upload-bytes": func(t *testing.T, w *world) { // location, process and assignment: each is too large to have another beside it
		f := newFront(t, w.node.Addresses().Bundler)
		w.start(t, settings.SU, env{"UPLOAD_NODE_URL": f.URL, "AGO_UPLOAD_BATCH": "100", "AGO_UPLOAD_BYTES": "1"}).spawn(t)
		eventually(t, "three uploads", func() bool { return f.count("POST /tx") >= 3 })
	},
	"su/upload-confirm": func(t *testing.T, w *world) {
		f := newFront(t, w.node.Addresses().Bundler)
		w.start(t, settings.SU, env{"UPLOAD_NODE_URL": f.URL, "AGO_UPLOAD_CONFIRM": "10ms"}).spawn(t)
		eventually(t, "the question whether it is there", func() bool { return f.heard("/status") })
	},

	"cu/profiling": func(t *testing.T, w *world) {
		w.start(t, settings.CU, env{"AGO_PROFILING": "1"}).ask(t, "GET", "/debug/pprof/", nil).is(t, 200, "goroutine")
		w.start(t, settings.CU, nil).ask(t, "GET", "/debug/pprof/", nil).is(t, 404, "")
	},
	"cu/verify-signatures": func(t *testing.T, w *world) {
		liar := httptest.NewServer(forging(w.node.Addresses().SU))
		t.Cleanup(liar.Close)
		w.start(t, settings.CU, env{"SU_URL": liar.URL}).result(t, 3).is(t, 200, "Output")
		if got := w.start(t, settings.CU, env{"SU_URL": liar.URL, "AGO_VERIFY_SIGNATURES": "true"}).result(t, 3); got.status == 200 {
			t.Errorf("a forged signature gives %s", got.body)
		}
	},
	"cu/patience": func(t *testing.T, w *world) {
		id, raw := w.spawnItem(t, w.node.Addresses().Scheduler)
		path := fmt.Sprintf("/result/%s?process-id=%[1]s", id)
		w.start(t, settings.CU, env{"AGO_PATIENCE": "0"}).ask(t, "GET", path, nil).is(t, 404, "")
		r := w.start(t, settings.CU, env{"AGO_PATIENCE": "1m"})
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() { r.ask(t, "GET", path, nil).is(t, 200, "Output") })
		request(t, "POST", w.node.Addresses().SU, raw).is(t, 200, id.String())
	},
	"cu/db-write-connections": func(t *testing.T, w *world) {
		server := pgtest.Shared(t)
		url := server.Database(t)
		r := w.start(t, settings.CU, env{"DB_MODE": "remote", "DB_URL": url, "AGO_DB_WRITE_CONNECTIONS": "1"})
		free := server.Hold(t, url, "lock table ago_rows in exclusive mode")
		var wg sync.WaitGroup
		defer wg.Wait()
		defer free()
		for _, p := range []message.ID{w.counting, w.other, w.lua, w.extended} {
			wg.Go(func() { r.ask(t, "GET", fmt.Sprintf("/result/%s?process-id=%[1]s", p), nil).is(t, 200, "Output") })
		}
		eventually(t, "a writer that waits", func() bool {
			return connections(t, server, url, "wait_event_type = 'Lock' and application_name = 'ago'") == 1
		})
		if n := connections(t, server, url, "application_name = 'ago'"); n > 2 { // one of them reads long lists
			t.Errorf("%d connections", n)
		}
	},

	"gateway/bundler-port": func(t *testing.T, w *world) {
		port := freePort(t)
		if r := w.start(t, settings.Gateway, env{"AGO_BUNDLER_PORT": port}); !strings.HasSuffix(r.said["bundler"], ":"+port) {
			t.Errorf("uploads are taken at %s", r.said["bundler"])
		}
	},
	"gateway/name": func(t *testing.T, w *world) {
		if r := w.start(t, settings.Gateway, env{"AGO_NAME": "localhost"}); !strings.HasPrefix(r.url, "http://localhost:") {
			t.Errorf("it says that it is at %s", r.url)
		}
	},
	"gateway/wallet":  ofWalletFile(settings.Gateway, "AGO_NODE_WALLET"),
	"gateway/metrics": ofMetrics(settings.Gateway, "AGO_METRICS", "true"),
	"gateway/module": func(t *testing.T, w *world) {
		file, err := filepath.Abs("../../test/reference/modules/probe3.wasm")
		check(t, err)
		id := message.HashOf([]byte("a module of the gateway")).String()
		w.start(t, settings.Gateway, env{"AGO_MODULES": id + "=" + file + ",Module-Format=" + probeFormat}).ask(t, "GET", "/raw/"+id, nil).is(t, 200, "\x00asm")
		w.start(t, settings.Gateway, nil).ask(t, "GET", "/raw/"+id, nil).is(t, 404, "")
	},
	"gateway/block-interval": func(t *testing.T, w *world) {
		r := w.start(t, settings.Gateway, env{"AGO_BLOCK_INTERVAL": "10ms"})
		first := r.ask(t, "GET", "/block/current", nil).body
		eventually(t, "the next block", func() bool { return r.ask(t, "GET", "/block/current", nil).body != first })
	},
}

func ofListen(u settings.Unit) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		r := w.start(t, u, env{"AGO_LISTEN": "127.0.0.2"})
		if !strings.HasPrefix(r.url, "http://127.0.0.2:") {
			t.Errorf("it says that it is at %s", r.url)
		}
		r.ask(t, "GET", "/healthz", nil).is(t, 200, "alive")
	}
}

func ofMemory(u settings.Unit) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		for value, want := range map[string]bool{"true": false, "false": true} {
			r := w.start(t, u, env{"AGO_MEMORY": value})
			r.stop()
			if got := files(t, r.dir); (len(got) > 0) != want {
				t.Errorf("%s: there are %v", value, got)
			}
		}
	}
}

func ofData(u settings.Unit) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		dir := filepath.Join(t.TempDir(), "data")
		w.start(t, u, env{"AGO_DATA": dir})
		if len(files(t, dir)) == 0 {
			t.Error("nothing is there")
		}
	}
}

func ofLogLevel(u settings.Unit) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		for level, want := range map[string]bool{"debug": true, "warn": false} {
			if r := w.start(t, u, env{"AGO_LOG_LEVEL": level}); strings.Contains(r.log.String(), "level=DEBUG") != want {
				t.Errorf("at %s it logs %q", level, r.log)
			}
		}
	}
}

func ofLogFormat(u settings.Unit) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		if r := w.start(t, u, env{"AGO_LOG_LEVEL": "debug", "AGO_LOG_FORMAT": "json"}); !strings.Contains(r.log.String(), `"level":"DEBUG"`) {
			t.Errorf("logged %q", r.log)
		}
	}
}

func ofLevelFile(u settings.Unit) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		file := filepath.Join(t.TempDir(), "level")
		r := w.start(t, u, env{"AGO_LOG_LEVEL_FILE": file})
		check(t, os.WriteFile(file, []byte("debug\n"), 0o600))
		eventually(t, "the change", func() bool { return strings.Contains(r.log.String(), "the log level changed") })
	}
}

func ofMemoryLog(u settings.Unit) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		r := w.start(t, u, env{"AGO_MEMORY_LOG_INTERVAL": "5"})
		eventually(t, "a line about memory", func() bool { return strings.Contains(r.log.String(), "msg=memory") })
	}
}

func ofAddressRate(u settings.Unit) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		r := w.start(t, u, env{"AGO_ADDRESS_RATE": "1", "AGO_RATE_BURST": "1"})
		eventually(t, "a refusal", func() bool { return r.ask(t, "GET", "/", nil).status == 429 })
	}
}

// ofBodyMemory: half of it is for one address.
func ofBodyMemory(u settings.Unit, path string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		if strings.HasSuffix(path, "=") {
			path += w.counting.String()
		}
		w.start(t, u, env{"AGO_BODY_MEMORY": "1kb"}).ask(t, "POST", path, make([]byte, 1000)).is(t, 429, "bodies-share-taken")
	}
}

func ofBurst(u settings.Unit) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		r := w.start(t, u, env{"AGO_ADDRESS_RATE": "1", "AGO_RATE_BURST": "1000"})
		for range 40 {
			if got := r.ask(t, "GET", "/", nil); got.status == 429 {
				t.Fatal("refused although a thousand may come at once")
			}
		}
	}
}

// ofDBName: the unit's part of the database has the name.
func ofDBName(u settings.Unit) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		server := pgtest.Shared(t)
		url := server.Database(t)
		e := env{"DB_MODE": "remote", "AGO_DB_URL": url, "AGO_DB_NAME": "east", "WALLET": w.wallet}
		w.start(t, u, e)
		if got := server.Ask(t, url, "select coalesce(string_agg(name, ','), '') from ago_spaces where name = 'east'"); got != "east" {
			t.Errorf("the parts named so are %q", got)
		}
	}
}

var signature = regexp.MustCompile(`"signature":"(.)`)

// forging hands on what a scheduler says, with other signatures in its logs.
func forging(to string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		q, err := http.NewRequest(r.Method, to+r.URL.RequestURI(), bytes.NewReader(body))
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		got, err := http.DefaultClient.Do(q)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer got.Body.Close()
		b, _ := io.ReadAll(got.Body)
		if !strings.HasPrefix(r.URL.Path, "/processes/") { // a log, not the process
			parts := strings.Split(string(b), `"assignment":`)
			for i := 1; i < len(parts); i++ {
				parts[i] = signature.ReplaceAllStringFunc(parts[i], func(s string) string {
					if s[len(s)-1] == 'A' {
						return `"signature":"B`
					}
					return `"signature":"A`
				})
			}
			b = []byte(strings.Join(parts, `"assignment":`))
		}
		w.WriteHeader(got.StatusCode)
		_, _ = w.Write(b)
	})
}
