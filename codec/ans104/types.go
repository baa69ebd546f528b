package ans104

import (
	"ago/codec/structured"
	"ago/message"
)

// applyTypes turns the texts that ao-types names into numbers and atoms, and leaves ao-types out. If one of them cannot be
// read, all stay texts and ao-types stays: an item that somebody signed is not refused for an annotation.
func applyTypes(fs []message.Field, types string) []message.Field {
	if types == "" {
		return fs
	}
	want, err := structured.ParseTypes(types)
	if err != nil {
		return fs
	}
	out := make([]message.Field, 0, len(fs))
	for _, f := range fs {
		if f.Key == keyTypes {
			continue
		}
		if kind, ok := want[f.Key]; ok {
			v, ok := structured.Scalar(kind, string(f.Value.(message.Bytes)))
			if !ok {
				return fs
			}
			f.Value = v
		}
		out = append(out, f)
	}
	return out
}
