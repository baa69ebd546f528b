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

// Devices that serve a process whose definition names no others.
const (
	DeviceProcess   = "process@1.0"
	DeviceScheduler = "scheduler@1.0"
	DevicePush      = "push@1.0"
	DeviceLegacy    = "genesis-wasm@1.0"      // evaluates as the legacy Compute Unit does
	DeviceDelegated = "delegated-compute@1.0" // has a legacy compute unit evaluate
)

// Definition is what the message that defines a process says. It never changes.
type Definition struct {
	ID           message.ID
	Item         *ans104.Item // nil if the definition is no data item
	Variant      string       // VariantLegacy for data items that legacy units read, otherwise VariantCore
	Module       message.ID   // zero in an AO-Core process whose execution device is given no id
	Scheduler    string       // the first address the process names as its scheduler
	Schedulers   []string     // all of them
	Name         string       // "" if it has none
	Authorities  []string     // addresses whose pushed messages it trusts
	MemoryLimit  uint64       // bytes; 0 if the process states none
	ComputeLimit uint64       // gas per message; 0 if the process states none
	Owner        string       // address of the signer as processes see it
	Tags         []Tag        // as a legacy module sees them

	// What an AO-Core process is run by; of a legacy process these are the defaults.
	Device          string
	SchedulerDevice string
	ExecutionDevice string
	PushDevice      string
	DeviceStack     []string // devices that a stack runs, in order
	HashpathAlg     string   // by which its hashpaths are extended; "" is the chain

	content Content
}

// Define reads the definition of a process from a message whose signatures were checked. A data item of variant ao.TN.1, or of
// none and without a device, is read by its tags as legacy units do; every other message by its keys. The faults name the tag
// or key that is missing or wrong.
func Define(m message.Message) (Definition, error) {
	it, ok := ans104.ItemOf(m)
	if !ok {
		return defineCore(m, nil)
	}
	if legacyItem(it) {
		return defineLegacy(it)
	}
	return defineCore(m, it)
}

// IsDefinition tells whether a message says that it defines a process.
func IsDefinition(m message.Message) bool { return keyText(m, "type", "") == "Process" }

// legacyItem tells whether legacy units can read a definition.
func legacyItem(it *ans104.Item) bool {
	variant, device := "", false
	for _, t := range it.Tags {
		switch {
		case variant == "" && strings.EqualFold(t.Name, "Variant"):
			variant = t.Value
		case strings.EqualFold(t.Name, "device"):
			device = true
		}
	}
	return variant == VariantLegacy || variant == "" && !device
}

// defineLegacy reads a Process item.
func defineLegacy(it *ans104.Item) (Definition, error) {
	d := Definition{ID: it.ID(), Item: it, Variant: VariantLegacy, Owner: it.ProcessAddress(), Tags: it.Tags, content: ContentOf(it),
		Device: DeviceProcess, SchedulerDevice: DeviceScheduler, ExecutionDevice: DeviceLegacy, PushDevice: DevicePush}
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
	d.Schedulers = []string{d.Scheduler}
	d.Name, _ = it.Tag("Name")
	for _, v := range it.TagValues("Authority") {
		d.Authorities = append(d.Authorities, commaList(v)...)
	}
	return d.withLimits(d.Tag)
}

// withLimits reads the limits that the process asks for.
func (d Definition) withLimits(tag func(name string) (string, bool)) (Definition, error) {
	var err error
	if d.MemoryLimit, err = limitTag(tag, "Memory-Limit", ParseMemoryLimit); err == nil {
		d.ComputeLimit, err = limitTag(tag, "Compute-Limit", parseGas)
	}
	return d, err
}

// defineCore reads an AO-Core definition.
func defineCore(m message.Message, it *ans104.Item) (Definition, error) {
	c := ContentOfMessage(m)
	d := Definition{ID: c.ID, Item: it, Variant: VariantCore, Owner: c.Owner, Tags: c.Tags, content: c,
		Device:          keyText(m, "device", DeviceProcess),
		SchedulerDevice: keyText(m, "scheduler-device", DeviceScheduler),
		ExecutionDevice: keyText(m, "execution-device", DeviceLegacy),
		PushDevice:      keyText(m, "push-device", DevicePush),
		DeviceStack:     keyTexts(m, "device-stack"),
		HashpathAlg:     keyText(m, "hashpath-alg", ""),
		Name:            keyText(m, "name", ""),
		Authorities:     keyTexts(m, "authority"),
		Schedulers:      append(keyTexts(m, "scheduler"), keyTexts(m, "scheduler-location")...),
	}
	if !IsDefinition(m) {
		return d, fault.New(fault.Malformed, "type-unsupported", "the message is not of type Process")
	}
	if c.Owner == "" {
		return d, fault.New(fault.Malformed, "process-unsigned", "nobody has signed the definition of the process")
	}
	switch v := keyText(m, "variant", VariantCore); v {
	case VariantLegacy, VariantCore:
	default:
		return d, fault.New(fault.Unsupported, "variant-unknown", "Variant %q of the Process is not known", v).
			WithHint("use %s, or %s for AO-Core", VariantLegacy, VariantCore)
	}
	switch d.HashpathAlg {
	case "", message.HashpathChain, message.HashpathAccumulate:
	default:
		return d, fault.New(fault.Unsupported, "hashpath-alg-unknown", "no hashpath function is named %.100q", d.HashpathAlg).
			WithHint("use %s or %s", message.HashpathChain, message.HashpathAccumulate)
	}
	if len(d.Schedulers) == 0 {
		return d, fault.New(fault.Malformed, "scheduler-missing", "No scheduler information provided.").
			WithHint("put the scheduler's address under the key scheduler and sign again")
	}
	d.Scheduler = d.Schedulers[0]
	module := keyText(m, "module", keyText(m, "image", ""))
	id, err := message.ParseID(module)
	switch {
	case err == nil:
		d.Module = id
	case d.ExecutionDevice == DeviceLegacy && module == "":
		return d, fault.New(fault.Malformed, "tag-missing", "a Process needs the tag Module").WithHint("add the tag Module and sign again")
	case d.ExecutionDevice == DeviceLegacy:
		return d, fault.New(fault.Malformed, "module-id-malformed", "the tag Module must hold a module's id: %v", err).
			WithHint("publish the module and put its id in the tag")
	}
	return d.withLimits(func(name string) (string, bool) {
		text := keyText(m, name, "")
		return text, text != ""
	})
}

// Legacy tells whether the process is one of legacy units: its assignments are signed items, and its messages data items.
func (d Definition) Legacy() bool { return d.Variant == VariantLegacy }

// ByDevice tells whether the execution device evaluates the process: all but those of modules that legacy units run.
func (d Definition) ByDevice() bool {
	return d.ExecutionDevice != "" && d.ExecutionDevice != DeviceLegacy
}

// Message gives the whole definition with its commitments.
func (d Definition) Message() message.Message { return d.content.Message() }

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

func limitTag(tag func(string) (string, bool), name string, parse func(string) (uint64, error)) (uint64, error) {
	v, ok := tag(name)
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
