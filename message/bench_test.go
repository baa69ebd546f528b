package message

import (
	"fmt"
	"testing"
)

// sized makes a message of n fields with keys of the usual length.
func sized(n int) []Field {
	fs := make([]Field, n)
	for i := range fs {
		fs[i] = Field{fmt.Sprintf("balance-%05d", i*7919%n), Int(i)}
	}
	return fs
}

// BenchmarkMessage measures the map itself: a header, a message with many tags, and the balances of a token.
func BenchmarkMessage(b *testing.B) {
	for _, n := range []int{8, 32, 10_000} {
		fs := sized(n)
		m, other := New(fs...), New(fs...)
		keys := make([]string, n)
		for i, f := range fs {
			keys[i] = f.Key
		}
		run := func(name string, one func(i int)) {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					one(i)
				}
			})
		}
		run("New", func(int) { _ = New(fs...) })
		run("Get", func(i int) { m.Get(keys[i%n]) })
		run("With", func(i int) { _ = m.With(keys[i%n], Int(1)) })
		run("Add", func(i int) { _ = m.With("balance-00003x", Int(1)) })
		run("Without", func(i int) { _ = m.Without(keys[i%n]) })
		run("All", func(int) {
			for range m.All() {
			}
		})
		run("Equal", func(int) { Equal(m, other) })
		changed := m.With(keys[0], Int(-1))
		run("EqualChanged", func(int) { Equal(m, changed) })
		run("UnsignedID", func(int) { _ = New(fs...).UnsignedID() })
	}
}

// BenchmarkState measures what one slot of a process costs whose state holds the balances of a token: one of them changes.
func BenchmarkState(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		texts := sized(n)
		for i := range texts {
			texts[i].Value = Bytes("1000000000000")
		}
		state := New(Field{"balances", New(texts...)}, Field{"numbers", New(sized(n)...)}, Field{"name", Bytes("token")})
		change := func(key string, i int) Message {
			return state.WithPath([]string{key, texts[i%n].Key}, Bytes(fmt.Sprint(i)))
		}
		run := func(name string, one func(i int)) {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				state.UnsignedID()
				for i := 0; b.Loop(); i++ {
					one(i)
				}
			})
		}
		run("Change", func(i int) { change("balances", i) })
		run("ID", func(i int) { change("balances", i).UnsignedID() })
		run("IDTyped", func(i int) { change("numbers", i).UnsignedID() })
		run("Diff", func(i int) { _, _ = Diff(state, change("balances", i)).AppendTo(nil) })
		patch := Diff(state, change("balances", 7))
		run("Apply", func(int) { _, _ = state.Apply(patch) })
		run("Keep", func(int) { _, _ = AppendValue(nil, state) })
		kept, _ := AppendValue(nil, state)
		run("Read", func(int) { _, _ = ReadValue(kept) })
	}
}
