package push

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"ago/codec/ans104"
	"ago/commitment"
	"ago/message"
	"ago/process"
)

// noData stands for data that is absent or empty: items without data are refused by some bundlers.
const noData = " "

// item makes what a task delivers. It is a pure function of the row and the messenger's key.
func (r *row) item(k *commitment.Key) (*ans104.Item, error) {
	d := ans104.Draft{Data: []byte(noData), Anchor: []byte(r.anchor)}
	switch r.Kind {
	case KindMessage:
		d.Tags = r.messageTags()
	case KindSpawn:
		d.Tags = r.spawnTags()
	case KindSpawned:
		d.Tags = r.spawnedTags()
	}
	if r.data != nil && *r.data != "" {
		d.Data = []byte(*r.data)
	}
	key := r.Key.bytes()
	if r.anchor == "" {
		// Two entries without an anchor would be one message, or one process, if they were equal otherwise.
		sum := sha256.Sum256(append([]byte("ago push anchor 1"), key[:]...))
		d.Anchor = hex.AppendEncode(nil, sum[:ans104.AnchorSize/2])
	}
	if r.Kind != KindSpawn {
		target, err := message.ParseID(r.Target)
		if err != nil {
			return nil, err
		}
		d.Target, d.HasTarget = target, true
	}
	return ans104.SignDeterministic(d, k, append([]byte("ago push 1"), key[:]...))
}

// messageTags are those of the outbox but for what only the messenger may say, then what it says.
func (r *row) messageTags() []process.Tag {
	tags := without(r.tags, "Data-Protocol", "Type", "From-Process", "From-Module", "Assignments")
	tags = append(tags,
		process.Tag{Name: "Data-Protocol", Value: "ao"},
		process.Tag{Name: "Type", Value: "Message"},
		process.Tag{Name: "From-Process", Value: r.Key.Process.String()},
		process.Tag{Name: "From-Module", Value: r.moduleText()})
	return r.pushedFor(tags)
}

// spawnTags differ from what older messengers write in one thing: a tag that the messenger sets is not there twice. Readers
// take the first of a name, so a process could otherwise name another as the parent.
func (r *row) spawnTags() []process.Tag {
	tags := without(r.tags, "Data-Protocol", "Type", "Variant", "From-Process", "From-Module", "Pushed-For")
	given := hasTag(tags, "Scheduler")
	tags = append(tags,
		process.Tag{Name: "Variant", Value: r.variant()},
		process.Tag{Name: "Data-Protocol", Value: "ao"},
		process.Tag{Name: "Type", Value: "Process"},
		process.Tag{Name: "From-Process", Value: r.Key.Process.String()})
	tags = r.pushedFor(tags)
	if !given {
		tags = append(tags, process.Tag{Name: "Scheduler", Value: r.scheduler})
	}
	return append(tags, process.Tag{Name: "From-Module", Value: r.moduleText()})
}

// spawnedTags carry the tags of the spawn back, by which its sender knows which one it was.
func (r *row) spawnedTags() []process.Tag {
	tags := make([]process.Tag, 0, len(r.tags)+5)
	for _, t := range r.tags {
		if t.Name == "Data-Protocol" && t.Value == "ao" || t.Name == "Variant" || t.Name == "Type" {
			continue
		}
		tags = append(tags, t)
	}
	return append(tags,
		process.Tag{Name: "Data-Protocol", Value: "ao"},
		process.Tag{Name: "Type", Value: "Message"},
		process.Tag{Name: "Process", Value: r.subject.String()},
		process.Tag{Name: "Action", Value: "Spawned"},
		process.Tag{Name: "Variant", Value: r.variant()})
}

func (r *row) variant() string {
	if v, _ := process.FirstTag(r.tags, "Variant"); v == process.VariantCore {
		return v
	}
	return process.VariantLegacy
}

func (r *row) moduleText() string {
	if r.module.IsZero() {
		return ""
	}
	return r.module.String()
}

func (r *row) pushedFor(tags []process.Tag) []process.Tag {
	if r.Root.IsZero() {
		return tags
	}
	return append(tags, process.Tag{Name: "Pushed-For", Value: r.Root.String()})
}

// without leaves room for what the messenger adds.
func without(tags []process.Tag, names ...string) []process.Tag {
	out := make([]process.Tag, 0, len(tags)+7)
	for _, t := range tags {
		if !slices.Contains(names, t.Name) {
			out = append(out, t)
		}
	}
	return out
}

// followUps are the tasks that a delivery causes: the news of a new process for its parent, and the assignments that a message
// asks for by its tag Assignments. They are parts of the same entry.
func (r *row) followUps(now int64) []row {
	next := row{Task: Task{
		Key: r.Key, State: Pending, Parent: r.Parent, Root: r.Root, Depth: r.Depth + 1, Planned: now, Changed: now,
	}, module: r.module, scheduler: r.scheduler}
	switch r.Kind {
	case KindSpawn:
		next.Key.Part++
		next.Kind, next.Target, next.Action = KindSpawned, r.Key.Process.String(), "Spawned"
		next.anchor, next.tags, next.subject = r.anchor, r.tags, r.Message
		return []row{next}
	case KindMessage:
		list, ok := process.FirstTag(r.tags, "Assignments")
		if !ok {
			return nil
		}
		var rows []row
		for _, target := range processList(list) {
			next.Key.Part++
			next.Kind, next.Target, next.subject = KindAssign, target, r.Message
			rows = append(rows, next.judged(""))
		}
		return rows
	}
	return nil
}

// assignmentsMax bounds the processes one tag Assignments may name: a tag holds about 70 ids where the usual limits apply.
const assignmentsMax = 100

// processList reads a JSON array or a list with commas.
func processList(s string) []string {
	var list []string
	if json.Unmarshal([]byte(s), &list) != nil {
		list = list[:0]
		for id := range strings.SplitSeq(s, ",") {
			if id = strings.TrimSpace(id); id != "" {
				list = append(list, id)
			}
		}
	}
	return list[:min(len(list), assignmentsMax)]
}
