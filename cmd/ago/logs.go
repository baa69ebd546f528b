package main

import (
	"context"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"time"

	"ago/settings"
)

// levels are the names of the older units; those that slog has no level for are debug.
var levels = map[string]slog.Level{
	"error": slog.LevelError, "warn": slog.LevelWarn, "info": slog.LevelInfo,
	"http": slog.LevelDebug, "verbose": slog.LevelDebug, "debug": slog.LevelDebug, "silly": slog.LevelDebug,
}

// levelPoll is how often the level file is looked at: it is one short file, and nobody waits for it.
const levelPoll = 500 * time.Millisecond

// unitLogger logs at the level of the settings, or the one that stands in the level file.
func unitLogger(o *out, l *settings.Loaded) (log *slog.Logger, stop func()) {
	usual := levels[l.LogLevel]
	level := &slog.LevelVar{}
	level.Set(usual)
	opts := &slog.HandlerOptions{Level: level}
	if l.LogFormat == "json" {
		log = slog.New(slog.NewJSONHandler(o.stderr, opts))
	} else {
		log = slog.New(slog.NewTextHandler(o.stderr, opts))
	}
	if l.LogLevelFile == "" {
		return log, func() {}
	}
	now := usual
	look := func() {
		if want := levelOf(l.LogLevelFile, usual); want != now {
			now = want
			level.Set(want)
			log.Log(context.Background(), max(want, slog.LevelInfo), "the log level changed", "level", want, "file", l.LogLevelFile)
		}
	}
	look()
	ctx, stop := context.WithCancel(o)
	go func() {
		t := time.NewTicker(levelPoll)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				look()
			}
		}
	}()
	return log, stop
}

// levelOf reads the level file; absent, empty and unknown mean the usual level.
func levelOf(path string, usual slog.Level) slog.Level {
	f, err := os.Open(path)
	if err != nil {
		return usual
	}
	defer f.Close()
	b := make([]byte, 64)
	n, _ := f.Read(b)
	if level, ok := levels[strings.ToLower(strings.TrimSpace(string(b[:n])))]; ok {
		return level
	}
	return usual
}

// watchMemory logs the memory in use.
func watchMemory(ctx context.Context, log *slog.Logger, every time.Duration) {
	if every <= 0 {
		return
	}
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			log.Info("memory", "heap", m.HeapAlloc, "runtime", m.Sys, "resident", resident())
		}
	}
}

// resident is the machine memory of the process in bytes, states of processes included; 0 where the system does not tell.
func resident() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0
	}
	var pages int64
	for _, c := range fields[1] {
		pages = pages*10 + int64(c-'0')
	}
	return pages * int64(os.Getpagesize())
}
