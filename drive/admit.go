package drive

import (
	"context"

	"ago/fault"
	"ago/process"
)

// How the data that a process may read is vouched for: the values of the tag Availability-Type.
const (
	Assignments = "Assignments" // the scheduler, or an attestor the process names, attested the message
	Individual  = "Individual"  // besides, one of them said that the data is available
	Library     = "Library"     // no unit has this; only what Assignments allows can be read
)

// admit checks that a process may read the data of an id: what it boots from always, anything else if it has the extension and
// an attestor vouched for the id in a block up to the message's.
func (v *view) admit(ctx context.Context, id string) error {
	if boot, ok := lastTag(v.process.Tags, "On-Boot"); ok && boot == id {
		return nil
	}
	if !asked(v.module.Tags) && !asked(v.process.Tags) {
		return refuse(notFound)
	}
	mode := Availability(v.process, v.module)
	if !known(mode) {
		return refuse("Unsupported WeaveDrive mode: %s", mode)
	}
	if err := v.seen(ctx); err != nil {
		return err
	}
	attestors := Attestors(v.process)
	ok, err := v.archive.Attested(ctx, attestors, []process.Tag{{Name: "Type", Value: "Attestation"}, {Name: "Message", Value: id}, {Name: "Data-Protocol", Value: "ao"}}, v.height)
	if ok || err != nil {
		return err
	}
	switch mode {
	case Individual:
		ok, err := v.archive.Attested(ctx, attestors, []process.Tag{{Name: "Type", Value: "Available"}, {Name: "ID", Value: id}, {Name: "Data-Protocol", Value: Extension}}, v.height)
		if ok || err != nil {
			return err
		}
	case Library:
		return refuse("This WeaveDrive implementation does not support Library attestations yet!")
	}
	return refuse(notFound)
}

// Availability is the Availability-Type of a process: its own, else its module's, else Assignments. Of several tags the last
// one counts.
func Availability(p process.Definition, m process.Module) string {
	for _, tags := range [][]process.Tag{p.Tags, m.Tags} {
		if v, ok := lastTag(tags, "Availability-Type"); ok && v != "" {
			return v
		}
	}
	return Assignments
}

// Attestors are the addresses whose word a process takes: its scheduler's, then those it names.
func Attestors(p process.Definition) []string {
	var out []string
	if v, ok := lastTag(p.Tags, "Scheduler"); ok && v != "" {
		out = append(out, v)
	}
	for _, t := range p.Tags {
		if t.Name == "Attestor" && t.Value != "" {
			out = append(out, t.Value)
		}
	}
	return out
}

func known(mode string) bool { return mode == Assignments || mode == Individual || mode == Library }

// Check refuses a new process whose tags ask for what no drive gives. Processes of other networks are taken as they are.
func Check(p process.Definition, m process.Module) error {
	if mode := Availability(p, m); (asked(p.Tags) || asked(m.Tags)) && !known(mode) {
		return fault.New(fault.Unsupported, "availability-unsupported", "Availability-Type %q is not known", mode).
			WithHint("use %s or %s", Assignments, Individual)
	}
	return nil
}

func lastTag(tags []process.Tag, name string) (value string, ok bool) {
	for _, t := range tags {
		if t.Name == name {
			value, ok = t.Value, true
		}
	}
	return value, ok
}
