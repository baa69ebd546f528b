package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ago/settings"
)

// lines is what was logged, readable while it grows.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lines) has(t *testing.T, text string, do func()) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if do != nil {
			do()
		}
		if strings.Contains(l.String(), text) {
			return
		}
	}
	t.Fatalf("%q was not logged:\n%s", text, l)
}

func TestTheLevelFileCountsAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "level")
	w := &lines{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log, stop := unitLogger(&out{Context: ctx, stderr: w}, &settings.Loaded{Settings: settings.Settings{LogLevel: "warn", LogLevelFile: file}})
	defer stop()
	log.Info("hidden")
	for _, level := range []string{"verbose\n", "", "loud"} {
		if err := os.WriteFile(file, []byte(level), 0o600); err != nil {
			t.Fatal(err)
		}
		if level == "verbose\n" {
			w.has(t, "fine detail", func() { log.Debug("fine detail") })
			continue
		}
		w.has(t, "level=WARN msg=\"the log level changed\" level=WARN", nil)
	}
	if strings.Contains(w.String(), "hidden") {
		t.Error("a line below the level was logged")
	}
}

func TestTheMemoryIsLogged(t *testing.T) {
	w := &lines{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log, stop := unitLogger(&out{Context: ctx, stderr: w}, &settings.Loaded{Settings: settings.Settings{LogLevel: "info"}})
	defer stop()
	go watchMemory(ctx, log, time.Millisecond)
	w.has(t, "msg=memory heap=", nil)
}
