// Command sign publishes the built-in process anew: it signs the bundle of the sources with a key that is forgotten
// when it ends, and writes builtin/module.item. Run it in the repository's root after the sources changed:
//
//	go run ./builtin/sign
package main

import (
	"crypto/rand"
	"fmt"
	"os"

	"ago/builtin"
	"ago/codec/ans104"
	"ago/commitment"
)

func main() {
	if err := run("builtin/module.item"); err != nil {
		fmt.Fprintln(os.Stderr, "sign:", err)
		os.Exit(1)
	}
}

func run(path string) error {
	key, err := commitment.NewAgent().Generate(commitment.Ed25519, rand.Reader)
	if err != nil {
		return err
	}
	it, err := ans104.Sign(builtin.Draft(), key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, it.Raw, 0o644); err != nil {
		return err
	}
	fmt.Println(it.ID())
	return nil
}
