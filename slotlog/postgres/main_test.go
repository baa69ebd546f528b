package postgres_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain bounds the random runs, each step of which is a round trip and a wait for the disk.
func TestMain(m *testing.M) {
	if os.Getenv("AGO_LONG") == "" {
		if err := flag.Set("rapid.checks", "25"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
