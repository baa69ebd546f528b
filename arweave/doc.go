// Package arweave is Arweave's own formats: the deep hash, transactions, and chunks with the proofs that place them in the data.
package arweave

// Tag is a name with a value on a transaction or data item: raw bytes, in the order and spelling of its signer. Names may repeat.
type Tag struct{ Name, Value string }
