package device

import (
	"context"

	"ago/message"
)

// Contents is where messages are kept by what they say. A path is an id, an id with keys behind it, a hashpath, or a name that
// somebody linked. It is safe for concurrent use.
type Contents interface {
	// Read gives the message, list or bytes at a path. Its children may be links, which Read follows too. It fails with
	// NotFound for a path under which nothing is kept here or at those asked.
	Read(ctx context.Context, path string) (message.Value, error)
	// Write keeps a message, list or bytes, found from then on by each of its ids, and gives the one that links carry. It is
	// kept when Write returns.
	Write(ctx context.Context, v message.Value) (message.ID, error)
	// Lend is Write for values of those who may not fill the disk: kept in memory only, until others are lent.
	Lend(ctx context.Context, v message.Value) (message.ID, error)
	// Link makes a path another name of what is under an id. An id is never linked to something else: Conflict.
	Link(ctx context.Context, path string, to message.ID) error
	// Linked gives the id that a path, as it stands, was linked to. It fails with NotFound for a path that nobody linked, though
	// keys may lead along it.
	Linked(ctx context.Context, path string) (message.ID, error)
	// List gives the names one level below a path, in order; none if there are none.
	List(ctx context.Context, path string) ([]string, error)
	// Match gives the ids of messages that have all these keys with these values, in order.
	Match(ctx context.Context, want message.Message) ([]message.ID, error)
	// Local is the same without what other machines keep.
	Local() Contents
}
