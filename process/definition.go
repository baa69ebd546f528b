// Package process is the actor: its definition, what a message looks like to it, and what its evaluation gives.
package process

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"ago/arweave"
	"ago/codec/ans104"
	"ago/fault"
	"ago/message"
)

// Tag is a name with a value, both any bytes, in the order they were signed.
type Tag = arweave.Tag

// The variants of the protocol a Process may be written for.
const (
	VariantLegacy = "ao.TN.1" // legacy units; assignments are signed items
	VariantCore   = "ao.N.1"  // AO-Core
)

// Definition is what the Process item says. It never changes.
type Definition struct {
	ID           message.ID
	Item         *ans104.Item
	Variant      string
	Module       message.ID
	Scheduler    string   // address the process names as its scheduler
	Name         string   // "" if it has none
	Authorities  []string // addresses whose pushed messages it trusts
	MemoryLimit  uint64   // bytes; 0 if the process states none
	ComputeLimit uint64   // gas per message; 0 if the process states none
	Owner        string   // address of the signer as processes see it
	Tags         []Tag
}

// Define reads a Process item. The faults name the tag that is missing or wrong.
func Define(it *ans104.Item) (Definition, error) {
	d := Definition{ID: it.ID(), Item: it, Owner: it.ProcessAddress(), Tags: it.Tags}
	need := func(name string) (string, error) {
		v, ok := it.Tag(name)
		if !ok || v == "" {
			return "", fault.New(fault.Malformed, "tag-missing", "a Process needs the tag %s", name).
				WithHint("add the tag %s and sign the item again", name)
		}
		return v, nil
	}
	if typ, _ := it.Tag("Type"); typ != "Process" && !slices.Contains(it.TagValues("Type"), "Process") {
		return d, fault.New(fault.Malformed, "type-unsupported", "the item is not of Type Process")
	}
	module, err := need("Module")
	if err != nil {
		return d, err
	}
	if d.Module, err = message.ParseID(module); err != nil {
		return d, fault.New(fault.Malformed, "module-id-malformed", "the tag Module must hold a module's id: %v", err).
			WithHint("publish the module and put its id in the tag")
	}
	if d.Scheduler, err = need("Scheduler"); err != nil {
		return d, err
	}
	d.Variant, _ = it.Tag("Variant")
	switch d.Variant {
	case VariantLegacy, VariantCore:
	case "":
		d.Variant = VariantLegacy
	default:
		return d, fault.New(fault.Unsupported, "variant-unknown", "Variant %q of the Process is not known", d.Variant).
			WithHint("use %s, or %s for AO-Core", VariantLegacy, VariantCore)
	}
	d.Name, _ = it.Tag("Name")
	for _, v := range it.TagValues("Authority") {
		for a := range strings.SplitSeq(v, ",") {
			if a = strings.TrimSpace(a); a != "" {
				d.Authorities = append(d.Authorities, a)
			}
		}
	}
	if d.MemoryLimit, err = limitTag(it.Tags, "Memory-Limit", ParseMemoryLimit); err != nil {
		return d, err
	}
	if d.ComputeLimit, err = limitTag(it.Tags, "Compute-Limit", parseGas); err != nil {
		return d, err
	}
	return d, nil
}

// Trusts tells whether a pushed message of this signer is accepted by the process's own check.
func (d Definition) Trusts(address string) bool {
	for _, a := range d.Authorities {
		if a == address {
			return true
		}
	}
	return false
}

// Tag gives the first tag of the name.
func (d Definition) Tag(name string) (string, bool) { return FirstTag(d.Tags, name) }

// FirstTag gives the first tag of the name; of duplicates the units read the first.
func FirstTag(tags []Tag, name string) (string, bool) {
	for _, t := range tags {
		if t.Name == name {
			return t.Value, true
		}
	}
	return "", false
}

func limitTag(tags []Tag, name string, parse func(string) (uint64, error)) (uint64, error) {
	v, ok := FirstTag(tags, name)
	if !ok {
		return 0, nil
	}
	n, err := parse(v)
	if err != nil {
		return 0, fault.New(fault.Malformed, strings.ToLower(name)+"-malformed", "the tag %s: %v", name, err).WithHint("%s", fault.HintOf(err))
	}
	return n, nil
}

func parseGas(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n == 0 {
		return 0, fault.New(fault.Malformed, "compute-limit-malformed", "%q is not a whole number of gas", s).
			WithHint("write digits only, for instance 9000000000000")
	}
	return n, nil
}

// ParseMemoryLimit reads the text of a Memory-Limit tag: a number (decimals allowed), an optional dash, a unit of b kb mb
// gb tb in any case with binary multiples. "1-gb" is 1073741824.
func ParseMemoryLimit(s string) (uint64, error) {
	bad := func() (uint64, error) {
		return 0, fault.New(fault.Malformed, "memory-limit-malformed", "%q is not an amount of memory", s).
			WithHint("write a number and a unit, for instance 1-gb or 500-mb")
	}
	text := strings.ToLower(strings.TrimSpace(strings.Replace(s, "-", "", 1)))
	end := 0
	for end < len(text) && (text[end] >= '0' && text[end] <= '9' || text[end] == '.') {
		end++
	}
	multiple := map[string]float64{"": 1, "b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40}
	m, ok := multiple[strings.TrimSpace(text[end:])]
	n, err := strconv.ParseFloat(text[:end], 64)
	if !ok || err != nil || n <= 0 || n*m > math.MaxInt64 {
		return bad()
	}
	return uint64(math.Floor(n * m)), nil
}
