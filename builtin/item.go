package builtin

import (
	_ "embed"
	"sync"

	"ago/codec/ans104"
	"ago/message"
)

//go:embed module.item
var published []byte

// Item is the module as it is published: a data item that was signed once with a key nobody has any more, so that every
// node knows the built-in process by the same id.
func Item() *ans104.Item { return item() }

// ID is the id of the module, the value of a Process item's Module tag.
func ID() message.ID { return Item().ID() }

var item = sync.OnceValue(func() *ans104.Item {
	it, err := ans104.DecodeItem(published)
	if err != nil {
		panic(err) // the item is part of the program; a test reads it
	}
	return it
})

// Draft is what the item says before it is signed. The data is the Bundle.
func Draft() ans104.Draft {
	return ans104.Draft{
		Tags: []ans104.Tag{
			{Name: "Data-Protocol", Value: "ao"},
			{Name: "Variant", Value: "ao.TN.1"},
			{Name: "Type", Value: "Module"},
			{Name: "Module-Format", Value: Format},
			{Name: "Input-Encoding", Value: "JSON-1"},
			{Name: "Output-Encoding", Value: "JSON-1"},
			{Name: "Memory-Limit", Value: "1-gb"},
			{Name: "Compute-Limit", Value: "9000000000000"},
			{Name: "Name", Value: "ago-process"},
			{Name: "Content-Type", Value: "text/x-lua"},
		},
		Data: Bundle(),
	}
}
