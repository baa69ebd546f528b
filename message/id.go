package message

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// ID names a message, a process, a key's address or a blob: 32 bytes, written as 43 characters of unpadded base64url.
type ID [32]byte

// IDLength is the length of an id as text.
const IDLength = 43

// String gives the 43 characters.
func (id ID) String() string {
	var text [IDLength]byte
	base64.RawURLEncoding.Encode(text[:], id[:])
	return string(text[:])
}

// IsZero tells the absent id.
func (id ID) IsZero() bool { return id == ID{} }

// MarshalText writes the 43 characters, or nothing for the zero id.
func (id ID) MarshalText() ([]byte, error) {
	if id.IsZero() {
		return []byte{}, nil
	}
	return []byte(id.String()), nil
}

// UnmarshalText reads 43 characters; an empty text is the zero id.
func (id *ID) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*id = ID{}
		return nil
	}
	v, err := ParseID(string(b))
	if err == nil {
		*id = v
	}
	return err
}

// ParseID reads 43 characters of base64url. Stray bits in the last character are refused, so that one id has one text.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != IDLength {
		return id, fmt.Errorf("an id has %d characters of base64url, this has %d", IDLength, len(s))
	}
	if _, err := strict.Decode(id[:], []byte(s)); err != nil {
		return ID{}, fmt.Errorf("an id is base64url: %q is not", s)
	}
	return id, nil
}

var strict = base64.RawURLEncoding.Strict()

// HashOf gives the SHA-256 of the bytes as an id: the address of a public key, the id of a signature.
func HashOf(b []byte) ID { return sha256.Sum256(b) }
